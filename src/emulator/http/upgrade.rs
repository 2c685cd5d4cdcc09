//! The handshake that turns a request into a socket.

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::answer::{Answer, empty, text};
use crate::emulator::socket::connection;
use crate::emulator::world::shared::Shared;

pub(crate) async fn answer(mut request: Request<Incoming>, shared: &Shared) -> Answer {
    shared.wait_while(|faults| faults.handshake_hang).await;
    if shared.lock().faults().socket_refuse {
        return text(StatusCode::SERVICE_UNAVAILABLE, "no sockets at the moment");
    }
    let Some(accept) = accept_key(&request) else {
        return text(StatusCode::BAD_REQUEST, "this is a WebSocket endpoint");
    };
    connection::open(shared, hyper::upgrade::on(&mut request));
    let mut answer = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    answer
}

/// The value that answers a WebSocket handshake; `None` if the request is not one.
fn accept_key(request: &Request<Incoming>) -> Option<HeaderValue> {
    let has = |name, token: &str| {
        let values = request.headers().get_all(name).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    let is_handshake = request.version() >= Version::HTTP_11
        && has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY)?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?;
    is_handshake.then_some(accept)
}
