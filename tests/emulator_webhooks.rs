//! The webhooks that the emulator sends: what is in them, from its payment page, and by hand.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;

use std::net::TcpStream;

use bevy_xsolla::emulator::{EmulatorError, WebhookVersion, XsollaEmulator};
use bevy_xsolla::webhook::{Notification, WebhookOrder};
use bevy_xsolla::{OrderId, OrderStatus, Price};
use emulator_client::webhook_server::*;
use emulator_client::{Response, receive, request, send, wait_for};
use serde_json::{Value, json};

fn press(emulator: &XsollaEmulator, order_id: OrderId, action: &str) -> TcpStream {
    let url = emulator.payment_url(order_id).unwrap();
    let path = url.splitn(4, '/').nth(3).unwrap();
    send(
        emulator,
        "POST",
        &format!("/{path}"),
        None,
        &format!("action={action}"),
    )
}

/// Sends a request to the address by which other programs fire webhooks.
fn control(emulator: &XsollaEmulator, method: &str, body: &str) -> Response {
    receive(send(emulator, method, "/emulator/webhooks", None, body)).unwrap()
}

#[test]
fn a_paid_order_is_told_by_a_signed_webhook_and_its_refund_by_another() {
    let (emulator, server) = start(&[]);
    let alice = emulator.user("alice");
    let items = [("potion", 3), ("starter_pack", 1)];
    let order_id = emulator.create_order(&alice, &items);
    emulator.pay(order_id);
    emulator.deliver(order_id);
    emulator.refund(order_id);
    wait_for_attempts(&emulator, 2);
    assert_eq!(server.kinds(), ["order_paid", "order_canceled"]);
    for received in server.received() {
        assert!(
            received
                .head
                .starts_with("POST /hook?from=xsolla HTTP/1.1\r\n")
        );
        assert!(server.url.contains(received.header("host")));
        assert_eq!(received.header("content-type"), "application/json");
        let order = received.order();
        assert_eq!(order.order_id, order_id);
        assert_eq!(alice.id().as_str(), format!("s:{}", order.user.id));
        let items: Vec<_> = order
            .items
            .iter()
            .map(|it| (&*it.sku, it.quantity))
            .collect();
        assert_eq!(items, [("potion", 3), ("starter_pack", 1)]);
        assert_eq!(
            order.price,
            Some(Price::new("2.9700".parse().unwrap(), "USD"))
        );
        assert_eq!(order.project_id, Some(emulator.project_id()));
        assert!(!order.is_test);
        let body = received.json();
        assert_eq!(body["items"][0]["amount"], "2.9700", "that of all pieces");
        let invoice = body["billing"]["transaction"]["id"].to_string();
        assert_eq!(order.invoice_id, Some(invoice));
        assert_eq!(body["billing"]["purchase"]["total"]["amount"], 2.97);
    }
    let bodies = server.received();
    assert_eq!(bodies[0].json()["order"]["status"], "paid");
    assert_eq!(bodies[0].json()["billing"]["notification_type"], "payment");
    assert_eq!(bodies[1].json()["order"]["status"], "canceled");
    assert_eq!(bodies[1].json()["billing"]["refund_details"]["code"], 1);
    assert_eq!(statuses(&emulator), [204, 204]);
    assert_eq!(emulator.webhook_counts().accepted, 2);
}

#[test]
fn only_the_second_version_says_what_is_free_and_what_is_in_a_bundle() {
    let (emulator, server) = start(&[]);
    let price = json!({"amount": "5", "amount_without_discount": "8", "currency": "EUR"});
    emulator.set_items(json!([
        {"sku": "pack", "type": "bundle", "price": price,
            "content": [{"sku": "gold", "type": "virtual_currency", "quantity": 100}]},
        {"sku": "ribbon", "type": "virtual_good", "is_free": true},
    ]));
    let alice = emulator.user("alice");
    for version in [WebhookVersion::Two, WebhookVersion::One] {
        emulator.set_webhook_version(version);
        let order_id = emulator.create_order(&alice, &[("pack", 2), ("ribbon", 1)]);
        emulator.pay(order_id);
    }
    wait_for_attempts(&emulator, 2);
    let orders: Vec<_> = server.received().iter().map(Received::order).collect();
    let flags = |order: &WebhookOrder| -> Vec<_> {
        let items = order.items.iter();
        items
            .map(|it| {
                (
                    it.sku.clone(),
                    it.quantity,
                    it.is_free,
                    it.is_bundle_content,
                )
            })
            .collect()
    };
    assert_eq!(
        flags(&orders[0]),
        [
            ("pack".to_owned(), 2, false, false),
            ("gold".to_owned(), 200, false, true),
            ("ribbon".to_owned(), 1, true, false)
        ]
    );
    assert_eq!(
        flags(&orders[1]),
        [
            ("pack".to_owned(), 2, false, false),
            ("ribbon".to_owned(), 1, false, false)
        ]
    );
    let items = |index: usize| server.received()[index].json()["items"].clone();
    assert_eq!(items(0)[1]["amount"], "[null]");
    assert_eq!(items(0)[2]["amount"], "0");
    assert_eq!(
        items(0)[0]["promotions"][0]["amount_without_discount"],
        "16"
    );
    for name in ["is_free", "is_bonus", "is_bundle_content"] {
        assert!(items(0)[0][name].is_boolean(), "{name}");
        assert!(items(1)[0].get(name).is_none(), "{name}");
    }
}

