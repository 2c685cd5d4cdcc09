//! Buying: what the shop's buttons ask for, told to the plugin.

use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

use crate::game::{Bag, ItemState};

pub struct CheckoutPlugin;

impl Plugin for CheckoutPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Purchases>()
            .init_resource::<TestPayments>()
            .add_message::<Buy>()
            .add_message::<Resume>()
            .add_message::<Cancel>()
            .add_systems(Update, (note_outcomes, buy, resume, cancel).chain());
    }
}

/// The player wants an item.
#[derive(Message)]
pub struct Buy {
    pub sku: String,
}

/// The player has closed the payment page, and wants it back.
#[derive(Message)]
pub struct Resume {
    pub sku: String,
}

/// The player has changed their mind before paying.
#[derive(Message)]
pub struct Cancel {
    pub sku: String,
}

/// Whether Xsolla's sandbox takes the payments.
#[derive(Default, Resource)]
pub struct TestPayments(pub bool);

/// What was bought in this run. `Orders` knows what each order is for too, a request later.
#[derive(Default, Resource)]
pub struct Purchases {
    /// SKUs whose orders are being created.
    under_way: Vec<String>,
    /// The newest last.
    made: Vec<Made>,
}

struct Made {
    order_id: OrderId,
    sku: String,
    at: Instant,
}

impl Purchases {
    pub fn is_under_way(&self, sku: &str) -> bool {
        self.under_way.iter().any(|other| other == sku)
    }

    pub fn sku_of(&self, order_id: OrderId) -> Option<&str> {
        let made = self.made.iter().find(|made| made.order_id == order_id);
        made.map(|made| made.sku.as_str())
    }

    /// The newest order for this item.
    pub fn order_of(&self, sku: &str) -> Option<OrderId> {
        self.newest(sku).map(|made| made.order_id)
    }

    fn newest(&self, sku: &str) -> Option<&Made> {
        self.made.iter().rfind(|made| made.sku == sku)
    }
}

fn buy(
    mut requests: MessageReader<Buy>,
    mut purchases: ResMut<Purchases>,
    (bag, orders, test): (Res<Bag>, Res<Orders>, Res<TestPayments>),
    mut commands: Commands,
) {
    for Buy { sku } in requests.read() {
        // Within a second the plugin takes the same purchase for a double click, and says nothing.
        let just_now = |made: &Made| made.at.elapsed() < Duration::from_secs(1);
        if purchases.newest(sku).is_some_and(just_now)
            || !ItemState::of(sku, &bag, &purchases, &orders).is_for_sale()
        {
            continue;
        }
        commands.purchase(Purchase::item(sku).sandbox(test.0));
        purchases.under_way.push(sku.clone());
    }
}

fn note_outcomes(
    mut started: MessageReader<PurchaseStarted>,
    mut failed: MessageReader<PurchaseFailed>,
    mut purchases: ResMut<Purchases>,
) {
    for order in started.read() {
        if let [(sku, _)] = order.purchase.items() {
            purchases.under_way.retain(|other| other != sku);
            purchases.made.push(Made {
                order_id: order.order_id,
                sku: sku.clone(),
                at: Instant::now(),
            });
        }
    }
    for failure in failed.read() {
        purchases.under_way.retain(|other| *other != failure.sku);
    }
}

fn resume(mut requests: MessageReader<Resume>, purchases: Res<Purchases>, mut commands: Commands) {
    for Resume { sku } in requests.read() {
        if let Some(order_id) = purchases.order_of(sku) {
            commands.resume_payment(order_id);
        }
    }
}

fn cancel(
    mut requests: MessageReader<Cancel>,
    purchases: Res<Purchases>,
    emulator: Option<Res<XsollaEmulator>>,
    mut commands: Commands,
) {
    for Cancel { sku } in requests.read() {
        match (purchases.order_of(sku), &emulator) {
            (None, _) => {}
            (Some(order_id), None) => commands.abandon_order(order_id),
            // The demo is the payment page too, and there an order can be canceled for good.
            (Some(order_id), Some(emulator)) => {
                if emulator.status(order_id) == OrderStatus::New {
                    emulator.cancel(order_id);
                }
            }
        }
    }
}
