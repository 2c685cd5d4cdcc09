//! The emulator's order-status socket: the Centrifuge protocol, and every way to fail on purpose.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;

use std::time::{Duration, Instant};

use bevy_xsolla::emulator::XsollaEmulator;
use emulator_client::{Said, Socket, wait_for};
use serde_json::{Value, json};

fn closed(code: u16, reason: &str) -> Said {
    Said::Closed(Some((code, reason.to_owned())))
}

fn error_code(reply: &Value) -> Option<u64> {
    reply["error"]["code"].as_u64()
}

#[test]
fn connecting_answers_with_the_players_channel() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    emulator.create_order(&alice, &[("sword", 1)]);
    let mut socket = Socket::open(&emulator);
    let reply = socket.connect(&emulator, &token, &json!({}));
    assert_eq!(reply["id"], 1);
    let connect = &reply["connect"];
    assert_eq!(connect["client"].as_str().map(str::len), Some(36));
    assert_eq!(
        (&connect["ping"], &connect["pong"]),
        (&json!(25), &json!(true))
    );
    let subs = connect["subs"].as_object().expect("subs");
    let (channel, sub) = subs.iter().next().expect("a channel");
    let epoch = sub["epoch"].clone();
    let expected = json!({"recoverable": true, "epoch": epoch, "offset": 1, "positioned": true});
    assert_eq!(*sub, expected);
    assert!(!channel.contains("alice"));

    let (_again, same_channel, _) = Socket::connected(&emulator, &emulator.token("alice"));
    assert_eq!(*channel, same_channel, "one for each player");
    let (_bob, other_channel, sub) = Socket::connected(&emulator, &emulator.token("bob"));
    assert_ne!(*channel, other_channel);
    assert_eq!(sub.get("offset"), None, "zero values are left out");
}

#[test]
fn statuses_are_published_to_their_player_alone() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let (mut socket, channel, _) = Socket::connected(&emulator, &token);
    let (mut bob, ..) = Socket::connected(&emulator, &emulator.token("bob"));
    let order_id = emulator.create_order(&alice, &[("sword", 1)]);
    let data = |status| json!({"order_id": order_id.0, "status": status});
    assert_eq!(
        socket.line(),
        json!({"push": {"channel": channel, "pub": {"data": data("new"), "offset": 1}}})
    );
    emulator.pay(order_id);
    emulator.announce(order_id, "done");
    assert_eq!(socket.publication(), (data("paid"), 2));
    assert_eq!(socket.publication(), (data("done"), 3));
    emulator.set_status_silently(order_id, "canceled");
    assert!(socket.is_silent_for(Duration::from_millis(50)));
    assert!(bob.is_silent_for(Duration::from_millis(50)));
}

#[test]
fn publications_of_one_moment_travel_in_one_frame() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let (mut socket, ..) = Socket::connected(&emulator, &token);
    let frames = socket.frames;
    emulator.publish_many(&alice, [json!("a"), json!(null), json!({"x": []})]);
    assert_eq!(socket.publication(), (json!("a"), 1));
    assert_eq!(socket.publication(), (json!(null), 2));
    assert_eq!(socket.publication(), (json!({"x": []}), 3));
    assert_eq!(socket.frames, frames + 1);
    emulator.send_frame(&alice, "{\"push\":");
    assert_eq!(socket.line(), json!("{\"push\":"));
}

#[test]
fn a_frame_may_hold_several_commands() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let mut socket = Socket::open(&emulator);
    let data = json!({"auth": token, "project_id": emulator.project_id(),
        "user_external_id": null});
    let connect = json!({"id": 1, "connect": {"data": data}});
    let unknown = json!({"id": 2, "history": {"channel": "elsewhere", "limit": -1}});
    let rpc = json!({"id": 3, "rpc": {"method": "x"}});
    socket.send_text(&format!("{connect}\n{unknown}\n{rpc}\n"));
    assert!(socket.line()["connect"].is_object());
    assert_eq!(error_code(&socket.line()), Some(103));
    assert_eq!(error_code(&socket.line()), Some(108));
    assert_eq!(socket.frames, 1);
}

