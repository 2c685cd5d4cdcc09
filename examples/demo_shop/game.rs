//! The game, as far as payments are concerned: what the hero has, and the one system that grants.
//! The window and the terminal share it.

use std::collections::BTreeMap;

use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use bevy_xsolla::{CatalogItem, Tracking};

use crate::checkout::Purchases;

pub struct GamePlugin;

impl Plugin for GamePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Bag>()
            .add_message::<ItemUnlocked>()
            .add_systems(
                Update,
                (
                    fetch_catalog.run_if(resource_exists_and_changed::<XsollaUser>),
                    unlock_items,
                ),
            );
    }
}

/// For each player who logs in: what is for sale, and for how much, may depend on who asks.
fn fetch_catalog(mut commands: Commands) {
    commands.fetch_catalog();
}

/// What this shop sells: the items that cost real money. The others are not for it.
pub fn for_sale(catalog: &Catalog) -> impl Iterator<Item = &CatalogItem> {
    catalog.items().iter().filter(|item| item.price.is_some())
}

/// The item's name, or its SKU where it is not from this shop.
pub fn name_of<'a>(sku: &'a str, catalog: &'a Catalog) -> &'a str {
    catalog.get(sku).map_or(sku, |item| &item.name)
}

/// What the hero has: SKUs, and how many of each. A real game saves it, before it acknowledges.
#[derive(Default, Resource)]
pub struct Bag(BTreeMap<String, u64>);

impl Bag {
    fn add(&mut self, sku: &str, quantity: u64) {
        let owned = self.0.entry(sku.to_owned()).or_default();
        *owned = owned.saturating_add(quantity);
    }

    pub fn has(&self, sku: &str) -> bool {
        self.0.contains_key(sku)
    }
}

/// An item was put into the bag.
#[derive(Message)]
pub struct ItemUnlocked {
    pub sku: String,
}

/// The grant. It follows [`OrderDone`], nothing else: a paid order is not delivered yet.
fn unlock_items(
    mut done: MessageReader<OrderDone>,
    mut bag: ResMut<Bag>,
    mut unlocked: MessageWriter<ItemUnlocked>,
    mut commands: Commands,
) {
    for order in done.read() {
        for item in &order.items {
            bag.add(&item.sku, item.quantity);
            unlocked.write(ItemUnlocked {
                sku: item.sku.clone(),
            });
        }
        commands.acknowledge_order(order.order_id);
    }
}

/// Where an item stands, for its card. In the order in which a purchase moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug, Component)]
pub enum ItemState {
    Available,
    Canceled,
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
        let order = orders.iter().rfind(|order| {
            let lists_it = |items: &Vec<OrderItem>| items.iter().any(|item| item.sku == sku);
            purchases.sku_of(order.order_id) == Some(sku)
                || order.items.as_ref().is_some_and(lists_it)
        });
        let Some(order) = order else {
            return Self::Available;
        };
        match (&order.tracking, &order.status) {
            (Tracking::Failed(_), _) => Self::Lost,
            (Tracking::Abandoned, OrderStatus::New) => Self::Abandoned,
            (_, OrderStatus::New) => Self::Waiting,
            (_, OrderStatus::Canceled) => Self::Canceled,
            (_, OrderStatus::Expired) => Self::Expired,
            // Done, and not in the bag yet: its items are on their way.
            _ => Self::Paid,
        }
    }

    /// Whether the item can be bought now.
    pub fn is_for_sale(self) -> bool {
        self < Self::Ordered
    }
}
