//! The part of the game that has to do with payments, with the one system that grants. The window and the
//! terminal share it.

use bevy::prelude::*;
use bevy_xsolla::CatalogItem;
use bevy_xsolla::prelude::*;

use crate::bag::Bag;
use crate::checkout::Purchases;
use crate::words;

pub struct GamePlugin;

impl Plugin for GamePlugin {
    fn build(&self, app: &mut App) {
        app.add_message::<ItemUnlocked>().add_systems(
            Update,
            (
                fetch_catalog
                    .run_if(resource_exists_and_changed::<XsollaUser>.or_else(limits_have_changed)),
                (unlock_items, take_back).chain(),
                words::log_causes,
            ),
        );
    }
}

/// Fetches the catalogue for each player who logs in, because items, prices and limits may depend on the player.
pub fn fetch_catalog(mut commands: Commands) {
    commands.fetch_catalog_for(CatalogRequest::everything());
}

/// Whether less of an item is left than the catalogue says: some of it was bought, or the store said that it is sold out.
fn limits_have_changed(
    mut done: MessageReader<OrderDone>,
    mut failed: MessageReader<PurchaseFailed>,
    catalog: Res<Catalog>,
) -> bool {
    let is_limited = |item: &OrderItem| {
        let item = catalog.get(&item.sku);
        item.is_some_and(|item| item.limit_per_user.or(item.limit_per_item).is_some())
    };
    let is_bought = done.read().any(|order| order.items.iter().any(is_limited));
    let is_refused =
        |failure: &PurchaseFailed| matches!(failure.error, PurchaseError::LimitReached(_));
    failed.read().any(is_refused) || is_bought
}

/// The items that cost real money. This shop sells no others.
pub fn for_sale(catalog: &Catalog) -> impl Iterator<Item = &CatalogItem> {
    catalog.items().iter().filter(|item| item.price.is_some())
}

/// The item's name, or its SKU where the catalogue does not have it. Some items come only with others.
pub fn name_of<'a>(sku: &'a str, catalog: &'a Catalog) -> &'a str {
    if let Some(item) = catalog.get(sku) {
        return &item.name;
    }
    let promotions = catalog.items().iter().flat_map(|item| &item.promotions);
    let mut bonus = promotions.flat_map(|promotion| &promotion.bonus);
    bonus
        .find(|item| item.sku == sku)
        .map_or(sku, |item| &item.name)
}

/// An item was put into the bag.
#[derive(Message)]
pub struct ItemUnlocked {
    pub sku: String,
}

/// Grants what was bought. Only [`OrderDone`] leads to a grant, because a paid order is not delivered yet.
fn unlock_items(
    mut done: MessageReader<OrderDone>,
    mut bag: ResMut<Bag>,
    mut unlocked: MessageWriter<ItemUnlocked>,
    mut commands: Commands,
) {
    for order in done.read() {
        match bag.add(order) {
            // The order came again, because the game ended before the ledger had the acknowledgement.
            Ok(false) => {}
            Ok(true) => {
                let skus = order.items.iter().map(|item| item.sku.clone());
                unlocked.write_batch(skus.map(|sku| ItemUnlocked { sku }));
            }
            Err(error) => {
                // It is not acknowledged, so it comes again at the next start.
                error!("order {} cannot be saved: {error}", order.order_id);
                continue;
            }
        }
        // The grant is on the disk by now. An earlier acknowledgement could lose it.
        commands.acknowledge_order(order.order_id);
    }
}

/// Takes back what a refunded order brought.
fn take_back(mut canceled: MessageReader<OrderCanceled>, mut bag: ResMut<Bag>) {
    for order in canceled.read().filter(|order| order.was_done) {
        if let Err(error) = bag.take_back(order) {
            error!("order {} cannot be taken back: {error}", order.order_id);
        }
    }
}

/// The state of an item, for its card. The order is that in which a purchase moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug, Component)]
pub enum ItemState {
    Available,
    Canceled,
    Refunded,
    Expired,
    Abandoned,
    Lost,
    /// Its order is being created.
    Ordered,
    Waiting,
    Paid,
    Unlocked,
}

impl ItemState {
    pub fn of(sku: &str, bag: &Bag, purchases: &Purchases, orders: &Orders) -> Self {
        if bag.has(sku) {
            return Self::Unlocked;
        }
        if purchases.is_under_way(sku) {
            return Self::Ordered;
        }
        let order = purchases.newest(sku, orders);
        order.map_or(Self::Available, |order| Self::of_order(order, bag))
    }

    pub fn of_order(order: &Order, bag: &Bag) -> Self {
        match (&order.phase, &order.status) {
            (OrderPhase::Failed(_), _) => Self::Lost,
            (OrderPhase::Abandoned, OrderStatus::New) => Self::Abandoned,
            (_, OrderStatus::New) => Self::Waiting,
            (_, OrderStatus::Canceled) if bag.was_refunded(order.order_id) => Self::Refunded,
            (_, OrderStatus::Canceled) => Self::Canceled,
            (_, OrderStatus::Expired) => Self::Expired,
            (phase, _) if phase.is_granted() => Self::Unlocked,
            // An order that is done and not granted yet waits for the list of its items.
            _ => Self::Paid,
        }
    }

    /// Whether the item can be bought now.
    pub fn is_for_sale(self) -> bool {
        self < Self::Ordered
    }
}
