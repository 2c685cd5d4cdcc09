//! The emulator's socket beside a real Centrifugo: the same client says the same to both, and hears
//! the same from both, message for message.
//!
//! Needs `tests/interop/setup.sh`. Without it the tests are skipped, and say so; with
//! `BEVY_XSOLLA_REQUIRE_INTEROP=1` they fail.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod support;

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::{OrderId, XsollaUser};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use support::centrifugo::{self, Centrifugo, ORDERS, Player, SHORT};
use support::interop;

/// One of the two servers, with one player and one order that was announced as `new`.
struct Stage {
    server: Server,
    url: String,
    token: String,
    order: OrderId,
}

enum Server {
    Emulator(XsollaEmulator),
    Centrifugo(Centrifugo),
}

impl Stage {
    fn announce(&self, status: &str) {
        match &self.server {
            Server::Emulator(emulator) => emulator.set_status(self.order, status),
            Server::Centrifugo(server) => {
                server.publish(json!({"order_id": self.order.0, "status": status}));
            }
        }
    }

    fn throw_out(&self, code: u16, reason: &str) {
        match &self.server {
            Server::Emulator(emulator) => emulator.close_sockets(code, reason),
            Server::Centrifugo(server) => server.disconnect(code.into(), reason),
        }
    }

    /// Every connect with another's token is answered with this error.
    fn refuse(&self, code: u32, message: &str, temporary: bool) {
        match &self.server {
            Server::Emulator(emulator) => emulator.refuse_connect(Some((code, message))),
            Server::Centrifugo(server) => {
                let error = json!({"code": code, "message": message, "temporary": temporary});
                server.refuse_with(json!({"error": error}));
            }
        }
    }

    fn data(&self) -> Value {
        json!({"user_external_id": "player-1", "auth": self.token, "project_id": 77640})
    }

    fn open(&self) -> Wire {
        Wire::open(&self.url)
    }

    /// A connection that has said its first word, and the server's answer to it.
    fn connect(&self) -> (Wire, Value) {
        self.connect_with(json!({"data": self.data()}))
    }

    fn connect_with(&self, connect: Value) -> (Wire, Value) {
        let mut wire = self.open();
        wire.say(&json!({"id": 1, "connect": connect}));
        let answer = wire.hear();
        (wire, answer)
    }

    /// A reconnect from this position.
    fn recover(&self, channel: &str, epoch: &Value, offset: u64) -> (Wire, Value) {
        let recover = json!({"recover": true, "epoch": epoch, "offset": offset});
        self.connect_with(json!({"data": self.data(), "subs": {channel: recover}}))
    }
}

/// Plays the scene on both stages and compares what was heard.
#[track_caller]
fn compare(scene: fn(&Stage) -> Vec<Value>) {
    compare_in(ORDERS, scene);
}

#[track_caller]
fn compare_in(namespace: &str, scene: fn(&Stage) -> Vec<Value>) {
    let binary = centrifugo::binary().ok_or("there is no Centrifugo");
    let Some(binary) = interop::found(binary) else {
        return;
    };
    let emulator = XsollaEmulator::start();
    emulator.set_ping_interval(Duration::from_secs(1));
    emulator.set_history_limit(if namespace == SHORT { 2 } else { 100 });
    let token = emulator.token("alice");
    let order = emulator.create_order(&XsollaUser::new(&token), &[("sword", 1)]);
    let player = Player {
        token: token.clone(),
        id: "alice".to_owned(),
        channel: format!("{namespace}:alice"),
    };
    let centrifugo = Centrifugo::start(&binary, &player);
    let real = Stage {
        url: centrifugo.url(),
        server: Server::Centrifugo(centrifugo),
        token: token.clone(),
        order,
    };
    real.announce("new");
    let emulated = Stage {
        url: emulator.socket_url(),
        server: Server::Emulator(emulator),
        token,
        order,
    };
    let real = comparable(scene(&real));
    let emulated = comparable(scene(&emulated));
    let differ = |(real, emulated): &(&String, &String)| real != emulated;
    let differences: Vec<_> = real.iter().zip(&emulated).filter(differ).collect();
    for (real, emulated) in &differences {
        println!("Centrifugo:   {real}\nthe emulator: {emulated}\n");
    }
    assert!(differences.is_empty(), "they differ: see above");
    assert_eq!(real.len(), emulated.len());
}

