//! Buying in the demo: `XsollaEmulator` creates the order, and the demo plays the payment page.

use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

use crate::game::{Bag, ItemState, Purchases};

/// How long the player takes to pay, and then Xsolla to deliver.
const PAID_AFTER: Duration = Duration::from_millis(1500);
const DONE_AFTER: Duration = Duration::from_millis(3000);

/// With [`Checkout`] in the app, [`Buy`] and [`Cancel`] work; without, they do nothing.
pub struct CheckoutPlugin;

impl Plugin for CheckoutPlugin {
    fn build(&self, app: &mut App) {
        app.add_message::<Buy>()
            .add_message::<Cancel>()
            .add_systems(
                Update,
                (buy, cancel, play_payments)
                    .chain()
                    .run_if(resource_exists::<Checkout>),
            );
    }
}

/// The player wants an item.
#[derive(Message)]
pub struct Buy {
    pub sku: String,
}

/// The player has changed their mind before paying.
#[derive(Message)]
pub struct Cancel {
    pub sku: String,
}

/// The stand-in for Xsolla. It lives as long as the app does.
#[derive(Resource)]
pub struct Checkout {
    emulator: XsollaEmulator,
    player: XsollaUser,
    open: Vec<Payment>,
}

/// A payment page that is open.
struct Payment {
    order_id: OrderId,
    opened_at: Duration,
}

impl Checkout {
    pub fn new(emulator: XsollaEmulator, player: XsollaUser) -> Self {
        Self {
            emulator,
            player,
            open: Vec::new(),
        }
    }
}

fn buy(
    mut requests: MessageReader<Buy>,
    mut checkout: ResMut<Checkout>,
    mut purchases: ResMut<Purchases>,
    (bag, orders, time): (Res<Bag>, Res<Orders>, Res<Time<Real>>),
    mut commands: Commands,
) {
    for Buy { sku } in requests.read() {
        // A double click is one purchase.
        if !ItemState::of(sku, &bag, &purchases, &orders).is_for_sale() {
            continue;
        }
        let items = [(sku.as_str(), 1)];
        match checkout.emulator.try_create_order(&checkout.player, &items) {
            Ok(order_id) => {
                // The payment page opens now: from here on the order is followed.
                commands.track_order(order_id);
                purchases.0.push((order_id, sku.clone()));
                let opened_at = time.elapsed();
                checkout.open.push(Payment {
                    order_id,
                    opened_at,
                });
            }
            Err(error) => error!("cannot buy {sku}: {error}"),
        }
    }
}

fn cancel(mut requests: MessageReader<Cancel>, checkout: Res<Checkout>, purchases: Res<Purchases>) {
    for Cancel { sku } in requests.read() {
        let order = purchases.0.iter().rfind(|(_, bought)| bought == sku);
        if let Some(&(order_id, _)) = order
            && checkout.emulator.status(order_id) == OrderStatus::New
        {
            checkout.emulator.cancel(order_id);
        }
    }
}

/// What the player and Xsolla would do. The game hears of it through the plugin only.
fn play_payments(mut checkout: ResMut<Checkout>, time: Res<Time<Real>>) {
    let Checkout { emulator, open, .. } = &mut *checkout;
    open.retain(|payment| {
        let age = time.elapsed().saturating_sub(payment.opened_at);
        match emulator.status(payment.order_id) {
            OrderStatus::New if age >= PAID_AFTER => emulator.pay(payment.order_id),
            OrderStatus::Paid if age >= DONE_AFTER => emulator.deliver(payment.order_id),
            _ => {}
        }
        !emulator.status(payment.order_id).is_final()
    });
}
