//! The order-status socket of a player. The machine decides when it is opened, replaced and closed.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::centrifuge::session::{Event, Session, Settings};
use crate::machine::input::{ConnectionId, Input};
use crate::model::config::XsollaConfig;
use crate::model::error::SocketError;
use crate::model::json::quote;
use crate::model::user::{UserId, XsollaUser};
use crate::platform::clock::Clock;
use crate::platform::http::Network;
use crate::platform::websocket::WebSocket;
use crate::tracker::counters::{Counters, UpSocket};
use crate::tracker::source::inbox::put;
use crate::wire::order::read_publication;

/// A connection to be opened.
#[derive(Debug)]
pub(in crate::tracker) struct Open {
    pub(in crate::tracker) connection: ConnectionId,
    pub(in crate::tracker) user: XsollaUser,
    pub(in crate::tracker) config: Arc<XsollaConfig>,
}

/// A handle to a socket's task. Dropping it closes the socket.
#[derive(Debug)]
pub(in crate::tracker) struct Socket {
    opens: mpsc::UnboundedSender<Open>,
    /// The connection that was asked for last.
    connection: ConnectionId,
    up: Option<UpSocket>,
    counters: Arc<Counters>,
}

/// Makes the handle of a socket, and the task that runs it.
pub(in crate::tracker) fn open(
    open: Open,
    inbox: mpsc::Sender<Input>,
    network: Arc<Network>,
    clock: Clock,
    counters: &Arc<Counters>,
) -> (Socket, impl Future<Output = ()> + use<>) {
    let (opens, replacements) = mpsc::unbounded_channel();
    let socket = Socket {
        opens,
        connection: open.connection,
        up: None,
        counters: counters.clone(),
    };
    (socket, run(open, replacements, inbox, network, clock))
}

impl Socket {
    /// Opens another connection in place of the earlier one. Returns `open` if the task is gone.
    pub(in crate::tracker) fn replace(&mut self, open: Open) -> Option<Open> {
        self.up = None;
        self.connection = open.connection;
        self.opens.send(open).err().map(|unsent| unsent.0)
    }

    /// Counts the socket as subscribed. A connection that was replaced does not count.
    pub(in crate::tracker) fn is_up(&mut self, connection: ConnectionId) {
        if connection == self.connection && self.up.is_none() {
            self.up = Some(UpSocket::new(&self.counters));
        }
    }

    pub(in crate::tracker) fn is_down(&mut self, connection: ConnectionId) {
        if connection == self.connection {
            self.up = None;
        }
    }
}

/// Runs one connection at a time, each in place of the one before, until the handle is dropped. The session
/// continues from one to the next.
async fn run(
    first: Open,
    mut replacements: mpsc::UnboundedReceiver<Open>,
    inbox: mpsc::Sender<Input>,
    network: Arc<Network>,
    clock: Clock,
) {
    let mut session = Session::new(Settings {
        step_timeout: first.config.connect_timeout,
        ping_grace: first.config.ping_grace,
    });
    let mut next = Some(first);
    while let Some(open) = next {
        let (user, connection) = (open.user.clone(), open.connection);
        let (stop, stopped) = oneshot::channel();
        let conversation = connect(open, &mut session, &inbox, &network, &clock, stopped);
        tokio::pin!(conversation);
        let end = tokio::select! {
            end = &mut conversation => end,
            replacement = replacements.recv() => {
                drop(stop);
                // The old connection closes, and its result does not matter.
                let _ = conversation.await;
                next = replacement;
                continue;
            }
        };
        if let Err(reason) = end {
            // The token is removed from the reason, in case a server repeats it.
            let reason = reason.map_text(|text| user.redact(text));
            log::debug!("the order-status socket ended: {reason}");
            let ended = Input::Ended {
                user: user.id().clone(),
                connection,
                reason,
            };
            put(&inbox, ended).await;
        }
        next = replacements.recv().await;
    }
}

/// Opens a connection and runs the session on it. Returns the reason if the connection ends, and `Ok` if
/// `stop` is dropped or the inbox is gone.
async fn connect(
    open: Open,
    session: &mut Session,
    inbox: &mpsc::Sender<Input>,
    network: &Network,
    clock: &Clock,
    mut stop: oneshot::Receiver<()>,
) -> Result<(), SocketError> {
    let endpoints = open.config.endpoints();
    let url = endpoints
        .map_err(|error| SocketError::Connect(error.to_string()))?
        .socket;
    let data = connect_data(&open.user, open.config.project_id);
    let mut socket = tokio::select! {
        socket = WebSocket::connect(network, &url, open.config.connect_timeout) => socket?,
        _ = &mut stop => return Ok(()),
    };
    session.open(&data, clock.now());
    if let Some(frame) = session.next_frame() {
        socket.send_unlogged(frame).await?;
    }
    let (user, connection) = (open.user.id().clone(), open.connection);
    // The token is not needed any more.
    drop((open, data));
    let end = tokio::select! {
        end = converse(&mut socket, session, (&user, connection), inbox, clock) => end,
        _ = stop => Ok(()),
    };
    socket.close(&end).await;
    end
}

async fn converse(
    socket: &mut WebSocket,
    session: &mut Session,
    (user, connection): (&UserId, ConnectionId),
    inbox: &mpsc::Sender<Input>,
    clock: &Clock,
) -> Result<(), SocketError> {
    loop {
        while let Some(frame) = session.next_frame() {
            socket.send(frame).await?;
        }
        let deadline = session.deadline();
        let heard = tokio::select! {
            text = socket.next() => match text {
                Ok(text) => session.receive(&text, clock.now()),
                Err(error) => Err(error),
            },
            () = clock.sleep_until_for_socket(deadline) => session.check_deadlines(clock.now()),
        };
        // Events from before the end of the connection still count. The place in the inbox is reserved first,
        // because an event that is taken out and then dropped would be lost: the session's position has moved
        // on.
        while session.has_event() {
            let Ok(place) = inbox.reserve().await else {
                return Ok(());
            };
            if let Some(input) = session
                .next_event()
                .and_then(|event| read(event, user, connection))
            {
                place.send(input);
            }
        }
        heard?;
    }
}

/// Converts an event of the session to an input, if it is one.
pub(in crate::tracker) fn read(
    event: Event,
    user: &UserId,
    connection: ConnectionId,
) -> Option<Input> {
    let user = user.clone();
    match event {
        Event::Publication(data) => match read_publication(data.get()) {
            Some(report) => Some(Input::News {
                user,
                connection,
                report,
            }),
            None => {
                log::debug!("a publication that is about no order");
                None
            }
        },
        Event::Subscribed {
            recovered,
            heard_all,
        } => Some(Input::Subscribed {
            user,
            connection,
            recovered,
            heard_all,
        }),
    }
}

/// Makes the connect data that Xsolla documents: `{user_external_id, auth, project_id}`. Today's SDKs leave
/// out the first field.
fn connect_data(user: &XsollaUser, project_id: u64) -> String {
    let id = match user.external_id() {
        Some(id) => format!(r#""user_external_id":{},"#, quote(id)),
        None => String::new(),
    };
    let token = quote(user.token());
    format!(r#"{{{id}"auth":{token},"project_id":{project_id}}}"#)
}
