//! Publications about orders, and answers to Get Order.

use std::borrow::Cow;

use crate::model::fields::{Fields, Mismatch, Value, read_fields};
use crate::model::json::{Object, WholeNumber};
use crate::model::order::{OrderId, OrderItem, OrderStatus, Price, Report};

/// The documented form of a publication.
#[derive(Default)]
struct Documented<'a> {
    order_id: u64,
    status: Cow<'a, str>,
}

impl<'a> Fields<'a> for Documented<'a> {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        match name {
            "order_id" => self.order_id = value.number()?,
            "status" => self.status = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

/// Reads a publication on the order-status channel, such as `{"order_id": 59614241, "status": "new"}`. Returns
/// `None` if the id or the status is missing.
pub(crate) fn read_publication(json: &str) -> Option<Report> {
    // The documented form is read first, without a copy, because many publications may come at once.
    let mut news = Documented::default();
    if read_fields(json, &mut news).is_ok() && news.order_id != 0 && !news.status.is_empty() {
        return Some(of_status(news.order_id, read_status(&news.status)?));
    }
    let news = Object::read(json.as_bytes()).ok()?;
    let status = read_status(&news.text("status")?)?;
    Some(of_status(news.unsigned("order_id")?, status))
}

fn of_status(order_id: u64, status: OrderStatus) -> Report {
    Report {
        order_id: OrderId(order_id),
        status: Some(status),
        items: None,
        price: None,
    }
}

/// Reads the answer to a Get Order request.
///
/// It is lenient about all fields that a grant does not depend on. If an item cannot be granted as it is (it has
/// no SKU, or its quantity is not a whole number), the whole list counts as missing, so that no incomplete order
/// is granted.
pub(crate) fn read_order(json: &[u8], order_id: OrderId) -> Result<Report, String> {
    let order = Object::read(json)?;
    // An id that cannot be read counts as the id of another order.
    let id = order.whole("order_id");
    if id != WholeNumber::Missing && id != WholeNumber::Is(order_id.0) {
        return Err("it is about another order".to_owned());
    }
    let content = order.object("content").unwrap_or_default();
    let items = content.list("items").and_then(|items| {
        read_items(items)
            .inspect_err(|problem| log::warn!("order {order_id} has {problem}"))
            .ok()
    });
    Ok(Report {
        order_id,
        status: order.text("status").as_deref().and_then(read_status),
        items,
        price: read_price(&content),
    })
}

fn read_status(text: &str) -> Option<OrderStatus> {
    (!text.trim().is_empty()).then(|| OrderStatus::parse(text))
}

