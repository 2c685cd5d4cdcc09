//! The handshake that turns a request into a socket.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::answer::{Answer, empty, text};
use super::origin;
use crate::emulator::socket::connection;
use crate::emulator::world::shared::Shared;

/// The subprotocol that clients may ask for: what the socket speaks anyway.
const SUBPROTOCOL: &str = "centrifuge-json";

/// The version of the WebSocket protocol.
const VERSION: &str = "13";

/// Like Go, it does not mind the bits that are cut off at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

pub(crate) async fn answer(mut request: Request<Incoming>, shared: &Shared) -> Answer {
    shared.lock().counters.handshakes += 1;
    shared.wait_while(|faults| faults.handshake_hang).await;
    if shared.lock().faults().socket_refuse {
        return text(StatusCode::SERVICE_UNAVAILABLE, "no sockets at the moment");
    }
    let accept = match accept(&request, shared) {
        Ok(accept) => accept,
        Err(status) => return refuse(status),
    };
    let speaks = lists(&request, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    connection::open(shared, hyper::upgrade::on(&mut request));
    let mut answer = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if speaks {
        let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    answer
}

/// The value that answers a WebSocket handshake, or the HTTP status that refuses it.
fn accept<B>(request: &Request<B>, shared: &Shared) -> Result<HeaderValue, StatusCode> {
    let is_upgrade = request.version() >= Version::HTTP_11
        && lists(request, header::CONNECTION, "upgrade")
        && lists(request, header::UPGRADE, "websocket");
    if !is_upgrade {
        return Err(StatusCode::BAD_REQUEST);
    }
    if request.method() != Method::GET {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY);
    let key = key.filter(|key| BASE64.decode(key).is_ok_and(|key| key.len() == 16));
    match key {
        Some(key) if lists(request, header::SEC_WEBSOCKET_VERSION, VERSION) => {
            if !origin::is_allowed(request, shared) {
                return Err(StatusCode::FORBIDDEN);
            }
            let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
            accept.map_err(|_| StatusCode::BAD_REQUEST)
        }
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

fn refuse(status: StatusCode) -> Answer {
    let mut answer = text(status, status.canonical_reason().unwrap_or_default());
    let version = HeaderValue::from_static(VERSION);
    let headers = answer.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_VERSION, version);
    answer
}

/// Whether the list in this header has the value in it.
fn lists<B>(request: &Request<B>, header: HeaderName, value: &str) -> bool {
    let lists = request.headers().get_all(header).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(value))
}
