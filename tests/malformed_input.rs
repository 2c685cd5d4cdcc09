//! What a server should not send: it is passed over, or costs a connection, and no order.

mod support;

use bevy_xsolla::prelude::*;
use serde_json::json;
use support::{hurried_shop, sword_order};

#[test]
fn publications_that_tell_of_no_order_are_passed_over() {
    let (emulator, mut game) = hurried_shop();
    let alice = emulator.user("alice");
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until_live();
    for data in [
        json!(null),
        json!([]),
        json!("done"),
        json!({"order_id": null, "status": "done"}),
        json!({"order_id": -1, "status": "done"}),
        json!({"order_id": order.0}),
        json!({"order_id": order.0, "status": null}),
        json!({"order_id": order.0, "status": {"is": "done"}}),
        json!({"order_id": u64::MAX, "status": "done"}),
        json!({"order_id": order.0 & 0xffff_ffff, "status": "done"}),
    ] {
        emulator.publish(&alice, data);
    }
    emulator.publish(
        &alice,
        json!({"order_id": order.0.to_string(), "status": "paid", "x": []}),
    );
    game.wait_for_status(order, "paid");
    assert_eq!(game.grants(order), 0);
    assert_eq!(game.statuses(order).last().unwrap(), "paid");
    assert_eq!(emulator.sockets_opened(), 1, "the socket went on");
}

#[test]
fn frames_that_are_no_protocol_cost_a_connection_and_no_order() {
    let (emulator, mut game) = hurried_shop();
    let order = sword_order(&emulator);
    game.track(order);
    let garbage = [
        "nonsense",
        "{\"push\":",
        "[]",
        "{\"push\":{\"channel\":7,\"pub\":[]}}",
    ];
    for (n, frame) in garbage.into_iter().enumerate() {
        game.wait_until("another socket is live", |world| {
            world.resource::<TrackerState>().is_live() && emulator.sockets_opened() == n + 1
        });
        emulator.send_frame(&emulator.user("alice"), frame);
        game.wait_until("the socket was given up", |_| {
            emulator.sockets_opened() > n + 1
        });
    }
    game.wait_until_live();
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn a_message_of_many_megabytes_is_not_read() {
    let (emulator, mut game) = hurried_shop();
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until_live();
    let message = format!("{{\"push\":\"{}\"}}", "x".repeat(8 << 20));
    emulator.send_frame(&emulator.user("alice"), message);
    game.wait_until("the socket was given up and is back", |world| {
        emulator.sockets_opened() == 2 && world.resource::<TrackerState>().is_live()
    });
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn an_answer_of_many_megabytes_is_not_read() {
    let (emulator, mut game) = hurried_shop();
    let order = sword_order(&emulator);
    let body = json!({"order_id": order.0, "status": "done", "padding": "x".repeat(8 << 20),
                      "content": {"items": [{"sku": "sword", "quantity": 1}]}});
    emulator.set_order_body(order, body);
    game.track(order);
    game.wait_until("it was asked for again", |_| emulator.order_requests() > 2);
    assert_eq!(game.statuses(order), ["new"], "which the socket told");
    emulator.set_order_body(order, None);
    emulator.deliver(order);
    game.wait_until_granted(order);
}
