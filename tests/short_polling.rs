//! With the socket in trouble the order is asked for, and no failure of that ends tracking.

mod support;

use std::time::Duration;

use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use bevy_xsolla::prelude::*;
use serde_json::json;
use support::{Game, hurried};

fn shop() -> (XsollaEmulator, XsollaUser, Game) {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let mut game = Game::new(hurried(emulator.config()));
    game.log_in(&alice);
    (emulator, alice, game)
}

#[test]
fn with_every_socket_refused_the_order_is_granted_by_polling() {
    let (emulator, alice, mut game) = shop();
    emulator.refuse_sockets(true);
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    game.track(order);
    game.wait_for_status(order, "new");
    game.wait_until("the tracker says that it polls", |world| {
        matches!(
            world.resource::<TrackerState>(),
            TrackerState::Polling { reason: Some(_) }
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
    let (emulator, alice, mut game) = shop();
    emulator.refuse_sockets(true);
    let order = emulator.create_order(&alice, &[("sword", 1)]);
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
        let (emulator, alice, mut game) = shop();
        emulator.refuse_sockets(true);
        emulator.fail_requests(fault.clone());
        let order = emulator.create_order(&alice, &[("sword", 1)]);
        emulator.deliver(order);
        game.track(order);
        game.wait_until_granted(order);
        assert!(game.told().failed.is_empty(), "{fault:?}");
    }
}

#[test]
fn broken_connections_and_garbage_are_tried_again() {
    let (emulator, alice, mut game) = shop();
    emulator.refuse_sockets(true);
    let order = emulator.create_order(&alice, &[("sword", 1)]);
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
    let (emulator, alice, mut game) = shop();
    let mut config = hurried(emulator.config());
    config.request_timeout = Duration::from_millis(200);
    config.connect_timeout = Duration::from_millis(200);
    game.app.insert_resource(config);
    emulator.hang_requests(true);
    emulator.hang_handshakes(true);
    let order = emulator.create_order(&alice, &[("sword", 1)]);
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
    let (emulator, alice, mut game) = shop();
    emulator.refuse_sockets(true);
    let wait = Duration::from_secs(2);
    emulator.fail_requests(Fault::status(429).retry_after(wait).times(1));
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    game.track(order);
    game.wait_until("the refusal was sent", |_| emulator.order_requests() == 1);
    let refused = std::time::Instant::now();
    game.wait_until_granted(order);
    assert!(refused.elapsed() >= wait - Duration::from_millis(100));
    assert_eq!(emulator.order_requests(), 2);
}

#[test]
fn an_order_that_does_not_exist_fails_with_xsollas_reason() {
    let (_emulator, _, mut game) = shop();
    game.track(OrderId(7));
    game.wait_until("the failure is told", |world| {
        !world.resource::<support::Told>().failed.is_empty()
    });
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
        let (emulator, alice, mut game) = shop();
        emulator.refuse_sockets(true);
        let order = emulator.create_order(&alice, &[("sword", 1)]);
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
    let (emulator, alice, mut game) = shop();
    emulator.fail_requests(Fault::status(500));
    let order = emulator.create_order(&alice, &[("sword", 1)]);
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
