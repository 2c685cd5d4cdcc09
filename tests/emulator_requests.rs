//! The emulator's REST side: Xsolla's bodies, authorization, and every way to fail on purpose.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;

use std::time::{Duration, Instant};

use bevy_xsolla::emulator::{EmulatorError, Fault, XsollaEmulator};
use bevy_xsolla::{OrderId, OrderStatus, XsollaUser};
use emulator_client::{get, receive, request, send, wait_for};
use serde_json::{Value, json};

fn status_of(emulator: &XsollaEmulator, order_id: OrderId, token: &str) -> Value {
    let answer = get(emulator, &format!("order/{order_id}"), token);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["status"].clone()
}

/// The HTTP status and Xsolla's code of a refusal, whose body has to be Xsolla's.
fn refusal(answer: &emulator_client::Response) -> (u16, u64) {
    let body = answer.json();
    let code = body["errorCode"].as_u64().expect("a code");
    assert_eq!(body["statusCode"], answer.status);
    let message = body["errorMessage"].as_str().expect("a message");
    assert!(
        message.starts_with(&format!("[0401-{code}]: ")),
        "{message}"
    );
    assert!(body["transactionId"].is_string());
    (answer.status, code)
}

#[test]
fn get_order_answers_with_the_documented_body() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let order_id = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.pay(order_id);
    let price = json!({"amount": "30", "amount_without_discount": "30", "currency": "USD"});
    let answer = get(&emulator, &format!("order/{order_id}"), &token);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.json(),
        json!({"order_id": order_id.0, "status": "paid", "content": {
            "is_free": false,
            "price": price,
            "virtual_price": null,
            "items": [{"sku": "sword", "quantity": 1, "is_free": false, "price": price}],
        }})
    );
}

#[test]
fn an_order_costs_what_its_items_cost_together() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let items = [("potion", 3), ("shield", 1), ("not-for-sale", 1)];
    let order_id = emulator.create_order(&alice, &items);
    let body = get(&emulator, &format!("order/{order_id}"), &token).json();
    let price = json!({"amount": "16.46", "amount_without_discount": "28.96", "currency": "USD"});
    assert_eq!(body["content"]["price"], price);
    assert_eq!(body["content"]["items"][0]["price"]["amount"], "0.99");
    assert_eq!(body["content"]["items"][0]["quantity"], 3);
}

#[test]
fn the_orders_of_another_run_have_other_ids() {
    let earlier = XsollaEmulator::start();
    let first = earlier.create_order(&earlier.user("alice"), &[("sword", 1)]);
    let started = Instant::now();
    wait_for("the clock moves on", || {
        started.elapsed() >= Duration::from_millis(2)
    });
    let later = XsollaEmulator::start();
    let alice = later.user("alice");
    let other = later.create_order(&alice, &[("sword", 1)]);
    assert!(first.0 > u64::from(u32::MAX));
    assert!(other > first, "{other} after {first}");
    let next = later.create_order(&alice, &[("sword", 1)]);
    assert_eq!(next.0, other.0 + 1);
}

#[test]
fn the_next_id_can_be_set() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    emulator.set_next_order_id(OrderId(7));
    let ids = [(); 2].map(|()| emulator.create_order(&alice, &[("sword", 1)]));
    assert_eq!(ids, [OrderId(7), OrderId(8)]);
    emulator.set_next_order_id(OrderId(20));
    assert_eq!(emulator.create_order(&alice, &[("sword", 1)]), OrderId(20));
    assert_eq!(emulator.orders(), [OrderId(7), OrderId(8), OrderId(20)]);
}

#[test]
#[should_panic(expected = "no order of the emulator can come next as 7")]
fn an_id_that_is_taken_cannot_be_the_next() {
    let emulator = XsollaEmulator::start();
    emulator.set_next_order_id(OrderId(7));
    emulator.create_order(&emulator.user("alice"), &[("sword", 1)]);
    emulator.set_next_order_id(OrderId(7));
}

