//! The catalogue and the creation of orders.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::catalog::{CatalogItem, ItemAttribute, VirtualPrice};
use crate::model::order::OrderId;
use crate::model::page::PaymentPage;
use crate::model::purchase::{CreatedOrder, PageUrl, Payment, Purchase};
use crate::wire::lenient::{self, object};
use crate::wire::order::PriceBody;

pub(crate) struct CatalogPage {
    pub(crate) items: Vec<CatalogItem>,
    /// The number of the page's entries, including those that cannot be read.
    pub(crate) length: usize,
    pub(crate) has_more: bool,
}

impl CatalogPage {
    pub(crate) fn read(json: &[u8]) -> Result<Self, String> {
        let body: PageBody = object(json)?;
        let items = body.items.unwrap_or_default();
        Ok(Self {
            length: items.len(),
            has_more: body.has_more.unwrap_or(false),
            // An item without an SKU cannot be bought.
            items: items.into_iter().filter_map(ItemBody::read).collect(),
        })
    }
}

#[derive(Deserialize)]
struct PageBody {
    #[serde(default, deserialize_with = "lenient::boolean")]
    has_more: Option<bool>,
    #[serde(default)]
    items: Option<Vec<ItemBody>>,
}

#[derive(Deserialize)]
struct ItemBody {
    #[serde(default, deserialize_with = "lenient::text")]
    sku: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "lenient::text")]
    item_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    virtual_item_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    image_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    is_free: Option<bool>,
    #[serde(default, deserialize_with = "lenient::or_none")]
    price: Option<PriceBody>,
    #[serde(default, deserialize_with = "lenient::or_none")]
    virtual_prices: Option<Vec<VirtualPriceBody>>,
    #[serde(default, deserialize_with = "lenient::or_none")]
    groups: Option<Vec<Named>>,
    #[serde(default, deserialize_with = "lenient::or_none")]
    attributes: Option<Vec<AttributeBody>>,
}

impl ItemBody {
    fn read(self) -> Option<CatalogItem> {
        let sku = self.sku.filter(|sku| !sku.is_empty())?;
        let virtual_prices = self.virtual_prices.unwrap_or_default();
        let groups = self.groups.unwrap_or_default();
        let attributes = self.attributes.unwrap_or_default();
        Some(CatalogItem {
            name: self.name.unwrap_or_else(|| sku.clone()),
            sku,
            description: self.description,
            image_url: self.image_url,
            item_type: self.item_type,
            virtual_item_type: self.virtual_item_type,
            is_free: self.is_free.unwrap_or(false),
            price: self.price.and_then(PriceBody::read),
            virtual_prices: virtual_prices
                .into_iter()
                .filter_map(VirtualPriceBody::read)
                .collect(),
            groups: groups.into_iter().filter_map(|group| group.name).collect(),
            attributes: attributes
                .into_iter()
                .filter_map(AttributeBody::read)
                .collect(),
        })
    }
}

#[derive(Deserialize)]
struct Named {
    #[serde(default, alias = "value", deserialize_with = "lenient::text")]
    name: Option<String>,
}

#[derive(Deserialize)]
struct VirtualPriceBody {
    #[serde(default, deserialize_with = "lenient::text")]
    sku: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient::decimal")]
    amount: Option<Decimal>,
    #[serde(default, deserialize_with = "lenient::decimal")]
    amount_without_discount: Option<Decimal>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    is_default: Option<bool>,
}

impl VirtualPriceBody {
    fn read(self) -> Option<VirtualPrice> {
        let amount = self.amount?;
        Some(VirtualPrice {
            sku: self.sku?,
            name: self.name,
            amount,
            amount_without_discount: self.amount_without_discount.unwrap_or(amount),
            is_default: self.is_default.unwrap_or(false),
        })
    }
}

#[derive(Deserialize)]
struct AttributeBody {
    #[serde(default, deserialize_with = "lenient::text")]
    external_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient::or_none")]
    values: Option<Vec<Named>>,
}

impl AttributeBody {
    fn read(self) -> Option<ItemAttribute> {
        let values = self.values.unwrap_or_default();
        Some(ItemAttribute {
            external_id: self.external_id?,
            name: self.name,
            values: values.into_iter().filter_map(|value| value.name).collect(),
        })
    }
}

/// Reads the answer to the creation of an order.
pub(crate) fn read_created(json: &[u8]) -> Result<CreatedOrder, String> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(default, deserialize_with = "lenient::unsigned")]
        order_id: Option<u64>,
        #[serde(default, deserialize_with = "lenient::text")]
        token: Option<String>,
    }
    let body: Body = object(json)?;
    Ok(CreatedOrder {
        order_id: OrderId(body.order_id.ok_or("it has no order id")?),
        token: body.token.filter(|token| !token.is_empty()),
    })
}

