//! This runs the emulator of Xsolla's servers by itself, for a game that runs beside it, for a client in
//! any language, or for curl. It ends on Ctrl-C.

use bevy_xsolla::emulator::XsollaEmulator;

fn main() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let order_id = emulator.create_order(&emulator.user("alice"), &[("sword", 1)]);

    let store = emulator.store_url();
    let socket = emulator.socket_url();
    let project = emulator.project_id();
    let page = emulator.payment_page_url();
    let sandbox_page = emulator.sandbox_payment_page_url();
    let first_page = emulator.payment_url(order_id).unwrap_or_default();
    println!(
        "\
The emulator runs until Ctrl-C. Nothing leaves this machine, and no money moves.

store API     {store}
socket        {socket}
project id    {project}
payment page  {page}?token=TOKEN
  in sandbox  {sandbox_page}?token=TOKEN

These lines give the addresses and a token of the player alice, which is valid for a day, to a game
that calls `XsollaConfig::from_env()` and `XsollaUser::from_env()`:

export XSOLLA_STORE_URL={store} XSOLLA_SOCKET_URL={socket}
export XSOLLA_PROJECT_ID={project} XSOLLA_USER_TOKEN={token}

List what is for sale:

curl '{store}/v2/project/{project}/items/virtual_items'

Order a sword. The answer's token opens the payment page; with \"sandbox\": true in the data, the page
of the sandbox:

curl -H \"Authorization: Bearer $XSOLLA_USER_TOKEN\" -d '{{\"quantity\": 1}}' \\
  '{store}/v2/project/{project}/payment/item/sword'

Follow an order:

curl -H \"Authorization: Bearer $XSOLLA_USER_TOKEN\" '{store}/v2/project/{project}/order/ORDER_ID'

Order {order_id} of alice waits to be paid. Open its payment page in a browser:

{first_page}"
    );

    // The server has a thread of its own.
    loop {
        std::thread::park();
    }
}
