//! What the player and Xsolla would do, with the emulator: pay and deliver. The game hears of it
//! through the plugin only.

use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

/// How long the player takes to pay, and then Xsolla to deliver.
const PAID_AFTER: Duration = Duration::from_millis(1500);
const DONE_AFTER: Duration = Duration::from_millis(1500);

/// How long a slow payment takes: by the phone bill it may be minutes.
const PAID_SLOWLY_AFTER: Duration = Duration::from_secs(15);

/// Without an [`XsollaEmulator`] in the app it does nothing.
pub struct PayerPlugin;

impl Plugin for PayerPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Payer>().add_systems(
            Update,
            (open_pages, pay_and_deliver)
                .chain()
                .run_if(resource_exists::<XsollaEmulator>),
        );
    }
}

#[derive(Default, Resource)]
pub struct Payer {
    pub is_slow: bool,
    /// Orders that are not at their end, and since when each has its status.
    open: Vec<(OrderId, Duration)>,
}

impl Payer {
    /// Whether it is to pay or deliver something.
    pub fn is_busy(&self) -> bool {
        !self.open.is_empty()
    }
}

fn open_pages(
    mut started: MessageReader<PurchaseStarted>,
    mut payer: ResMut<Payer>,
    time: Res<Time<Real>>,
) {
    for order in started.read() {
        payer.open.push((order.order_id, time.elapsed()));
    }
}

fn pay_and_deliver(mut payer: ResMut<Payer>, emulator: Res<XsollaEmulator>, time: Res<Time<Real>>) {
    let paid_after = match payer.is_slow {
        true => PAID_SLOWLY_AFTER,
        false => PAID_AFTER,
    };
    payer.open.retain_mut(|(order_id, since)| {
        let age = time.elapsed().saturating_sub(*since);
        match emulator.status(*order_id) {
            OrderStatus::New if age >= paid_after => {
                emulator.pay(*order_id);
                *since = time.elapsed();
            }
            OrderStatus::Paid if age >= DONE_AFTER => emulator.deliver(*order_id),
            _ => {}
        }
        !emulator.status(*order_id).is_final()
    });
}
