//! The listener, and which handler a request goes to.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::faults::Faults;
use super::page;
use super::rest;
use super::socket::Registration;
use super::state::Shared;

pub(super) type Answer = Response<Full<Bytes>>;

/// The largest body of a request: a cart of every item there is.
const MAX_BODY: usize = 256 * 1024;

/// Why a connection is cut without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stop: oneshot::Receiver<Infallible>,
) {
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(connection(stream, Arc::clone(&shared)));
                }
                // Out of file descriptors, most likely: leave the machine time to close some.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Small frames must not wait for each other; without it they are merely later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(request, Arc::clone(&shared)));
    // An error is a client that went away, or a cut on purpose.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Answer, Cut> {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method(), segments.as_slice()) {
        (&Method::GET, ["connection", "websocket"]) => {
            wait_while(&shared, |faults| faults.handshake_hang).await;
            Ok(open_socket(request, &shared))
        }
        (_, ["api", "v2", "project", project, route @ ..]) => {
            let (parts, body) = request.into_parts();
            let request = rest::Request::new(&shared, project, route, &parts);
            // Read first: what the emulator makes of a request starts when all of it is there.
            let body = match Limited::new(body, MAX_BODY).collect().await {
                Ok(body) => body.to_bytes(),
                Err(_) => return Ok(text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")),
            };
            misbehave(&shared).await;
            let (fault, is_garbled) = {
                let mut state = shared.lock();
                if state.faults.request_drop {
                    return Err(Cut);
                }
                (
                    state.faults.take_request_fault(),
                    state.faults.request_garble,
                )
            };
            let answer = match fault {
                Some(fault) => rest::fail(&fault),
                None => request.answer(&body),
            };
            Ok(if is_garbled {
                garble(answer).await
            } else {
                answer
            })
        }
        (_, ["paystation4", page @ ..]) => Ok(payment_page(request, &shared, page, false).await),
        (_, ["sandbox", "paystation4", page @ ..]) => {
            Ok(payment_page(request, &shared, page, true).await)
        }
        _ => Ok(no_such_page()),
    }
}

/// Below the address of the payment page, or of the one for sandbox orders.
async fn payment_page(
    request: Request<Incoming>,
    shared: &Arc<Shared>,
    page: &[&str],
    is_sandbox: bool,
) -> Answer {
    match page {
        [] | [""] => {
            let (parts, body) = request.into_parts();
            match Limited::new(body, MAX_BODY).collect().await {
                Ok(body) => page::answer(shared, &parts, &body.to_bytes(), is_sandbox),
                Err(_) => text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
            }
        }
        ["page.css"] => page::style(),
        _ => no_such_page(),
    }
}

fn no_such_page() -> Answer {
    text(StatusCode::NOT_FOUND, "there is no such page")
}

/// Waits as long as the faults say.
async fn misbehave(shared: &Shared) {
    let delay = shared.lock().faults.request_delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    wait_while(shared, |faults| faults.request_hang).await;
}

/// Waits as long as a fault lasts.
async fn wait_while(shared: &Shared, fault: impl Fn(&Faults) -> bool) {
    let mut faults = shared.watch_faults();
    while fault(&shared.lock().faults) {
        if faults.changed().await.is_err() {
            return;
        }
    }
}

/// Breaks the body off in the middle.
async fn garble(answer: Answer) -> Answer {
    let Ok(body) = answer.into_body().collect().await;
    let mut body = body.to_bytes();
    body.truncate(body.len() / 2);
    json(StatusCode::OK, body)
}

fn open_socket(mut request: Request<Incoming>, shared: &Arc<Shared>) -> Answer {
    if shared.lock().faults.socket_refuse {
        return text(StatusCode::SERVICE_UNAVAILABLE, "no sockets at the moment");
    }
    let Some(accept) = accept_key(&request) else {
        return text(StatusCode::BAD_REQUEST, "this is a WebSocket endpoint");
    };
    let place = Registration::new(shared);
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(place.run(upgrade));
    let mut answer = text(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = answer.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    answer
}

/// What a WebSocket handshake is answered with; `None` if it is none.
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

pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    with_type(status, "application/json", body.into())
}

pub(super) fn text(status: StatusCode, body: &'static str) -> Answer {
    with_type(status, "text/plain; charset=utf-8", body.into())
}

pub(super) fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    answer
}
