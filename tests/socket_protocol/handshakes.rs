//! How a request becomes a socket, or is refused.

use std::io::{Read, Write};

use crate::emulator_client::{Response, tcp};
use crate::server::{Kind, Server, on_centrifugo};

behaviours! {
    a_handshake_with_all_that_belongs_to_it_opens_a_socket
    a_request_that_is_no_handshake_is_refused
    a_handshake_with_a_bad_key_is_refused
    pages_of_other_origins_are_refused_where_the_server_says_so
}

/// A header that is not sent.
const NOT_SENT: &str = "";

/// Sends a handshake with these headers in place of the usual ones, and reads the head of the answer, or all of one
/// that opens no socket.
fn handshake(server: &Server, method: &str, headers: &[(&str, &str)]) -> Response {
    let mut all = vec![
        ("Host", "localhost"),
        ("Connection", "keep-alive, Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for &(name, value) in headers {
        all.retain(|(other, _)| *other != name);
        all.push((name, value));
    }
    all.retain(|(_, value)| *value != NOT_SENT);
    let mut stream = tcp(&server.url);
    write!(stream, "{method} /connection/websocket HTTP/1.1\r\n").unwrap();
    for (name, value) in all {
        write!(stream, "{name}: {value}\r\n").unwrap();
    }
    write!(stream, "\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.extend(byte);
    }
    // A socket, which says nothing by itself, is given up; another connection is ended by the request for it.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response {
        status,
        head,
        body: String::new(),
    }
}

fn a_handshake_with_all_that_belongs_to_it_opens_a_socket(kind: Kind) {
    let server = kind.start();
    let answer = handshake(&server, "GET", &[]);
    assert_eq!(answer.status, 101);
    // The example of RFC 6455.
    let accept = answer.header("sec-websocket-accept");
    assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    let subprotocol = "sec-websocket-protocol";
    assert_eq!(answer.header(subprotocol), None);
    for (asked, expected) in [
        ("centrifuge-json", Some("centrifuge-json")),
        ("chat, centrifuge-json", Some("centrifuge-json")),
        ("chat", None),
    ] {
        let answer = handshake(&server, "GET", &[("Sec-WebSocket-Protocol", asked)]);
        assert_eq!(answer.status, 101);
        assert_eq!(answer.header(subprotocol), expected, "{asked}");
    }
    let compression = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    let answer = handshake(&server, "GET", &compression);
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-extensions"), None);
}

fn a_request_that_is_no_handshake_is_refused(kind: Kind) {
    let server = kind.start();
    for (name, value) in [
        ("Connection", "close"),
        ("Upgrade", "h2c"),
        ("Upgrade", NOT_SENT),
        ("Sec-WebSocket-Version", "8"),
        ("Sec-WebSocket-Version", NOT_SENT),
    ] {
        let answer = handshake(&server, "GET", &[(name, value)]);
        assert_eq!(answer.status, 400, "{name}: {value}");
        assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    }
    for method in ["POST", "PUT", "HEAD", "OPTIONS"] {
        let answer = handshake(&server, method, &[("Content-Length", "0")]);
        assert_eq!(answer.status, 405, "{method}");
    }
    let no_handshake = [("Connection", "close"), ("Content-Length", "0")];
    assert_eq!(handshake(&server, "POST", &no_handshake).status, 400);
}

fn a_handshake_with_a_bad_key_is_refused(kind: Kind) {
    let server = kind.start();
    for (key, status) in [
        (NOT_SENT, 400),
        ("dGhlIHNhbXBsZSBub25jZQ", 400),
        ("c2hvcnQ=", 400),
        ("AAAAAAAAAAAAAAAAAAAA", 400),
        ("dGhlIHNhbXBsZSBub25jZSBpcyB0b28gbG9uZw==", 400),
        ("!!!!!!!!!!!!!!!!!!!!!!!!", 400),
        ("______________________==", 400),
        // Its last bits are no part of the 16 bytes.
        ("AAAAAAAAAAAAAAAAAAAAAB==", 101),
    ] {
        let answer = handshake(&server, "GET", &[("Sec-WebSocket-Key", key)]);
        assert_eq!(answer.status, status, "{key}");
    }
}

fn pages_of_other_origins_are_refused_where_the_server_says_so(kind: Kind) {
    let server = kind.start_allowing("https://game.example");
    for (origin, status) in [
        (NOT_SENT, 101),
        ("https://game.example", 101),
        ("https://Game.EXAMPLE", 101),
        ("http://game.example", 403),
        ("https://game.example:8080", 403),
        ("https://game.example.org", 403),
        ("https://www.game.example", 403),
        ("null", 403),
    ] {
        let answer = handshake(&server, "GET", &[("Origin", origin)]);
        assert_eq!(answer.status, status, "{origin}");
    }
    // Whether it is a handshake counts first.
    let neither = [("Origin", "null"), ("Upgrade", "h2c")];
    assert_eq!(handshake(&server, "GET", &neither).status, 400);
}
