//! Buying: what the shop's buttons ask for, told to the plugin.

use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::Order;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

use crate::game::ItemState;
use crate::save::Bag;

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
    /// SKUs whose orders are to be created, as soon as that is no double click.
    wanted: Vec<String>,
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
    /// Whether an order for it is being created.
    pub fn is_under_way(&self, sku: &str) -> bool {
        let mut all = self.wanted.iter().chain(&self.under_way);
        all.any(|other| other == sku)
    }

    /// Whether an order is to be created in a moment.
    pub fn has_wishes(&self) -> bool {
        !self.wanted.is_empty()
    }

    pub fn sku_of(&self, order_id: OrderId) -> Option<&str> {
        let made = self.made.iter().find(|made| made.order_id == order_id);
        made.map(|made| made.sku.as_str())
    }

    /// The newest order for this item, of this run or an earlier one.
    pub fn newest<'a>(&self, sku: &str, orders: &'a Orders) -> Option<&'a Order> {
        orders.iter().rfind(|order| {
            let lists_it = |items: &Vec<OrderItem>| items.iter().any(|item| item.sku == sku);
            self.sku_of(order.order_id) == Some(sku) || order.items.as_ref().is_some_and(lists_it)
        })
    }

    /// The plugin takes the same purchase within a second for a double click, and does nothing.
    fn was_made_just_now(&self, sku: &str) -> bool {
        let made = self.made.iter().rfind(|made| made.sku == sku);
        made.is_some_and(|made| made.at.elapsed() < Duration::from_secs(1))
    }
}

fn buy(
    mut requests: MessageReader<Buy>,
    mut purchases: ResMut<Purchases>,
    (bag, orders, test): (Res<Bag>, Res<Orders>, Res<TestPayments>),
    mut commands: Commands,
) {
    for Buy { sku } in requests.read() {
        // The second half of a double click ends here: the first has made it no more for sale, and its
        // card says so.
        if ItemState::of(sku, &bag, &purchases, &orders).is_for_sale() {
            purchases.wanted.push(sku.clone());
        }
    }
    // Canceled, and bought again at once: that is meant.
    let is_ready = |sku: &String| !purchases.was_made_just_now(sku);
    let ready: Vec<_> = purchases
        .wanted
        .iter()
        .filter(|sku| is_ready(sku))
        .cloned()
        .collect();
    for sku in ready {
        commands.purchase(Purchase::item(&sku).sandbox(test.0));
        purchases.wanted.retain(|other| *other != sku);
        purchases.under_way.push(sku);
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

fn resume(
    mut requests: MessageReader<Resume>,
    (purchases, orders): (Res<Purchases>, Res<Orders>),
    mut commands: Commands,
) {
    for Resume { sku } in requests.read() {
        if let Some(order) = purchases.newest(sku, &orders) {
            commands.resume_payment(order.order_id);
        }
    }
}

fn cancel(
    mut requests: MessageReader<Cancel>,
    (purchases, orders): (Res<Purchases>, Res<Orders>),
    emulator: Option<Res<XsollaEmulator>>,
    mut commands: Commands,
) {
    for Cancel { sku } in requests.read() {
        let order_id = purchases.newest(sku, &orders).map(|order| order.order_id);
        match (order_id, &emulator) {
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
