//! Connections for HTTP requests: directly or through the system's proxy, with TLS.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use hyper::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use crate::platform::native::dns::resolve;
use crate::platform::native::throttle::Throttled;

/// How long connecting may take. It is shared among the addresses of a host, so that one that does not answer does not
/// use up the time of the others.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection may be silent before the system checks that it still exists.
const KEEPALIVE: Duration = Duration::from_secs(15);

type Failure = Box<dyn Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// The bytes of a connection, in whatever they are wrapped.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Bytes for S {}

type Stream = TokioIo<Box<dyn Bytes>>;

impl Connection for Box<dyn Bytes> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Opens the connections of an HTTP client.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    direct: Direct,
    /// The system's proxies.
    proxies: Option<Arc<Matcher>>,
}

impl Connector {
    /// Makes a connector for servers on this machine. It uses no proxy, because that would receive the token in plain
    /// text on another machine.
    pub(super) fn for_loopback() -> Self {
        Self {
            direct: Direct::new(None),
            proxies: None,
        }
    }

    pub(super) fn encrypted(tls: Arc<ClientConfig>) -> Self {
        Self {
            direct: Direct::new(Some(tls)),
            proxies: Some(Arc::new(Matcher::from_system())),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Failure;
    type Future = Connecting<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let mut direct = self.direct.clone();
        let proxies = self.proxies.as_ref();
        let Some(proxy) = proxies.and_then(|proxies| proxies.intercept(&server)) else {
            return in_time(direct.call(server));
        };
        in_time(async move {
            if !matches!(proxy.uri().scheme_str(), Some("http" | "https")) {
                return Err("the system's proxy is not an HTTP proxy".into());
            }
            let mut tunnel = Tunnel::new(proxy.uri().clone(), direct.clone());
            if let Some(authorization) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(authorization.clone());
            }
            let stream = tunnel.call(server.clone()).await?;
            direct.encrypt(&server, stream.into_inner()).await
        })
    }
}

/// Bounds the time for all steps of connecting: a server or a proxy may accept a connection and then say nothing.
fn in_time<T>(
    connecting: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Connecting<T> {
    Box::pin(async {
        let connected = timeout(CONNECT_TIMEOUT, connecting).await;
        connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    })
}

/// Opens connections without a proxy.
#[derive(Clone, Debug)]
struct Direct {
    tcp: HttpConnector<Resolver>,
    tls: Option<Arc<ClientConfig>>,
}

impl Direct {
    fn new(tls: Option<Arc<ClientConfig>>) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver);
        // The encryption is added here.
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_nodelay(true);
        Self { tcp, tls }
    }

    /// Adds TLS if the address wants it.
    async fn encrypt(&self, server: &Uri, stream: Box<dyn Bytes>) -> Result<Stream, Failure> {
        if server.scheme_str() != Some("https") {
            return Ok(TokioIo::new(stream));
        }
        let tls = self.tls.clone().ok_or("there is no TLS for this server")?;
        let host = server.host().unwrap_or_default();
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host)?;
        let stream = TlsConnector::from(tls).connect(name, stream).await?;
        Ok(TokioIo::new(Box::new(stream)))
    }
}

impl Service<Uri> for Direct {
    type Response = Stream;
    type Error = Failure;
    type Future = Connecting<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let mut this = self.clone();
        Box::pin(async move {
            let stream = this.tcp.call(server.clone()).await?.into_inner();
            this.encrypt(&server, Box::new(Throttled::new(stream)))
                .await
        })
    }
}

#[derive(Clone, Debug)]
struct Resolver;

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, host: Name) -> Self::Future {
        // The connector puts in the port.
        Box::pin(async move { Ok(resolve(host.as_str(), 0).await?.into_iter()) })
    }
}
