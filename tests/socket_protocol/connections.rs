//! How a connection begins, stays and ends.

use std::time::Instant;

use serde_json::{Value, json};

use crate::emulator_client::{Said, closed};
use crate::server::{Kind, PING_INTERVAL, on_centrifugo, subscription};

behaviours! {
    a_connection_is_subscribed_to_its_channel
    a_refused_connect_is_answered_with_an_error
    a_client_that_was_refused_is_not_read_any_more_and_has_five_seconds_to_close
    a_server_ends_a_connection_with_a_close_frame
    a_publication_before_a_close_arrives
    a_message_may_have_64_kib_and_no_more
    a_client_that_breaks_the_websocket_protocol_is_closed
    frames_of_bytes_and_in_fragments_are_read_like_those_of_text
    a_client_that_does_not_answer_pings_is_closed
    a_client_that_answers_pings_stays_connected
}

fn a_connection_is_subscribed_to_its_channel(kind: Kind) {
    let server = kind.start();
    let (_socket, answer) = server.connect_with(json!({"data": server.data()}));
    let connect = &answer["connect"];
    let (client, version) = (&connect["client"], &connect["version"]);
    assert_eq!(client.as_str().map(str::len), Some(36));
    assert!(version.is_string());
    let (channel, subscription) = subscription(&answer);
    let epoch = &subscription["epoch"];
    assert!(epoch.is_string());
    let subscription =
        json!({"recoverable": true, "epoch": epoch, "offset": 1, "positioned": true});
    let expected = json!({"id": 1, "connect": {"client": client, "version": version,
        "subs": {channel: subscription}, "ping": 1, "pong": true}});
    assert_eq!(answer, expected);
}

fn a_refused_connect_is_answered_with_an_error(kind: Kind) {
    let server = kind.start();
    for (code, message, temporary) in [
        (101, "unauthorized", false),
        (109, "token expired", false),
        (100, "internal server error", true),
    ] {
        server.refuse(code, message, temporary);
        let (mut socket, answer) = server.connect_with(json!({"data": {"auth": "another"}}));
        let mut error = json!({"code": code, "message": message});
        if temporary {
            error["temporary"] = true.into();
        }
        assert_eq!(answer, json!({"id": 1, "error": error}));
        socket.close();
    }
}

fn a_client_that_was_refused_is_not_read_any_more_and_has_five_seconds_to_close(kind: Kind) {
    let server = kind.start();
    server.refuse(101, "unauthorized", false);
    let connect = |data: Value| json!({"id": 1, "connect": {"data": data}});
    let (refused, good) = (connect(json!({"auth": "another"})), connect(server.data()));
    let mut socket = server.open();
    let begun = Instant::now();
    // What comes in the same frame is not read either.
    socket.send_text(&format!("{refused}\n{good}\nnonsense"));
    assert_eq!(socket.line()["error"]["code"], 101);
    socket.send(&good);
    socket.send_text("nonsense");
    assert_eq!(socket.next(), Said::Cut);
    let stayed = begun.elapsed().as_secs_f32();
    assert!(stayed >= 4.5, "{stayed}");
}

fn a_server_ends_a_connection_with_a_close_frame(kind: Kind) {
    let server = kind.start();
    // Not 3000: for Centrifugo that is a connection that is gone, and it says nothing more.
    for code in [3001, 3503, 4000, 4501, 4999] {
        let (mut socket, ..) = server.connect();
        server.throw_out(code, "because");
        assert_eq!(socket.next(), closed(code, "because"));
    }
}

fn a_publication_before_a_close_arrives(kind: Kind) {
    let server = kind.start();
    let (mut socket, channel, _) = server.connect();
    server.announce("paid");
    // (What is published after it may still come before the close frame: Centrifugo closes a little later.)
    server.throw_out(3001, "shutdown");
    assert_eq!(socket.line(), server.push(&channel, "paid", 2));
    assert_eq!(socket.next(), closed(3001, "shutdown"));
}

fn a_message_may_have_64_kib_and_no_more(kind: Kind) {
    let server = kind.start();
    let command = |size: usize| {
        let padding = size - r#"{"id":3,"rpc":{"method":""}}"#.len();
        format!(r#"{{"id":3,"rpc":{{"method":"{}"}}}}"#, "x".repeat(padding))
    };
    let said = server.answer_once_connected(&command(64 * 1024));
    assert!(matches!(said, Said::Line(_)), "{said:?}");
    let said = server.answer_once_connected(&command(64 * 1024 + 1));
    assert_eq!(said, closed(1009, ""));
    let (mut socket, ..) = server.connect();
    let half = [b' '; 40_000];
    socket.send_frame(0x01, &half);
    socket.send_frame(0x80, &half);
    assert_eq!(socket.next(), closed(1009, ""), "in fragments");
}

fn a_client_that_breaks_the_websocket_protocol_is_closed(kind: Kind) {
    let server = kind.start();
    let after = |first_byte: u8, payload: &[u8]| {
        let (mut socket, ..) = server.connect();
        socket.send_frame(first_byte, payload);
        socket.next()
    };
    for (first_byte, payload) in [
        (0xc1, &b"{}"[..]), // a bit that is reserved
        (0x83, b"{}"),      // a kind of frame that is reserved
        (0x80, b"{}"),      // the continuation of nothing
        (0x09, b""),        // a ping in fragments
        (0x89, &[0; 126]),  // a ping that is too long
        (0x88, &[3, 0xed]), // a close code that is reserved: 1005
    ] {
        let said = after(first_byte, payload);
        // The text depends on the library.
        let is_told = matches!(said, Said::Closed(Some((1002, _))));
        assert!(is_told, "{first_byte:x} {payload:?}: {said:?}");
    }
    let said = after(0x81, &[0xff, 0xfe]);
    assert_eq!(said, closed(3501, "bad request"), "not UTF-8");
}

fn frames_of_bytes_and_in_fragments_are_read_like_those_of_text(kind: Kind) {
    let server = kind.start();
    let (mut socket, ..) = server.connect();
    let answer = json!({"id": 3, "error": {"code": 108, "message": "not available"}});
    socket.send_frame(0x82, br#"{"id":3,"rpc":{}}"#);
    assert_eq!(socket.line(), answer);
    socket.send_frame(0x01, br#"{"id":3,"#);
    socket.send_frame(0x89, b"in between");
    socket.send_frame(0x80, br#""rpc":{}}"#);
    assert_eq!(socket.line(), answer);
}

fn a_client_that_does_not_answer_pings_is_closed(kind: Kind) {
    let server = kind.start();
    let (mut socket, ..) = server.connect();
    let connected = Instant::now();
    socket.is_deaf = true;
    assert_eq!(socket.line(), json!({}));
    let waited = connected.elapsed();
    // The first comes after half an interval at least, so that clients that connect at once are not
    // pinged at once. A slow machine sees the answer to `connect` late.
    assert!(waited >= PING_INTERVAL / 4, "{waited:?}");
    assert_eq!(socket.next(), closed(3012, "no pong"));
}

fn a_client_that_answers_pings_stays_connected(kind: Kind) {
    let server = kind.start();
    let (mut socket, channel, _) = server.connect();
    socket.is_deaf = true;
    for _ in 0..3 {
        assert_eq!(socket.line(), json!({}));
        socket.send_text("{}");
    }
    socket.is_deaf = false;
    server.announce("paid");
    assert_eq!(socket.line(), server.push(&channel, "paid", 2));
}
