//! HTTP requests, and the TLS configuration that sockets share with them.

use std::sync::Arc;

use reqwest::{Client, ClientBuilder, redirect};
use rustls::ClientConfig;
use tokio::sync::OnceCell;
use url::Url;

use crate::model::error::RequestError;
use crate::model::http::{MAX_BODY_BYTES, Request, Response};
use crate::platform::native::dns::Resolver;
use crate::platform::native::tls::{load_tls, no_roots};
use crate::platform::request::{build, read_head, read_network_error, too_large};

/// The clients and the TLS configuration, which are created when they are first needed and shared by all players.
#[derive(Debug, Default)]
pub(crate) struct Network {
    tls: OnceCell<Arc<ClientConfig>>,
    encrypted: OnceCell<Clients>,
    loopback: OnceCell<Clients>,
}

#[derive(Debug)]
struct Clients {
    reading: Client,
    /// This client reuses no connection. A connection that was lost meanwhile would make a purchase fail, which
    /// cannot be repeated like a request that only reads.
    creating: Client,
}

impl Network {
    /// Returns the TLS configuration, or the reason that there is none. After a failure, the next call tries
    /// again.
    pub(super) async fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        let loaded = || async { load_tls().await.map(Arc::new) };
        self.tls.get_or_try_init(loaded).await.cloned()
    }

    /// Sends a request and reads the answer, of any status.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, RequestError> {
        let clients = self.clients(&request.url).await?;
        let client = match request.body {
            Some(_) => &clients.creating,
            None => &clients.reading,
        };
        let timeout = request.timeout;
        let builder = build(client, request)?.timeout(timeout);
        let mut answer = builder.send().await.map_err(read_network_error)?;
        let mut response = read_head(&answer);
        while let Some(chunk) = answer.chunk().await.map_err(read_network_error)? {
            if response.body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(too_large());
            }
            response.body.extend_from_slice(&chunk);
        }
        Ok(response)
    }

    async fn clients(&self, url: &Url) -> Result<&Clients, RequestError> {
        if url.scheme() == "http" {
            let made = || async {
                // The library needs a TLS configuration even for unencrypted requests.
                let tls = no_roots().map_err(|error| RequestError::Network(error.to_string()))?;
                // No proxy is used, because it would receive the token in plain text on another machine.
                build_clients(&|| Client::builder().no_proxy(), &tls)
            };
            return self.loopback.get_or_try_init(made).await;
        }
        let made = || async {
            let tls = self.tls().await.map_err(RequestError::Network)?;
            // The system's proxy is used, if there is one.
            build_clients(&Client::builder, &tls)
        };
        self.encrypted.get_or_try_init(made).await
    }
}

fn build_clients(
    builder: &dyn Fn() -> ClientBuilder,
    tls: &ClientConfig,
) -> Result<Clients, RequestError> {
    let builder = || {
        builder()
            .tls_backend_preconfigured(tls.clone())
            .dns_resolver(Arc::new(Resolver))
            // The store's API has no redirects, and the token must not be sent to another address.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("bevy_xsolla/", env!("CARGO_PKG_VERSION")))
    };
    let creating = builder().pool_max_idle_per_host(0);
    Ok(Clients {
        reading: builder().build().map_err(read_network_error)?,
        creating: creating.build().map_err(read_network_error)?,
    })
}
