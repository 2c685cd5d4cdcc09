//! One attempt to send a webhook, on a connection of its own.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::body::SentBody;
use crate::emulator::world::webhook_records::WebhookFailure;
use crate::emulator::world::webhooks::Sending;
use crate::model::webhook::WebhookAnswer;

/// The time that Xsolla waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The largest body of an answer.
const MAX_ANSWER: usize = 64 * 1024;

pub(super) async fn send(sending: &Sending) -> Result<WebhookAnswer, WebhookFailure> {
    let patience = PATIENCE.saturating_add(sending.slowness);
    match timeout(patience, exchange(sending)).await {
        Ok(Err(WebhookFailure::Broken(_))) if sending.is_cut => Err(WebhookFailure::Cut),
        Ok(answer) => answer,
        Err(_) => Err(WebhookFailure::TimedOut),
    }
}

async fn exchange(sending: &Sending) -> Result<WebhookAnswer, WebhookFailure> {
    let uri = sending.address.uri();
    let stream = connect(uri).await;
    let stream = stream.map_err(|error| WebhookFailure::Unreachable(error.to_string()))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // The connection ends with this set.
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let request = request(uri, sending).map_err(broken)?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), MAX_ANSWER);
    let body = body.collect().await.map_err(broken)?.to_bytes();
    Ok(WebhookAnswer {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

async fn connect(uri: &Uri) -> std::io::Result<TcpStream> {
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
    // The pieces of a slow body are not to wait for each other.
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn request(uri: &Uri, sending: &Sending) -> Result<Request<SentBody>, hyper::http::Error> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let body = &*sending.webhook.body;
    Request::post(path)
        .header(HOST, host)
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, body.len())
        .header(AUTHORIZATION, &sending.authorization)
        .body(SentBody::new(body, sending.slowness, sending.is_cut))
}

/// The messages of hyper's errors alone do not say what happened.
fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> WebhookFailure {
    let error = error.into();
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    WebhookFailure::Broken(message)
}
