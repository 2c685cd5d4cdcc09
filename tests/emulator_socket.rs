//! What the emulator's order-status socket adds to the protocol: players and tokens, what a test can
//! count, and every way to fail on purpose. `socket_protocol` tests the protocol itself.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use bevy_xsolla::emulator::XsollaEmulator;
use emulator_client::{Said, Socket, closed, frame, wait_for};
use serde_json::{Value, json};

#[test]
fn each_player_has_one_channel_which_nobody_else_hears_or_reads() {
    let emulator = XsollaEmulator::start();
    let (mut socket, channel, sub) = Socket::connected(&emulator, &emulator.token("alice"));
    assert_eq!(sub.get("offset"), None, "what is zero is left out");
    assert!(!channel.contains("alice"));
    let (_again, same_channel, _) = Socket::connected(&emulator, &emulator.token("alice"));
    assert_eq!(channel, same_channel);
    let (mut bob, other_channel, _) = Socket::connected(&emulator, &emulator.token("bob"));
    assert_ne!(channel, other_channel);

    let order_id = emulator.create_order(&emulator.user("alice"), &[("sword", 1)]);
    emulator.pay(order_id);
    emulator.announce(order_id, "done");
    for (status, offset) in [("new", 1), ("paid", 2), ("done", 3)] {
        let news = json!({"order_id": order_id.0, "status": status});
        assert_eq!(socket.publication(), (news, offset));
    }
    emulator.set_status_silently(order_id, "canceled");
    assert!(socket.is_silent_for(Duration::from_millis(50)));
    assert!(bob.is_silent_for(Duration::from_millis(50)));
    bob.send(&json!({"id": 2, "history": {"channel": channel, "limit": -1}}));
    assert_eq!(bob.line()["error"]["code"], 103);
}

#[test]
fn pings_are_announced_every_25_seconds_unless_set() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let ping = || {
        let mut socket = Socket::open(&emulator);
        socket.connect(&emulator, &token, &json!({}))["connect"]["ping"].clone()
    };
    assert_eq!(ping(), 25);
    emulator.set_ping_interval(Duration::from_millis(1500));
    assert_eq!(ping(), 2, "it is announced in whole seconds, rounded up");
}

#[test]
fn what_is_said_in_one_moment_travels_in_one_frame() {
    let emulator = XsollaEmulator::start();
    let (alice, token) = (emulator.user("alice"), emulator.token("alice"));
    let mut socket = Socket::open(&emulator);
    let data = json!({"auth": token, "project_id": emulator.project_id(),
        "user_external_id": null});
    let connect = json!({"id": 1, "connect": {"data": data}});
    let rpc = json!({"id": 2, "rpc": {"method": "x"}});
    socket.send_text(&format!("{connect}\n{rpc}\n"));
    assert!(socket.line()["connect"].is_object());
    assert_eq!(socket.line()["id"], 2);
    assert_eq!(socket.frames, 1);

    emulator.publish_many(&alice, [json!("a"), json!(null), json!({"x": []})]);
    assert_eq!(socket.publication(), (json!("a"), 1));
    assert_eq!(socket.publication(), (json!(null), 2));
    assert_eq!(socket.publication(), (json!({"x": []}), 3));
    assert_eq!(socket.frames, 2);
    emulator.send_frame(&alice, "{\"push\":");
    assert_eq!(socket.line(), json!("{\"push\":"));
}

#[test]
fn histories_recoveries_and_closes_are_counted() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let (mut socket, channel, sub) = Socket::connected(&emulator, &token);
    let history = json!({"id": 2, "history": {"channel": channel, "limit": -1}});
    for code in [None, Some(103)] {
        emulator.deny_history(code);
        socket.send(&history);
        assert_eq!(socket.line()["error"]["code"].as_u64(), code.map(u64::from));
    }
    assert_eq!(emulator.history_requests(), 2);

    let recover = |epoch: &Value| {
        let mut socket = Socket::open(&emulator);
        let subs = json!({channel.clone(): {"recover": true, "epoch": epoch}});
        let reply = socket.connect(&emulator, &token, &subs);
        reply["connect"]["subs"][&channel]["recovered"] == true
    };
    assert!(recover(&sub["epoch"]));
    assert!(!recover(&json!("another")));
    assert_eq!(emulator.recoveries(), 1);
    let connects = emulator.connects();
    let recovering: Vec<_> = connects.iter().map(|c| c.is_recovering()).collect();
    assert_eq!(recovering, [false, true, true]);

    wait_for("the other sockets end", || emulator.open_sockets() == 1);
    socket.send_text("a breach of the protocol");
    assert_eq!(socket.next(), closed(3501, "bad request"));
    assert_eq!(emulator.closes(), [3501]);
    assert_eq!(emulator.open_sockets(), 0);
}

