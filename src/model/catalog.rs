//! What is for sale.

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
#[reflect(Resource, Clone, Debug, Default)]
pub struct Catalog {
    pub(crate) items: Vec<CatalogItem>,
    pub(crate) state: CatalogState,
}

impl Catalog {
    /// The items, in the store's order. While a new list is being fetched, and when that fails, the
    /// one from before.
    pub fn items(&self) -> &[CatalogItem] {
        &self.items
    }

    /// The item with this SKU.
    pub fn get(&self, sku: &str) -> Option<&CatalogItem> {
        self.items.iter().find(|item| item.sku == sku)
    }

    /// Whether the list is there.
    pub fn state(&self) -> &CatalogState {
        &self.state
    }
}

/// Whether the [`Catalog`] is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Reflect)]
#[reflect(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum CatalogState {
    /// Nobody has asked for it.
    #[default]
    Empty,
    /// It is being fetched.
    Loading,
    /// It is there, whole.
    Ready,
    /// It could not be fetched.
    Failed(RequestError),
}

/// Something for sale.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CatalogItem {
    /// What it is bought by.
    pub sku: String,
    /// What the player reads, in the locale that was asked for.
    pub name: String,
    /// More of that; may be HTML, as it was entered in Publisher Account.
    pub description: Option<String>,
    /// A picture.
    pub image_url: Option<String>,
    /// The store's type, such as `virtual_good`.
    pub item_type: Option<String>,
    /// Whether it is used up, such as `consumable` or `non_consumable`.
    pub virtual_item_type: Option<String>,
    /// Whether it costs nothing.
    pub is_free: bool,
    /// What it costs in real money, if it is sold for that.
    pub price: Option<Price>,
    /// What it costs in virtual currencies, if it is sold for those.
    pub virtual_prices: Vec<VirtualPrice>,
    /// The names of the groups it is in.
    pub groups: Vec<String>,
    /// Its attributes, as they were entered in Publisher Account.
    pub attributes: Vec<ItemAttribute>,
}

/// A price in a virtual currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Reflect)]
// Opaque, because Bevy does not reflect a `Decimal`.
#[reflect(opaque, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VirtualPrice {
    /// The currency's SKU.
    pub sku: String,
    /// The currency's name.
    pub name: Option<String>,
    /// What the player pays.
    pub amount: Decimal,
    /// What it would be without discounts.
    pub amount_without_discount: Decimal,
    /// Whether this is the price to show first.
    pub is_default: bool,
}

/// An attribute of an item: a name and its values.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ItemAttribute {
    /// Its id in the project.
    pub external_id: String,
    /// What the player reads.
    pub name: Option<String>,
    /// What the player reads of its values.
    pub values: Vec<String>,
}

/// Which catalogue is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogRequest {
    pub(crate) locale: Option<String>,
    pub(crate) country: Option<String>,
}

impl CatalogRequest {
    /// In the store's default language, for the country that the player's address is of.
    pub fn new() -> Self {
        Self::default()
    }

    /// In this language: two letters of ISO 639-1, such as `de`.
    #[must_use]
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = Some(locale.into());
        self
    }

    /// With the prices of this country: two letters of ISO 3166-1, such as `DE`.
    #[must_use]
    pub fn country(mut self, country: impl Into<String>) -> Self {
        self.country = Some(country.into());
        self
    }
}
