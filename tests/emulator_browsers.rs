//! The emulator's REST side for games in a browser: what pages of which origin may send and read.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;

use std::io::Write;
use std::time::Duration;

use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use emulator_client::{Response, get, receive, tcp};

/// Sends what a browser sends from a page of another origin, with these lines in the head.
fn from_another_origin(
    emulator: &XsollaEmulator,
    method: &str,
    path: &str,
    head: &str,
) -> Response {
    let mut stream = tcp(&emulator.store_url());
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Origin: https://game.example\r\n{head}\r\n"
    )
    .expect("the request is sent");
    receive(stream).expect("an answer")
}

#[test]
fn a_browser_may_send_the_token_and_json_and_no_header_of_its_own() {
    let emulator = XsollaEmulator::start();
    let project = format!("/api/v2/project/{}", emulator.project_id());
    for (route, method) in [
        ("order/1", "GET"),
        ("items/virtual_items", "GET"),
        ("payment/item/sword", "POST"),
        ("payment/cart", "POST"),
        ("payment/item/sword/virtual/gold", "POST"),
        ("free/item/sword", "POST"),
        ("free/cart", "POST"),
    ] {
        let asked = format!(
            "Access-Control-Request-Method: {method}\r\n\
             Access-Control-Request-Headers: authorization,content-type,x-game\r\n"
        );
        let path = format!("{project}/{route}");
        let answer = from_another_origin(&emulator, "OPTIONS", &path, &asked);
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{route}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(methods.split(", ").any(|allowed| allowed == method));
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(headers, Some("Authorization, Content-Type"));
        for exposed in ["credentials", "expose-headers", "allow-private-network"] {
            let header = format!("access-control-{exposed}");
            assert_eq!(answer.header(&header), None);
        }
    }
    assert_eq!(emulator.order_requests(), 0, "nothing was asked for yet");
    assert!(emulator.orders().is_empty());
}

#[test]
fn a_page_of_any_origin_may_read_every_answer_of_the_store() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let order_id = emulator.create_order(&alice, &[("sword", 1)]);
    let project = format!("/api/v2/project/{}", emulator.project_id());
    let order = format!("{project}/order/{order_id}");
    let token = format!("Authorization: Bearer {token}\r\n");
    let fetch = |path: &str, head: &str| {
        let answer = from_another_origin(&emulator, "GET", path, head);
        let origin = answer.header("access-control-allow-origin");
        assert_eq!(answer.header("access-control-expose-headers"), None);
        (answer.status, origin.map(str::to_owned))
    };
    let any = || Some("*".to_owned());
    assert_eq!(fetch(&order, &token), (200, any()));
    assert_eq!(fetch(&order, ""), (401, any()));
    assert_eq!(fetch(&format!("{project}/order/1"), &token), (404, any()));
    assert_eq!(fetch(&format!("{project}/nothing"), &token), (404, any()));
    assert_eq!(
        fetch(&format!("{project}/items/virtual_items"), ""),
        (200, any())
    );
    let catalogue = format!("{project}/items/virtual_items?limit=x");
    assert_eq!(fetch(&catalogue, ""), (422, any()));
    for address in [
        "/",
        "/v2/project/1/order/1",
        "/api",
        "/api/v3/x",
        "/api/v2/project/1/x",
    ] {
        assert_eq!(fetch(address, ""), (404, any()), "{address}");
    }
    let busy = Fault::status(429).retry_after(Duration::from_secs(1));
    emulator.fail_requests(busy.times(1));
    assert_eq!(fetch(&order, &token), (429, any()));
    // The payment page is opened, and not read by other pages.
    let page = emulator.payment_url(order_id).unwrap();
    let page = page.split_once("/paystation4").unwrap().1;
    assert_eq!(fetch(&format!("/paystation4{page}"), ""), (200, None));
}

#[test]
fn pages_of_other_origins_reach_nothing_where_only_some_are_allowed() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order_id = emulator.create_order(&alice, &[("sword", 1)]);
    let token = emulator.token("alice");
    let path = format!("/api/v2/project/{}/order/{order_id}", emulator.project_id());
    let head = format!("Authorization: Bearer {token}\r\n");
    let asked = "Access-Control-Request-Method: GET\r\n";
    let fetch = || {
        [("GET", head.as_str()), ("OPTIONS", asked)].map(|(method, head)| {
            let answer = from_another_origin(&emulator, method, &path, head);
            let origin = answer.header("access-control-allow-origin");
            (answer.status, origin.map(str::to_owned))
        })
    };
    let any = || Some("*".to_owned());
    emulator.allow_origins(Some(&["http://127.0.0.1:8080", "https://game.example"]));
    assert_eq!(fetch(), [(200, any()), (204, any())]);
    emulator.allow_origins(Some(&["http://127.0.0.1:8080"]));
    assert_eq!(fetch(), [(403, None), (403, None)]);
    assert_eq!(emulator.order_requests(), 1);
    let desktop = get(&emulator, &format!("order/{order_id}"), &token);
    assert_eq!(desktop.status, 200, "it has no origin");
    let page = emulator.payment_url(order_id).unwrap();
    let page = format!("/paystation4{}", page.split_once("/paystation4").unwrap().1);
    let page = from_another_origin(&emulator, "GET", &page, "");
    assert_eq!(page.status, 200, "the payment page is open to all");
    emulator.heal();
    assert_eq!(fetch(), [(200, any()), (204, any())]);
}

#[test]
fn a_preflight_meets_no_fault_and_uses_none_up() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let order_id = emulator.create_order(&alice, &[("sword", 1)]);
    let route = format!("order/{order_id}");
    let path = format!("/api/v2/project/{}/{route}", emulator.project_id());
    emulator.fail_requests(Fault::status(503).times(1));
    let asked = "Access-Control-Request-Method: GET\r\n";
    let preflight = from_another_origin(&emulator, "OPTIONS", &path, asked);
    assert_eq!(preflight.status, 204);
    assert_eq!(get(&emulator, &route, &token).status, 503);
    assert_eq!(get(&emulator, &route, &token).status, 200);
    let plain = from_another_origin(&emulator, "OPTIONS", &path, "");
    assert_eq!(plain.status, 405, "it asks for no permission");
}
