//! Requests over HTTP, and the TLS configuration that sockets share with them.

use std::error::Error as _;
use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, redirect};
use rustls::ClientConfig;
use tokio::sync::OnceCell;
use url::Url;

use crate::model::error::RequestError;
use crate::model::http::{MAX_BODY_BYTES, Request, Response};
use crate::platform::native::dns::Resolver;
use crate::platform::native::tls::{load_tls, no_roots};

/// What it takes to reach the servers, made when it is first needed. All players share it.
#[derive(Debug, Default)]
pub(crate) struct Network {
    tls: OnceCell<Arc<ClientConfig>>,
    encrypted: OnceCell<Clients>,
    loopback: OnceCell<Clients>,
}

#[derive(Debug)]
struct Clients {
    reading: Client,
    /// Keeps no connection for the next request: one that has died meanwhile would make a purchase fail,
    /// which cannot be repeated like a request that only reads.
    creating: Client,
}

impl Network {
    /// The TLS configuration, or why there is none. A failure is tried again the next time.
    pub(super) async fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        let loaded = || async { load_tls().await.map(Arc::new) };
        self.tls.get_or_try_init(loaded).await.cloned()
    }

    /// Sends a request, and reads the answer whatever its status.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, RequestError> {
        let clients = self.clients(&request.url).await?;
        let mut builder = match request.body {
            Some(body) => clients
                .creating
                .post(request.url)
                .header(CONTENT_TYPE, "application/json")
                .body(body),
            None => clients.reading.get(request.url),
        };
        if let Some(user) = &request.user {
            let value = HeaderValue::try_from(format!("Bearer {}", user.token()));
            let mut value = value.map_err(|_| RequestError::BadToken)?;
            // It keeps the value out of the libraries' logs and Debug output.
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        let builder = builder.timeout(request.timeout);
        let mut answer = builder.send().await.map_err(network)?;
        let retry_after = answer.headers().get(RETRY_AFTER);
        let mut response = Response {
            status: answer.status().as_u16(),
            retry_after: retry_after.and_then(|text| text.to_str().ok().map(str::to_owned)),
            body: Vec::new(),
        };
        while let Some(chunk) = answer.chunk().await.map_err(network)? {
            if response.body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(RequestError::Malformed("it is too large".to_owned()));
            }
            response.body.extend_from_slice(&chunk);
        }
        Ok(response)
    }

    async fn clients(&self, url: &Url) -> Result<&Clients, RequestError> {
        if url.scheme() == "http" {
            let made = || async {
                // The library wants a TLS configuration for whatever it may be asked for.
                let tls = no_roots().map_err(|error| RequestError::Network(error.to_string()))?;
                // Without a proxy: what it was sent would be plain text to another machine.
                build(&|| Client::builder().no_proxy(), &tls)
            };
            return self.loopback.get_or_try_init(made).await;
        }
        let made = || async {
            let tls = self.tls().await.map_err(RequestError::Network)?;
            // Through the system's proxy, where there is one.
            build(&Client::builder, &tls)
        };
        self.encrypted.get_or_try_init(made).await
    }
}

fn build(builder: &dyn Fn() -> ClientBuilder, tls: &ClientConfig) -> Result<Clients, RequestError> {
    let builder = || {
        builder()
            .tls_backend_preconfigured(tls.clone())
            .dns_resolver(Arc::new(Resolver))
            // An API has nowhere to redirect to, and the token must not follow.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("bevy_xsolla/", env!("CARGO_PKG_VERSION")))
    };
    Ok(Clients {
        reading: builder().build().map_err(network)?,
        creating: builder()
            .pool_max_idle_per_host(0)
            .build()
            .map_err(network)?,
    })
}

/// reqwest's errors without the URL, with what caused them.
fn network(error: reqwest::Error) -> RequestError {
    if error.is_timeout() {
        return RequestError::TimedOut;
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    RequestError::Network(text)
}
