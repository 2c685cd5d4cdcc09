//! What servers should not send, and places where no server is.

mod support;

use std::net::TcpListener;
use std::time::Duration;

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use bevy_xsolla::{AuthorizationError, SocketError};
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
fn publications_about_nothing_are_passed_over() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
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
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
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
        emulator.send_frame(&alice, frame);
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
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    game.track(order);
    game.wait_until_live();
    emulator.send_frame(&alice, format!("{{\"push\":\"{}\"}}", "x".repeat(8 << 20)));
    game.wait_until("the socket was given up and is back", |world| {
        emulator.sockets_opened() == 2 && world.resource::<TrackerState>().is_live()
    });
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn an_answer_of_many_megabytes_is_not_read() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
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

#[test]
fn a_wrong_token_asks_for_authorization_once_and_a_right_one_goes_on() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    emulator.revoke_tokens("alice");
    game.track(order);
    game.wait_until("the refusal is told", |world| {
        matches!(
            world.resource::<TrackerState>(),
            TrackerState::Unauthorized { .. }
        )
    });
    let requests = emulator.order_requests();
    game.run_for(Duration::from_secs(1));
    assert_eq!(game.told().authorization_required.len(), 1);
    assert_eq!(emulator.order_requests(), requests, "no loop");
    game.log_in(&emulator.user("alice"));
    game.wait_until_granted(order);
    assert!(game.told().failed.is_empty());
}

#[test]
fn a_token_of_any_text_is_refused_politely() {
    for token in ["", "x\ny", "ü", "Bearer", &"a".repeat(100_000)] {
        let (emulator, alice, mut game) = shop();
        let order = emulator.create_order(&alice, &[("sword", 1)]);
        game.log_in(&XsollaUser::new(token));
        game.track(order);
        game.wait_until("authorization is required", |world| {
            !world
                .resource::<support::Told>()
                .authorization_required
                .is_empty()
        });
        assert_eq!(game.grants(order), 0);
    }
}

#[test]
fn an_order_of_another_player_is_not_to_be_had() {
    let (emulator, _, mut game) = shop();
    let order = emulator.create_order(&emulator.user("bob"), &[("sword", 1)]);
    emulator.deliver(order);
    game.track(order);
    game.wait_until("the failure is told", |world| {
        !world.resource::<support::Told>().failed.is_empty()
    });
    assert_eq!(game.grants(order), 0);
}

#[test]
fn a_project_that_the_token_is_not_for_grants_nothing() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    let mut config = hurried(emulator.config());
    config.project_id += 1;
    game.app.insert_resource(config);
    game.track(order);
    game.wait_until("the failure is told", |world| {
        let told = world.resource::<support::Told>();
        !told.failed.is_empty() || !told.authorization_required.is_empty()
    });
    assert_eq!(game.grants(order), 0);
}

#[test]
fn a_port_that_nobody_listens_on_is_a_state_with_its_reason() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
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
                reason: Some(SocketError::Connect(_))
            }
        )
    });
    // The servers come up.
    emulator.deliver(order);
    game.app.insert_resource(hurried(emulator.config()));
    game.wait_until_granted(order);
}

#[test]
fn a_host_that_accepts_and_never_answers_is_a_state_with_its_reason() {
    let (emulator, alice, mut game) = shop();
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = hurried(emulator.config());
    config.connect_timeout = Duration::from_millis(200);
    config.socket_url = format!("ws://{}/", silent.local_addr().unwrap());
    game.app.insert_resource(config);
    game.track(order);
    game.wait_until("the reason is told", |world| {
        matches!(
            world.resource::<TrackerState>(),
            TrackerState::Reconnecting {
                reason: SocketError::TimedOut(_)
            } | TrackerState::Polling {
                reason: Some(SocketError::TimedOut(_))
            }
        )
    });
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn a_server_that_gives_no_subscription_is_a_state_with_its_reason() {
    let (emulator, alice, mut game) = shop();
    emulator.withhold_channels(true);
    let mut config = hurried(emulator.config());
    config.connect_timeout = Duration::from_millis(200);
    game.app.insert_resource(config);
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    game.track(order);
    game.wait_until("the reason is told", |world| {
        let state = format!("{:?}", world.resource::<TrackerState>());
        state.contains("TimedOut(Subscribe)")
    });
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn an_expired_token_is_named_as_the_reason() {
    let (emulator, _, mut game) = shop();
    let alice = emulator.user_for("alice", Duration::ZERO);
    game.log_in(&alice);
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    game.track(order);
    game.wait_until("authorization is required", |world| {
        !world
            .resource::<support::Told>()
            .authorization_required
            .is_empty()
    });
    assert_ne!(
        game.told().authorization_required[0].error,
        AuthorizationError::Expired,
        "this reason is for what the clock says; here a server spoke"
    );
}