#[test]
fn history_is_told_from_a_position() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let order_id = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.pay(order_id);
    let (mut socket, channel, sub) = Socket::connected(&emulator, &token);
    let epoch = &sub["epoch"];
    let mut id = 1;
    let mut history = |fields: Value| {
        id += 1;
        let mut request = json!({"channel": channel});
        let fields = fields.as_object().expect("fields").clone();
        request.as_object_mut().expect("a request").extend(fields);
        socket.send(&json!({"id": id, "history": request}));
        let reply = socket.line();
        assert_eq!(reply["id"], id);
        reply
    };
    let publication = |status: &str, offset: u64| json!({"data": {"order_id": order_id.0, "status": status}, "offset": offset});
    let (new, paid) = (publication("new", 1), publication("paid", 2));
    let all = json!({"publications": [new, paid], "epoch": epoch, "offset": 2});

    let documented = json!({"limit": -1, "since": {"offset": 0}, "reverse": false});
    assert_eq!(history(documented)["history"], all);
    assert_eq!(history(json!({"limit": -1, "since": {}}))["history"], all);
    let since_one = json!({"limit": -1, "since": {"offset": 1, "epoch": epoch}});
    assert_eq!(history(since_one)["history"]["publications"], json!([paid]));
    let newest = json!({"limit": 1, "reverse": true});
    assert_eq!(history(newest)["history"]["publications"], json!([paid]));
    let position = json!({"publications": [], "epoch": epoch, "offset": 2});
    assert_eq!(history(json!({}))["history"], position);

    let elsewhen = json!({"limit": -1, "since": {"offset": 1, "epoch": "?"}});
    assert_eq!(error_code(&history(elsewhen)), Some(112));
    emulator.deny_history(Some(103));
    assert_eq!(error_code(&history(json!({"limit": -1}))), Some(103));
    emulator.deny_history(Some(108));
    let refused = history(json!({"limit": -1}));
    let error = json!({"code": 108, "message": "not available"});
    assert_eq!(refused["error"], error);
    assert_eq!(emulator.history_requests(), 8);
}

#[test]
fn history_of_another_player_is_denied() {
    let emulator = XsollaEmulator::start();
    let (_alice, channel, _) = Socket::connected(&emulator, &emulator.token("alice"));
    let (mut bob, ..) = Socket::connected(&emulator, &emulator.token("bob"));
    bob.send(&json!({"id": 2, "history": {"channel": channel, "limit": -1}}));
    assert_eq!(error_code(&bob.line()), Some(103));
}

/// Connects again, asking for what came after this position; gives the subscription.
fn reconnect(emulator: &XsollaEmulator, channel: &str, epoch: &Value, offset: u64) -> Value {
    let mut socket = Socket::open(emulator);
    let subs = json!({channel: {"recover": true, "epoch": epoch, "offset": offset}});
    let reply = socket.connect(emulator, &emulator.token("alice"), &subs);
    reply["connect"]["subs"][channel].clone()
}

#[test]
fn a_reconnect_recovers_what_it_missed() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let (socket, channel, sub) = Socket::connected(&emulator, &emulator.token("alice"));
    let epoch = &sub["epoch"];
    emulator.drop_sockets();
    drop(socket);
    emulator.publish_many(&alice, [json!(1), json!(2), json!(3)]);
    assert_eq!(
        reconnect(&emulator, &channel, epoch, 1),
        json!({"recoverable": true, "epoch": epoch, "recovered": true, "offset": 1,
            "positioned": true, "was_recovering": true,
            "publications": [{"data": 2, "offset": 2}, {"data": 3, "offset": 3}]})
    );
    let nothing_missed = json!({"recoverable": true, "epoch": epoch, "recovered": true,
        "offset": 3, "positioned": true, "was_recovering": true});
    assert_eq!(reconnect(&emulator, &channel, epoch, 3), nothing_missed);
    assert_eq!(emulator.recoveries(), 2);
    let recovering: Vec<_> = emulator
        .connects()
        .iter()
        .map(|connect| connect.is_recovering())
        .collect();
    assert_eq!(recovering, [false, true, true]);
}

