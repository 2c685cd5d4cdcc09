//! The connection of a socket, from the upgrade to its end.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use super::frames::{BAD_REQUEST, PROTOCOL_ERROR, TOO_LARGE, publication_lines, subscription_line};
use super::session::Session;
use crate::emulator::world::shared::Shared;
use crate::emulator::world::sockets::{Close, Outgoing, SocketId};

/// The number of messages that Centrifuge's writer puts into one frame.
const MAX_LINES: usize = 16;

/// The largest message that Centrifugo takes by default.
const MAX_MESSAGE: usize = 64 * 1024;

/// What is read from a socket at a time. Each socket has a buffer of this size, and allocators give large ones back
/// late or never. Longer messages make it grow.
const READ_BUFFER: usize = 1024;

/// The longest reason that fits into a close frame, in bytes.
const MAX_REASON: usize = 123;

/// The time that a client has for its half of the closing handshake, as in Centrifuge.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

/// Opens a socket on the connection of an HTTP request, which the HTTP server hands over after its answer.
pub(crate) fn open(shared: &Shared, upgrade: OnUpgrade) {
    let place = Place::new(shared.clone());
    tokio::spawn(async move {
        let ended = tokio::select! {
            biased;
            () = place.cut() => None,
            ended = converse(&place, upgrade) => ended,
        };
        // The socket does not count as open while the closing handshake goes on.
        drop(place);
        if let Some((socket, end)) = ended {
            finish(socket, end).await;
        }
    });
}

/// A socket's place in the registry, held by its task.
struct Place {
    shared: Shared,
    id: SocketId,
}

impl Place {
    fn new(shared: Shared) -> Self {
        let id = shared.lock().sockets.open();
        Self { shared, id }
    }

    /// Waits until the socket is removed from the registry.
    async fn cut(&self) {
        let is_cut = self
            .shared
            .wait_for(|state, waker| state.sockets.watch(self.id, waker).is_none().then_some(()));
        is_cut.await;
    }

    /// Waits until there is something to send and no fault that holds it back.
    async fn outgoing(&self) -> Vec<Outgoing> {
        let outgoing = self.shared.wait_for(|state, waker| {
            let hangs = state.faults().socket_hang;
            let socket = state.sockets.watch(self.id, waker)?;
            if hangs { None } else { socket.take_outgoing() }
        });
        outgoing.await
    }

    /// Whether a fault keeps the socket silent.
    fn hangs(&self) -> bool {
        self.shared.lock().faults().socket_hang
    }

    /// Waits until that fault begins or ends.
    async fn hang_changes(&self, hangs: bool) {
        let change = self.shared.wait_for(|state, waker| {
            state.sockets.watch(self.id, waker)?;
            (state.faults().socket_hang != hangs).then_some(())
        });
        change.await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.lock().sockets.remove(self.id);
    }
}

enum End {
    /// The client is gone or going.
    Client,
    Close(Close),
}

impl From<tungstenite::Error> for End {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Capacity(_) => Self::Close(TOO_LARGE),
            // Centrifuge looks at the text only when it reads a command from it.
            tungstenite::Error::Utf8(_) => Self::Close(BAD_REQUEST),
            tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Client
            }
            tungstenite::Error::Protocol(_) => Self::Close(PROTOCOL_ERROR),
            _ => Self::Client,
        }
    }
}

async fn converse(place: &Place, upgrade: OnUpgrade) -> Option<(WebSocket, End)> {
    let upgraded = upgrade.await.ok()?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let io = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let end = run(place, &mut socket).await;
    if let End::Close(close) = &end {
        place.shared.lock().counters.closes.push(close.code);
    }
    Some((socket, end))
}

async fn run(place: &Place, socket: &mut WebSocket) -> End {
    let mut session = Session::new(place.id, Instant::now());
    // Frames are kept here while the socket is silent.
    let mut unread: Vec<String> = Vec::new();
    loop {
        let hangs = place.hangs();
        if !hangs {
            for frame in unread.drain(..) {
                session.read(&mut place.shared.lock(), &frame);
            }
        }
        let deadline = session.deadline();
        tokio::select! {
            biased;
            () = place.hang_changes(hangs) => {}
            outgoing = place.outgoing() => {
                if let Err(end) = write(socket, outgoing).await {
                    return end;
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => unread.push(text.to_string()),
                Some(Ok(Message::Binary(bytes))) => {
                    unread.push(String::from_utf8_lossy(&bytes).into_owned());
                }
                Some(Err(error)) => return error.into(),
                Some(Ok(Message::Close(_))) | None => return End::Client,
                Some(Ok(_)) => {}
            },
            () = sleep_until(deadline.into()), if !hangs => {
                session.tick(&mut place.shared.lock(), Instant::now());
            }
        }
    }
}

/// Sends a queue in as few frames as possible, as Centrifuge's writer does.
async fn write(socket: &mut WebSocket, outgoing: Vec<Outgoing>) -> Result<(), End> {
    let mut lines = Vec::new();
    for next in outgoing {
        match next {
            Outgoing::Reply(line) => lines.push(line),
            Outgoing::Publications {
                channel,
                publications,
            } => lines.extend(publication_lines(&channel, &publications)),
            Outgoing::Subscription { channel, position } => {
                lines.push(subscription_line(&channel, position));
            }
            Outgoing::Frame(text) => {
                write_lines(socket, std::mem::take(&mut lines)).await?;
                write_lines(socket, vec![text]).await?;
            }
            Outgoing::Close(close) => {
                write_lines(socket, lines).await?;
                return Err(End::Close(close));
            }
        }
    }
    write_lines(socket, lines).await
}

async fn write_lines(socket: &mut WebSocket, lines: Vec<String>) -> Result<(), End> {
    for frame in lines.chunks(MAX_LINES) {
        let sent = socket.send(Message::text(frame.join("\n"))).await;
        sent.map_err(|_| End::Client)?;
    }
    Ok(())
}

/// Closes the WebSocket, waits for the client to do the same, and ends the connection.
async fn finish(mut socket: WebSocket, end: End) {
    let closing = async {
        if let End::Close(Close { code, reason }) = end {
            let length = reason.floor_char_boundary(MAX_REASON);
            let frame = CloseFrame {
                code: code.into(),
                reason: reason.get(..length).unwrap_or_default().into(),
            };
            // A pong that is due goes before it, because nothing may come after it.
            if socket.flush().await.is_err() || socket.close(Some(frame)).await.is_err() {
                return;
            }
        }
        while let Some(Ok(_)) = socket.next().await {}
        linger(socket.get_mut()).await;
    };
    // A client that takes longer is cut off.
    let _ = timeout(CLOSE_GRACE, closing).await;
}

/// Ends our half of a connection, and waits for the end of the client's. What the client still sends is read: the
/// system resets a connection that was given up before, and a reset takes from the client what it has not read yet,
/// such as the close frame.
async fn linger(io: &mut TokioIo<Upgraded>) {
    let mut io = Pin::new(io);
    let mut ended = poll_fn(|context| io.as_mut().poll_shutdown(context)).await;
    // It is not in the task, where it would be part of every socket.
    let mut buffer = vec![0; 16 * 1024];
    while ended.is_ok() {
        let mut read = ReadBuf::new(&mut buffer);
        ended = poll_fn(|context| io.as_mut().poll_read(context, &mut read)).await;
        if read.filled().is_empty() {
            return;
        }
    }
}
