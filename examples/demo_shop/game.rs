//! The game, as far as payments are concerned: what is for sale, what the hero has, and the one
//! system that grants. The window and the terminal share it.

use std::collections::BTreeMap;

use bevy::prelude::*;
use bevy_xsolla::Tracking;
use bevy_xsolla::prelude::*;
use serde_json::Value;

pub struct GamePlugin;

impl Plugin for GamePlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(Shelf::read(CATALOGUE))
            .init_resource::<Bag>()
            .init_resource::<Purchases>()
            .add_message::<ItemUnlocked>()
            .add_systems(Update, unlock_items);
    }
}

/// Xsolla's answer to "which virtual items are for sale".
const CATALOGUE: &str = include_str!("../../assets/virtual_items.json");

/// An item for sale.
#[derive(Clone)]
pub struct ShopItem {
    pub sku: String,
    pub name: String,
    pub description: String,
    /// As it is to be shown, such as `12.49 USD`.
    pub price: String,
}

/// What is for sale.
#[derive(Resource)]
pub struct Shelf(pub Vec<ShopItem>);

impl Shelf {
    fn read(catalogue: &str) -> Self {
        let catalogue: Value = serde_json::from_str(catalogue).unwrap_or_default();
        let items = catalogue["items"].as_array();
        Self(items.into_iter().flatten().filter_map(read_item).collect())
    }

    /// The item's name, or its SKU where it is not from this shop.
    pub fn name_of<'a>(&'a self, sku: &'a str) -> &'a str {
        let item = self.0.iter().find(|item| item.sku == sku);
        item.map_or(sku, |item| &item.name)
    }
}

/// An item that the hero keeps and that costs real money; the others are not for this shop.
fn read_item(item: &Value) -> Option<ShopItem> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if item["virtual_item_type"] != "non_consumable" {
        return None;
    }
    let amount = text(&item["price"]["amount"])?;
    let currency = text(&item["price"]["currency"])?;
    Some(ShopItem {
        sku: text(&item["sku"])?,
        name: text(&item["name"])?,
        description: text(&item["description"]).unwrap_or_default(),
        price: format!("{amount} {currency}"),
    })
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

/// Which order was for which item; the newest last. `Orders` knows it too, a request later.
#[derive(Default, Resource)]
pub struct Purchases(pub Vec<(OrderId, String)>);

/// Where an item stands, for its card. In the order in which a purchase moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug, Component)]
pub enum ItemState {
    Available,
    Canceled,
    Expired,
    Lost,
    Waiting,
    Paid,
    Unlocked,
}

impl ItemState {
    pub fn of(sku: &str, bag: &Bag, purchases: &Purchases, orders: &Orders) -> Self {
        if bag.has(sku) {
            return Self::Unlocked;
        }
        let is_for_it = |id: OrderId| {
            purchases
                .0
                .iter()
                .any(|(order, s)| *order == id && s == sku)
        };
        let order = orders.iter().rfind(|order| {
            let lists_it = |items: &Vec<OrderItem>| items.iter().any(|item| item.sku == sku);
            is_for_it(order.order_id) || order.items.as_ref().is_some_and(lists_it)
        });
        let Some(order) = order else {
            return Self::Available;
        };
        if let Tracking::Failed(_) = order.tracking {
            return Self::Lost;
        }
        match order.status {
            OrderStatus::New => Self::Waiting,
            OrderStatus::Canceled => Self::Canceled,
            OrderStatus::Expired => Self::Expired,
            // Done, and not in the bag yet: its items are on their way.
            _ => Self::Paid,
        }
    }

    /// Whether the item can be bought now.
    pub fn is_for_sale(self) -> bool {
        self < Self::Waiting
    }
}
