//! The WebSocket under a session.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use serde_json::value::RawValue;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use url::{Host, Url};

use crate::centrifuge::session::{Event, Session};
use crate::model::error::{ConnectStep, SocketError, shorten};
use crate::platform::clock::Clock;
use crate::platform::dns::resolve;

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
    /// For `wss`.
    pub(crate) tls: Option<Arc<ClientConfig>>,
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
    let patience = endpoint.step_timeout;
    session.open(&endpoint.data, clock.now());
    if let Some(frame) = session.next_frame() {
        send_unlogged(&mut socket, frame, patience).await?;
    }
    // The token has served.
    drop(endpoint);
    let end = tokio::select! {
        end = converse(&mut socket, session, clock, patience, read, events) => end,
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
    patience: Duration,
    read: impl Fn(Event) -> Option<T>,
    events: &mpsc::Sender<T>,
) -> Result<(), SocketError> {
    loop {
        while let Some(frame) = session.next_frame() {
            // A peer that does not read any more is a connection that is lost.
            timeout(patience, socket.send(Message::text(frame)))
                .await
                .map_err(|_| SocketError::Lost("nothing can be sent".to_owned()))?
                .map_err(lost)?;
        }
        let deadline = session.deadline();
        let heard = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => session.receive(&text, clock.now()),
                Some(Ok(Message::Close(frame))) => Err(closed(frame)),
                Some(Ok(Message::Binary(_))) => {
                    Err(SocketError::Protocol("a binary message".to_owned()))
                }
                // WebSocket's own pings are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
                Some(Err(error)) => Err(lost(error)),
                None => Err(SocketError::Lost("the connection ended".to_owned())),
            },
            () = clock.sleep_until(deadline) => session.check_deadlines(clock.now()),
        };
        // Whatever ends the connection, what was heard before it counts. The place is reserved first:
        // an event that was taken out and then dropped would be lost, and its position moved on.
        while session.has_event() {
            let Ok(place) = events.reserve().await else {
                return Ok(());
            };
            if let Some(event) = session.next_event().and_then(&read) {
                place.send(event);
            }
        }
        heard?;
    }
}

/// Sends a text frame past the library, which logs at `trace` whatever it sends: in plain text, and
/// once more in hexadecimal. This frame carries the user's token.
///
/// Nothing waits in the library's own buffer yet, because this is the first frame of the connection.
async fn send_unlogged(
    socket: &mut Socket,
    text: String,
    patience: Duration,
) -> Result<(), SocketError> {
    let mut frame = Frame::message(text, OpCode::Data(Data::Text), true);
    // The mask keeps web proxies from being fooled by a page; here there is TLS or loopback.
    frame.header_mut().mask = Some(fastrand::u32(..).to_ne_bytes());
    let mut bytes = Vec::new();
    frame.format(&mut bytes).map_err(lost)?;
    let stream = socket.get_mut();
    let sent = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    timeout(patience, sent)
        .await
        .map_err(|_| SocketError::Lost("nothing can be sent".to_owned()))?
        .map_err(|error| SocketError::Lost(error.to_string()))
}

async fn connect(endpoint: &Endpoint) -> Result<Socket, SocketError> {
    let url = &endpoint.url;
    let stream = timeout(
        endpoint.step_timeout,
        connect_tcp(url, endpoint.step_timeout),
    )
    .await
    .map_err(|_| SocketError::TimedOut(ConnectStep::Tcp))??;
    let connector = match &endpoint.tls {
        Some(tls) => Connector::Rustls(tls.clone()),
        None => Connector::Plain,
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

async fn connect_tcp(url: &Url, patience: Duration) -> Result<TcpStream, SocketError> {
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
    // One address that leads nowhere (IPv6, often) must not use up the time of the others.
    let share = patience / u32::try_from(addresses.len() + 1).unwrap_or(u32::MAX);
    for address in addresses {
        let attempt = timeout(share, TcpStream::connect(address)).await;
        match attempt.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
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
            message: shorten(&error.to_string()),
        },
    }
}

fn lost(error: WsError) -> SocketError {
    match error {
        WsError::Capacity(_) => SocketError::Protocol("a message that is too large".to_owned()),
        WsError::Utf8(_) => SocketError::Protocol("text that is no UTF-8".to_owned()),
        error => SocketError::Lost(shorten(&error.to_string())),
    }
}

fn closed(frame: Option<CloseFrame>) -> SocketError {
    match frame {
        Some(frame) => SocketError::Closed {
            code: u16::from(frame.code).into(),
            reason: shorten(&frame.reason),
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
