//! HTTP requests, and the TLS configuration that sockets share with them.

use std::error::Error;
use std::io;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, InvalidHeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::model::address::Address;
use crate::model::error::RequestError;
use crate::model::http::{Credentials, MAX_BODY_BYTES, Request, Response};
use crate::platform::native::connect::Connector;
use crate::platform::native::errors::{causes, text};
use crate::platform::native::tls::load_tls;

/// The clients and the TLS configuration, which are created when they are first needed and shared by all players.
#[derive(Debug, Default)]
pub(crate) struct Network {
    tls: OnceCell<Arc<ClientConfig>>,
    encrypted: OnceCell<Clients>,
    loopback: OnceCell<Clients>,
}

#[derive(Debug)]
struct Clients {
    reading: Client<Connector, String>,
    /// This client reuses no connection. A connection that was lost meanwhile would make a purchase fail, which
    /// cannot be repeated like a request that only reads.
    creating: Client<Connector, String>,
}

impl Network {
    /// The same network without the connections that were kept.
    pub(crate) fn anew(&self) -> Self {
        Self {
            tls: self.tls.clone(),
            ..Self::default()
        }
    }

    /// Returns the TLS configuration, or the reason that there is none. After a failure, the next call tries
    /// again.
    pub(super) async fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        self.tls.get_or_try_init(load_tls).await.cloned()
    }

    /// Sends a request and reads the answer, of any status.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, RequestError> {
        let clients = self.clients(&request.address).await?;
        timeout(request.timeout, exchange(clients, request))
            .await
            .unwrap_or(Err(RequestError::TimedOut))
    }

    async fn clients(&self, address: &Address) -> Result<&Clients, RequestError> {
        if address.scheme() == "http" {
            let made = || async { Clients::new(Connector::for_loopback()) };
            return Ok(self.loopback.get_or_init(made).await);
        }
        let made = || async {
            let tls = self.tls().await.map_err(RequestError::Network)?;
            Ok(Clients::new(Connector::encrypted(tls)))
        };
        self.encrypted.get_or_try_init(made).await
    }
}

impl Clients {
    fn new(connector: Connector) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new());
        let reading = builder.build(connector.clone());
        let creating = builder.pool_max_idle_per_host(0).build(connector);
        Self { reading, creating }
    }
}

/// It follows no redirect: the store's API has none, and the token must not be sent to another address.
async fn exchange(clients: &Clients, request: Request) -> Result<Response, RequestError> {
    let client = match request.body {
        Some(_) => &clients.creating,
        None => &clients.reading,
    };
    let answer = client.request(build(request)?).await.map_err(network)?;
    let retry_after = answer.headers().get(RETRY_AFTER);
    let mut response = Response {
        status: answer.status().as_u16(),
        retry_after: retry_after.and_then(|text| text.to_str().ok().map(str::to_owned)),
        body: Vec::new(),
    };
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(network)?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        if response.body.len() + data.len() > MAX_BODY_BYTES {
            return Err(RequestError::Malformed("it is too large".to_owned()));
        }
        response.body.extend_from_slice(data);
    }
    Ok(response)
}

/// Converts a request to the library's.
fn build(request: Request) -> Result<hyper::Request<String>, RequestError> {
    let mut builder = hyper::Request::builder()
        .uri(request.address.uri())
        .header(ACCEPT, "*/*")
        .header(
            USER_AGENT,
            concat!("bevy_xsolla/", env!("CARGO_PKG_VERSION")),
        );
    if let Some(credentials) = &request.credentials {
        builder = builder.header(AUTHORIZATION, authorization(credentials)?);
    }
    let builder = match &request.body {
        Some(body) => builder
            .method("POST")
            .header(CONTENT_TYPE, body.content_type),
        None => builder,
    };
    let text = request.body.map(|body| body.text).unwrap_or_default();
    // Errors of the address are the only ones that are left. The library does not repeat the address.
    builder
        .body(text)
        .map_err(|error| RequestError::Network(error.to_string()))
}

fn authorization(credentials: &Credentials) -> Result<HeaderValue, RequestError> {
    let value = HeaderValue::try_from(credentials.header());
    let mut value = value.map_err(|_: InvalidHeaderValue| RequestError::BadToken)?;
    // This keeps the value out of the libraries' logs and `Debug` output.
    value.set_sensitive(true);
    Ok(value)
}

/// Converts the libraries' error to text with its causes.
fn network(error: impl Error + 'static) -> RequestError {
    let is_timeout = |cause: &(dyn Error + 'static)| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
    };
    if causes(&error).any(is_timeout) {
        return RequestError::TimedOut;
    }
    RequestError::Network(text(&error))
}
