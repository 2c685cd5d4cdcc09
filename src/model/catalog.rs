//! The catalogue: the items that the project sells.

use bevy::prelude::{
    Reflect, ReflectDefault, ReflectDeserialize, ReflectResource, ReflectSerialize, Resource,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::model::error::RequestError;
use crate::model::order::Price;

/// What the project sells, filled by [`fetch_catalog`](crate::StoreCommands::fetch_catalog) with its virtual items, and
/// by [`fetch_catalog_for`](crate::StoreCommands::fetch_catalog_for) with what a [`CatalogRequest`] asks for.
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

/// An item that the project sells: a virtual item, a bundle, a virtual currency or a package of one.
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
    /// What the item is, read from the store's type.
    pub kind: ItemKind,
    /// The store's type of item, such as `virtual_good` or `bundle`.
    pub item_type: Option<String>,
    /// The store's type of virtual item: `consumable`, `non_consumable` or `non_renewing_subscription`.
    pub virtual_item_type: Option<String>,
    /// How often a consumable can be used, if the store says so.
    pub usages_count: Option<u64>,
    /// How long a subscription lasts.
    pub expiration: Option<ExpirationPeriod>,
    /// Whether the item is free.
    pub is_free: bool,
    /// Whether the store sells the item to this player now. It is `true` where the store does not say.
    pub can_be_bought: bool,
    /// The price in real money, if the item is sold for real money. With a promotion,
    /// [`amount_without_discount`](Price::amount_without_discount) is the old price.
    pub price: Option<Price>,
    /// The prices in virtual currencies, if the item is sold for any.
    pub virtual_prices: Vec<VirtualPrice>,
    /// What is in a bundle, or the currency that is in a package. It is empty for other items.
    pub contents: Vec<IncludedItem>,
    /// What the contents of a bundle cost one by one (`total_content_price`), if the store says so.
    pub contents_price: Option<Price>,
    /// How many pieces this player may buy; `None` if there is no limit. The store counts for a player who is logged in.
    pub limit_per_user: Option<ItemLimit>,
    /// How many pieces all players may buy together; `None` if there is no limit.
    pub limit_per_item: Option<ItemLimit>,
    /// The promotions of the item. The price has their discounts already.
    pub promotions: Vec<Promotion>,
    /// The groups that the item belongs to.
    pub groups: Vec<ItemGroup>,
    /// The item's attributes, as they were entered in Publisher Account.
    pub attributes: Vec<ItemAttribute>,
}

impl CatalogItem {
    /// Whether a limit is reached, so that the store refuses the purchase with
    /// [`PurchaseError::LimitReached`](crate::PurchaseError::LimitReached).
    pub fn is_sold_out(&self) -> bool {
        let limits = [self.limit_per_user, self.limit_per_item];
        limits.iter().flatten().any(|limit| limit.available == 0)
    }
}

/// What an item of the catalogue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Reflect)]
#[reflect(no_auto_register, Clone, Debug, Default, PartialEq, Hash)]
#[non_exhaustive]
pub enum ItemKind {
    /// A virtual item (`virtual_good`), or one whose type the store did not say.
    #[default]
    VirtualItem,
    /// Several items that are sold as one (`bundle`).
    Bundle,
    /// A virtual currency (`virtual_currency`), sold by the unit if it has a price.
    VirtualCurrency,
    /// A fixed amount of a virtual currency (a `bundle` whose `bundle_type` is `virtual_currency_package`).
    CurrencyPackage,
    /// Another type, such as `physical_good` or `game_key`; [`CatalogItem::item_type`] has it.
    Other,
}

impl ItemKind {
    /// Reads the store's `type` and `bundle_type`.
    pub(crate) fn of(item_type: Option<&str>, bundle_type: Option<&str>) -> Self {
        const PACKAGE: &str = "virtual_currency_package";
        match (item_type, bundle_type) {
            (Some("bundle"), Some(PACKAGE)) | (Some(PACKAGE), _) => Self::CurrencyPackage,
            (Some("bundle"), _) => Self::Bundle,
            (Some("virtual_currency"), _) => Self::VirtualCurrency,
            (None | Some("virtual_good"), _) => Self::VirtualItem,
            _ => Self::Other,
        }
    }
}