/// Reads a list of items as a whole, or says what is wrong with one of them.
pub(super) fn read_items(items: Vec<Option<Object<'_>>>) -> Result<Vec<OrderItem>, &'static str> {
    let items: Result<Vec<OrderItem>, &str> = items.into_iter().map(read_item).collect();
    items.map(|mut items| {
        // The items are kept for as long as the order is.
        items.shrink_to_fit();
        items
    })
}

fn read_item(item: Option<Object<'_>>) -> Result<OrderItem, &'static str> {
    let item = item.ok_or("an item that is no object")?;
    let sku = item.text("sku").filter(|sku| !sku.is_empty());
    let quantity = match item.whole("quantity") {
        WholeNumber::Missing => Some(1),
        WholeNumber::Is(quantity) => Some(quantity),
        WholeNumber::Unreadable => None,
    };
    Ok(OrderItem {
        sku: sku.ok_or("an item without an SKU")?,
        quantity: quantity.ok_or("an item whose quantity is no number")?,
        is_free: item.boolean("is_free").unwrap_or(false),
        is_bonus: item.boolean("is_bonus").unwrap_or(false),
        is_bundle_content: item.boolean("is_bundle_content").unwrap_or(false),
        price: read_price(&item),
    })
}

/// Reads the `price` of an order or of an item.
pub(super) fn read_price(of: &Object<'_>) -> Option<Price> {
    read_price_named(of, "price")
}

/// Reads the price with this name.
pub(super) fn read_price_named(of: &Object<'_>, name: &str) -> Option<Price> {
    let price = of.object(name)?;
    let amount = price.decimal("amount")?;
    Some(Price {
        amount,
        amount_without_discount: price.decimal("amount_without_discount").unwrap_or(amount),
        currency: price.text("currency")?,
    })
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;

    const ORDER: OrderId = OrderId(656);

    fn read(json: &str) -> Result<Report, String> {
        read_order(json.as_bytes(), ORDER)
    }

    #[test]
    fn the_documented_answer_is_read_in_full() {
        let report = read(
            r#"{"order_id":656,"status":"paid","content":{"is_free":false,
            "price":{"amount":"30.10","amount_without_discount":"35","currency":"USD"},
            "virtual_price":null,
            "items":[{"sku":"sword","quantity":2,"is_free":false,
              "price":{"amount":"15.05","amount_without_discount":"15.05","currency":"USD"}}]}}"#,
        )
        .unwrap();
        assert_eq!(report.status, Some(OrderStatus::Paid));
        let price = report.price.unwrap();
        assert_eq!(price.to_string(), "$30.10");
        assert_eq!(price.amount_without_discount, Decimal::from(35));
        let items = report.items.unwrap();
        assert_eq!((items[0].sku.as_str(), items[0].quantity), ("sword", 2));
    }

    #[test]
    fn what_nobody_needs_may_be_missing_null_or_of_another_type() {
        for (json, items) in [
            (r#"{"status":"done"}"#, None),
            (r#"{"status":"done","content":null}"#, None),
            (r#"{"status":"done","content":{"items":null}}"#, None),
            (r#"{"status":"done","content":{"items":[]}}"#, Some(0)),
            (
                r#"{"order_id":"656","status":"done","new_field":{"a":[1]},"content":{
                "is_free":"false","price":"thirty","virtual_price":{"amount":5},
                "items":[{"sku":"a","quantity":"3","is_free":"true","price":[]},{"sku":7}]}}"#,
                Some(2),
            ),
        ] {
            let report = read(json).unwrap();
            assert_eq!(report.status, Some(OrderStatus::Done), "{json}");
            assert_eq!(report.items.map(|items| items.len()), items, "{json}");
        }
        assert_eq!(read(r#"{"status":null}"#).unwrap().status, None);
    }

    #[test]
    fn a_quantity_is_any_number_or_text_that_is_a_whole_number() {
        for (quantity, count) in [
            ("3", Some(3)),
            ("3.0", Some(3)),
            ("3e0", Some(3)),
            ("30e-1", Some(3)),
            (r#""3""#, Some(3)),
            (r#"" 3.0 ""#, Some(3)),
            ("null", Some(1)),
            ("1.5", None),
            ("-1", None),
            (r#""three""#, None),
            (r#""1_0""#, None),
            (r#""1_0.0""#, None),
            (r#"".00000000000000000000000000000000000005""#, None),
            ("true", None),
        ] {
            let json = format!(
                r#"{{"status":"done","content":{{"items":[{{"sku":"a","quantity":{quantity}}}]}}}}"#
            );
            let items = read(&json).unwrap().items;
            assert_eq!(items.map(|items| items[0].quantity), count, "{quantity}");
        }
    }

    #[test]
    fn a_byte_order_mark_hides_nothing() {
        let report = read("\u{feff} {\"status\":\"done\"}").unwrap();
        assert_eq!(report.status, Some(OrderStatus::Done));
    }

    #[test]
    fn half_an_order_does_not_pass_for_one() {
        for content in [
            r#"{"items":[{"sku":"a"},{"quantity":1}]}"#,
            r#"{"items":[{"sku":"a","quantity":-1}]}"#,
            r#"{"items":[{"sku":"a","quantity":1.5}]}"#,
            r#"{"items":[{"sku":"a","quantity":[5]}]}"#,
            r#"{"items":[{"sku":"a","quantity":{"amount":5}}]}"#,
            r#"{"items":[{"sku":"a"},7]}"#,
            r#"{"items":{"sku":"a"}}"#,
            r#""everything""#,
        ] {
            let report = read(&format!(r#"{{"status":"done","content":{content}}}"#)).unwrap();
            assert_eq!(report.status, Some(OrderStatus::Done), "{content}");
            assert_eq!(report.items, None, "{content}");
        }
    }

    #[test]
    fn an_answer_about_another_order_or_about_nothing_is_an_error() {
        for json in [
            r#"{"order_id":657,"status":"done"}"#,
            r#"{"order_id":-656,"status":"done"}"#,
            r#"{"order_id":18446744073709551617,"status":"done"}"#,
            r#"{"order_id":"abc","status":"done"}"#,
            r#"{"order_id":[656],"status":"done"}"#,
            "[]",
            "{",
            "",
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        let no_utf8 = b"{\"status\":\"\xff\"}";
        assert!(read_order(no_utf8, ORDER).is_err());
        let deep = format!("{}{}", r#"{"content":"#, "[".repeat(100_000));
        assert!(read(&deep).is_err());
    }

    #[test]
    fn news_needs_an_order_and_a_status() {
        let news = read_publication(r#"{"order_id":"18446744073709551615","status":"Shipped"}"#);
        let news = news.unwrap();
        assert_eq!(news.order_id, OrderId(u64::MAX));
        assert_eq!(news.status, Some(OrderStatus::Other("Shipped".into())));
        for json in [
            r#"{"order_id":1}"#,
            r#"{"status":"done"}"#,
            r#"{"order_id":-1,"status":"done"}"#,
            r#"{"order_id":1,"status":null}"#,
            r#"{"order_id":1,"status":""}"#,
            "null",
            r#"[1,"done"]"#,
        ] {
            assert_eq!(read_publication(json), None, "{json}");
        }
    }

    #[test]
    fn a_number_that_nobody_needs_may_be_too_large_for_anything() {
        let json = r#"{"status":"done","content":{"virtual_price":{"amount":1e999},
            "items":[{"sku":"a","weight":1e999,"price":{"amount":1e999}}]}}"#;
        assert_eq!(read(json).unwrap().items.unwrap()[0].sku, "a");
    }

    #[test]
    fn no_number_of_a_server_panics() {
        for number in [
            "1e-99999999999",
            "1e99999999999",
            "1e-4294967295",
            "1e4294967295",
            "1e30",
            "1e-40",
            "-1e29",
            "9e9999",
            "1e-2147483649",
        ] {
            let price = format!(r#"{{"amount":"{number}","currency":"USD"}}"#);
            let json = format!(
                r#"{{"status":"done","content":{{"price":{price},"items":[{{"sku":"a","quantity":"{number}","price":{price}}}]}}}}"#
            );
            let _ = read(&json);
            let _ = read(&json.replace(&format!("\"{number}\""), number));
        }
    }
}