#[test]
fn an_order_goes_through_its_statuses() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let order_id = emulator.create_order(&alice, &[("sword", 1)]);
    assert!(order_id.0 > u64::from(u32::MAX));
    assert_eq!(status_of(&emulator, order_id, &token), "new");
    emulator.pay(order_id);
    assert_eq!(emulator.status(order_id), OrderStatus::Paid);
    emulator.deliver(order_id);
    assert_eq!(status_of(&emulator, order_id, &token), "done");
    emulator.cancel(order_id);
    assert_eq!(emulator.status(order_id), OrderStatus::Canceled);
    emulator.expire(order_id);
    assert_eq!(status_of(&emulator, order_id, &token), "expired");
    emulator.set_status(order_id, "on_hold");
    assert_eq!(status_of(&emulator, order_id, &token), "on_hold");
    emulator.announce(order_id, "done");
    assert_eq!(status_of(&emulator, order_id, &token), "on_hold");
    emulator.set_status_silently(order_id, "done");
    assert_eq!(status_of(&emulator, order_id, &token), "done");
}

#[test]
fn an_order_is_shown_to_its_player_alone() {
    let emulator = XsollaEmulator::start();
    let order_id = emulator.create_order(&emulator.user("alice"), &[("sword", 1)]);
    let route = format!("order/{order_id}");
    assert_eq!(get(&emulator, &route, &emulator.token("alice")).status, 200);
    let bob = emulator.token("bob");
    assert_eq!(refusal(&get(&emulator, &route, &bob)), (404, 9001));
    assert_eq!(refusal(&get(&emulator, "order/1", &bob)), (404, 9001));
    assert_eq!(refusal(&get(&emulator, "order/x", &bob)), (422, 1102));
    assert_eq!(emulator.order_requests_for(order_id), 2);
    assert_eq!(emulator.order_requests(), 3);
}

#[test]
fn a_token_is_accepted_until_it_expires_or_is_revoked() {
    let emulator = XsollaEmulator::start();
    let order_id = emulator.create_order(&emulator.user("alice"), &[("sword", 1)]);
    let route = format!("order/{order_id}");
    let answer = request(&emulator, "GET", &route, None, "");
    assert_eq!(refusal(&answer), (401, 1501));
    for token in ["", "nonsense", "a.b.c"] {
        assert_eq!(refusal(&get(&emulator, &route, token)), (401, 1501));
    }
    let short = emulator.token_for("alice", Duration::from_millis(300));
    assert_eq!(get(&emulator, &route, &short).status, 200);
    wait_for("the token expires", || {
        get(&emulator, &route, &short).status == 401
    });
    let token = emulator.token("alice");
    emulator.revoke_tokens("alice");
    assert_eq!(refusal(&get(&emulator, &route, &token)), (401, 1501));
    assert_eq!(get(&emulator, &route, &emulator.token("alice")).status, 200);
}

#[test]
fn users_of_one_name_are_one_player() {
    let emulator = XsollaEmulator::start();
    let (a, b) = (emulator.user("alice"), emulator.user("alice"));
    assert_ne!(a, b, "each has a token of its own");
    assert_eq!(a.id(), b.id());
    assert_ne!(a.id(), emulator.user("bob").id());
    let elsewhere = XsollaEmulator::start();
    assert_eq!(a.id(), elsewhere.user("alice").id(), "in every run");
    let expires_in = a.expires_at().expect("exp").elapsed().expect_err("later");
    assert!(expires_in.duration() > Duration::from_secs(23 * 60 * 60));
}

#[test]
fn a_stranger_has_no_orders() {
    let emulator = XsollaEmulator::start();
    let stranger = XsollaUser::new("a.b.c");
    let error = emulator.try_create_order(&stranger, &[("sword", 1)]);
    assert_eq!(error, Err(EmulatorError::UnknownUser));
    let nothing = emulator.try_create_order(&emulator.user("alice"), &[]);
    assert_eq!(nothing, Err(EmulatorError::NoItems));
}

