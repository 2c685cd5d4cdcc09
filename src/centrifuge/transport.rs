//! The WebSocket under a session.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::{
    CloseFrame, WebSocketConfig, frame::coding::CloseCode,
};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use url::{Host, Url};

use super::session::{Event, Session, cut};
use crate::clock::Clock;
use crate::error::{ConnectStep, SocketError};
use crate::net::{Tls, resolve};

/// The largest message that is read: room for some ten thousand publications.
const MAX_MESSAGE_BYTES: usize = 2 * 1024 * 1024;
/// The library's default of 128 KiB for each connection is for bulk; here a message is 100 bytes.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// How long a goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a connection needs to be opened.
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    pub(crate) tls: Tls,
    pub(crate) step_timeout: Duration,
    /// The connect data, which carries the user's token.
    pub(crate) data: Box<RawValue>,
}

/// Opens a connection and runs the session on it until it ends: with a reason, or without one when
/// `stop` is sent or dropped, or nobody listens to the events any more. `read` says what an event is
/// to the listener, or that it is nothing.
pub(crate) async fn run<T>(
    endpoint: Endpoint,
    session: &mut Session,
    clock: &Clock,
    read: impl Fn(Event) -> Option<T>,
    events: &mpsc::Sender<T>,
    mut stop: oneshot::Receiver<()>,
) -> Result<(), SocketError> {
    let mut socket = tokio::select! {
        socket = connect(&endpoint) => socket?,
        _ = &mut stop => return Ok(()),
    };
    session.open(&endpoint.data, clock.now());
    // The token has served.
    drop(endpoint);
    let end = tokio::select! {
        end = converse(&mut socket, session, clock, read, events) => end,
        _ = stop => Ok(()),
    };
    let goodbye = close_frame(&end);
    let _ = timeout(CLOSE_TIMEOUT, socket.close(Some(goodbye))).await;
    end
}

async fn converse<T>(
    socket: &mut Socket,
    session: &mut Session,
    clock: &Clock,
    read: impl Fn(Event) -> Option<T>,
    events: &mpsc::Sender<T>,
) -> Result<(), SocketError> {
    loop {
        while let Some(frame) = session.next_frame() {
            socket.send(Message::text(frame)).await.map_err(lost)?;
        }
        while let Some(event) = session.next_event() {
            if let Some(event) = read(event)
                && events.send(event).await.is_err()
            {
                return Ok(());
            }
        }
        let deadline = session.deadline();
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => session.receive(&text, clock.now())?,
                Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
                Some(Ok(Message::Binary(_))) => {
                    return Err(SocketError::Protocol("a binary message".to_owned()));
                }
                // WebSocket's own pings are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(lost(error)),
                None => return Err(SocketError::Lost("the connection ended".to_owned())),
            },
            () = clock.sleep_until(deadline) => session.check_deadlines(clock.now())?,
        }
    }
}

async fn connect(endpoint: &Endpoint) -> Result<Socket, SocketError> {
    let url = &endpoint.url;
    let stream = timeout(endpoint.step_timeout, connect_tcp(url))
        .await
        .map_err(|_| SocketError::TimedOut(ConnectStep::Tcp))??;
    let connector = match url.scheme() {
        "wss" => Connector::Rustls(endpoint.tls.config().map_err(SocketError::Tls)?),
        _ => Connector::Plain,
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0);
    let handshake =
        client_async_tls_with_config(url.as_str(), stream, Some(config), Some(connector));
    match timeout(endpoint.step_timeout, handshake).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(refused(error)),
        Err(_) => Err(SocketError::TimedOut(ConnectStep::Handshake)),
    }
}

async fn connect_tcp(url: &Url) -> Result<TcpStream, SocketError> {
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = match url.host() {
        Some(Host::Ipv4(ip)) => vec![(ip, port).into()],
        Some(Host::Ipv6(ip)) => vec![(ip, port).into()],
        Some(Host::Domain(name)) => resolve(name.to_owned(), port)
            .await
            .map_err(|error| SocketError::Resolve(error.to_string()))?,
        None => Vec::new(),
    };
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A pong is worth sending at once. A socket without the option works as well.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(SocketError::Connect(last.to_string()))
}

fn refused(error: WsError) -> SocketError {
    match error {
        WsError::Http(response) => SocketError::Handshake {
            status: Some(response.status().as_u16()),
            message: "the upgrade was refused".to_owned(),
        },
        WsError::Tls(error) => SocketError::Tls(error.to_string()),
        // rustls reports a bad certificate as an IO error.
        WsError::Io(error) if error.get_ref().is_some_and(|e| e.is::<rustls::Error>()) => {
            SocketError::Tls(error.to_string())
        }
        WsError::Io(error) => SocketError::Lost(error.to_string()),
        error => SocketError::Handshake {
            status: None,
            message: cut(&error.to_string()),
        },
    }
}

fn lost(error: WsError) -> SocketError {
    match error {
        WsError::Capacity(_) => SocketError::Protocol("a message that is too large".to_owned()),
        WsError::Utf8(_) => SocketError::Protocol("text that is no UTF-8".to_owned()),
        error => SocketError::Lost(cut(&error.to_string())),
    }
}

fn closed(frame: Option<CloseFrame>) -> SocketError {
    match frame {
        Some(frame) => SocketError::Closed {
            code: u16::from(frame.code).into(),
            reason: cut(&frame.reason),
        },
        None => SocketError::Lost("the server closed without a code".to_owned()),
    }
}

fn close_frame(end: &Result<(), SocketError>) -> CloseFrame {
    let code = match end {
        Err(SocketError::Protocol(_)) => CloseCode::Protocol,
        _ => CloseCode::Normal,
    };
    CloseFrame {
        code,
        reason: Utf8Bytes::from_static(""),
    }
}