/// The path at which an order is created, below `v2/project/{id}`.
pub(crate) fn creation_path(purchase: &Purchase) -> Vec<&str> {
    let sku = purchase.sku();
    match (&purchase.payment, purchase.is_cart) {
        (Payment::Money, false) => vec!["payment", "item", sku],
        (Payment::Money, true) => vec!["payment", "cart"],
        (Payment::Free, false) => vec!["free", "item", sku],
        (Payment::Free, true) => vec!["free", "cart"],
        (Payment::VirtualCurrency(currency), _) => {
            vec!["payment", "item", sku, "virtual", currency]
        }
    }
}

/// The body of the request that creates an order.
pub(crate) fn creation_body(purchase: &Purchase, page: PaymentPage) -> Value {
    #[derive(Serialize)]
    struct Body<'a> {
        sandbox: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        quantity: Option<u64>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        items: Vec<Item<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        currency: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        locale: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        promo_code: Option<&'a str>,
        #[serde(skip_serializing_if = "Map::is_empty")]
        custom_parameters: Map<String, Value>,
        #[serde(skip_serializing_if = "Map::is_empty")]
        settings: Map<String, Value>,
    }
    #[derive(Serialize)]
    struct Item<'a> {
        sku: &'a str,
        quantity: u64,
    }
    let mut settings = Map::new();
    if let Some(id) = &purchase.external_id {
        settings.insert("external_id".to_owned(), id.as_str().into());
    }
    if let Some(PageUrl(url)) = &purchase.return_url {
        settings.insert("return_url".to_owned(), url.as_str().into());
    }
    let mut ui = Map::new();
    if let Some(theme) = &purchase.theme {
        ui.insert("theme".to_owned(), theme.as_str().into());
    }
    if page == PaymentPage::Frame {
        // A bank's page refuses to be shown in a frame.
        ui.insert("is_three_ds_independent_windows".to_owned(), true.into());
    }
    if !ui.is_empty() {
        settings.insert("ui".to_owned(), ui.into());
    }
    let items = purchase.items.iter();
    let body = Body {
        sandbox: purchase.sandbox,
        quantity: match purchase.items.as_slice() {
            [(_, quantity)] if !purchase.is_cart => Some(*quantity),
            _ => None,
        },
        items: match purchase.is_cart {
            true => items
                .map(|(sku, quantity)| Item {
                    sku,
                    quantity: *quantity,
                })
                .collect(),
            false => Vec::new(),
        },
        currency: purchase.currency.as_deref(),
        locale: purchase.locale.as_deref(),
        promo_code: purchase.promo_code.as_deref(),
        custom_parameters: purchase.custom_parameters.clone(),
        settings,
    };
    // Strings, numbers and JSON values always serialize.
    serde_json::to_value(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_purchase_is_asked_for_as_documented() {
        let purchase = Purchase::item("sword")
            .quantity(2)
            .sandbox(true)
            .currency("EUR")
            .external_id("mine")
            .return_url("https://example.com/back")
            .theme("dark")
            .custom_parameter("level", 7);
        assert_eq!(creation_path(&purchase), ["payment", "item", "sword"]);
        assert_eq!(
            creation_body(&purchase, PaymentPage::NewTab),
            json!({"sandbox":true,"quantity":2,"currency":"EUR","custom_parameters":{"level":7},
                   "settings":{"external_id":"mine","return_url":"https://example.com/back",
                               "ui":{"theme":"dark"}}})
        );
        let cart = Purchase::cart([("a", 1), ("b", 2)]);
        assert_eq!(creation_path(&cart), ["payment", "cart"]);
        assert_eq!(
            creation_body(&cart, PaymentPage::SameTab),
            json!({"sandbox":false,"items":[{"sku":"a","quantity":1},{"sku":"b","quantity":2}]})
        );
        let framed = creation_body(&cart, PaymentPage::Frame);
        let ui = json!({"is_three_ds_independent_windows": true});
        assert_eq!(framed["settings"], json!({ "ui": ui }));
        let gems = Purchase::item("torch").with_virtual_currency("gem");
        let path = ["payment", "item", "torch", "virtual", "gem"];
        assert_eq!(creation_path(&gems), path);
    }

    #[test]
    fn a_page_is_read_though_an_entry_of_it_is_not() {
        let page = CatalogPage::read(
            br#"{"has_more":"true","items":[{"sku":"a","price":null,"virtual_prices":[
                {"sku":"gem","amount":"5","is_default":true},{"amount":1}]},
                {"name":"no sku"},{"sku":"b","price":{"amount":"1.50","currency":"USD"},
                "groups":[{"name":"Weapons"}],
                "attributes":[{"external_id":"kind","values":[{"value":"rare"}]}]}]}"#,
        )
        .unwrap();
        assert!(page.has_more);
        assert_eq!((page.length, page.items.len()), (3, 2));
        assert_eq!(page.items[0].virtual_prices[0].amount, Decimal::from(5));
        assert_eq!(page.items[1].groups, ["Weapons"]);
        assert_eq!(page.items[1].attributes[0].values, ["rare"]);
    }
}