#[test]
fn a_reconnect_across_an_epoch_recovers_nothing() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let (_socket, channel, sub) = Socket::connected(&emulator, &emulator.token("alice"));
    let lost = |epoch: &Value, offset: u64| json!({"recoverable": true, "epoch": epoch, "offset": offset, "positioned": true, "was_recovering": true});
    emulator.publish_many(&alice, [json!(1), json!(2)]);
    assert_eq!(
        reconnect(&emulator, &channel, &json!("?"), 1),
        lost(&sub["epoch"], 2)
    );
    emulator.forget_history();
    emulator.publish(&alice, json!(3));
    let found = reconnect(&emulator, &channel, &sub["epoch"], 1);
    assert_ne!(found["epoch"], sub["epoch"]);
    assert_eq!(found, lost(&found["epoch"], 1));
    assert_eq!(emulator.recoveries(), 0);
}

#[test]
fn a_reconnect_that_missed_too_much_recovers_nothing() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let (_socket, channel, sub) = Socket::connected(&emulator, &emulator.token("alice"));
    emulator.publish_many(&alice, (1..=5).map(Value::from));
    emulator.set_history_limit(2);
    assert_eq!(
        reconnect(&emulator, &channel, &sub["epoch"], 2).get("recovered"),
        None
    );
    let found = reconnect(&emulator, &channel, &sub["epoch"], 3);
    assert_eq!(found["publications"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_open_socket_is_closed_when_its_stream_has_a_new_epoch() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let (mut socket, ..) = Socket::connected(&emulator, &emulator.token("alice"));
    emulator.forget_history();
    emulator.publish(&alice, json!(1));
    assert_eq!(socket.next(), closed(3010, "insufficient state"));
}

#[test]
fn a_bad_token_is_answered_with_an_error() {
    let emulator = XsollaEmulator::start();
    let expired = emulator.token_for("alice", Duration::ZERO);
    let project = emulator.project_id();
    let token = emulator.token("alice");
    for (data, code, message) in [
        (
            json!({"auth": "x", "project_id": project}),
            101,
            "unauthorized",
        ),
        (json!({"project_id": project}), 101, "unauthorized"),
        (
            json!({"auth": expired, "project_id": project}),
            109,
            "token expired",
        ),
        (
            json!({"auth": token, "project_id": "x"}),
            107,
            "bad request",
        ),
        (json!({"auth": token}), 107, "bad request"),
        (Value::Null, 107, "bad request"),
        (
            json!({"auth": token, "project_id": 1}),
            103,
            "permission denied",
        ),
    ] {
        let mut socket = Socket::open(&emulator);
        socket.send(&json!({"id": 1, "connect": {"data": data}}));
        let error = json!({"id": 1, "error": {"code": code, "message": message}});
        assert_eq!(socket.line(), error, "{data}");
        socket.close();
    }
    assert!(emulator.connects().iter().all(|c| !c.is_accepted()));
    wait_for("the sockets end", || emulator.open_sockets() == 0);
}

#[test]
fn connects_are_remembered() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user_for("alice", Duration::from_secs(60));
    let token = emulator.token("alice");
    let mut socket = Socket::open(&emulator);
    let data =
        json!({"auth": token, "project_id": emulator.project_id(), "user_external_id": "a1"});
    socket.send(&json!({"id": 1, "connect": {"data": data}}));
    socket.line();
    let connects = emulator.connects();
    let [connect] = connects.as_slice() else {
        panic!("{connects:?}");
    };
    assert!(connect.is_accepted());
    assert_eq!(connect.user(), Some("alice"));
    assert_eq!(connect.external_id(), Some("a1"));
    assert_eq!(connect.project_id(), Some(emulator.project_id()));
    assert!(!connect.has_token_of(&alice), "it was another token");
}

