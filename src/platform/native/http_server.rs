//! A small HTTP server for webhooks.
//!
//! It keeps a number of connections. When one more comes, the oldest that has sent no whole request is closed, so that
//! connections which say nothing, or say it slowly, keep nobody out.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::model::webhook::WebhookAnswer;

/// The headers of a proxy are small, and nobody else sends more.
const MAX_HEAD: usize = 16 * 1024;
/// The pause after the system has given no connection, which is most often for lack of file descriptors.
const REST: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    /// The largest body in bytes.
    pub(crate) body: usize,
    /// The time that the head and the body of a request may take each.
    pub(crate) patience: Duration,
}

/// A request by `POST`, with its whole body.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) peer: IpAddr,
    /// The last address that a proxy has put into `X-Forwarded-For`.
    pub(crate) forwarded_for: Option<IpAddr>,
    /// The `Authorization` header; empty where it is missing.
    pub(crate) authorization: String,
    pub(crate) body: Bytes,
}

pub(crate) struct Server {
    listener: TcpListener,
    limits: Limits,
    /// The connections, oldest first.
    connections: Vec<Arc<Connection>>,
}

#[derive(Default)]
struct Connection {
    /// Whether a whole request is being answered.
    is_busy: AtomicBool,
    close: Notify,
}

impl Server {
    pub(crate) async fn bind(address: SocketAddr, limits: Limits) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            limits,
            connections: Vec::new(),
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers requests until it is dropped. Connections of peers that are not allowed are closed without a word.
    pub(crate) async fn run<F, A>(mut self, is_allowed: impl Fn(IpAddr) -> bool, answer: F)
    where
        F: Fn(Post) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = WebhookAnswer> + Send + 'static,
    {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let peer = peer.ip().to_canonical();
                    if is_allowed(peer)
                        && let Some(connection) = self.admit()
                    {
                        let limits = self.limits;
                        tokio::spawn(serve(stream, peer, limits, connection, answer.clone()));
                    }
                }
                Err(_) => {
                    self.close_oldest();
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Makes room for a connection. There is none where all are busy with whole requests.
    fn admit(&mut self) -> Option<Arc<Connection>> {
        if self.connections.len() >= self.limits.connections {
            // The tasks of connections that have ended have dropped theirs.
            self.connections.retain(|it| Arc::strong_count(it) > 1);
        }
        if self.connections.len() >= self.limits.connections && !self.close_oldest() {
            return None;
        }
        let connection = Arc::<Connection>::default();
        self.connections.push(connection.clone());
        Some(connection)
    }

    /// Closes the oldest connection that has sent no whole request, if there is one.
    fn close_oldest(&mut self) -> bool {
        let is_idle = |it: &Arc<Connection>| !it.is_busy.load(Ordering::Relaxed);
        let Some(oldest) = self.connections.iter().position(is_idle) else {
            return false;
        };
        self.connections.remove(oldest).close.notify_one();
        true
    }
}

async fn serve<F, A>(
    stream: TcpStream,
    peer: IpAddr,
    limits: Limits,
    connection: Arc<Connection>,
    answer: F,
) where
    F: Fn(Post) -> A,
    A: Future<Output = WebhookAnswer>,
{
    // Where the system refuses it, answers are merely late.
    let _ = stream.set_nodelay(true);
    let service = service_fn(async |request| {
        let response = match read(request, peer, limits).await {
            Ok(post) => {
                connection.is_busy.store(true, Ordering::Relaxed);
                response(answer(post).await)
            }
            Err(response) => response,
        };
        connection.is_busy.store(false, Ordering::Relaxed);
        Ok::<_, Infallible>(response)
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.patience)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error is a client that went away or sent no HTTP.
        _ = served => {}
        () = connection.close.notified() => {}
    }
}

type Answer = Response<Full<Bytes>>;

/// Reads a request. The error is the answer to one that is not taken.
async fn read(request: Request<Incoming>, peer: IpAddr, limits: Limits) -> Result<Post, Answer> {
    if request.method() != Method::POST {
        let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED);
        let post = HeaderValue::from_static("POST");
        answer.headers_mut().insert(ALLOW, post);
        return Err(answer);
    }
    let headers = request.headers();
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let authorization = headers.get(AUTHORIZATION).and_then(text);
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let forwarded_for = forwarded.and_then(text).and_then(|list| {
        let last = list.rsplit(',').next()?;
        last.trim().parse::<IpAddr>().ok()
    });
    let body = Limited::new(request.into_body(), limits.body).collect();
    let body = match tokio::time::timeout(limits.patience, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return Err(refusal(StatusCode::PAYLOAD_TOO_LARGE)),
        Err(_) => return Err(refusal(StatusCode::REQUEST_TIMEOUT)),
    };
    Ok(Post {
        peer,
        forwarded_for: forwarded_for.map(|address| address.to_canonical()),
        authorization: authorization.unwrap_or_default(),
        body,
    })
}

/// An answer to a request whose body was not read to its end.
fn refusal(status: StatusCode) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(CONNECTION, close);
    answer
}

fn response(webhook: WebhookAnswer) -> Answer {
    let has_body = !webhook.body.is_empty();
    let mut answer = Answer::new(Full::new(webhook.body.into()));
    // All statuses of ours are valid.
    *answer.status_mut() = StatusCode::from_u16(webhook.status).unwrap_or_default();
    if has_body {
        let json = HeaderValue::from_static("application/json");
        answer.headers_mut().insert(CONTENT_TYPE, json);
    }
    answer
}
