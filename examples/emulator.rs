//! This runs the emulator of Xsolla's servers by itself, for a game that runs beside it, for a client in
//! any language, or for curl. It ends on Ctrl-C.
//!
//! `cargo run --example emulator -- --webhooks http://127.0.0.1:8080/ --secret SECRET` sends webhooks to a server, and
//! prints what it answers.

use std::process::ExitCode;
use std::time::Duration;

use bevy_xsolla::emulator::{WebhookAttempt, XsollaEmulator};

const USAGE: &str = "usage: emulator [--webhooks URL [--secret SECRET]]";

/// Signs the webhooks unless another secret is given.
const DEFAULT_SECRET: &str = "PROJECT_SECRET_KEY";

/// The options of the command line.
#[derive(Default)]
struct Options {
    webhooks: Option<String>,
    secret: Option<String>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(name) = arguments.next() {
            let option = match name.as_str() {
                "--webhooks" => &mut options.webhooks,
                "--secret" => &mut options.secret,
                _ => return Err(format!("`{name}` is no option\n{USAGE}")),
            };
            let value = arguments.next();
            *option = Some(value.ok_or(format!("`{name}` needs a value\n{USAGE}"))?);
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let emulator = XsollaEmulator::start();
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::FAILURE;
        }
    };
    let secret = options.secret.as_deref().unwrap_or(DEFAULT_SECRET);
    if let Some(address) = &options.webhooks
        && let Err(problem) = emulator.try_webhooks_to(address, secret)
    {
        eprintln!("{problem}\n{USAGE}");
        return ExitCode::FAILURE;
    }
    let token = emulator.token("alice");
    let order_id = emulator.create_order(&emulator.user("alice"), &[("sword", 1)]);

    let store = emulator.store_url();
    let socket = emulator.socket_url();
    let project = emulator.project_id();
    let page = emulator.payment_page_url();
    let sandbox_page = emulator.sandbox_payment_page_url();
    let web_shop = emulator.web_shop_url("alice");
    let first_page = emulator.payment_url(order_id).unwrap_or_default();
    println!(
        "\
The emulator runs until Ctrl-C. No money moves, and nothing leaves this machine but webhooks, if any are sent.

store API     {store}
socket        {socket}
project id    {project}
payment page  {page}?token=TOKEN
  in sandbox  {sandbox_page}?token=TOKEN
Web Shop      {web_shop}

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

    if let Some(address) = &options.webhooks {
        let control = emulator.webhook_control_url();
        println!(
            "
Webhooks go to {address}
They are signed with the secret {secret}

A payment or a refund on the page sends its webhooks. These fire one, whatever the order's status, and
tell what it was answered:

curl -d '{{\"notification_type\": \"order_paid\", \"order_id\": {order_id}}}' {control}
curl -d '{{\"notification_type\": \"user_validation\", \"user\": \"alice\"}}' {control}
curl -d '{{\"body\": {{\"notification_type\": \"user_search\", \"user\": {{\"id\": \"alice\"}}}}}}' {control}
"
        );
    }

    // The server has a thread of its own.
    let mut printed = 0;
    loop {
        let attempts = emulator.webhook_attempts();
        for attempt in attempts.iter().skip(printed) {
            print(attempt);
        }
        printed = attempts.len();
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn print(attempt: &WebhookAttempt) {
    let order = match attempt.order_id {
        Some(order_id) => format!(" of order {order_id}"),
        None => String::new(),
    };
    let (kind, number) = (&attempt.notification_type, attempt.attempt);
    println!("sent {kind}{order}, attempt {number}: {}", attempt.body);
    match &attempt.answer {
        Ok(answer) => println!("  answered {} {}", answer.status, answer.body),
        Err(failure) => println!("  not answered: {failure}"),
    }
}