#[test]
fn what_is_no_command_closes_the_socket() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    for text in ["nonsense", "[]", "{\"id\":\"2\"}", "", "\n", "{\"id\":2}{"] {
        let (mut socket, ..) = Socket::connected(&emulator, &token);
        socket.send_text(text);
        assert_eq!(socket.next(), closed(3501, "bad request"), "{text}");
    }
    let mut socket = Socket::open(&emulator);
    socket.send(&json!({"id": 1, "history": {"channel": "x"}}));
    assert_eq!(socket.next(), closed(3501, "bad request"), "not connected");
    let (mut socket, ..) = Socket::connected(&emulator, &token);
    socket.send(&json!({"id": 2, "connect": {}}));
    assert_eq!(socket.next(), closed(3501, "bad request"), "twice");
    let (mut socket, ..) = Socket::connected(&emulator, &token);
    socket.send_text(&"x".repeat(70_000));
    assert_eq!(socket.next(), closed(1009, "message size limit"));
}

#[test]
fn a_pong_without_a_ping_closes_the_socket() {
    let emulator = XsollaEmulator::start();
    let (mut socket, ..) = Socket::connected(&emulator, &emulator.token("alice"));
    socket.send_text("{}");
    assert_eq!(socket.next(), closed(3501, "bad request"));
    assert_eq!(emulator.closes(), [3501]);
    assert_eq!(emulator.open_sockets(), 0);
}

#[test]
fn a_ping_without_a_pong_closes_the_socket() {
    let emulator = XsollaEmulator::start();
    let interval = Duration::from_millis(300);
    emulator.set_ping_interval(interval);
    let (mut socket, ..) = Socket::connected(&emulator, &emulator.token("alice"));
    let connected = Instant::now();
    socket.is_deaf = true;
    assert_eq!(socket.line(), json!({}));
    assert!(
        connected.elapsed() >= interval / 3,
        "half an interval at least"
    );
    assert_eq!(socket.next(), closed(3012, "no pong"));
}

#[test]
fn a_socket_that_answers_pings_lives() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    emulator.set_ping_interval(Duration::from_millis(300));
    let (mut socket, ..) = Socket::connected(&emulator, &emulator.token("alice"));
    socket.is_deaf = true;
    for _ in 0..3 {
        assert_eq!(socket.line(), json!({}));
        socket.send_text("{}");
    }
    socket.is_deaf = false;
    emulator.publish(&alice, json!(1));
    assert_eq!(socket.publication(), (json!(1), 1));
    assert!(emulator.closes().is_empty());
}

#[test]
fn sockets_are_counted_while_they_are_open() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let (mut first, ..) = Socket::connected(&emulator, &token);
    let (second, ..) = Socket::connected(&emulator, &token);
    assert_eq!((emulator.open_sockets(), emulator.sockets_opened()), (2, 2));
    first.close();
    wait_for("a socket is closed", || emulator.open_sockets() == 1);
    drop(second);
    wait_for("a socket is gone", || emulator.open_sockets() == 0);
    assert_eq!(emulator.sockets_opened(), 2);
}

#[test]
fn sockets_are_cut_and_closed_as_told() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let (mut socket, ..) = Socket::connected(&emulator, &token);
    emulator.drop_sockets();
    assert_eq!(emulator.open_sockets(), 0);
    assert_eq!(socket.next(), Said::Cut);

    for code in [1001, 3000, 3503, 4000, 4500, 4999] {
        let (mut socket, ..) = Socket::connected(&emulator, &token);
        emulator.close_sockets(code, "because");
        assert_eq!(emulator.open_sockets(), 0);
        assert_eq!(socket.next(), closed(code, "because"));
    }
    let (mut socket, ..) = Socket::connected(&emulator, &token);
    emulator.close_sockets(3000, &"ä".repeat(100));
    assert_eq!(socket.next(), closed(3000, &"ä".repeat(61)));
}

#[test]
fn a_publication_before_a_close_arrives() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let (mut socket, ..) = Socket::connected(&emulator, &emulator.token("alice"));
    emulator.publish(&alice, json!(1));
    emulator.close_sockets(3001, "shutdown");
    emulator.publish(&alice, json!(2));
    assert_eq!(socket.publication(), (json!(1), 1));
    assert_eq!(socket.next(), closed(3001, "shutdown"));
}

