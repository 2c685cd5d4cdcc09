//! A WebSocket on Tokio.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use crate::model::address::{Address, Host};
use crate::model::error::{ConnectStep, SocketError, shorten};
use crate::model::http::MAX_MESSAGE_BYTES;
use crate::platform::native::dns::resolve;
use crate::platform::native::http::Network;
use crate::platform::native::throttle::Throttled;

/// The size of the read buffer. The library's default of 128 KiB for each connection is for bulk data, but
/// messages here have about 100 bytes.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// How long the closing handshake may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// An open connection.
#[derive(Debug)]
pub(crate) struct WebSocket {
    stream: WebSocketStream<MaybeTlsStream<Throttled<TcpStream>>>,
    /// How long the peer may take to read what is sent.
    patience: Duration,
}

impl WebSocket {
    /// Opens a connection. Each step may take `step_timeout`.
    pub(crate) async fn connect(
        network: &Network,
        address: &Address,
        step_timeout: Duration,
    ) -> Result<Self, SocketError> {
        let connector = match address.scheme() {
            "wss" => Connector::Rustls(network.tls().await.map_err(SocketError::Tls)?),
            _ => Connector::Plain,
        };
        let stream = timeout(step_timeout, connect_tcp(address, step_timeout))
            .await
            .map_err(|_| SocketError::TimedOut(ConnectStep::Tcp))??;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES))
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0);
        let handshake = client_async_tls_with_config(
            address.uri(),
            Throttled::new(stream),
            Some(config),
            Some(connector),
        );
        match timeout(step_timeout, handshake).await {
            Ok(Ok((stream, _))) => Ok(Self {
                stream,
                patience: step_timeout,
            }),
            Ok(Err(error)) => Err(refused(error)),
            Err(_) => Err(SocketError::TimedOut(ConnectStep::Handshake)),
        }
    }

    /// Waits for the next text message. The future may be dropped and created again at any time. An error is the
    /// end of the connection.
    pub(crate) async fn next(&mut self) -> Result<Utf8Bytes, SocketError> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
                Some(Ok(Message::Binary(_))) => {
                    return Err(SocketError::Protocol("a binary message".to_owned()));
                }
                // The library answers WebSocket's own pings.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(lost(error)),
                None => return Err(SocketError::Lost("the connection ended".to_owned())),
            }
        }
    }

    pub(crate) async fn send(&mut self, text: String) -> Result<(), SocketError> {
        // A connection whose peer has stopped reading is lost.
        timeout(self.patience, self.stream.send(Message::text(text)))
            .await
            .map_err(|_| SocketError::Lost("nothing can be sent".to_owned()))?
            .map_err(lost)
    }

    /// Sends the first text message of a connection, which contains the player's token. It bypasses the library,
    /// which logs at `trace` every message that it sends, in plain text and in hexadecimal.
    ///
    /// This is safe for the first message only, while the library's own buffer is empty.
    pub(crate) async fn send_unlogged(&mut self, text: String) -> Result<(), SocketError> {
        let mut frame = Frame::message(text, OpCode::Data(Data::Text), true);
        // The mask protects web proxies from messages that a page has chosen. Here there is TLS or loopback, so it
        // need not be unpredictable.
        frame.header_mut().mask = Some(fastrand::u32(..).to_ne_bytes());
        let mut bytes = Vec::new();
        frame.format(&mut bytes).map_err(lost)?;
        let stream = self.stream.get_mut();
        let sent = async {
            stream.write_all(&bytes).await?;
            stream.flush().await
        };
        timeout(self.patience, sent)
            .await
            .map_err(|_| SocketError::Lost("nothing can be sent".to_owned()))?
            .map_err(|error| SocketError::Lost(error.to_string()))
    }

    /// Closes the connection, with a close code for its end.
    pub(crate) async fn close(mut self, end: &Result<(), SocketError>) {
        let code = match end {
            Err(SocketError::Protocol(_)) => CloseCode::Protocol,
            _ => CloseCode::Normal,
        };
        let goodbye = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(""),
        };
        let _ = timeout(CLOSE_TIMEOUT, self.stream.close(Some(goodbye))).await;
    }
}

async fn connect_tcp(address: &Address, patience: Duration) -> Result<TcpStream, SocketError> {
    let port = address.uri().port_u16();
    let port = port.unwrap_or(if address.scheme() == "wss" { 443 } else { 80 });
    let addresses = match address.host() {
        Host::Ip(ip) => vec![(ip, port).into()],
        Host::Name(name) => resolve(name, port)
            .await
            .map_err(|error| SocketError::Resolve(error.to_string()))?,
    };
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    // An address that does not answer (often one of IPv6) must not use up the time of the others.
    let share = patience / u32::try_from(addresses.len() + 1).unwrap_or(u32::MAX);
    for address in addresses {
        let attempt = timeout(share, TcpStream::connect(address)).await;
        match attempt.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                // A pong is sent at once, without waiting for more data. A socket without the option works as
                // well.
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