/// Names in the place of what is another's with every server: channels, epochs, ids.
fn comparable(messages: Vec<Value>) -> Vec<String> {
    let mut epochs = Vec::new();
    let named = |mut message: Value| {
        name(&mut message, &mut epochs);
        message.to_string()
    };
    messages.into_iter().map(named).collect()
}

fn name(value: &mut Value, epochs: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match (key.as_str(), &*value) {
                    ("client" | "version" | "channel", Value::String(_)) => {
                        *value = "any".into();
                    }
                    ("epoch", Value::String(epoch)) => {
                        let known = epochs.iter().position(|known| known == epoch);
                        let number = known.unwrap_or_else(|| {
                            epochs.push(epoch.clone());
                            epochs.len() - 1
                        });
                        *value = format!("epoch {number}").into();
                    }
                    ("subs", Value::Object(subs)) => {
                        let mut subs: Vec<_> = subs.values().cloned().collect();
                        subs.iter_mut().for_each(|sub| name(sub, epochs));
                        *value = subs.into();
                    }
                    _ => name(value, epochs),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| name(value, epochs)),
        _ => {}
    }
}

/// The channel of the one subscription in an answer to `connect`, and what it says.
fn subscription(answer: &Value) -> (&str, &Value) {
    let subs = answer["connect"]["subs"].as_object().unwrap();
    let (channel, subscription) = subs.iter().next().unwrap();
    (channel, subscription)
}

/// A client that says what it is told to, and pongs.
struct Wire {
    url: String,
    socket: WebSocket<TcpStream>,
    unread: VecDeque<Value>,
    answers_pings: bool,
}

impl Wire {
    fn open(url: &str) -> Self {
        let address = url
            .strip_prefix("ws://")
            .unwrap()
            .split('/')
            .next()
            .unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let (socket, _) = client(url, stream).unwrap();
        Self {
            url: url.to_owned(),
            socket,
            unread: VecDeque::new(),
            answers_pings: true,
        }
    }

    fn say(&mut self, message: &Value) {
        self.say_text(&message.to_string());
    }

    fn say_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    fn history(&mut self, history: Value) -> Value {
        self.say(&json!({"id": 7, "history": history}));
        self.hear()
    }

    /// The next message that is no ping; or the end of the connection.
    fn hear(&mut self) -> Value {
        loop {
            if let Some(message) = self.unread.pop_front() {
                if message != json!({}) {
                    return message;
                }
                if self.answers_pings {
                    self.say_text("{}");
                }
                continue;
            }
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let messages = text.lines().map(|line| serde_json::from_str(line).unwrap());
                    self.unread.extend(messages);
                }
                Ok(Message::Close(Some(frame))) => {
                    let code = u16::from(frame.code);
                    return json!({"close": code, "reason": frame.reason.as_str()});
                }
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return json!("the end"),
                Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                    return json!("the end, without a close frame");
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionReset => {
                    return json!("the end, without a close frame");
                }
                Err(error) => panic!("{}: {error}", self.url),
            }
        }
    }
}

#[test]
fn a_connection_is_subscribed_and_hears_publications() {
    compare(|stage| {
        let (mut wire, answer) = stage.connect();
        stage.announce("paid");
        let paid = wire.hear();
        stage.announce("done");
        vec![answer, paid, wire.hear()]
    });
}

#[test]
fn the_history_is_what_was_asked_for() {
    compare(|stage| {
        histories(stage, |epoch| {
            vec![
                // Xsolla's documentation.
                json!({"limit": -1, "since": {"offset": 0}, "reverse": false}),
                json!({"limit": -1, "since": {}}),
                json!({"limit": -1}),
                json!({"limit": 2}),
                json!({"limit": 2, "reverse": true}),
                json!({"limit": -1, "since": {"offset": 1, "epoch": epoch}}),
                json!({"limit": -1, "since": {"offset": 1}}),
                json!({"limit": 1, "since": {"offset": 1, "epoch": epoch}}),
                json!({"limit": -1, "since": {"offset": 1, "epoch": "another"}}),
                json!({"limit": -1, "since": {"offset": 3, "epoch": epoch}, "reverse": true}),
            ]
        })
    });
}

