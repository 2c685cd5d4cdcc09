//! The webhooks that Xsolla documents, what is made of them, and what does not pass for one.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a test that cannot go on is to stop"
)]

use bevy_xsolla::Price;
use bevy_xsolla::prelude::*;
use bevy_xsolla::webhook::{
    Notification, WebhookError, WebhookOrder, WebhookSecrets, signature, verify,
};

const SECRET: &str = "PROJECT_SECRET_KEY";

fn documented(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/webhooks");
    std::fs::read(format!("{folder}/{name}.json")).unwrap()
}

fn signed(body: impl AsRef<[u8]>) -> Result<Notification, WebhookError> {
    let header = format!("Signature {}", signature(&body, SECRET));
    verify(body, &header, SECRET)
}

fn read(name: &str) -> Notification {
    signed(documented(name)).unwrap()
}

fn order(notification: Notification) -> WebhookOrder {
    match notification {
        Notification::OrderPaid(order) | Notification::OrderCanceled(order) => order,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_paid_order_of_the_first_version_is_read_in_full() {
    let notification = read("order_paid_1");
    assert!(matches!(notification, Notification::OrderPaid(_)));
    let order = order(notification);
    assert_eq!(order.order_id, OrderId(59_614_241));
    assert_eq!(order.user.id, "alice");
    let items: Vec<(&str, u64)> = order
        .items
        .iter()
        .map(|item| (item.sku.as_str(), item.quantity))
        .collect();
    assert_eq!(items, [("sword", 3), ("gold", 1500)]);
    let price = Price::new("21.9800".parse().unwrap(), "USD");
    assert_eq!(order.price, Some(price));
    assert_eq!(order.invoice_id.as_deref(), Some("800100"));
    assert!(!order.is_test);
    assert_eq!(order.project_id, None);
}

#[test]
fn the_second_version_says_what_is_a_bonus_and_what_is_in_a_bundle() {
    let order = order(read("order_paid_2"));
    let flags = |item: &OrderItem| (item.is_free, item.is_bonus, item.is_bundle_content);
    let items: Vec<_> = order.items.iter().map(flags).collect();
    let (bundle, content, bonus) = (
        (false, false, false),
        (false, false, true),
        (true, true, false),
    );
    assert_eq!(items, [bundle, content, bonus]);
    assert!(order.is_test, "no real money was paid");
    assert_eq!(order.project_id, Some(77_640));
}

#[test]
fn a_refund_names_the_order_and_its_items() {
    for name in ["order_canceled_1", "order_canceled_2"] {
        let notification = read(name);
        assert!(matches!(notification, Notification::OrderCanceled(_)));
        let order = order(notification);
        assert_eq!(order.order_id, OrderId(59_614_241));
        assert!(order.items.iter().any(|item| item.sku == "sword"));
    }
}

#[test]
fn a_player_is_named_by_the_field_that_the_notification_has() {
    let Notification::UserValidation(user) = read("user_validation") else {
        panic!("another notification");
    };
    assert_eq!(user.id, "alice");
    assert_eq!(user.country.as_deref(), Some("US"));
    assert_eq!(user.email.as_deref(), Some("alice@example.com"));
}

#[test]
fn payments_and_their_refunds_are_no_orders() {
    let Notification::Payment(payment) = read("payment") else {
        panic!("another notification");
    };
    assert_eq!(payment.user.unwrap().id, "alice");
    assert_eq!(payment.transaction_id.as_deref(), Some("800100"));
    assert!(payment.is_test);
    for (name, expected) in [("refund", 2), ("partial_refund", 1)] {
        let Notification::Refund { payment, code, .. } = read(name) else {
            panic!("another notification");
        };
        assert_eq!(payment.transaction_id.as_deref(), Some("800100"));
        assert_eq!(code, Some(expected));
        assert!(!payment.is_test);
    }
}

#[test]
fn a_notification_that_is_not_known_is_named() {
    let other = Notification::Other {
        notification_type: "user_search".to_owned(),
    };
    assert!(matches!(&other, Notification::Other { .. }));
    assert_eq!(read("user_search"), other);
}

#[test]
fn no_bit_of_a_signature_or_a_body_may_change() {
    let body = documented("order_paid_2");
    let header = format!("Signature {}", signature(&body, SECRET));
    assert!(verify(&body, &header, SECRET).is_ok());
    for index in 0..body.len() * 8 {
        let mut changed = body.clone();
        changed[index / 8] ^= 1 << (index % 8);
        let result = verify(&changed, &header, SECRET);
        assert_eq!(result, Err(WebhookError::WrongSignature), "bit {index}");
    }
    let digits = "Signature ".len();
    for index in digits..header.len() {
        for digit in "0123456789abcdef".chars() {
            let mut changed = header.clone();
            changed.replace_range(index..=index, &digit.to_string());
            let is_right = changed == header;
            assert_eq!(
                verify(&body, &changed, SECRET).is_ok(),
                is_right,
                "{changed}"
            );
        }
    }
    for length in 0..body.len() {
        let result = verify(&body[..length], &header, SECRET);
        assert_eq!(result, Err(WebhookError::WrongSignature), "{length} bytes");
    }
}

#[test]
fn what_is_no_signature_is_told_apart_from_a_wrong_one() {
    let body = documented("payment");
    let right = signature(&body, SECRET);
    for header in [
        String::new(),
        "Signature".to_owned(),
        "Signature ".to_owned(),
        right.clone(),
        format!("Bearer {right}"),
        format!("Signature {}", &right[1..]),
        format!("Signature {right}0"),
        format!("Signature {}é", &right[2..]),
        format!("Signature {right} {right}"),
    ] {
        let result = verify(&body, &header, SECRET);
        assert_eq!(result, Err(WebhookError::NoSignature), "{header}");
    }
    for header in [
        format!("signature {right}"),
        format!(" SIGNATURE  {} ", right.to_uppercase()),
    ] {
        assert!(verify(&body, &header, SECRET).is_ok(), "{header}");
    }
}

#[test]
fn a_secret_is_replaced_without_a_webhook_being_refused() {
    let body = documented("payment");
    for secret in ["new", "old"] {
        let header = format!("Signature {}", signature(&body, secret));
        assert!(verify(&body, &header, ["new", "old"]).is_ok());
        assert!(verify(&body, &header, ["other", "old", "new"]).is_ok());
        assert!(verify(&body, &header, ["other"]).is_err());
    }
}

#[test]
fn an_empty_secret_signs_nothing() {
    let body = documented("order_paid_1");
    let header = format!("Signature {}", signature(&body, ""));
    for secrets in [
        WebhookSecrets::default(),
        WebhookSecrets::from(""),
        WebhookSecrets::from(["", " "]),
    ] {
        let result = verify(&body, &header, secrets);
        assert_eq!(result, Err(WebhookError::NoSecret));
    }
    let result = verify(&body, &header, ["", "secret"]);
    assert_eq!(result, Err(WebhookError::WrongSignature));
}

#[test]
fn half_an_order_is_not_read() {
    let whole = r#""order":{"id":1},"user":{"external_id":"alice"}"#;
    for (fields, is_read) in [
        (format!(r#"{whole},"items":[{{"sku":"a"}}]"#), true),
        (format!(r#"{whole},"items":[]"#), true),
        (whole.to_owned(), false),
        (format!(r#"{whole},"items":{{"sku":"a"}}"#), false),
        (
            format!(r#"{whole},"items":[{{"sku":"a"}},{{"quantity":1}}]"#),
            false,
        ),
        (
            format!(r#"{whole},"items":[{{"sku":"a","quantity":-1}}]"#),
            false,
        ),
        (
            format!(r#"{whole},"items":[{{"sku":"a","quantity":"one"}}]"#),
            false,
        ),
        (
            r#""order":{"id":1},"items":[{"sku":"a"}]"#.to_owned(),
            false,
        ),
        (
            r#""order":{"id":1},"user":{"external_id":""},"items":[]"#.to_owned(),
            false,
        ),
        (
            r#""order":{"id":-1},"user":{"external_id":"a"},"items":[]"#.to_owned(),
            false,
        ),
        (r#""user":{"external_id":"a"},"items":[]"#.to_owned(), false),
    ] {
        for kind in ["order_paid", "order_canceled"] {
            let result = signed(format!(r#"{{"notification_type":"{kind}",{fields}}}"#));
            assert_eq!(result.is_ok(), is_read, "{fields}: {result:?}");
            if let Err(error) = result {
                // A refusal could give the player's money back.
                assert_eq!(error.answer().status, 500);
            }
        }
    }
}

#[test]
fn what_is_signed_and_no_notification_has_an_error_without_its_text() {
    for body in [
        "",
        "null",
        "[]",
        "{",
        "{}",
        r#"{"notification_type":null}"#,
        r#"{"notification_type":["order_paid"]}"#,
        r#"{"notification_type":"user_validation","user":{"name":"very-private"}}"#,
        r#"{"notification_type":"order_paid","order":"very-private"}"#,
        r#"{"notification_type":"order_paid","very-private}"#,
    ] {
        let Err(WebhookError::Malformed(problem)) = signed(body) else {
            panic!("{body}");
        };
        assert!(!problem.contains("private"), "{problem}");
    }
    assert!(matches!(
        signed(b"\xff\xfe"),
        Err(WebhookError::Malformed(_))
    ));
    let deep = format!("{}{}", r#"{"notification_type":"#, "[".repeat(100_000));
    assert!(matches!(signed(deep), Err(WebhookError::Malformed(_))));
}

#[test]
fn an_order_that_was_paid_with_a_virtual_currency_has_no_price_in_money() {
    let order = order(
        signed(
            r#"{"notification_type":"order_paid","items":[{"sku":"a"}],"user":{"external_id":"b"},
            "order":{"id":"7","currency_type":"virtual","currency":"gems","amount":"100","mode":"sandbox"}}"#,
        )
        .unwrap(),
    );
    assert_eq!(order.price, None);
    assert!(order.is_test);
}
