//! The checkout passes on to the plugin what the shop's buttons ask for.

use bevy::prelude::*;
use bevy_xsolla::prelude::*;

use crate::bag::Bag;
use crate::game::ItemState;
use crate::payer::Payer;
use crate::words;

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

/// What was bought in this run. `Orders` knows what each order is for too, but only once the server has
/// listed the order's items.
#[derive(Default, Resource)]
pub struct Purchases {
    /// The purchases that the plugin has not answered yet, and the SKU of each.
    under_way: Vec<(PurchaseId, String)>,
    /// The orders that were created, and the SKU of each.
    made: Vec<(OrderId, String)>,
}

impl Purchases {
    /// Whether an order for it is being created.
    pub fn is_under_way(&self, sku: &str) -> bool {
        self.under_way.iter().any(|(_, other)| other == sku)
    }

    pub fn sku_of(&self, order_id: OrderId) -> Option<&str> {
        let made = self.made.iter().find(|(id, _)| *id == order_id);
        made.map(|(_, sku)| sku.as_str())
    }

    /// The newest order of this item, from this run or an earlier one.
    pub fn newest<'a>(&self, sku: &str, orders: &'a Orders) -> Option<&'a Order> {
        orders.iter().rfind(|order| {
            let lists_it = |items: &Vec<OrderItem>| items.iter().any(|item| item.sku == sku);
            self.sku_of(order.order_id) == Some(sku) || order.items.as_ref().is_some_and(lists_it)
        })
    }

    /// Takes out the purchase that was answered; its SKU.
    fn end(&mut self, purchase_id: PurchaseId) -> Option<String> {
        let index = self
            .under_way
            .iter()
            .position(|(id, _)| *id == purchase_id)?;
        Some(self.under_way.swap_remove(index).1)
    }
}

fn buy(
    mut requests: MessageReader<Buy>,
    mut purchases: ResMut<Purchases>,
    (bag, orders, test): (Res<Bag>, Res<Orders>, Res<TestPayments>),
    mut commands: Commands,
) {
    for Buy { sku } in requests.read() {
        // The second click of a double click ends here: the item is not for sale any more, and its card
        // says so.
        if ItemState::of(sku, &bag, &purchases, &orders).is_for_sale() {
            let purchase_id = commands.purchase(Purchase::item(sku).sandbox(test.0));
            purchases.under_way.push((purchase_id, sku.clone()));
        }
    }
}

fn note_outcomes(
    mut started: MessageReader<PurchaseStarted>,
    mut failed: MessageReader<PurchaseFailed>,
    mut purchases: ResMut<Purchases>,
    mut again: MessageWriter<Buy>,
) {
    for order in started.read() {
        if let Some(sku) = purchases.end(order.purchase_id) {
            purchases.made.push((order.order_id, sku));
        }
    }
    for failure in failed.read() {
        let sku = purchases.end(failure.purchase_id);
        // Double clicks do not come this far, so the player has canceled an order and buys the same again
        // within the second in which the plugin takes that for a double click. They mean it.
        if let Some(sku) = sku
            && words::is_repeated(failure)
        {
            again.write(Buy { sku });
        }
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
    payer: Res<Payer>,
    mut commands: Commands,
) {
    for Cancel { sku } in requests.read() {
        let order_id = purchases.newest(sku, &orders).map(|order| order.order_id);
        // Where the demo stands in for the payment page, it can cancel an order there.
        if let Some(order_id) = order_id
            && !payer.cancel(order_id)
        {
            commands.abandon_order(order_id);
        }
    }
}
