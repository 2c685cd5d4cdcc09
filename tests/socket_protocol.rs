//! How the order-status socket behaves: each behaviour is written once, and run on the emulator always
//! and on a real Centrifugo where it is installed.
//!
//! Without `tests/interop/setup.sh` the tests on Centrifugo are skipped, and say so; with
//! `BEVY_XSOLLA_REQUIRE_INTEROP=1` they fail.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod emulator_client;
mod support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bevy_xsolla::OrderId;
use bevy_xsolla::emulator::XsollaEmulator;
use emulator_client::{Said, Socket, closed};
use serde_json::{Value, json};
use support::centrifugo::{self, Centrifugo, FORGETFUL, ORDERS, PRIVATE, Player, SHORT};
use support::{interop, sword_order};

/// Every behaviour, once for each server.
macro_rules! behaviours {
    ($($behaviour:ident)*) => {
        mod the_emulator {
            $(#[test] fn $behaviour() { super::$behaviour(super::Kind::Emulator); })*
        }
        mod centrifugo_itself {
            $(#[test] fn $behaviour() { super::on_centrifugo(super::$behaviour); })*
        }
    };
}

behaviours! {
    a_connection_is_subscribed_to_its_channel
    publications_are_heard_as_they_are_made
    a_frame_may_hold_several_commands
    the_history_is_read_from_a_position
    a_history_of_nothing_is_an_empty_list
    a_history_backwards_from_the_beginning_is_refused
    a_history_backwards_begins_at_a_publication_that_is_kept
    a_history_is_refused_where_the_channel_does_not_give_it_away
    a_history_of_another_channel_is_refused
    a_reconnect_recovers_what_was_missed
    what_is_not_kept_any_more_is_not_recovered
    a_position_that_never_was_is_not_recovered
    a_position_without_an_epoch_is_recovered
    a_server_that_lost_its_memory_recovers_nothing
    a_channel_that_was_not_subscribed_at_the_connect_comes_later
    a_refused_connect_is_answered_with_an_error
    a_server_ends_a_connection_with_a_close_frame
    a_publication_before_a_close_arrives
    a_client_that_breaks_the_protocol_is_closed
    a_command_that_is_not_served_is_refused_or_closes
    nulls_are_missing_values
    a_client_that_does_not_answer_pings_is_closed
    a_client_that_answers_pings_stays_connected
}

fn on_centrifugo(behaviour: fn(Kind)) {
    let binary = centrifugo::binary().ok_or("there is no Centrifugo");
    if let Some(binary) = interop::found(binary) {
        behaviour(Kind::Centrifugo(binary));
    }
}

/// Centrifugo's too, and the shortest that can be announced.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// On which server a behaviour is looked at.
enum Kind {
    Emulator,
    Centrifugo(PathBuf),
}

impl Kind {
    /// A server whose channels keep 100 publications.
    fn start(&self) -> Server {
        self.start_with(ORDERS, |_| ())
    }

    /// A server whose channels keep two publications.
    fn start_keeping_two(&self) -> Server {
        self.start_with(SHORT, |emulator| emulator.set_history_limit(2))
    }

    /// A server that answers every request for a history with this error: 103 or 108.
    fn start_denying_history(&self, code: u32) -> Server {
        let namespace = if code == 103 { PRIVATE } else { FORGETFUL };
        self.start_with(namespace, |emulator| emulator.deny_history(Some(code)))
    }

    fn start_with(&self, namespace: &str, prepare: impl FnOnce(&XsollaEmulator)) -> Server {
        let emulator = XsollaEmulator::start();
        emulator.set_ping_interval(PING_INTERVAL);
        let token = emulator.token("alice");
        let order = sword_order(&emulator);
        let (url, software) = match self {
            Self::Emulator => {
                prepare(&emulator);
                (emulator.socket_url(), Software::Emulator(emulator))
            }
            Self::Centrifugo(binary) => {
                let player = Player {
                    token: token.clone(),
                    id: "alice".to_owned(),
                    channel: format!("{namespace}:alice"),
                };
                let centrifugo = Centrifugo::start(binary, &player);
                (centrifugo.url(), Software::Centrifugo(Box::new(centrifugo)))
            }
        };
        let server = Server {
            software,
            url,
            token,
            order,
        };
        if let Software::Centrifugo(_) = server.software {
            server.announce("new");
        }
        server
    }
}

/// A server with one player, alice, and one order of hers, which was announced as `new`. It pings
/// every second.
struct Server {
    software: Software,
    url: String,
    token: String,
    order: OrderId,
}

enum Software {
    Emulator(XsollaEmulator),
    Centrifugo(Box<Centrifugo>),
}

impl Server {
    fn announce(&self, status: &str) {
        match &self.software {
            Software::Emulator(emulator) => emulator.announce(self.order, status),
            Software::Centrifugo(server) => server.publish(self.news(status)),
        }
    }

    fn throw_out(&self, code: u16, reason: &str) {
        match &self.software {
            Software::Emulator(emulator) => emulator.close_sockets(code, reason),
            Software::Centrifugo(server) => server.disconnect(code.into(), reason),
        }
    }

    /// From now on every connect with another's token is answered with this error.
    fn refuse(&self, code: u32, message: &str, temporary: bool) {
        match &self.software {
            Software::Emulator(emulator) => emulator.refuse_connect(Some((code, message))),
            Software::Centrifugo(server) => {
                let error = json!({"code": code, "message": message, "temporary": temporary});
                server.refuse_with(json!({"error": error}));
            }
        }
    }

    /// Whether players are subscribed as they connect.
    fn subscribe_at_connect(&self, subscribes: bool) {
        match &self.software {
            Software::Emulator(emulator) => emulator.withhold_channels(!subscribes),
            Software::Centrifugo(server) => server.subscribe_at_connect(subscribes),
        }
    }

    /// Subscribes alice, who is connected.
    fn subscribe(&self) {
        match &self.software {
            Software::Emulator(emulator) => emulator.withhold_channels(false),
            Software::Centrifugo(server) => server.subscribe(),
        }
    }

    /// Ends every connection, and forgets what was published.
    fn lose_memory(&mut self) {
        match &mut self.software {
            Software::Emulator(emulator) => {
                emulator.forget_history();
                emulator.drop_sockets();
            }
            Software::Centrifugo(server) => {
                server.kill();
                server.run();
                self.url = server.url();
            }
        }
    }

    fn news(&self, status: &str) -> Value {
        json!({"order_id": self.order.0, "status": status})
    }

    /// The announcement of a status, as a history lists it.
    fn publication(&self, status: &str, offset: u64) -> Value {
        json!({"data": self.news(status), "offset": offset})
    }

    /// The same, as a connection hears it.
    fn push(&self, channel: &str, status: &str, offset: u64) -> Value {
        json!({"push": {"channel": channel, "pub": self.publication(status, offset)}})
    }

    fn data(&self) -> Value {
        json!({"user_external_id": "player-1", "auth": self.token, "project_id": 77640})
    }

    fn open(&self) -> Socket {
        Socket::open_at(&self.url)
    }

    /// A connection that has sent this `connect`, and the answer to it.
    fn connect_with(&self, connect: Value) -> (Socket, Value) {
        let mut socket = self.open();
        socket.send(&json!({"id": 1, "connect": connect}));
        let answer = socket.line();
        (socket, answer)
    }

    /// A connection, its channel, and what the server says of the subscription.
    fn connect(&self) -> (Socket, String, Value) {
        let (socket, answer) = self.connect_with(json!({"data": self.data()}));
        let (channel, subscription) = subscription(&answer);
        (socket, channel, subscription)
    }

    /// A connection that asks for what came after this position, and what the server says of the
    /// subscription.
    fn recover(&self, channel: &str, epoch: &Value, offset: u64) -> (Socket, Value) {
        let recover = json!({"recover": true, "epoch": epoch, "offset": offset});
        let connect = json!({"data": self.data(), "subs": {channel: recover}});
        let (socket, answer) = self.connect_with(connect);
        (socket, subscription(&answer).1)
    }

    /// What is said next after these words on a new connection.
    fn answer_before_connect(&self, words: &str) -> Said {
        let mut socket = self.open();
        socket.send_text(words);
        socket.next()
    }

    /// What is said next after these words on a connection that is connected.
    fn answer_once_connected(&self, words: &str) -> Said {
        let (mut socket, ..) = self.connect();
        socket.send_text(words);
        socket.next()
    }
}

/// The one subscription in an answer to `connect`, and its channel.
fn subscription(answer: &Value) -> (String, Value) {
    let subscriptions = answer["connect"]["subs"]
        .as_object()
        .expect("subscriptions");
    let (channel, subscription) = subscriptions.iter().next().expect("a subscription");
    (channel.clone(), subscription.clone())
}

/// Asks for the history of this channel; gives the result, or the error.
fn history(socket: &mut Socket, channel: &str, request: &Value) -> Value {
    let mut request = request.clone();
    request["channel"] = channel.into();
    socket.send(&json!({"id": 7, "history": request}));
    let mut answer = socket.line();
    assert_eq!(answer["id"], 7);
    match answer.get("error") {
        Some(error) => error.clone(),
        None => answer["history"].take(),
    }
}

fn bad_request() -> Value {
    json!({"code": 107, "message": "bad request"})
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

fn publications_are_heard_as_they_are_made(kind: Kind) {
    let server = kind.start();
    let (mut socket, channel, _) = server.connect();
    server.announce("paid");
    assert_eq!(socket.line(), server.push(&channel, "paid", 2));
    server.announce("done");
    assert_eq!(socket.line(), server.push(&channel, "done", 3));
}

fn a_frame_may_hold_several_commands(kind: Kind) {
    let server = kind.start();
    let (_, channel, subscription) = server.connect();
    let mut socket = server.open();
    let connect = json!({"id": 1, "connect": {"data": server.data()}});
    let history = json!({"id": 2, "history": {"channel": channel, "limit": -1}});
    let elsewhere = json!({"id": 3, "history": {"channel": "orders:bob", "limit": -1}});
    let rpc = json!({"id": 4, "rpc": {"method": "x"}});
    socket.send_text(&format!("{connect}\n{history}\n{elsewhere}\n{rpc}\n"));
    assert!(socket.line()["connect"].is_object());
    let publications = [server.publication("new", 1)];
    assert_eq!(
        socket.line(),
        json!({"id": 2, "history": {"publications": publications,
            "epoch": subscription["epoch"], "offset": 1}})
    );
    let denied = json!({"code": 103, "message": "permission denied"});
    assert_eq!(socket.line(), json!({"id": 3, "error": denied}));
    let not_available = json!({"code": 108, "message": "not available"});
    assert_eq!(socket.line(), json!({"id": 4, "error": not_available}));
}

/// A connection to a server that has announced `new`, `paid` and `done`, its channel and the epoch.
fn after_three_publications(server: &Server) -> (Socket, String, Value) {
    server.announce("paid");
    server.announce("done");
    let (socket, channel, subscription) = server.connect();
    (socket, channel, subscription["epoch"].clone())
}

fn the_history_is_read_from_a_position(kind: Kind) {
    let server = kind.start();
    let (mut socket, channel, epoch) = after_three_publications(&server);
    let new = server.publication("new", 1);
    let paid = server.publication("paid", 2);
    let done = server.publication("done", 3);
    let all = json!([new, paid, done]);
    for (request, publications) in [
        // As Xsolla's documentation has it.
        (
            json!({"limit": -1, "since": {"offset": 0}, "reverse": false}),
            all.clone(),
        ),
        (json!({"limit": -1, "since": {}}), all.clone()),
        (json!({"limit": -1}), all),
        (json!({"limit": 2}), json!([new, paid])),
        (json!({"limit": 2, "reverse": true}), json!([done, paid])),
        (json!({"limit": 1, "reverse": true}), json!([done])),
        (
            json!({"limit": -1, "since": {"offset": 1, "epoch": epoch}}),
            json!([paid, done]),
        ),
        (
            json!({"limit": -1, "since": {"offset": 1}}),
            json!([paid, done]),
        ),
        (
            json!({"limit": 1, "since": {"offset": 1, "epoch": epoch}}),
            json!([paid]),
        ),
        (
            json!({"limit": -1, "since": {"offset": 3, "epoch": epoch}, "reverse": true}),
            json!([paid, new]),
        ),
    ] {
        assert_eq!(
            history(&mut socket, &channel, &request),
            json!({"publications": publications, "epoch": epoch, "offset": 3}),
            "{request}"
        );
    }
    let elsewhen = json!({"limit": -1, "since": {"offset": 1, "epoch": "another"}});
    let error = json!({"code": 112, "message": "unrecoverable position"});
    assert_eq!(history(&mut socket, &channel, &elsewhen), error);
}

fn a_history_of_nothing_is_an_empty_list(kind: Kind) {
    let server = kind.start();
    let (mut socket, channel, epoch) = after_three_publications(&server);
    for request in [
        json!({}),
        json!({"limit": -1, "since": {"offset": 3, "epoch": epoch}}),
        json!({"limit": -1, "since": {"offset": 9, "epoch": epoch}}),
    ] {
        assert_eq!(
            history(&mut socket, &channel, &request),
            json!({"publications": [], "epoch": epoch, "offset": 3}),
            "{request}"
        );
    }
}

fn a_history_backwards_from_the_beginning_is_refused(kind: Kind) {
    let server = kind.start();
    let (mut socket, channel, _) = after_three_publications(&server);
    for request in [
        json!({"limit": -1, "since": {"offset": 0}, "reverse": true}),
        json!({"limit": 0, "since": {}, "reverse": true}),
        // That it is refused counts more than that the epoch is wrong.
        json!({"limit": -1, "since": {"epoch": "another"}, "reverse": true}),
    ] {
        let refused = history(&mut socket, &channel, &request);
        assert_eq!(refused, bad_request(), "{request}");
    }
}

fn a_history_backwards_begins_at_a_publication_that_is_kept(kind: Kind) {
    let server = kind.start_keeping_two();
    let (mut socket, channel, _) = after_three_publications(&server);
    let paid = server.publication("paid", 2);
    let done = server.publication("done", 3);
    for (offset, publications) in [
        (1, json!([])),
        (2, json!([])),
        (3, json!([paid])),
        (4, json!([done, paid])),
        (5, json!([])),
        (6, json!([])),
    ] {
        let request = json!({"limit": -1, "since": {"offset": offset}, "reverse": true});
        let history = history(&mut socket, &channel, &request);
        assert_eq!(history["publications"], publications, "{offset}");
        assert_eq!(history["offset"], 3);
    }
}

fn a_history_is_refused_where_the_channel_does_not_give_it_away(kind: Kind) {
    for (code, message) in [(103, "permission denied"), (108, "not available")] {
        let server = kind.start_denying_history(code);
        let (mut socket, channel, _) = server.connect();
        let refused = history(&mut socket, &channel, &json!({"limit": -1}));
        assert_eq!(refused, json!({"code": code, "message": message}));
        // It goes on, on Centrifugo without an offset where nothing is kept.
        server.announce("paid");
        assert_eq!(socket.line()["push"]["pub"]["data"], server.news("paid"));
    }
}

fn a_history_of_another_channel_is_refused(kind: Kind) {
    let server = kind.start();
    let (mut socket, ..) = server.connect();
    let denied = json!({"code": 103, "message": "permission denied"});
    let refused = history(&mut socket, "orders:bob", &json!({"limit": -1}));
    assert_eq!(refused, denied);
    socket.send(&json!({"id": 7, "history": {"limit": -1}}));
    assert_eq!(socket.next(), closed(3501, "bad request"), "no channel");
}

/// What the server says of a subscription of which all was recovered that came after this offset.
fn recovered(epoch: &Value, offset: u64, publications: &[Value]) -> Value {
    let mut expected = json!({"recoverable": true, "epoch": epoch, "recovered": true,
        "positioned": true, "was_recovering": true});
    // What is zero or empty is left out.
    if offset > 0 {
        expected["offset"] = offset.into();
    }
    if !publications.is_empty() {
        expected["publications"] = publications.into();
    }
    expected
}

/// What the server says of a subscription of which nothing was recovered.
fn not_recovered(epoch: &Value, offset: u64) -> Value {
    json!({"recoverable": true, "epoch": epoch, "offset": offset, "positioned": true,
        "was_recovering": true})
}

fn a_reconnect_recovers_what_was_missed(kind: Kind) {
    let server = kind.start();
    let (socket, channel, subscription) = server.connect();
    drop(socket);
    let epoch = &subscription["epoch"];
    server.announce("paid");
    server.announce("done");
    let all = [("new", 1), ("paid", 2), ("done", 3)]
        .map(|(status, offset)| server.publication(status, offset));
    // From the beginning, from what was seen, and from the top.
    for (offset, missed) in [(0, &all[..]), (1, &all[1..]), (3, &[])] {
        let (mut socket, subscription) = server.recover(&channel, epoch, offset);
        assert_eq!(subscription, recovered(epoch, offset, missed));
        let request = json!({"limit": -1, "since": {"offset": 0}});
        let history = history(&mut socket, &channel, &request);
        assert_eq!(history["publications"], json!(all));
    }
    // And it goes on from there.
    let (mut socket, subscription) = server.recover(&channel, epoch, 2);
    assert_eq!(subscription, recovered(epoch, 2, &all[2..]));
    server.announce("canceled");
    assert_eq!(socket.line(), server.push(&channel, "canceled", 4));
}

fn what_is_not_kept_any_more_is_not_recovered(kind: Kind) {
    let server = kind.start_keeping_two();
    let (socket, channel, subscription) = server.connect();
    drop(socket);
    let epoch = &subscription["epoch"];
    for status in ["paid", "done", "canceled"] {
        server.announce(status);
    }
    let kept = [
        server.publication("done", 3),
        server.publication("canceled", 4),
    ];
    for (offset, expected) in [
        (0, not_recovered(epoch, 4)),
        (1, not_recovered(epoch, 4)),
        (2, recovered(epoch, 2, &kept)),
        (3, recovered(epoch, 3, &kept[1..])),
    ] {
        assert_eq!(server.recover(&channel, epoch, offset).1, expected);
    }
    let (mut socket, ..) = server.connect();
    let request = json!({"limit": -1, "since": {"offset": 0}});
    assert_eq!(
        history(&mut socket, &channel, &request),
        json!({"publications": kept, "epoch": epoch, "offset": 4})
    );
}

fn a_position_that_never_was_is_not_recovered(kind: Kind) {
    let server = kind.start();
    let (_socket, channel, subscription) = server.connect();
    let epoch = &subscription["epoch"];
    server.announce("paid");
    let another = json!("another");
    for (epoch_asked, offset) in [(&another, 1), (&another, 2), (epoch, 9)] {
        let (_, subscription) = server.recover(&channel, epoch_asked, offset);
        assert_eq!(
            subscription,
            not_recovered(epoch, 2),
            "{epoch_asked} {offset}"
        );
    }
    // It is subscribed to its own channel, from which it did not ask to recover.
    assert_eq!(
        server.recover("orders:another", epoch, 1).1,
        json!({"recoverable": true, "epoch": epoch, "offset": 2, "positioned": true})
    );
}

fn a_position_without_an_epoch_is_recovered(kind: Kind) {
    let server = kind.start();
    let (_socket, channel, subscription) = server.connect();
    let epoch = &subscription["epoch"];
    server.announce("paid");
    let all = [server.publication("new", 1), server.publication("paid", 2)];
    for (offset, expected) in [
        (0, recovered(epoch, 0, &all)),
        (1, recovered(epoch, 1, &all[1..])),
        (2, recovered(epoch, 2, &[])),
        (9, not_recovered(epoch, 2)),
    ] {
        let (_, subscription) = server.recover(&channel, &json!(""), offset);
        assert_eq!(subscription, expected, "{offset}");
    }
}

fn a_server_that_lost_its_memory_recovers_nothing(kind: Kind) {
    let mut server = kind.start();
    let (_socket, channel, subscription) = server.connect();
    let old_epoch = &subscription["epoch"];
    server.lose_memory();
    server.announce("paid");
    let (mut socket, subscription) = server.recover(&channel, old_epoch, 1);
    let epoch = &subscription["epoch"];
    assert_ne!(epoch, old_epoch);
    assert_eq!(subscription, not_recovered(epoch, 1));
    assert_eq!(
        history(&mut socket, &channel, &json!({"limit": -1})),
        json!({"publications": [server.publication("paid", 1)], "epoch": epoch, "offset": 1})
    );
}

fn a_channel_that_was_not_subscribed_at_the_connect_comes_later(kind: Kind) {
    let server = kind.start();
    let (_, channel, subscription) = server.connect();
    server.subscribe_at_connect(false);
    let (mut socket, answer) = server.connect_with(json!({"data": server.data()}));
    assert_eq!(answer["connect"].get("subs"), None);
    server.announce("paid");
    server.subscribe();
    server.announce("done");
    let subscribe = json!({"recoverable": true, "epoch": subscription["epoch"], "offset": 2,
        "positioned": true});
    assert_eq!(
        socket.line(),
        json!({"push": {"channel": channel, "subscribe": subscribe}})
    );
    assert_eq!(socket.line(), server.push(&channel, "done", 3));
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
    server.throw_out(3001, "shutdown");
    server.announce("done");
    assert_eq!(socket.line(), server.push(&channel, "paid", 2));
    assert_eq!(socket.next(), closed(3001, "shutdown"));
}

fn a_client_that_breaks_the_protocol_is_closed(kind: Kind) {
    let server = kind.start();
    let history = json!({"id": 1, "history": {"channel": "orders:alice"}}).to_string();
    for words in [&history, "{}", "", "nonsense", "[]", r#"{"id":1}"#] {
        let said = server.answer_before_connect(words);
        assert_eq!(said, closed(3501, "bad request"), "at first {words:?}");
    }
    let connect = json!({"id": 2, "connect": {"data": server.data()}}).to_string();
    let a_pong_without_a_ping = "{}";
    for words in [
        a_pong_without_a_ping,
        &connect,
        "nonsense",
        "[]",
        r#"{"id":"2"}"#,
        "",
        "\n",
        r#"{"id":2}{"#,
    ] {
        let said = server.answer_once_connected(words);
        assert_eq!(said, closed(3501, "bad request"), "connected, {words:?}");
    }
    // The emulator gives a reason, and Centrifugo none.
    let said = server.answer_once_connected(&"x".repeat(70_000));
    assert!(matches!(said, Said::Closed(Some((1009, _)))), "{said:?}");
}

fn a_command_that_is_not_served_is_refused_or_closes(kind: Kind) {
    let server = kind.start();
    let not_available = json!({"code": 108, "message": "not available"});
    let not_available = Said::Line(json!({"id": 3, "error": not_available}));
    for words in [
        r#"{"id":3,"rpc":{}}"#,
        r#"{"id":3,"rpc":{"method":"x","data":{}}}"#,
        r#"{"id":3,"presence":{"channel":"orders:alice"}}"#,
        r#"{"id":3,"presence_stats":{"channel":"orders:alice"}}"#,
        "{\"id\":3,\"rpc\":{}}\nnonsense",
    ] {
        assert_eq!(
            server.answer_once_connected(words),
            not_available,
            "{words}"
        );
    }
    for words in [
        r#"{"id":3}"#,
        r#"{"id":3,"dance":{}}"#,
        r#"{"dance":{}}"#,
        r#"{"id":3,"ping":{}}"#,
        r#"{"id":3,"rpc":null}"#,
        r#"{"id":3,"rpc":"x"}"#,
        r#"{"rpc":{}}"#,
    ] {
        let said = server.answer_once_connected(words);
        assert_eq!(said, closed(3501, "bad request"), "{words}");
    }
    // Nothing answers a `send`, so it can only be told by a close.
    for words in [r#"{"send":{}}"#, r#"{"id":3,"send":{}}"#] {
        let said = server.answer_once_connected(words);
        assert_eq!(said, closed(3508, "not available"), "{words}");
    }
}

fn nulls_are_missing_values(kind: Kind) {
    let server = kind.start();
    let recover = json!({"recover": null, "epoch": null, "offset": null});
    let connect = json!({"data": server.data(), "subs": {"x": recover}});
    let (mut socket, answer) = server.connect_with(connect);
    let (channel, _) = subscription(&answer);
    let request = json!({"channel": channel, "limit": -1, "since": null, "reverse": null});
    socket.send(&json!({"id": 2, "history": request, "connect": null, "send": null}));
    let publications = &socket.line()["history"]["publications"];
    assert_eq!(publications, &json!([server.publication("new", 1)]));
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
