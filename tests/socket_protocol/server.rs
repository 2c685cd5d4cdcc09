//! The two servers, and what the behaviours ask of them.

use std::path::PathBuf;
use std::time::Duration;

use bevy_xsolla::OrderId;
use bevy_xsolla::emulator::XsollaEmulator;
use serde_json::{Value, json};

use crate::emulator_client::{Said, Socket};
use crate::support::centrifugo::{self, Centrifugo, FORGETFUL, ORDERS, PRIVATE, Player, SHORT};
use crate::support::{interop, sword_order};

pub fn on_centrifugo(behaviour: fn(Kind)) {
    let binary = centrifugo::binary().ok_or("there is no Centrifugo");
    if let Some(binary) = interop::found(binary) {
        behaviour(Kind::Centrifugo(binary));
    }
}

/// Centrifugo's too, and the shortest that can be announced.
pub const PING_INTERVAL: Duration = Duration::from_secs(1);

/// On which server a behaviour is looked at.
pub enum Kind {
    Emulator,
    Centrifugo(PathBuf),
}

impl Kind {
    /// A server whose channels keep 100 publications.
    pub fn start(&self) -> Server {
        self.start_with(ORDERS, &[], |_| ())
    }

    /// A server whose channels keep two publications.
    pub fn start_keeping_two(&self) -> Server {
        self.start_with(SHORT, &[], |emulator| emulator.set_history_limit(2))
    }

    /// A server that answers every request for a history with this error: 103 or 108.
    pub fn start_denying_history(&self, code: u32) -> Server {
        let namespace = if code == 103 { PRIVATE } else { FORGETFUL };
        self.start_with(namespace, &[], |emulator| emulator.deny_history(Some(code)))
    }

    /// A server that lets pages of this origin in, and of no other.
    pub fn start_allowing(&self, origin: &str) -> Server {
        let origins = [origin];
        self.start_with(ORDERS, &origins, |emulator| {
            emulator.allow_origins(Some(&origins));
        })
    }

    fn start_with(
        &self,
        namespace: &str,
        origins: &[&str],
        prepare: impl FnOnce(&XsollaEmulator),
    ) -> Server {
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
                let centrifugo = Centrifugo::start_allowing(binary, &player, origins);
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
pub struct Server {
    software: Software,
    pub url: String,
    token: String,
    order: OrderId,
}

pub enum Software {
    Emulator(XsollaEmulator),
    Centrifugo(Box<Centrifugo>),
}

impl Server {
    pub fn announce(&self, status: &str) {
        match &self.software {
            Software::Emulator(emulator) => emulator.announce(self.order, status),
            Software::Centrifugo(server) => server.publish(self.news(status)),
        }
    }

    pub fn throw_out(&self, code: u16, reason: &str) {
        match &self.software {
            Software::Emulator(emulator) => emulator.close_sockets(code, reason),
            Software::Centrifugo(server) => server.disconnect(code.into(), reason),
        }
    }

    /// From now on every connect with another's token is answered with this error.
    pub fn refuse(&self, code: u32, message: &str, temporary: bool) {
        match &self.software {
            Software::Emulator(emulator) => emulator.refuse_connect(Some((code, message))),
            Software::Centrifugo(server) => {
                let error = json!({"code": code, "message": message, "temporary": temporary});
                server.refuse_with(json!({"error": error}));
            }
        }
    }

    /// Whether players are subscribed as they connect.
    pub fn subscribe_at_connect(&self, subscribes: bool) {
        match &self.software {
            Software::Emulator(emulator) => emulator.withhold_channels(!subscribes),
            Software::Centrifugo(server) => server.subscribe_at_connect(subscribes),
        }
    }

    /// Subscribes alice, who is connected.
    pub fn subscribe(&self) {
        match &self.software {
            Software::Emulator(emulator) => emulator.withhold_channels(false),
            Software::Centrifugo(server) => server.subscribe(),
        }
    }

    /// Ends every connection, and forgets what was published.
    pub fn lose_memory(&mut self) {
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

    pub fn news(&self, status: &str) -> Value {
        json!({"order_id": self.order.0, "status": status})
    }

    /// The announcement of a status, as a history lists it.
    pub fn publication(&self, status: &str, offset: u64) -> Value {
        json!({"data": self.news(status), "offset": offset})
    }

    /// The same, as a connection hears it.
    pub fn push(&self, channel: &str, status: &str, offset: u64) -> Value {
        json!({"push": {"channel": channel, "pub": self.publication(status, offset)}})
    }

    pub fn data(&self) -> Value {
        json!({"user_external_id": "player-1", "auth": self.token, "project_id": 77640})
    }

    pub fn open(&self) -> Socket {
        Socket::open_at(&self.url)
    }

    /// A connection that has sent this `connect`, and the answer to it.
    pub fn connect_with(&self, connect: Value) -> (Socket, Value) {
        let mut socket = self.open();
        socket.send(&json!({"id": 1, "connect": connect}));
        let answer = socket.line();
        (socket, answer)
    }

    /// A connection, its channel, and what the server says of the subscription.
    pub fn connect(&self) -> (Socket, String, Value) {
        let (socket, answer) = self.connect_with(json!({"data": self.data()}));
        let (channel, subscription) = subscription(&answer);
        (socket, channel, subscription)
    }

    /// A connection that asks for what came after this position, and what the server says of the
    /// subscription.
    pub fn recover(&self, channel: &str, epoch: &Value, offset: u64) -> (Socket, Value) {
        let recover = json!({"recover": true, "epoch": epoch, "offset": offset});
        let connect = json!({"data": self.data(), "subs": {channel: recover}});
        let (socket, answer) = self.connect_with(connect);
        (socket, subscription(&answer).1)
    }

    /// What is said next after these words on a new connection.
    pub fn answer_before_connect(&self, words: &str) -> Said {
        let mut socket = self.open();
        socket.send_text(words);
        socket.next()
    }

    /// What is said next after these words on a connection that is connected.
    pub fn answer_once_connected(&self, words: &str) -> Said {
        let (mut socket, ..) = self.connect();
        socket.send_text(words);
        socket.next()
    }
}

/// The one subscription in an answer to `connect`, and its channel.
pub fn subscription(answer: &Value) -> (String, Value) {
    let subscriptions = answer["connect"]["subs"]
        .as_object()
        .expect("subscriptions");
    let (channel, subscription) = subscriptions.iter().next().expect("a subscription");
    (channel.clone(), subscription.clone())
}

/// Asks for the history of this channel; gives the result, or the error.
pub fn history(socket: &mut Socket, channel: &str, request: &Value) -> Value {
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

/// The name of another player's channel.
pub fn beside(channel: &str) -> String {
    let (namespace, _) = channel.split_once(':').expect("a namespace");
    format!("{namespace}:bob")
}