#[test]
fn sockets_and_connects_are_refused_as_told() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    emulator.refuse_sockets(true);
    assert_eq!(Socket::try_open(&emulator).err(), Some(503));
    assert_eq!(emulator.sockets_opened(), 0);
    emulator.refuse_sockets(false);

    emulator.refuse_connect(Some((100, "internal server error")));
    let mut socket = Socket::open(&emulator);
    let error = socket.connect(&emulator, &token, &json!({}))["error"].clone();
    let expected = json!({"code": 100, "message": "internal server error", "temporary": true});
    assert_eq!(error, expected);
    emulator.refuse_connect(Some((3500, "invalid token")));
    let mut socket = Socket::open(&emulator);
    let data = json!({"auth": token, "project_id": emulator.project_id()});
    socket.send(&json!({"id": 1, "connect": {"data": data}}));
    assert_eq!(socket.next(), closed(3500, "invalid token"));
    emulator.refuse_connect(None);
    Socket::connected(&emulator, &token);
}

#[test]
fn a_socket_that_hangs_catches_up_when_that_ends() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    emulator.set_ping_interval(Duration::from_millis(300));
    emulator.hang_sockets(true);
    let mut socket = Socket::open(&emulator);
    let data = json!({"auth": token, "project_id": emulator.project_id()});
    socket.send(&json!({"id": 1, "connect": {"data": data}}));
    assert!(socket.is_silent_for(Duration::from_millis(50)));
    emulator.hang_sockets(false);
    assert!(socket.line()["connect"].is_object());

    emulator.hang_sockets(true);
    emulator.publish(&alice, json!(1));
    assert!(
        socket.is_silent_for(Duration::from_millis(400)),
        "no pings either"
    );
    emulator.heal();
    assert_eq!(socket.publication(), (json!(1), 1));
    emulator.hang_sockets(true);
    socket.close();
    wait_for("the close is noticed", || emulator.open_sockets() == 0);
}

#[test]
fn free_orders_are_done_before_their_id_is_known() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let (mut socket, ..) = Socket::connected(&emulator, &token);
    let route = "free/item/starter_pack";
    emulator_client::request(&emulator, "POST", route, Some(&token), "");
    assert_eq!(socket.publication().0["status"], "new");
    assert_eq!(socket.publication().0["status"], "done");
}

#[test]
fn a_channel_that_was_withheld_comes_later() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    emulator.withhold_channels(true);
    let mut socket = Socket::open(&emulator);
    let reply = socket.connect(&emulator, &token, &json!({}));
    assert_eq!(reply["connect"].get("subs"), None);
    emulator.publish(&alice, json!(1));
    emulator.withhold_channels(false);
    emulator.publish(&alice, json!(2));
    let push = socket.line()["push"].clone();
    assert_eq!(push["channel"], emulator.channel(&alice));
    assert_eq!(push["subscribe"]["offset"], 1);
    assert_eq!(socket.publication(), (json!(2), 2));
}

#[test]
fn a_handshake_that_hangs_is_answered_when_that_ends() {
    let emulator = XsollaEmulator::start();
    emulator.hang_handshakes(true);
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| Socket::try_open(&emulator).is_ok());
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(emulator.sockets_opened(), 0);
        emulator.heal();
        assert!(opening.join().expect("no panic"));
    });
}

#[test]
fn nulls_are_missing_values() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let mut socket = Socket::open(&emulator);
    let subs = json!({"x": {"recover": null, "epoch": null, "offset": null}});
    assert!(socket.connect(&emulator, &token, &subs)["connect"].is_object());
    let channel = emulator.channel(&emulator.user("alice"));
    let request = json!({"channel": channel, "limit": -1, "since": null, "reverse": null});
    socket.send(&json!({"id": 2, "history": request, "connect": null, "send": null}));
    assert!(socket.line()["history"].is_object());
}
