//! A server that the emulator's webhooks are sent to, which answers what the test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bevy_xsolla::OrderId;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::webhook::{Notification, WebhookError, WebhookOrder, verify};
use serde_json::{Value, json};

use super::wait_for;

pub const SECRET: &str = "PROJECT_SECRET_KEY";
pub const MINUTE: Duration = Duration::from_secs(60);

/// What came to the server.
#[derive(Clone, Debug)]
pub struct Received {
    pub head: String,
    pub body: String,
    pub is_whole: bool,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let field = fields.find(|(key, _)| key.eq_ignore_ascii_case(name));
        field.map_or("", |(_, value)| value.trim())
    }

    pub fn verify(&self) -> Result<Notification, WebhookError> {
        verify(&self.body, self.header("authorization"), SECRET)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        let kind = &self.json()["notification_type"];
        kind.as_str().unwrap_or_default().to_owned()
    }

    pub fn order(&self) -> WebhookOrder {
        match self.verify() {
            Ok(Notification::OrderPaid(order) | Notification::OrderCanceled(order)) => order,
            other => panic!("{other:?}"),
        }
    }
}

/// What the server answers.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    Status(u16),
    Refusal(&'static str),
    /// The connection stays open, without an answer.
    Silence,
    /// The connection ends without an answer.
    Close,
}

/// A server that answers each webhook as it was told, and at the end with 204.
#[derive(Clone, Default)]
pub struct Server {
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
    replies: Arc<Mutex<Vec<Reply>>>,
    silent: Arc<Mutex<Vec<TcpStream>>>,
    /// How many webhooks are being answered, and how many that were at the same time at most.
    pub busy: Arc<Mutex<(usize, usize)>>,
}

impl Server {
    pub fn start(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            url: format!("http://{}/hook?from=xsolla", listener.local_addr().unwrap()),
            ..Self::default()
        };
        server.answer_next(replies);
        let this = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let this = this.clone();
                std::thread::spawn(move || this.serve(stream.unwrap()));
            }
        });
        server
    }

    fn serve(&self, stream: TcpStream) {
        {
            let mut busy = self.busy.lock().unwrap();
            busy.0 += 1;
            busy.1 = busy.1.max(busy.0);
        }
        let mut reader = BufReader::new(&stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let mut received = Received {
            head,
            body: String::new(),
            is_whole: true,
        };
        let length: usize = received.header("content-length").parse().unwrap();
        let mut body = Vec::new();
        let _ = reader.take(length as u64).read_to_end(&mut body);
        received.is_whole = body.len() == length;
        received.body = String::from_utf8(body).unwrap();
        let is_whole = received.is_whole;
        self.received.lock().unwrap().push(received);
        if !is_whole {
            self.busy.lock().unwrap().0 -= 1;
            return;
        }
        let mut replies = self.replies.lock().unwrap();
        let reply = match replies.len() {
            0 => Reply::Status(204),
            _ => replies.remove(0),
        };
        drop(replies);
        self.busy.lock().unwrap().0 -= 1;
        let (status, body) = match reply {
            Reply::Status(status) => (status, String::new()),
            Reply::Refusal(code) => (400, json!({"error": {"code": code}}).to_string()),
            Reply::Silence => return self.silent.lock().unwrap().push(stream),
            Reply::Close => return,
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
        let _ = (&stream).write_all(answer.as_bytes());
    }

    pub fn answer_next(&self, replies: &[Reply]) {
        self.replies.lock().unwrap().extend(replies);
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Forgets what came so far.
    pub fn forget(&self) {
        self.received.lock().unwrap().clear();
    }

    pub fn kinds(&self) -> Vec<String> {
        self.received().iter().map(Received::kind).collect()
    }
}

pub fn start(replies: &[Reply]) -> (XsollaEmulator, Server) {
    let (emulator, server) = (XsollaEmulator::start(), Server::start(replies));
    emulator.webhooks_to(&server.url, SECRET);
    (emulator, server)
}

pub fn order(emulator: &XsollaEmulator) -> OrderId {
    emulator.create_order(&emulator.user("alice"), &[("sword", 1)])
}

/// Waits until nothing is to be sent any more.
#[track_caller]
pub fn wait_for_all(emulator: &XsollaEmulator) {
    wait_for("all webhooks are sent", || {
        emulator.webhook_counts().pending == 0
    });
}

#[track_caller]
pub fn wait_for_attempts(emulator: &XsollaEmulator, attempts: usize) {
    wait_for(&format!("there are {attempts} attempts"), || {
        emulator.webhook_counts().attempts >= attempts
    });
    assert_eq!(emulator.webhook_counts().attempts, attempts);
}

/// Sends a webhook of the test's own, behind which everything has been sent that was due.
#[track_caller]
pub fn flush(emulator: &XsollaEmulator) {
    let id = emulator.send_webhook_body(json!({"notification_type": "flush"}));
    wait_for("the last webhook is answered", || {
        emulator.webhook_answer(id).is_some()
    });
}

/// The statuses of the attempts; 0 where there was no answer.
pub fn statuses(emulator: &XsollaEmulator) -> Vec<u16> {
    let attempts = emulator.webhook_attempts();
    let statuses = attempts.iter().map(|attempt| attempt.status());
    statuses.map(Option::unwrap_or_default).collect()
}