/// The fields of a documented body that are not in the one that was sent.
fn missing(path: &str, documented: &Value, sent: &Value) -> Vec<String> {
    match documented {
        Value::Object(fields) => {
            let fields = fields.iter().flat_map(|(name, field)| {
                let path = format!("{path}.{name}");
                match sent.get(name) {
                    Some(sent) => missing(&path, field, sent),
                    None => vec![path],
                }
            });
            fields.collect()
        }
        Value::Array(items) if !items.is_empty() && sent.get(0).is_some() => {
            missing(&format!("{path}[]"), &items[0], &sent[0])
        }
        _ => Vec::new(),
    }
}

#[test]
fn the_bodies_have_the_fields_of_the_documented_ones() {
    let (emulator, server) = start(&[]);
    let order_id = emulator.create_order(&emulator.user("bob"), &[("shield", 3)]);
    let mut missed = Vec::new();
    for (name, kind, version, separate) in [
        ("order_paid_1", "order_paid", WebhookVersion::One, true),
        ("order_paid_2", "order_paid", WebhookVersion::Two, false),
        (
            "order_canceled_1",
            "order_canceled",
            WebhookVersion::One,
            true,
        ),
        (
            "order_canceled_2",
            "order_canceled",
            WebhookVersion::Two,
            false,
        ),
        (
            "user_validation",
            "user_validation",
            WebhookVersion::Two,
            false,
        ),
        ("payment", "payment", WebhookVersion::Two, true),
        ("refund", "refund", WebhookVersion::Two, true),
    ] {
        emulator.set_webhook_version(version);
        emulator.separate_webhooks(separate);
        emulator.send_webhook(order_id, kind);
        wait_for_all(&emulator);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/webhooks");
        let documented = std::fs::read(format!("{folder}/{name}.json")).unwrap();
        let documented: Value = serde_json::from_slice(&documented).unwrap();
        let sent = server.received().last().unwrap().json();
        assert_eq!(sent["notification_type"], kind);
        assert_eq!(
            sent.get("billing").is_some(),
            documented.get("billing").is_some()
        );
        missed.extend(missing(name, &documented, &sent));
    }
    // The game's own parameters and attributes, and details of a payment that differ from method to method.
    missed.retain(|path| !path.contains(".custom_"));
    assert_eq!(
        missed,
        [
            "payment.transaction.payment_date",
            "payment.transaction.payment_method_order_id",
            "payment.user.zip"
        ]
    );
}