#[test]
fn a_smaller_history_limit_drops_older_publications_at_once() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let (mut socket, channel, _) = Socket::connected(&emulator, &emulator.token("alice"));
    emulator.publish_many(&alice, (1..=5).map(Value::from));
    emulator.set_history_limit(2);
    for offset in 1..=5 {
        assert_eq!(socket.publication().1, offset);
    }
    socket.send(&json!({"id": 2, "history": {"channel": channel, "limit": -1}}));
    let history = socket.line();
    let kept = json!([{"data": 4, "offset": 4}, {"data": 5, "offset": 5}]);
    assert_eq!(history["history"]["publications"], kept);
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
fn sockets_and_connects_are_refused_as_told() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    emulator.refuse_sockets(true);
    assert_eq!(Socket::try_open(&emulator).err(), Some(503));
    assert_eq!((emulator.handshakes(), emulator.sockets_opened()), (1, 0));
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

/// The last frame that the server sends before it ends the connection properly, that is without a reset.
fn last_frame(mut stream: TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let mut rest = bytes.as_slice();
    let mut last = rest;
    while let [_, length, ..] = *rest {
        let (header, length) = match length {
            126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
            length => (2, usize::from(length)),
        };
        (last, rest) = rest.split_at(header + length);
    }
    Ok(last.to_vec())
}

#[test]
fn a_close_arrives_though_the_client_goes_on_sending() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let streams: Vec<_> = (0..50)
        .map(|_| Socket::connected(&emulator, &token).0.into_stream())
        .collect();
    let ping = frame(0x89, b"");
    for mut stream in &streams {
        stream.write_all(&ping.repeat(200)).expect("pings");
    }
    emulator.close_sockets(3503, "because");
    for mut stream in &streams {
        // The answer to the close, and what an unruly client still sends.
        let close = frame(0x88, &3503_u16.to_be_bytes());
        stream.write_all(&close).expect("the close");
        stream.write_all(&ping.repeat(50_000)).expect("more pings");
        stream.shutdown(Shutdown::Write).expect("the end");
    }
    for stream in streams {
        let last = last_frame(stream).expect("no reset");
        let expected = [&[0x88, 9], &3503_u16.to_be_bytes()[..], b"because"].concat();
        assert_eq!(last, expected);
    }
}

#[test]
fn a_client_with_much_too_large_a_message_is_told_so() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let large = frame(0x81, &vec![b' '; 4 << 20]);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let mut stream = Socket::connected(&emulator, &token).0.into_stream();
                stream.write_all(&large).expect("the message");
                let last = last_frame(stream).expect("no reset");
                assert_eq!(last, [0x88, 2, 0x03, 0xf1], "1009 and no text");
            });
        }
    });
    assert_eq!(emulator.closes(), [1009; 20]);
}

#[test]
fn a_client_that_closes_is_answered_and_not_reset() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let mut stream = Socket::connected(&emulator, &token).0.into_stream();
    let close = frame(0x88, &1000_u16.to_be_bytes());
    stream.write_all(&close.repeat(50_000)).expect("closes");
    let last = last_frame(stream).expect("no reset");
    assert_eq!(last, [0x88, 2, 0x03, 0xe8]);
}

#[test]
fn a_handshake_that_hangs_is_answered_when_that_ends() {
    let emulator = XsollaEmulator::start();
    emulator.hang_handshakes(true);
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| Socket::try_open(&emulator).is_ok());
        wait_for("the handshake comes", || emulator.handshakes() == 1);
        // Whoever comes after it is answered after it, if it is answered.
        emulator_client::request(&emulator, "GET", "items/virtual_items", None, "");
        assert_eq!(emulator.sockets_opened(), 0);
        assert!(!opening.is_finished());
        emulator.heal();
        assert!(opening.join().expect("no panic"));
    });
}
