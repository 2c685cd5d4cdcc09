//! The items that are for sale, and what they cost.

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// The items that are for sale unless told otherwise, in the shape of Xsolla's answer.
const ITEMS: &str = include_str!("../../../assets/virtual_items.json");

/// The most items on a page.
pub(crate) const MAX_PAGE: usize = 50;

/// The type of an item that names none.
const VIRTUAL_GOOD: &str = "virtual_good";

/// The price of an item that is not in the catalogue.
const DEFAULT_AMOUNT: Decimal = Decimal::ONE;

#[derive(Default)]
pub(crate) struct Catalog {
    items: Vec<Value>,
}

#[derive(Serialize)]
pub(crate) struct Page<'a> {
    has_more: bool,
    items: &'a [Value],
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
}

/// A part of a bundle.
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

    pub(crate) fn page(&self, offset: usize, limit: usize) -> Page<'_> {
        let start = offset.min(self.items.len());
        let end = start
            .saturating_add(limit.min(MAX_PAGE))
            .min(self.items.len());
        Page {
            has_more: end < self.items.len(),
            items: self.items.get(start..end).unwrap_or_default(),
        }
    }

    pub(crate) fn offer(&self, sku: &str) -> Option<Offer> {
        let item = self
            .items
            .iter()
            .find(|item| item.get("sku").and_then(Value::as_str) == Some(sku))?;
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
        })
    }
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

    #[test]
    fn pages_cover_every_item_once() {
        let items: Vec<Value> = (0..120).map(|n| serde_json::json!({"sku": n})).collect();
        let catalog = Catalog::from_value(items.into());
        let sizes: Vec<_> = [0, 50, 100, 150, usize::MAX]
            .map(|offset| {
                let page = catalog.page(offset, usize::MAX);
                (page.items.len(), page.has_more)
            })
            .into();
        assert_eq!(
            sizes,
            [(50, true), (50, true), (20, false), (0, false), (0, false)]
        );
    }
}