#[test]
fn a_shop_creates_orders_of_what_is_for_sale() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let post = |route: &str, body: &str| request(&emulator, "POST", route, Some(&token), body);

    let body = r#"{"quantity":2,"currency":"USD","sandbox":true,"settings":{},"locale":"en"}"#;
    let answer = post("payment/item/potion", body);
    assert_eq!(answer.status, 200, "{answer:?}");
    let order_id = answer.json()["order_id"].as_u64().expect("an id");
    assert_eq!(emulator.orders(), [OrderId(order_id)]);
    let order = get(&emulator, &format!("order/{order_id}"), &token).json();
    assert_eq!(order["status"], "new");
    assert_eq!(order["content"]["items"][0]["quantity"], 2);

    let payment = answer.json()["token"].as_str().expect("a token").to_owned();
    let by_payment = get(&emulator, &format!("order/{order_id}"), &payment);
    assert_eq!(by_payment.status, 200, "Pay Station tokens are taken too");

    let cart = r#"{"items":[{"sku":"sword","quantity":1},{"sku":"potion"}]}"#;
    let answer = post("payment/cart", cart);
    let order_id = &answer.json()["order_id"];
    let order = get(&emulator, &format!("order/{order_id}"), &token).json();
    assert_eq!(order["content"]["price"]["amount"], "30.99");
    assert_eq!(post("payment/item/potion", "").status, 200);

    for (route, body, expected) in [
        ("payment/item/nothing", "", (422, 4001)),
        ("payment/item/sword", "[", (422, 1102)),
        ("payment/item/sword", "[2]", (422, 1102)),
        ("payment/item/sword", r#"{"quantity":0}"#, (422, 1102)),
        ("payment/item/sword", r#"{"quantity":"x"}"#, (422, 1102)),
        ("payment/item/torch", "", (422, 1102)),
        ("payment/cart", "{}", (422, 1102)),
        ("free/item/sword", "", (422, 1102)),
        ("payment/item/sword/virtual/gold", "", (422, 4001)),
    ] {
        assert_eq!(refusal(&post(route, body)), expected, "{route} {body}");
    }
    assert_eq!(emulator.orders().len(), 3);
    let answer = request(&emulator, "POST", "payment/item/sword", None, "");
    assert_eq!(refusal(&answer), (401, 1501));
}

#[test]
fn free_items_and_virtual_currency_need_no_payment_page() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    for (route, content) in [
        (
            "free/item/starter_pack",
            json!({"is_free": true, "price": null, "virtual_price": null, "items": [
                {"sku": "starter_pack", "quantity": 1, "is_free": true, "price": null}
            ]}),
        ),
        (
            "payment/item/shield/virtual/gold",
            json!({"is_free": false, "price": null,
                "virtual_price": {"amount": "1200", "currency": "gold"}, "items": [
                {"sku": "shield", "quantity": 1, "is_free": false, "price": null}
            ]}),
        ),
    ] {
        let answer = request(&emulator, "POST", route, Some(&token), "{}");
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        let order_id = &answer["order_id"];
        assert_eq!(answer.get("token"), None);
        let order = get(&emulator, &format!("order/{order_id}"), &token).json();
        assert_eq!(order["status"], "done");
        assert_eq!(order["content"], content);
    }
}

#[test]
fn the_items_for_sale_come_in_pages() {
    let emulator = XsollaEmulator::start();
    let get = |query: &str| {
        let route = format!("items/virtual_items{query}");
        request(&emulator, "GET", &route, None, "")
    };
    let included = get("").json();
    assert_eq!(included["has_more"], false);
    assert_eq!(included["items"][0]["sku"], "sword");

    let items: Vec<Value> = (0..70).map(|n| json!({"sku": format!("i{n}")})).collect();
    emulator.set_items(json!({"items": items}));
    let count = |query: &str| {
        let page = get(query).json();
        let items = page["items"].as_array().map(Vec::len);
        (items.unwrap_or_default(), page["has_more"] == true)
    };
    assert_eq!(count(""), (50, true));
    assert_eq!(count("?limit=50&offset=50"), (20, false));
    assert_eq!(count("?limit=500&offset=0"), (50, true));
    assert_eq!(count("?limit=7&locale=en"), (7, true));
    assert_eq!(refusal(&get("?limit=x")), (422, 1102));
    assert_eq!(refusal(&get("?limit=0")), (422, 1102));
}