#[test]
fn a_history_of_nothing_is_an_empty_list() {
    compare(|stage| {
        histories(stage, |epoch| {
            vec![
                json!({}),
                json!({"limit": -1, "since": {"offset": 3, "epoch": epoch}}),
                json!({"limit": -1, "since": {"offset": 9, "epoch": epoch}}),
            ]
        })
    });
}

#[test]
fn a_history_backwards_from_the_beginning_is_refused() {
    compare(|stage| {
        histories(stage, |_| {
            vec![
                json!({"limit": -1, "since": {"offset": 0}, "reverse": true}),
                json!({"limit": 0, "since": {}, "reverse": true}),
                // More important than that the epoch is wrong.
                json!({"limit": -1, "since": {"epoch": "another"}, "reverse": true}),
            ]
        })
    });
}

#[test]
fn a_history_backwards_begins_at_a_publication() {
    compare_in(SHORT, |stage| {
        // Offsets 2 and 3 are kept.
        histories(stage, |_| {
            let since = |offset| json!({"limit": -1, "since": {"offset": offset}, "reverse": true});
            (1..7).map(since).collect()
        })
    });
}

/// What a history of three publications answers to each of these, which may name its epoch.
fn histories(stage: &Stage, requests: fn(&Value) -> Vec<Value>) -> Vec<Value> {
    stage.announce("paid");
    stage.announce("done");
    let (mut wire, answer) = stage.connect();
    let (channel, subscription) = subscription(&answer);
    let requests = requests(&subscription["epoch"]);
    let ask = |mut history: Value| {
        history["channel"] = channel.into();
        wire.history(history)
    };
    requests.into_iter().map(ask).collect()
}

#[test]
fn what_was_missed_is_recovered() {
    compare(|stage| {
        let (wire, answer) = stage.connect();
        drop(wire);
        let (channel, subscription) = subscription(&answer);
        let epoch = &subscription["epoch"];
        stage.announce("paid");
        stage.announce("done");
        let mut heard = vec![answer.clone()];
        // From the beginning, from what was seen, from the top: and then live.
        for offset in [0, 1, 3] {
            let (mut wire, answer) = stage.recover(channel, epoch, offset);
            heard.push(answer);
            let more = json!({"channel": channel, "limit": -1, "since": {"offset": 0}});
            heard.push(wire.history(more));
        }
        let (mut wire, answer) = stage.recover(channel, epoch, 2);
        stage.announce("canceled");
        heard.extend([answer, wire.hear()]);
        heard
    });
}

#[test]
fn what_is_not_kept_any_more_is_not_recovered() {
    compare_in(SHORT, |stage| {
        let (wire, answer) = stage.connect();
        drop(wire);
        let (channel, subscription) = subscription(&answer);
        let epoch = &subscription["epoch"];
        for status in ["paid", "done", "canceled"] {
            stage.announce(status);
        }
        // The last two of four are kept.
        let mut heard = Vec::new();
        for offset in 0..4 {
            heard.push(stage.recover(channel, epoch, offset).1);
        }
        let (mut wire, _) = stage.connect();
        heard.push(wire.history(json!({"channel": channel, "limit": -1, "since": {"offset": 0}})));
        heard
    });
}

#[test]
fn a_position_that_never_was_is_not_recovered() {
    compare(|stage| {
        let (_wire, answer) = stage.connect();
        let (channel, subscription) = subscription(&answer);
        stage.announce("paid");
        let another = json!("another");
        let heard = [
            stage.recover(channel, &another, 1).1,
            stage.recover(channel, &another, 2).1,
            stage.recover(channel, &subscription["epoch"], 9).1,
            stage.recover("orders:another", &subscription["epoch"], 1).1,
        ];
        heard.into()
    });
}

#[test]
fn a_position_without_an_epoch_is_recovered() {
    compare(|stage| {
        let (_wire, answer) = stage.connect();
        stage.announce("paid");
        let (channel, _) = subscription(&answer);
        [0, 1, 2, 9]
            .map(|offset| stage.recover(channel, &json!(""), offset).1)
            .into()
    });
}

