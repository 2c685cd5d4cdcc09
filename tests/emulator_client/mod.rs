//! A blocking HTTP and WebSocket client that sees every byte, and waits no longer than it has to.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]

pub mod webhook_server;

#[path = "../support/wait.rs"]
#[allow(
    clippy::duplicate_mod,
    reason = "not every test that has this module has the other support"
)]
mod wait;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bevy_xsolla::emulator::XsollaEmulator;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};
use wait::DEADLINE;
pub use wait::wait_until as wait_for;

/// A connection to the server of this URL.
pub fn tcp(url: &str) -> TcpStream {
    let address = url.split('/').nth(2).expect("scheme://address/path");
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Sends a request and does not wait for the answer.
pub fn send(
    emulator: &XsollaEmulator,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> TcpStream {
    let mut stream = tcp(&emulator.store_url());
    let authorization = token.map_or(String::new(), |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{authorization}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the request is sent");
    stream
}

/// Reads the answer; `None` where the connection ends without one.
pub fn receive(mut stream: TcpStream) -> Option<Response> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("no answer: {error}"),
    }
    let text = String::from_utf8(bytes).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Response {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

pub fn request(
    emulator: &XsollaEmulator,
    method: &str,
    route: &str,
    token: Option<&str>,
    body: &str,
) -> Response {
    let path = format!("/api/v2/project/{}/{route}", emulator.project_id());
    receive(send(emulator, method, &path, token, body)).expect("an answer")
}

pub fn get(emulator: &XsollaEmulator, route: &str, token: &str) -> Response {
    request(emulator, "GET", route, Some(token), "")
}

/// What a socket says next.
#[derive(Debug, PartialEq)]
pub enum Said {
    Line(Value),
    Closed(Option<(u16, String)>),
    /// The connection ended without a close frame.
    Cut,
}

/// A frame of a client, with a mask that changes nothing.
pub fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut frame = vec![first_byte];
    match u16::try_from(length) {
        Ok(_) if length < 126 => frame.push(0x80 | length as u8),
        Ok(length) => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

pub fn closed(code: u16, reason: &str) -> Said {
    Said::Closed(Some((code, reason.to_owned())))
}

pub struct Socket {
    socket: WebSocket<TcpStream>,
    lines: VecDeque<Value>,
    /// How many frames came.
    pub frames: usize,
    /// Without it, the server's pings are answered.
    pub is_deaf: bool,
}

impl Socket {
    pub fn open(emulator: &XsollaEmulator) -> Self {
        Self::open_at(&emulator.socket_url())
    }

    pub fn open_at(url: &str) -> Self {
        Self::try_open_at(url).expect("a socket")
    }

    /// The HTTP status where the socket is refused.
    pub fn try_open(emulator: &XsollaEmulator) -> Result<Self, u16> {
        Self::try_open_at(&emulator.socket_url())
    }

    fn try_open_at(url: &str) -> Result<Self, u16> {
        match client(url, tcp(url)) {
            Ok((socket, _)) => Ok(Self {
                socket,
                lines: VecDeque::new(),
                frames: 0,
                is_deaf: false,
            }),
            Err(tokio_tungstenite::tungstenite::HandshakeError::Failure(Error::Http(response))) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("no socket: {error}"),
        }
    }

    /// Opens a socket and connects; also gives the channel and the subscription.
    pub fn connected(emulator: &XsollaEmulator, token: &str) -> (Self, String, Value) {
        let mut socket = Self::open(emulator);
        let reply = socket.connect(emulator, token, &json!({}));
        let subs = reply["connect"]["subs"].as_object().expect("subs");
        let (channel, sub) = subs.iter().next().expect("a subscription");
        let (channel, sub) = (channel.clone(), sub.clone());
        (socket, channel, sub)
    }

    /// Connects, with `subs` to recover from; gives the reply.
    pub fn connect(&mut self, emulator: &XsollaEmulator, token: &str, subs: &Value) -> Value {
        let data = json!({"auth": token, "project_id": emulator.project_id()});
        self.send(&json!({"id": 1, "connect": {"data": data, "subs": subs}}));
        self.line()
    }

    pub fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string());
    }

    pub fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("sent");
    }

    /// Sends one frame: its first byte, which has the flags and the kind, and what is in it.
    pub fn send_frame(&mut self, first_byte: u8, payload: &[u8]) {
        let sent = self.socket.get_mut().write_all(&frame(first_byte, payload));
        sent.expect("the frame is sent");
    }

    /// The connection, without what was read and not looked at.
    pub fn into_stream(self) -> TcpStream {
        self.socket.into_inner()
    }

    pub fn next(&mut self) -> Said {
        loop {
            if let Some(line) = self.lines.pop_front() {
                if line == json!({}) && !self.is_deaf {
                    self.send_text("{}");
                    continue;
                }
                return Said::Line(line);
            }
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    self.frames += 1;
                    let lines = text.lines().map(|line| {
                        serde_json::from_str(line).unwrap_or_else(|_| Value::from(line))
                    });
                    self.lines.extend(lines);
                }
                Ok(Message::Close(frame)) => {
                    let frame = frame.map(|CloseFrame { code, reason }| {
                        (u16::from(code), reason.as_str().to_owned())
                    });
                    // Completes the closing handshake.
                    while self.socket.read().is_ok() {}
                    return Said::Closed(frame);
                }
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    panic!("the socket is silent");
                }
                Err(_) => return Said::Cut,
            }
        }
    }

    pub fn line(&mut self) -> Value {
        match self.next() {
            Said::Line(line) => line,
            other => panic!("the socket said {other:?}"),
        }
    }

    /// The data and the offset of the publication that comes next.
    pub fn publication(&mut self) -> (Value, u64) {
        let line = self.line();
        let publication = &line["push"]["pub"];
        let offset = publication["offset"].as_u64().expect("an offset");
        (publication["data"].clone(), offset)
    }

    /// Whether nothing comes for a while.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        let stream = self.socket.get_ref();
        stream.set_read_timeout(Some(time)).expect("a timeout");
        let is_silent = self.lines.is_empty()
            && matches!(&self.socket.read(), Err(Error::Io(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        let stream = self.socket.get_ref();
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        is_silent
    }

    pub fn close(&mut self) {
        self.socket.close(None).expect("closing");
        while self.socket.read().is_ok() {}
    }
}