#[test]
fn what_does_not_exist_is_not_found() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let fetch = |method: &str, path: &str| {
        receive(send(&emulator, method, path, Some(&token), "")).map(|answer| answer.status)
    };
    assert_eq!(fetch("GET", "/"), Some(404));
    assert_eq!(fetch("GET", "/api/v2/project/1/order/1"), Some(404));
    assert_eq!(
        fetch("GET", "/connection/websocket"),
        Some(400),
        "no upgrade"
    );
    let project = format!("/api/v2/project/{}", emulator.project_id());
    assert_eq!(fetch("GET", &format!("{project}/nothing")), Some(404));
    assert_eq!(fetch("DELETE", &format!("{project}/order/1")), Some(405));
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let body = " ".repeat(256 * 1024 + 1);
    let answer = request(&emulator, "POST", "payment/item/sword", Some(&token), &body);
    assert_eq!(answer.status, 413);
}

#[test]
fn requests_fail_as_often_as_told() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let order_id = emulator.create_order(&alice, &[("sword", 1)]);
    let fetch = || get(&emulator, &format!("order/{order_id}"), &token);

    let fault = Fault::status(503).retry_after(Duration::from_millis(1500));
    emulator.fail_requests(fault.times(2));
    let answers = [fetch(), fetch(), fetch()];
    assert_eq!(answers.each_ref().map(|a| a.status), [503, 503, 200]);
    assert_eq!(answers[0].header("retry-after"), Some("2"));
    assert_eq!(answers[2].header("retry-after"), None);

    emulator.fail_requests(Fault::status(401));
    assert_eq!(refusal(&fetch()), (401, 1501));
    emulator.fail_requests(Fault::status(401).code(2001));
    assert_eq!(refusal(&fetch()), (401, 2001));
    emulator.fail_requests(None);
    assert_eq!(fetch().status, 200);

    emulator.garble_requests(true);
    let garbled = fetch();
    assert_eq!(garbled.status, 200);
    assert!(serde_json::from_str::<Value>(&garbled.body).is_err());
    emulator.heal();
    assert_eq!(fetch().status, 200);

    emulator.drop_requests(true);
    let path = format!("/api/v2/project/{}/order/1", emulator.project_id());
    let cut = receive(send(&emulator, "GET", &path, Some(&token), ""));
    assert!(cut.is_none());
}

#[test]
fn get_order_lags_behind_as_told() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let order_id = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.freeze_requests(true);
    emulator.pay(order_id);
    let younger = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(younger);
    assert_eq!(status_of(&emulator, order_id, &token), "new");
    assert_eq!(status_of(&emulator, younger, &token), "new");
    assert_eq!(emulator.status(order_id), OrderStatus::Paid);
    emulator.freeze_requests(false);
    assert_eq!(status_of(&emulator, order_id, &token), "paid");

    emulator.lag_requests(Duration::from_secs(60 * 60));
    assert_eq!(status_of(&emulator, order_id, &token), "new");
    emulator.lag_requests(Duration::from_millis(200));
    emulator.deliver(order_id);
    wait_for("Get Order catches up", || {
        status_of(&emulator, order_id, &token) == "done"
    });
}

#[test]
fn an_order_has_whatever_body_it_is_given() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let order_id = emulator.create_order(&alice, &[("sword", 1)]);
    let body = json!({"order_id": order_id.0.to_string(), "status": null, "content": []});
    emulator.set_order_body(order_id, body.clone());
    let fetch = || get(&emulator, &format!("order/{order_id}"), &token).json();
    assert_eq!(fetch(), body);
    emulator.set_order_body(order_id, None);
    assert_eq!(fetch()["status"], "new");
}

#[test]
fn a_request_that_hangs_is_answered_when_that_ends() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let order_id = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.hang_requests(true);
    let path = format!("/api/v2/project/{}/order/{order_id}", emulator.project_id());
    let hanging = send(&emulator, "GET", &path, Some(&token), "");
    wait_for("the request arrives", || {
        emulator.order_requests_for(order_id) == 1
    });
    emulator.pay(order_id);
    emulator.hang_requests(false);
    let answer = receive(hanging).expect("an answer");
    assert_eq!(answer.json()["status"], "paid");

    emulator.delay_requests(Duration::from_millis(150));
    let start = Instant::now();
    assert_eq!(status_of(&emulator, order_id, &token), "paid");
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[test]
fn dropping_the_emulator_ends_everything_at_once() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    emulator.hang_requests(true);
    let path = format!("/api/v2/project/{}/order/7", emulator.project_id());
    let hanging = send(&emulator, "GET", &path, Some(&token), "");
    let mut socket = emulator_client::Socket::open(&emulator);
    wait_for("the request arrives", || emulator.order_requests() == 1);
    let start = Instant::now();
    drop(emulator);
    assert!(receive(hanging).is_none());
    assert_eq!(socket.next(), emulator_client::Said::Cut);
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn debug_shows_no_token() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let (mut socket, _, _) = emulator_client::Socket::connected(&emulator, &token);
    let text = format!("{emulator:?} {:?}", emulator.connects());
    assert!(text.contains("alice") && !text.contains(&token), "{text}");
    socket.close();
}