/// An item that comes with another one: in a bundle, in a package of currency, or as the bonus of a promotion.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IncludedItem {
    /// The item's SKU.
    pub sku: String,
    /// The name to show.
    pub name: String,
    /// What the item is.
    pub kind: ItemKind,
    /// The address of the item's image.
    pub image_url: Option<String>,
    /// The number of pieces in one piece of the item that it comes with.
    pub quantity: u64,
}

/// A limit of how many pieces can be bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ItemLimit {
    /// How many pieces are left. The item is sold out at 0.
    pub available: u64,
    /// How many pieces there were at first.
    pub total: u64,
    /// The time at which the limit is counted anew, in seconds since 1970, or `None` if it is never
    /// (`recurrent_schedule.reset_next_date`).
    pub resets_at: Option<u64>,
}

/// A promotion of an item.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Promotion {
    /// The name, if the store gave it.
    pub name: Option<String>,
    /// The begin, in the store's form: `2026-04-15T16:16:00+03:00`.
    pub date_start: Option<String>,
    /// The end in the same form, or `None` if the promotion has no end.
    pub date_end: Option<String>,
    /// What is taken off the price.
    pub discount: Option<Discount>,
    /// What the player gets in addition.
    pub bonus: Vec<IncludedItem>,
    /// How often this player may use the promotion; `None` if there is no limit.
    pub limit_per_user: Option<ItemLimit>,
}

/// What a promotion takes off the price.
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
pub enum Discount {
    /// So many percent.
    Percent(Decimal),
    /// This amount, in the currency of the price.
    Amount(Decimal),
}

/// How long an item lasts, such as one month.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExpirationPeriod {
    /// The number of units.
    pub value: u64,
    /// The unit: `minute`, `hour`, `day`, `week`, `month` or `year`.
    pub unit: String,
}

/// A group of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ItemGroup {
    /// The group's id in the project, which [`CatalogRequest::group`] takes.
    pub external_id: String,
    /// The group's name to show.
    pub name: String,
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

/// What is fetched into the [`Catalog`], in which language and with which country's prices.
///
/// Each fetch replaces what the catalogue has. A game that sells more than virtual items asks for
/// [everything](Self::everything) and tells the items apart by their [kind](CatalogItem::kind).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogRequest {
    pub(crate) section: Section,
    pub(crate) skus: Option<Vec<String>>,
    pub(crate) locale: Option<String>,
    pub(crate) country: Option<String>,
}

/// A part of what the project sells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Section {
    #[default]
    VirtualItems,
    Bundles,
    CurrencyPackages,
    VirtualCurrencies,
    /// The virtual items of the group with this external id.
    Group(String),
    Everything,
}

impl CatalogRequest {
    /// Requests all virtual items (`items/virtual_items`) in the store's default language, with the prices of the
    /// country that the player's IP address belongs to.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests virtual items, bundles, currency packages and virtual currencies, in this order. It takes a request for
    /// each of the four at least.
    pub fn everything() -> Self {
        Self::of(Section::Everything)
    }

    /// Requests bundles with their contents (`items/bundle`).
    pub fn bundles() -> Self {
        Self::of(Section::Bundles)
    }

    /// Requests packages of virtual currency with their contents (`items/virtual_currency/package`).
    pub fn currency_packages() -> Self {
        Self::of(Section::CurrencyPackages)
    }

    /// Requests virtual currencies (`items/virtual_currency`).
    pub fn virtual_currencies() -> Self {
        Self::of(Section::VirtualCurrencies)
    }

    /// Requests the virtual items of the group with this external id (`items/virtual_items/group/{external_id}`). The
    /// store answers 404 for a group that it does not have.
    pub fn group(external_id: impl Into<String>) -> Self {
        Self::of(Section::Group(external_id.into()))
    }

    fn of(section: Section) -> Self {
        Self {
            section,
            ..Self::default()
        }
    }

    /// Requests only the items with these SKUs (`sku[]`). The store takes 50 in one request, so more of them are
    /// requested in parts. An SKU that is not for sale is missing from the answer.
    #[must_use]
    pub fn skus<S: Into<String>>(mut self, skus: impl IntoIterator<Item = S>) -> Self {
        self.skus = Some(skus.into_iter().map(Into::into).collect());
        self
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
