//! The catalogue: the items that the project sells.

use bevy::prelude::{
    Reflect, ReflectDefault, ReflectDeserialize, ReflectResource, ReflectSerialize, Resource,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::model::error::RequestError;
use crate::model::order::Price;

/// The virtual items that the project sells, filled by
/// [`fetch_catalog`](crate::StoreCommands::fetch_catalog).
#[derive(Clone, Debug, Default, Resource, Reflect)]
// Nobody clones the entity of a resource, and a game in a browser would load the code.
#[component(clone_behavior = Ignore)]
#[reflect(no_auto_register, Resource, Clone, Debug, Default)]
pub struct Catalog {
    pub(crate) items: Vec<CatalogItem>,
    pub(crate) state: CatalogState,
}

impl Catalog {
    /// The items, in the store's order. The list of the last successful fetch stays while a new one is fetched,
    /// and if that fails.
    pub fn items(&self) -> &[CatalogItem] {
        &self.items
    }

    /// The item with this SKU.
    pub fn get(&self, sku: &str) -> Option<&CatalogItem> {
        self.items.iter().find(|item| item.sku == sku)
    }

    /// The state of the last fetch.
    pub fn state(&self) -> &CatalogState {
        &self.state
    }
}

/// The state of the [`Catalog`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum CatalogState {
    /// The catalogue has not been fetched yet.
    #[default]
    Empty,
    /// The catalogue is being fetched.
    Loading,
    /// The catalogue is complete.
    Ready,
    /// The catalogue could not be fetched.
    Failed(RequestError),
}

/// An item that the project sells.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CatalogItem {
    /// The item's SKU, which [`Purchase::item`](crate::Purchase::item) takes.
    pub sku: String,
    /// The name to show, in the locale that was requested.
    pub name: String,
    /// The description to show. It may be HTML, as it was entered in Publisher Account.
    pub description: Option<String>,
    /// The address of the item's image.
    pub image_url: Option<String>,
    /// The store's type of item, such as `virtual_good`.
    pub item_type: Option<String>,
    /// The store's type of virtual item, such as `consumable` or `non_consumable`.
    pub virtual_item_type: Option<String>,
    /// Whether the item is free.
    pub is_free: bool,
    /// The price in real money, if the item is sold for real money.
    pub price: Option<Price>,
    /// The prices in virtual currencies, if the item is sold for any.
    pub virtual_prices: Vec<VirtualPrice>,
    /// The names of the groups that the item belongs to.
    pub groups: Vec<String>,
    /// The item's attributes, as they were entered in Publisher Account.
    pub attributes: Vec<ItemAttribute>,
}

/// A price in a virtual currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Reflect)]
// The type is opaque, because Bevy does not reflect a `Decimal`.
#[reflect(
    no_auto_register,
    opaque,
    Clone,
    Debug,
    PartialEq,
    Serialize,
    Deserialize
)]
#[non_exhaustive]
pub struct VirtualPrice {
    /// The currency's SKU.
    pub sku: String,
    /// The currency's name.
    pub name: Option<String>,
    /// The amount that the player pays.
    pub amount: Decimal,
    /// The amount without discounts.
    pub amount_without_discount: Decimal,
    /// Whether this is the price to show first.
    pub is_default: bool,
}

/// An attribute of an item: a name and its values.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ItemAttribute {
    /// The attribute's id in the project.
    pub external_id: String,
    /// The attribute's name to show.
    pub name: Option<String>,
    /// The values to show.
    pub values: Vec<String>,
}

/// The language and the country that the catalogue is requested for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogRequest {
    pub(crate) locale: Option<String>,
    pub(crate) country: Option<String>,
}

impl CatalogRequest {
    /// Requests the store's default language, and the prices of the country that the player's IP address belongs
    /// to.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests this language: two letters of ISO 639-1, such as `de`.
    #[must_use]
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = Some(locale.into());
        self
    }

    /// Requests the prices of this country: two letters of ISO 3166-1, such as `DE`.
    #[must_use]
    pub fn country(mut self, country: impl Into<String>) -> Self {
        self.country = Some(country.into());
        self
    }
}
