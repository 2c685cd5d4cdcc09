//! The items that are for sale, and what they cost.

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::model::catalog::ItemKind;

/// The items that are for sale unless told otherwise, in the shape of Xsolla's answer.
const ITEMS: &str = include_str!("../../../assets/catalog.json");

/// The type of an item that names none.
const VIRTUAL_GOOD: &str = "virtual_good";

/// The price of an item that is not in the catalogue.
const DEFAULT_AMOUNT: Decimal = Decimal::ONE;

#[derive(Default)]
pub(crate) struct Catalog {
    items: Vec<Value>,
}

/// A part of the catalogue that has an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section<'a> {
    Everything,
    VirtualItems,
    Bundles,
    CurrencyPackages,
    VirtualCurrencies,
    /// The virtual items of a group.
    Group(&'a str),
}

impl Section<'_> {
    fn has(self, item: &Value) -> bool {
        let text = |name: &str| item.get(name).and_then(Value::as_str);
        let kind = ItemKind::of(text("type"), text("bundle_type"));
        match self {
            Self::Everything => true,
            Self::Bundles => kind == ItemKind::Bundle,
            Self::CurrencyPackages => kind == ItemKind::CurrencyPackage,
            Self::VirtualCurrencies => kind == ItemKind::VirtualCurrency,
            Self::VirtualItems => kind == ItemKind::VirtualItem,
            Self::Group(id) => {
                kind == ItemKind::VirtualItem
                    && groups_of(item).any(|group| external_id(group) == Some(id))
            }
        }
    }
}

/// The pieces that may still be bought; `None` where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) per_user: Option<u64>,
    pub(crate) per_item: Option<u64>,
}

impl Limits {
    fn read(item: &Value) -> Self {
        let limit = |name: &str| {
            let limit = item.get("limits")?.get(name)?;
            let available = limit.get("available").or_else(|| limit.get("total"));
            available?.as_u64()
        };
        Self {
            per_user: limit("per_user"),
            per_item: limit("per_item"),
        }
    }

    /// Writes what is available into an item of the catalogue.
    pub(crate) fn write(self, item: &mut Value) {
        for (name, available) in [("per_user", self.per_user), ("per_item", self.per_item)] {
            let limit = item
                .get_mut("limits")
                .and_then(|limits| limits.get_mut(name));
            if let (Some(Value::Object(limit)), Some(available)) = (limit, available) {
                limit.insert("available".to_owned(), available.into());
            }
        }
    }
}

/// The part of an item that an order needs.
pub(crate) struct Offer {
    pub(crate) name: Option<String>,
    /// Xsolla's word for what it is, such as `virtual_good`.
    pub(crate) kind: String,
    /// What is in a bundle.
    pub(crate) content: Vec<Content>,
    pub(crate) is_free: bool,
    pub(crate) price: Option<Price>,
    pub(crate) virtual_prices: Vec<VirtualPrice>,
    /// What a promotion adds.
    pub(crate) bonus: Vec<Content>,
}

/// A part of a bundle, or a bonus.
pub(crate) struct Content {
    pub(crate) sku: String,
    pub(crate) kind: String,
    pub(crate) quantity: u64,
}

impl Content {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            sku: value.get("sku")?.as_str()?.to_owned(),
            kind: kind_of(value),
            quantity: value.get("quantity").and_then(Value::as_u64).unwrap_or(1),
        })
    }
}

#[derive(Clone, Serialize)]
pub(crate) struct Price {
    #[serde(serialize_with = "as_text")]
    pub(crate) amount: Decimal,
    #[serde(serialize_with = "as_text")]
    pub(crate) amount_without_discount: Decimal,
    pub(crate) currency: String,
}

impl Price {
    fn read(value: &Value) -> Option<Self> {
        let amount = amount_of(value)?;
        Some(Self {
            amount,
            amount_without_discount: value
                .get("amount_without_discount")
                .and_then(decimal)
                .unwrap_or(amount),
            currency: value.get("currency")?.as_str()?.to_owned(),
        })
    }
}

#[derive(Clone)]
pub(crate) struct VirtualPrice {
    pub(crate) sku: String,
    pub(crate) amount: Decimal,
}