#[test]
fn a_refused_connect_is_answered_with_an_error() {
    compare(|stage| {
        let mut heard = Vec::new();
        for (code, message, temporary) in [
            (101, "unauthorized", false),
            (109, "token expired", false),
            (100, "internal server error", true),
        ] {
            stage.refuse(code, message, temporary);
            let (_wire, answer) = stage.connect_with(json!({"data": {"auth": "another"}}));
            heard.push(answer);
        }
        heard
    });
}

#[test]
fn several_commands_share_a_frame() {
    compare(|stage| {
        let (_wire, answer) = stage.connect();
        let (channel, _) = subscription(&answer);
        let mut wire = stage.open();
        let connect = json!({"id": 1, "connect": {"data": stage.data()}});
        let history = json!({"id": 2, "history": {"channel": channel, "limit": -1}});
        wire.say_text(&format!("{connect}\n{history}\n"));
        vec![wire.hear(), wire.hear()]
    });
}

#[test]
fn a_player_is_thrown_out_by_a_close_frame() {
    compare(|stage| {
        let mut heard = Vec::new();
        // Not 3000: for Centrifugo that is a connection that is gone, and it says nothing more.
        for code in [3001, 3503, 4501] {
            let (mut wire, _) = stage.connect();
            stage.throw_out(code, "because");
            heard.push(wire.hear());
        }
        heard
    });
}

#[test]
fn a_client_that_breaks_the_rules_is_closed() {
    compare(|stage| {
        let history = json!({"id": 1, "history": {"channel": "orders:alice"}}).to_string();
        let first = [history.as_str(), "{}", "", "nonsense", "[]", r#"{"id":1}"#];
        let mut heard = first.map(|words| first_words(stage, words)).to_vec();
        let connect = json!({"id": 2, "connect": {"data": stage.data()}}).to_string();
        let then = [
            // A pong without a ping.
            "{}", &connect, "nonsense",
        ];
        heard.extend(then.map(|words| later_words(stage, words)));
        heard
    });
}

#[test]
fn a_command_that_is_none_closes_and_one_that_is_not_set_up_is_refused() {
    compare(|stage| {
        [
            r#"{"id":3}"#,
            r#"{"id":3,"dance":{}}"#,
            r#"{"dance":{}}"#,
            r#"{"id":3,"ping":{}}"#,
            r#"{"id":3,"rpc":{}}"#,
            r#"{"id":3,"rpc":{"method":"x","data":{}}}"#,
            r#"{"id":3,"rpc":null}"#,
            r#"{"id":3,"rpc":"x"}"#,
            r#"{"rpc":{}}"#,
            r#"{"id":3,"presence":{"channel":"orders:alice"}}"#,
            r#"{"id":3,"presence_stats":{"channel":"orders:alice"}}"#,
            r#"{"send":{}}"#,
            r#"{"id":3,"send":{}}"#,
            "{\"id\":3,\"rpc\":{}}\nnonsense",
        ]
        .map(|words| later_words(stage, words))
        .into()
    });
}

#[test]
fn a_channel_of_somebody_else_is_not_shown() {
    compare(|stage| {
        let (mut wire, _) = stage.connect();
        vec![wire.history(json!({"channel": "orders:bob", "limit": -1}))]
    });
}

#[test]
fn a_history_of_no_channel_is_against_the_rules() {
    compare(|stage| {
        let (mut wire, _) = stage.connect();
        vec![wire.history(json!({"limit": -1}))]
    });
}

#[test]
fn a_client_that_does_not_answer_pings_is_closed() {
    compare(|stage| {
        let (mut wire, _) = stage.connect();
        wire.answers_pings = false;
        vec![wire.hear()]
    });
}

/// What is heard after these words on a new connection.
fn first_words(stage: &Stage, words: &str) -> Value {
    let mut wire = stage.open();
    wire.say_text(words);
    json!({"said": words, "heard": wire.hear()})
}

/// What is heard after these words once connected.
fn later_words(stage: &Stage, words: &str) -> Value {
    let (mut wire, _) = stage.connect();
    wire.say_text(words);
    json!({"said": words, "heard": wire.hear()})
}