#[test]
fn the_emulator_starts_and_ends_within_a_tokio_runtime() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let emulator = XsollaEmulator::start();
        let order_id = emulator.create_order(&emulator.user("alice"), &[("sword", 1)]);
        assert_eq!(
            status_of(&emulator, order_id, &emulator.token("alice")),
            "new"
        );
    });
}

#[test]
#[should_panic(expected = "the emulator has no order 7")]
fn an_order_that_does_not_exist_is_a_mistake_of_the_test() {
    XsollaEmulator::start().pay(OrderId(7));
}

#[test]
fn limits_of_time_and_number_break_nothing() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user_for("alice", Duration::MAX);
    emulator.set_ping_interval(Duration::MAX);
    emulator.lag_requests(Duration::MAX);
    let token = emulator.token_for("alice", Duration::MAX);
    let items = [("sword", u64::MAX), ("sword", u64::MAX)];
    let order_id = emulator.create_order(&alice, &items);
    assert_eq!(status_of(&emulator, order_id, &token), "new");
    let (mut socket, ..) = emulator_client::Socket::connected(&emulator, &token);
    socket.close();
    emulator.fail_requests(
        Fault::status(9)
            .retry_after(Duration::MAX)
            .times(usize::MAX),
    );
    let route = format!("order/{order_id}");
    assert_eq!(get(&emulator, &route, &token).status, 500);
    emulator.set_items(json!("nonsense"));
    emulator.set_history_limit(0);
    emulator.publish(&alice, json!(1));
    emulator.heal();
    emulator.delay_requests(Duration::MAX);
}

#[test]
fn a_refund_cancels_an_order_that_was_paid() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let token = emulator.token("alice");
    let (mut socket, ..) = emulator_client::Socket::connected(&emulator, &token);
    let orders = [(); 2].map(|()| emulator.create_order(&alice, &[("sword", 1)]));
    emulator.pay(orders[0]);
    emulator.deliver(orders[1]);
    for order_id in orders {
        emulator.refund(order_id);
        assert_eq!(status_of(&emulator, order_id, &token), "canceled");
    }
    let told: Vec<_> = (0..6)
        .map(|_| socket.publication().0["status"].clone())
        .collect();
    let expected = ["new", "new", "paid", "done", "canceled", "canceled"];
    assert_eq!(told, expected);
}

#[test]
#[should_panic(expected = "the emulator cannot refund order 7, whose status is `new`")]
fn an_order_that_nobody_has_paid_for_cannot_be_refunded() {
    let emulator = XsollaEmulator::start();
    emulator.set_next_order_id(OrderId(7));
    let order_id = emulator.create_order(&emulator.user("alice"), &[("sword", 1)]);
    emulator.refund(order_id);
}

#[test]
#[should_panic(expected = "whose status is `canceled`")]
fn an_order_is_refunded_once() {
    let emulator = XsollaEmulator::start();
    let order_id = emulator.create_order(&emulator.user("alice"), &[("sword", 1)]);
    emulator.pay(order_id);
    emulator.refund(order_id);
    emulator.refund(order_id);
}

#[test]
fn the_server_ends_with_the_last_clone() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let clone = emulator.clone();
    let (mut socket, ..) = emulator_client::Socket::connected(&emulator, &token);
    drop(emulator);
    let order_id = clone.create_order(&clone.user("alice"), &[("sword", 1)]);
    assert_eq!(status_of(&clone, order_id, &token), "new");
    assert_eq!(socket.publication().0["status"], "new");
    drop(clone);
    assert_eq!(socket.next(), emulator_client::Said::Cut);
}
