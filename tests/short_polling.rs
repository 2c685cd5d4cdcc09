//! With the socket in trouble the order is asked for, no failure of that ends tracking, and the state
//! has the reason.

mod support;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use bevy_xsolla::SocketError;
use bevy_xsolla::emulator::Fault;
use bevy_xsolla::prelude::*;
use serde_json::json;
use support::{hurried, hurried_shop, hurry, shop_with, sword_order};

#[test]
fn with_every_socket_refused_the_order_is_granted_by_polling() {
    let (emulator, mut game) = hurried_shop();
    emulator.refuse_sockets(true);
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_for_status(order, "new");
    game.wait_until("the tracker says that it polls", |world| {
        matches!(
            world.resource::<TrackerState>(),
            TrackerState::Polling {
                reason: Some(_),
                ..
            }
        )
    });
    emulator.pay(order);
    game.wait_for_status(order, "paid");
    emulator.deliver(order);
    game.wait_until_granted(order);
    assert_eq!(game.statuses(order), ["new", "paid", "done"]);
    assert_eq!(emulator.open_sockets(), 0);
}

#[test]
fn polling_stops_when_sockets_are_allowed_again() {
    let (emulator, mut game) = hurried_shop();
    emulator.refuse_sockets(true);
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until("a few requests were sent", |_| {
        emulator.order_requests() > 3
    });
    emulator.refuse_sockets(false);
    game.wait_until_live();
    // Once live there is one last look, and at most one request that was under way.
    let requests = emulator.order_requests();
    game.run_for(Duration::from_secs(3));
    let more = emulator.order_requests() - requests;
    assert!(more <= 2, "{more} requests in ten times the interval");
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn failing_requests_are_tried_again_until_one_succeeds() {
    for fault in [
        Fault::status(500).times(3),
        Fault::status(503).times(3),
        Fault::status(429).times(3),
        Fault::status(302).times(3),
        Fault::status(404).code(9001).times(2),
    ] {
        let (emulator, mut game) = hurried_shop();
        emulator.refuse_sockets(true);
        emulator.fail_requests(fault.clone());
        let order = sword_order(&emulator);
        emulator.deliver(order);
        game.track(order);
        game.wait_until_granted(order);
        assert!(game.told().failed.is_empty(), "{fault:?}");
    }
}

#[test]
fn broken_connections_and_garbage_are_tried_again() {
    let (emulator, mut game) = hurried_shop();
    emulator.refuse_sockets(true);
    let order = sword_order(&emulator);
    emulator.deliver(order);
    emulator.drop_requests(true);
    game.track(order);
    game.wait_until("a few requests broke", |_| emulator.order_requests() > 2);
    emulator.drop_requests(false);
    emulator.garble_requests(true);
    let before = emulator.order_requests();
    game.wait_until("a few answers were garbage", |_| {
        emulator.order_requests() > before + 2
    });
    assert_eq!(game.grants(order), 0);
    emulator.garble_requests(false);
    game.wait_until_granted(order);
}

#[test]
fn a_server_that_never_answers_is_given_up_on_and_asked_again() {
    let (emulator, mut game) = shop_with(|config| {
        hurry(config);
        config.request_timeout = Duration::from_millis(200);
        config.connect_timeout = Duration::from_millis(200);
    });
    emulator.hang_requests(true);
    emulator.hang_handshakes(true);
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    game.wait_until("a second request was sent", |_| {
        emulator.order_requests() > 1
    });
    emulator.heal();
    game.wait_until_granted(order);
}

#[test]
fn retry_after_is_waited_for() {
    let (emulator, mut game) = hurried_shop();
    emulator.refuse_sockets(true);
    let wait = Duration::from_secs(2);
    emulator.fail_requests(Fault::status(429).retry_after(wait).times(1));
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    game.wait_until("the refusal was sent", |_| emulator.order_requests() == 1);
    let refused = Instant::now();
    game.wait_until_granted(order);
    assert!(refused.elapsed() >= wait - Duration::from_millis(100));
    assert_eq!(emulator.order_requests(), 2);
}

#[test]
fn an_order_that_does_not_exist_fails_with_xsollas_reason() {
    let (_emulator, mut game) = hurried_shop();
    game.track(OrderId(7));
    game.wait_until_failed(OrderId(7));
    let error = game.told().failed[0].error.to_string();
    assert!(error.contains("404") && error.contains("9001"), "{error}");
    assert!(game.orders().get(OrderId(7)).is_some());
}

#[test]
fn an_order_is_not_lost_to_a_field_that_nobody_needs() {
    for body in [
        json!({"status":"done","content":{"items":[{"sku":"sword","quantity":1}]}}),
        json!({"status":"done","content":{"is_free":"false","price":null,"virtual_price":{"amount":5},
               "items":[{"sku":"sword","quantity":"1","is_free":"false","price":{"amount":30}}]}}),
        json!({"status":"DONE","new":[[]],"content":{"price":{"amount":"?"},
               "items":[{"sku":"sword","quantity":null,"name":7}]}}),
    ] {
        let (emulator, mut game) = hurried_shop();
        emulator.refuse_sockets(true);
        let order = sword_order(&emulator);
        emulator.set_order_body(order, body.clone());
        game.track(order);
        game.wait_until_granted(order);
        let items = &game.told().done[0].items;
        assert_eq!(
            (items[0].sku.as_str(), items[0].quantity),
            ("sword", 1),
            "{body}"
        );
    }
}

#[test]
fn done_by_the_socket_is_granted_though_every_later_request_fails_for_a_while() {
    let (emulator, mut game) = hurried_shop();
    emulator.fail_requests(Fault::status(500));
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until_live();
    emulator.deliver(order);
    game.wait_for_status(order, "done");
    game.run_for(Duration::from_millis(500));
    assert_eq!(game.grants(order), 0, "nobody has said what to grant");
    emulator.fail_requests(None);
    game.wait_until_granted(order);
    assert!(game.told().failed.is_empty());
}

#[test]
fn a_port_that_nobody_listens_on_is_the_reason_in_the_state() {
    let (emulator, mut game) = hurried_shop();
    let order = sword_order(&emulator);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let mut config = hurried(emulator.config());
    config.store_url = format!("http://{nobody}/api");
    config.socket_url = format!("ws://{nobody}/connection/websocket");
    game.app.insert_resource(config);
    game.track(order);
    game.wait_until("polling is reported with the reason", |world| {
        matches!(
            world.resource::<TrackerState>(),
            TrackerState::Polling {
                reason: Some(SocketError::Connect(_)),
                ..
            }
        )
    });
    // The servers come up.
    emulator.deliver(order);
    game.app.insert_resource(hurried(emulator.config()));
    game.wait_until_granted(order);
}

#[test]
fn a_host_that_accepts_and_never_answers_is_the_reason_in_the_state() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (emulator, mut game) = shop_with(|config| {
        hurry(config);
        config.connect_timeout = Duration::from_millis(200);
        config.socket_url = format!("ws://{}/", silent.local_addr().unwrap());
    });
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until("the reason is told", |world| {
        matches!(
            world.resource::<TrackerState>(),
            TrackerState::Reconnecting {
                reason: SocketError::TimedOut(_)
            } | TrackerState::Polling {
                reason: Some(SocketError::TimedOut(_)),
                ..
            }
        )
    });
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn a_server_that_gives_no_subscription_is_the_reason_in_the_state() {
    let (emulator, mut game) = shop_with(|config| {
        hurry(config);
        config.connect_timeout = Duration::from_millis(200);
    });
    emulator.withhold_channels(true);
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until("the reason is told", |world| {
        let state = format!("{:?}", world.resource::<TrackerState>());
        state.contains("TimedOut(Subscribe)")
    });
    emulator.deliver(order);
    game.wait_until_granted(order);
}
