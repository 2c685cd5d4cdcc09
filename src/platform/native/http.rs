//! Requests over HTTP, and the TLS configuration that sockets share with them.

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
                // The library wants a TLS configuration for whatever it may be asked for.
                let tls = no_roots().map_err(|error| RequestError::Network(error.to_string()))?;
                // Without a proxy: what it was sent would be plain text to another machine.
                build_clients(&|| Client::builder().no_proxy(), &tls)
            };
            return self.loopback.get_or_try_init(made).await;
        }
        let made = || async {
            let tls = self.tls().await.map_err(RequestError::Network)?;
            // Through the system's proxy, where there is one.
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
            // An API has nowhere to redirect to, and the token must not follow.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("bevy_xsolla/", env!("CARGO_PKG_VERSION")))
    };
    let creating = builder().pool_max_idle_per_host(0);
    Ok(Clients {
        reading: builder().build().map_err(read_network_error)?,
        creating: creating.build().map_err(read_network_error)?,
    })
}