impl VirtualPrice {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            sku: value.get("sku")?.as_str()?.to_owned(),
            amount: amount_of(value)?,
        })
    }
}

fn kind_of(item: &Value) -> String {
    let kind = item.get("type").and_then(Value::as_str);
    kind.unwrap_or(VIRTUAL_GOOD).to_owned()
}

fn amount_of(value: &Value) -> Option<Decimal> {
    value.get("amount").and_then(decimal)
}

/// Reads an amount. Xsolla writes it as text, and tests also as a number.
fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// Xsolla writes money as text.
fn as_text<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

impl Catalog {
    pub(crate) fn included() -> Self {
        serde_json::from_str(ITEMS).map_or_else(|_| Self::default(), Self::from_value)
    }

    /// Reads a whole answer of Xsolla's, or the list of items in it.
    pub(crate) fn from_value(value: Value) -> Self {
        let items = match value {
            Value::Object(mut body) => body.remove("items").unwrap_or_default(),
            other => other,
        };
        match items {
            Value::Array(items) => Self { items },
            _ => Self::default(),
        }
    }

    /// The items of a section in their order.
    pub(crate) fn section(&self, section: Section<'_>) -> impl Iterator<Item = &Value> {
        self.items.iter().filter(move |item| section.has(item))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Value> {
        self.items.iter()
    }

    /// Every group that an item names, once.
    pub(crate) fn groups(&self) -> Vec<&Value> {
        let mut groups: Vec<&Value> = Vec::new();
        for group in self.items.iter().flat_map(groups_of) {
            let is_new = |known: &&Value| external_id(known) != external_id(group);
            if groups.iter().all(is_new) {
                groups.push(group);
            }
        }
        groups
    }

    pub(crate) fn find(&self, sku: &str) -> Option<&Value> {
        self.items.iter().find(|item| sku_of(item) == Some(sku))
    }

    /// The limits before anything was bought.
    pub(crate) fn limits(&self, sku: &str) -> Limits {
        self.find(sku).map(Limits::read).unwrap_or_default()
    }

    pub(crate) fn offer(&self, sku: &str) -> Option<Offer> {
        let item = self.find(sku)?;
        let list = |name| {
            item.get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        Some(Offer {
            name: item.get("name").and_then(Value::as_str).map(str::to_owned),
            kind: kind_of(item),
            content: list("content").filter_map(Content::read).collect(),
            is_free: item.get("is_free").and_then(Value::as_bool) == Some(true),
            price: item.get("price").and_then(Price::read),
            virtual_prices: list("virtual_prices")
                .filter_map(VirtualPrice::read)
                .collect(),
            bonus: list("promotions")
                .filter_map(|promotion| promotion.get("bonus")?.as_array())
                .flatten()
                .filter_map(Content::read)
                .collect(),
        })
    }
}

pub(crate) fn sku_of(item: &Value) -> Option<&str> {
    item.get("sku")?.as_str()
}

pub(crate) fn external_id(group: &Value) -> Option<&str> {
    group.get("external_id")?.as_str()
}

fn groups_of(item: &Value) -> impl Iterator<Item = &Value> {
    let groups = item.get("groups").and_then(Value::as_array);
    groups.into_iter().flatten()
}

impl Offer {
    /// The offer of an item that is not for sale, for tests that order one all the same.
    pub(crate) fn unlisted() -> Self {
        Self {
            name: None,
            kind: VIRTUAL_GOOD.to_owned(),
            content: Vec::new(),
            is_free: false,
            price: Some(Price {
                amount: DEFAULT_AMOUNT,
                amount_without_discount: DEFAULT_AMOUNT,
                currency: "USD".to_owned(),
            }),
            virtual_prices: Vec::new(),
            bonus: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_included_items_can_be_bought() {
        let catalog = Catalog::included();
        let sword = catalog.offer("sword").and_then(|offer| offer.price);
        assert_eq!(sword.map(|price| price.currency), Some("USD".to_owned()));
        let free: Vec<_> = ["starter_pack", "sword"]
            .map(|sku| catalog.offer(sku).is_some_and(|offer| offer.is_free))
            .into();
        assert_eq!(free, [true, false]);
        assert!(catalog.offer("nothing").is_none());
    }
}
