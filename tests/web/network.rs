//! Sockets, requests and clocks that fail.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::wait::wait_until;
use crate::{GAME, Web};

#[test]
fn what_was_paid_while_the_browser_was_offline_is_granted_soon_after_it_is_back() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame"}));
    web.click("#buy");
    web.wait_until_live();
    let is = |offline: bool| json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
    web.emulator.refuse_sockets(true);
    web.protocol("Network.emulateNetworkConditions", is(true));
    web.emulator.drop_sockets();
    web.wait("requests fail", |web| {
        let states = web.told("tracker");
        let last = states.last().and_then(Value::as_str).unwrap_or_default();
        last.contains("requests: Some(Network")
    });
    let order = web.order();
    web.emulator.pay(order);
    web.emulator.deliver(order);
    web.emulator.refuse_sockets(false);
    web.protocol("Network.emulateNetworkConditions", is(false));
    let back = Instant::now();
    web.wait_until_granted();
    assert!(back.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_refused_token_is_told_once_and_a_new_one_goes_on() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame", "is_hurried": true}));
    web.click("#buy");
    web.wait_until_live();
    web.emulator.revoke_tokens("alice");
    web.emulator.close_sockets(3500, "invalid token");
    web.wait_for("authorization_required", 1);
    let order = web.order();
    web.emulator.pay(order);
    web.emulator.deliver(order);
    let token = web.emulator.token("alice");
    web.call(json!({"log_in": token}));
    web.wait_until_granted();
    assert_eq!(web.told("authorization_required").len(), 1);
}

/// Lets the store answer each request for an order with 429 and `Retry-After`, and gives the requests of some
/// seconds.
fn requests_while_there_are_too_many(exposed: bool) -> Option<u64> {
    let mut web = Web::start()?;
    web.emulator.withhold_channels(true);
    web.open(json!({"page": "frame", "is_hurried": true}));
    web.evaluate(
        "window.asked = 0; const real = window.fetch; window.fetch = (request, ...rest) => {
            if ((request.url ?? request).includes('/order/')) window.asked += 1;
            return real(request, ...rest);
        }; null",
    );
    let mut headers = json!({"retry-after": "5"});
    if exposed {
        headers["access-control-expose-headers"] = json!("Retry-After");
    }
    let body = json!({"statusCode": 429, "errorCode": 0, "errorMessage": "too many"}).to_string();
    web.browser.command(json!({
        "command": "answer", "name": GAME, "status": 429, "headers": headers, "body": body,
    }));
    web.click("#buy");
    web.wait("the order was asked for", |web| {
        web.evaluate("window.asked") != 0
    });
    web.emulator.refuse_sockets(true);
    web.emulator.drop_sockets();
    std::thread::sleep(Duration::from_secs(4));
    let asked = web.evaluate("window.asked").as_u64().unwrap();
    web.browser
        .command(json!({"command": "answer", "name": GAME, "status": null}));
    let order = web.order();
    web.emulator.pay(order);
    web.emulator.deliver(order);
    web.wait_until_granted();
    Some(asked)
}

#[test]
fn a_store_that_says_how_long_to_wait_is_left_alone_for_so_long() {
    if let Some(asked) = requests_while_there_are_too_many(true) {
        assert_eq!(asked, 1);
    }
}

#[test]
fn a_store_whose_browser_hides_how_long_to_wait_is_asked_ever_more_slowly() {
    if let Some(asked) = requests_while_there_are_too_many(false) {
        assert!((2..=20).contains(&asked), "{asked} requests");
    }
}

#[test]
fn a_clock_that_is_set_neither_loses_an_order_nor_stops_the_game() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame", "is_hurried": true}));
    web.evaluate(
        "const real = Date.now; window.hours = 0;
        Date.now = () => real() + window.hours * 3600 * 1000; null",
    );
    web.click("#buy");
    web.wait_until_live();
    let emulator = web.emulator.clone();
    web.evaluate("window.hours = -30");
    emulator.drop_sockets();
    let opened = emulator.sockets_opened();
    wait_until("the socket is opened again", || {
        emulator.sockets_opened() > opened
    });
    web.wait_until_live();
    // The machine sleeps for an hour, so the socket is as good as lost.
    let opened = emulator.sockets_opened();
    web.evaluate("window.hours = -29");
    wait_until("the socket is opened anew", || {
        emulator.sockets_opened() > opened
    });
    assert_eq!(web.told("tracking_failed"), [json!(null); 0]);
    let order = web.order();
    emulator.pay(order);
    emulator.deliver(order);
    web.wait_until_granted();
}