#[test]
fn what_costs_no_money_has_no_payment() {
    let (emulator, server) = start(&[]);
    let token = emulator.token("alice");
    for separate in [false, true] {
        emulator.separate_webhooks(separate);
        for route in ["free/item/starter_pack", "payment/item/potion/virtual/gold"] {
            let answer = request(&emulator, "POST", route, Some(&token), r#"{"quantity": 2}"#);
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    wait_for_attempts(&emulator, 4);
    assert_eq!(server.kinds(), ["order_paid"; 4]);
    for received in server.received() {
        let (order, body) = (received.order(), received.json());
        assert_eq!(order.price, None);
        assert_eq!(order.invoice_id, None);
        assert_eq!(order.items[0].quantity, 2);
        assert!(body.get("billing").is_none());
        if order.items[0].sku == "potion" {
            assert_eq!(body["order"]["currency_type"], "virtual");
            assert_eq!(body["order"]["currency"], "gold");
            assert_eq!(body["order"]["amount"], "100");
        }
    }
}

#[test]
fn a_sandbox_order_is_marked_as_a_test() {
    let (emulator, server) = start(&[]);
    let token = emulator.token("alice");
    let body = r#"{"sandbox": true}"#;
    let answer = request(&emulator, "POST", "payment/item/sword", Some(&token), body);
    emulator.pay(OrderId(answer.json()["order_id"].as_u64().unwrap()));
    wait_for_attempts(&emulator, 1);
    let received = &server.received()[0];
    assert!(received.order().is_test);
    assert_eq!(received.json()["billing"]["transaction"]["dry_run"], 1);
}

#[test]
fn with_separate_webhooks_the_order_is_told_after_its_payment() {
    let (emulator, server) = start(&[Reply::Status(500)]);
    emulator.separate_webhooks(true);
    let order_id = order(&emulator);
    emulator.pay(order_id);
    wait_for_attempts(&emulator, 1);
    flush(&emulator);
    assert_eq!(server.kinds(), ["payment", "flush"]);
    emulator.pass_webhook_time(4 * 60 * MINUTE);
    wait_for_all(&emulator);
    emulator.refund(order_id);
    wait_for_all(&emulator);
    let kinds = [
        "payment",
        "flush",
        "payment",
        "order_paid",
        "refund",
        "order_canceled",
    ];
    assert_eq!(server.kinds(), kinds);
    let received = server.received();
    let Ok(Notification::Payment(payment)) = received[2].verify() else {
        panic!("{received:?}");
    };
    assert_eq!(payment.transaction_id, received[3].order().invoice_id);
    assert_eq!(
        received[3].order().project_id,
        None,
        "there is no `billing`"
    );
    assert!(matches!(
        received[4].verify(),
        Ok(Notification::Refund { code: Some(1), .. })
    ));
}

#[test]
fn a_player_is_validated_before_they_pay_on_the_page() {
    let replies = [
        Reply::Status(200),
        Reply::Refusal("INVALID_USER"),
        Reply::Close,
    ];
    let (emulator, server) = start(&replies);
    emulator.hold_webhooks(true);
    let orders = [(); 3].map(|()| order(&emulator));
    for order_id in orders {
        assert_eq!(
            receive(press(&emulator, order_id, "pay")).unwrap().status,
            303
        );
    }
    emulator.heal();
    wait_for_all(&emulator);
    let kinds = [
        "user_validation",
        "user_validation",
        "user_validation",
        "order_paid",
    ];
    assert_eq!(server.kinds(), kinds);
    let Ok(Notification::UserValidation(user)) = server.received()[0].verify() else {
        panic!("another notification");
    };
    assert_eq!(
        emulator.user("alice").id().as_str(),
        format!("s:{}", user.id)
    );
    assert_ne!(emulator.status(orders[0]), OrderStatus::New);
    let url = emulator.payment_url(orders[1]).unwrap();
    let path = url.splitn(4, '/').nth(3).unwrap();
    let page = receive(send(&emulator, "GET", &format!("/{path}"), None, "")).unwrap();
    assert!(page.body.contains("The card was declined"), "{}", page.body);
    for order_id in &orders[1..] {
        assert_eq!(emulator.status(*order_id), OrderStatus::New);
    }
    // They are not asked again, whatever the time, and a payment that is under way is not asked for again.
    emulator.pass_webhook_time(1000 * 60 * MINUTE);
    receive(press(&emulator, orders[1], "pay-slowly")).unwrap();
    receive(press(&emulator, orders[1], "pay")).unwrap();
    receive(press(&emulator, orders[2], "cancel")).unwrap();
    wait_for_all(&emulator);
    assert_eq!(server.kinds()[4..], ["user_validation", "order_paid"]);
}

#[test]
fn a_payment_on_the_page_and_its_refund_are_told() {
    let (emulator, server) = start(&[]);
    let order_id = order(&emulator);
    receive(press(&emulator, order_id, "pay")).unwrap();
    receive(press(&emulator, order_id, "refund")).unwrap();
    wait_for_all(&emulator);
    assert_eq!(
        server.kinds(),
        ["user_validation", "order_paid", "order_canceled"]
    );
}

#[test]
fn a_validation_by_hand_has_its_answer() {
    let (emulator, server) = start(&[Reply::Refusal("INVALID_USER")]);
    let id = emulator.send_user_validation(&emulator.user("bob"));
    wait_for("the answer", || emulator.webhook_answer(id).is_some());
    let attempt = emulator.webhook_answer(id).unwrap();
    assert_eq!((attempt.status(), attempt.order_id), (Some(400), None));
    assert_eq!(server.received()[0].json()["user"]["name"], "bob");
}

#[test]
fn programs_in_other_languages_fire_webhooks_and_see_the_answers() {
    let (emulator, server) = start(&[Reply::Status(200), Reply::Refusal("INVALID_USER")]);
    let order_id = order(&emulator);
    let url = emulator.webhook_control_url();
    assert!(url.ends_with("/emulator/webhooks") && url.starts_with("http://127.0.0.1:"));
    let body = json!({"notification_type": "order_canceled", "order_id": order_id});
    let answer = control(&emulator, "POST", &body.to_string());
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(answer["notification_type"], "order_canceled");
    assert_eq!(answer["order_id"], json!(order_id));
    assert_eq!(
        (&answer["status"], &answer["error"]),
        (&json!(200), &Value::Null)
    );
    let body = json!({"notification_type": "user_validation", "user": "bob"});
    let answer = control(&emulator, "POST", &body.to_string()).json();
    assert_eq!(answer["status"], 400);
    assert!(answer["body"].as_str().unwrap().contains("INVALID_USER"));
    server.answer_next(&[Reply::Close]);
    let any = json!({"notification_type": "user_search", "user": {"id": "x"}});
    let answer = control(&emulator, "POST", &json!({ "body": any }).to_string()).json();
    assert_eq!(answer["status"], Value::Null);
    assert!(answer["error"].is_string(), "{answer}");
    let received = server.received();
    assert_eq!(received[0].order().order_id, order_id);
    assert_eq!(received[1].json()["user"]["name"], "bob");
    assert_eq!(received[2].json(), any);
    assert!(received[2].verify().is_ok());
    let list = control(&emulator, "GET", "").json();
    assert_eq!(list["attempts"].as_array().unwrap().len(), 3);
    assert_eq!(list["attempts"][2], answer);
    assert_eq!(emulator.status(order_id), OrderStatus::New);
}

#[test]
fn a_request_for_an_impossible_webhook_says_what_is_wrong() {
    let emulator = XsollaEmulator::start();
    let order_id = order(&emulator);
    let paid = json!({"notification_type": "order_paid", "order_id": order_id}).to_string();
    assert_eq!(
        control(&emulator, "POST", &paid).status,
        409,
        "no address yet"
    );
    let server = Server::start(&[]);
    emulator.webhooks_to(&server.url, SECRET);
    for (status, body) in [
        (404, r#"{"notification_type": "order_paid", "order_id": 1}"#),
        (422, r#"{"notification_type": "party", "order_id": 1}"#),
        (
            422,
            r#"{"notification_type": "order_paid", "user": "alice"}"#,
        ),
        (422, r#"{"notification_type": "order_paid"}"#),
        (422, r#"{"order": 1}"#),
        (422, "{}"),
        (422, "nonsense"),
        (422, ""),
    ] {
        let answer = control(&emulator, "POST", body);
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.json()["error"].is_string(), "{answer:?}");
    }
    assert_eq!(control(&emulator, "DELETE", "").status, 405);
    assert!(server.received().is_empty());
}

#[test]
fn a_test_that_asks_for_the_impossible_is_told_so() {
    let emulator = XsollaEmulator::start();
    let order_id = order(&emulator);
    let result = emulator.try_send_webhook(order_id, "order_paid");
    assert_eq!(result, Err(EmulatorError::NoWebhooks));
    let result = emulator.try_send_webhook_body(json!({}));
    assert_eq!(result, Err(EmulatorError::NoWebhooks));
    for (address, reason) in [
        ("https://server.test/hook", "https"),
        ("ftp://server.test", "ftp"),
        ("server.test", ""),
        ("", ""),
    ] {
        let error = emulator.try_webhooks_to(address, SECRET).unwrap_err();
        assert!(matches!(error, EmulatorError::WebhookAddress(_)), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    emulator.webhooks_to("http://127.0.0.1:9", SECRET);
    let result = emulator.try_send_webhook(OrderId(1), "order_paid");
    assert_eq!(result, Err(EmulatorError::UnknownOrder(OrderId(1))));
    let result = emulator.try_send_webhook(order_id, "party");
    let party = EmulatorError::UnknownNotification("party".to_owned());
    assert_eq!(result, Err(party));
    let stranger = XsollaEmulator::start().user("mallory");
    let result = emulator.try_send_user_validation(&stranger);
    assert_eq!(result, Err(EmulatorError::UnknownUser));
}

#[test]
#[should_panic(expected = "webhooks cannot be sent to this address")]
fn a_wrong_address_stops_the_test() {
    XsollaEmulator::start().webhooks_to("https://server.test", SECRET);
}

#[test]
fn webhooks_end_when_they_are_stopped() {
    let (emulator, server) = start(&[Reply::Status(500)]);
    let [first, second] = [(); 2].map(|()| order(&emulator));
    emulator.pay(first);
    wait_for_attempts(&emulator, 1);
    emulator.stop_webhooks();
    emulator.pay(second);
    receive(press(&emulator, second, "refund")).unwrap();
    emulator.pass_webhook_time(1000 * 60 * MINUTE);
    emulator.webhooks_to(&server.url, SECRET);
    flush(&emulator);
    assert_eq!(server.kinds(), ["order_paid", "flush"]);
}
