//! What the player buys without the game: in the emulator's Web Shop, or as if it was there. The game knows nothing of it
//! until the plugin tells.

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

use crate::payer::Payer;

/// The player's name in the emulator.
pub const PLAYER: &str = "wanderer";

pub struct WebShopPlugin;

impl Plugin for WebShopPlugin {
    fn build(&self, app: &mut App) {
        app.add_message::<BuyElsewhere>()
            .add_systems(
                Startup,
                tell_address.run_if(resource_exists::<XsollaEmulator>),
            )
            .add_systems(Update, buy.run_if(resource_exists::<XsollaEmulator>));
    }
}

/// The player buys an item in the Web Shop, and pays it at once.
#[derive(Message)]
pub struct BuyElsewhere {
    pub sku: String,
}

fn tell_address(emulator: Res<XsollaEmulator>) {
    info!("the Web Shop is at {}", emulator.web_shop_url(PLAYER));
}

fn buy(
    mut requests: MessageReader<BuyElsewhere>,
    (emulator, user): (Res<XsollaEmulator>, Res<XsollaUser>),
    mut payer: ResMut<Payer>,
) {
    for BuyElsewhere { sku } in requests.read() {
        let order_id = emulator.create_order(&user, &[(sku, 1)]);
        emulator.pay(order_id);
        emulator.deliver(order_id);
        payer.keep(order_id, sku);
    }
}
