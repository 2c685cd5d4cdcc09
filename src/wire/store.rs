//! The catalogue and the creation of orders.

use crate::model::catalog::{CatalogItem, ItemAttribute, VirtualPrice};
use crate::model::json::{Object, ObjectText};
use crate::model::order::OrderId;
use crate::model::page::PaymentPage;
use crate::model::purchase::{CreatedOrder, PageUrl, Payment, Purchase};
use crate::wire::order::read_price;

pub(crate) struct CatalogPage {
    pub(crate) items: Vec<CatalogItem>,
    /// The number of the page's entries, including those that cannot be read.
    pub(crate) length: usize,
    pub(crate) has_more: bool,
}

impl CatalogPage {
    pub(crate) fn read(json: &[u8]) -> Result<Self, String> {
        let page = Object::read(json)?;
        let items = match page.list("items") {
            Some(items) => items,
            None if page.is_missing("items") => Vec::new(),
            None => return Err("its items are no list".to_owned()),
        };
        Ok(Self {
            length: items.len(),
            has_more: page.boolean("has_more").unwrap_or(false),
            // An item without an SKU cannot be bought.
            items: items.into_iter().flatten().filter_map(read_item).collect(),
        })
    }
}

fn read_item(item: Object<'_>) -> Option<CatalogItem> {
    let sku = item.text("sku").filter(|sku| !sku.is_empty())?;
    Some(CatalogItem {
        name: item.text("name").unwrap_or_else(|| sku.clone()),
        sku,
        description: item.text("description"),
        image_url: item.text("image_url"),
        item_type: item.text("type"),
        virtual_item_type: item.text("virtual_item_type"),
        is_free: item.boolean("is_free").unwrap_or(false),
        price: read_price(&item),
        virtual_prices: read_list(&item, "virtual_prices", read_virtual_price),
        groups: read_list(&item, "groups", |group| group.text("name")),
        attributes: read_list(&item, "attributes", read_attribute),
    })
}

/// Reads those entries of a list that can be read.
fn read_list<T>(of: &Object<'_>, name: &str, read: fn(&Object<'_>) -> Option<T>) -> Vec<T> {
    let entries = of.list(name).unwrap_or_default();
    entries.iter().flatten().filter_map(read).collect()
}

fn read_virtual_price(price: &Object<'_>) -> Option<VirtualPrice> {
    let amount = price.decimal("amount")?;
    Some(VirtualPrice {
        sku: price.text("sku")?,
        name: price.text("name"),
        amount,
        amount_without_discount: price.decimal("amount_without_discount").unwrap_or(amount),
        is_default: price.boolean("is_default").unwrap_or(false),
    })
}

fn read_attribute(attribute: &Object<'_>) -> Option<ItemAttribute> {
    Some(ItemAttribute {
        external_id: attribute.text("external_id")?,
        name: attribute.text("name"),
        values: read_list(attribute, "values", |value| {
            value.text("value").or_else(|| value.text("name"))
        }),
    })
}

/// Reads the answer to the creation of an order.
pub(crate) fn read_created(json: &[u8]) -> Result<CreatedOrder, String> {
    let created = Object::read(json)?;
    Ok(CreatedOrder {
        order_id: OrderId(created.unsigned("order_id").ok_or("it has no order id")?),
        token: created.text("token").filter(|token| !token.is_empty()),
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
pub(crate) fn creation_body(purchase: &Purchase, page: PaymentPage) -> String {
    let mut ui = ObjectText::default();
    ui.add_text("theme", purchase.theme.as_deref());
    // A bank's page refuses to be shown in a frame.
    let is_framed = (page == PaymentPage::Frame).then_some("true");
    ui.add("is_three_ds_independent_windows", is_framed);

    let mut settings = ObjectText::default();
    settings.add_text("external_id", purchase.external_id.as_deref());
    let return_url = purchase.return_url.as_ref();
    settings.add_text("return_url", return_url.map(|PageUrl(url)| url.as_str()));
    settings.add("ui", ui.finish().as_deref());

    let mut parameters = ObjectText::default();
    for (name, json) in &purchase.custom_parameters {
        parameters.add(name, Some(json));
    }

    let mut body = ObjectText::default();
    body.add("sandbox", Some(&purchase.sandbox.to_string()));
    if purchase.is_cart {
        let items = purchase.items.iter().filter_map(|(sku, quantity)| {
            let mut item = ObjectText::default();
            item.add_text("sku", Some(sku));
            item.add("quantity", Some(&quantity.to_string()));
            item.finish()
        });
        let items: Vec<String> = items.collect();
        let list = (!items.is_empty()).then(|| format!("[{}]", items.join(",")));
        body.add("items", list.as_deref());
    } else if let [(_, quantity)] = purchase.items.as_slice() {
        body.add("quantity", Some(&quantity.to_string()));
    }
    body.add_text("currency", purchase.currency.as_deref());
    body.add_text("locale", purchase.locale.as_deref());
    body.add_text("promo_code", purchase.promo_code.as_deref());
    body.add("custom_parameters", parameters.finish().as_deref());
    body.add("settings", settings.finish().as_deref());
    body.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use serde_json::{Value, json};

    use super::*;

    fn body_of(purchase: &Purchase, page: PaymentPage) -> Value {
        serde_json::from_str(&creation_body(purchase, page)).unwrap()
    }

    #[test]
    fn a_purchase_is_asked_for_as_documented() {
        let purchase = Purchase::item("sword")
            .quantity(2)
            .sandbox(true)
            .currency("EUR")
            .external_id("mine")
            .return_url("https://example.com/back")
            .theme("dark")
            .custom_parameter("level", "\"no\"")
            .custom_parameter("level", 7);
        assert_eq!(creation_path(&purchase), ["payment", "item", "sword"]);
        assert_eq!(
            body_of(&purchase, PaymentPage::NewTab),
            json!({"sandbox":true,"quantity":2,"currency":"EUR","custom_parameters":{"level":7},
                   "settings":{"external_id":"mine","return_url":"https://example.com/back",
                               "ui":{"theme":"dark"}}})
        );
        let cart = Purchase::cart([("a", 1), ("b", 2)]);
        assert_eq!(creation_path(&cart), ["payment", "cart"]);
        assert_eq!(
            body_of(&cart, PaymentPage::SameTab),
            json!({"sandbox":false,"items":[{"sku":"a","quantity":1},{"sku":"b","quantity":2}]})
        );
        let framed = body_of(&cart, PaymentPage::Frame);
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
        assert!(CatalogPage::read(br#"{"items":{"sku":"a"}}"#).is_err());
        assert_eq!(CatalogPage::read(br#"{"items":null}"#).unwrap().length, 0);
        assert_eq!((page.length, page.items.len()), (3, 2));
        assert_eq!(page.items[0].virtual_prices[0].amount, Decimal::from(5));
        assert_eq!(page.items[1].groups, ["Weapons"]);
        assert_eq!(page.items[1].attributes[0].values, ["rare"]);
    }
}
