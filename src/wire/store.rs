//! The creation of orders.

use crate::model::json::{Object, ObjectText};
use crate::model::order::OrderId;
use crate::model::page::PaymentPage;
use crate::model::purchase::{CreatedOrder, PageUrl, Payment, Purchase};

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
}
