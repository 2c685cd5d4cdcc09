//! The commands of a client that is connected, and the answers of a Centrifugo to them.
//!
//! That Centrifugo knows one namespace, which is that of the player's channel. Its clients may read the history of
//! the channel that they are subscribed to, and do nothing else.

use super::frames::{
    BAD_REQUEST, Command, Empty, HistoryRequest, HistoryResult, INVALID_TOKEN, NOT_AVAILABLE,
    PublishRequest, RefreshRequest, Reply, ServerError, SubscribeRequest,
};
use crate::emulator::world::accounts::Account;
use crate::emulator::world::sockets::{Close, SocketId};
use crate::emulator::world::state::State;
use crate::emulator::world::stream::HistoryError;

/// A command that is not carried out.
enum Refusal {
    Error(ServerError),
    Close(Close),
}

impl From<ServerError> for Refusal {
    fn from(error: ServerError) -> Self {
        Self::Error(error)
    }
}

impl From<Close> for Refusal {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        Self::Error(error.into())
    }
}

/// The relation of a channel to the player's own.
enum Kind<'a> {
    Subscribed(&'a Account),
    /// In the same namespace, such as that of another player.
    Sibling,
    /// Without a namespace, where the player's own has one.
    Plain,
    Unknown,
}

/// Executes a command.
pub(crate) fn serve(state: &mut State, socket: SocketId, command: Command) -> Result<Reply, Close> {
    let id = command.id;
    match execute(state, socket, command) {
        Ok(reply) => Ok(Reply { id, ..reply }),
        Err(Refusal::Error(error)) => Ok(Reply::error(id, error)),
        Err(Refusal::Close(close)) => Err(close),
    }
}

/// Where a line has several commands, one counts. The order is Centrifuge's.
fn execute(state: &mut State, socket: SocketId, command: Command) -> Result<Reply, Refusal> {
    if command.connect.is_some() {
        return Err(BAD_REQUEST.into());
    }
    if let Some(request) = command.subscribe {
        return Err(subscribe(state, socket, &request));
    }
    if let Some(request) = command.unsubscribe {
        return unsubscribe(state, socket, &request.channel);
    }
    if let Some(request) = command.publish {
        return Err(publish(state, socket, &request));
    }
    if let Some(request) = command.presence.or(command.presence_stats) {
        return Err(presence(state, socket, &request.channel));
    }
    if let Some(request) = command.history {
        state.counters.history_requests += 1;
        return history(state, socket, &request);
    }
    if command.rpc.is_some() {
        return Err(ServerError::NOT_AVAILABLE.into());
    }
    if command.send.is_some() {
        // A `send` has no reply.
        return Err(NOT_AVAILABLE.into());
    }
    if let Some(request) = command.refresh {
        return Err(refresh(&request));
    }
    if let Some(request) = command.sub_refresh {
        return Err(sub_refresh(state, socket, &request.channel));
    }
    Err(BAD_REQUEST.into())
}

fn kind<'a>(state: &'a State, socket: SocketId, channel: &str) -> Result<Kind<'a>, Refusal> {
    if channel.is_empty() {
        return Err(BAD_REQUEST.into());
    }
    if let Some(account) = state.subscribed_account(socket)
        && account.channel == channel
    {
        return Ok(Kind::Subscribed(account));
    }
    let own = state.account_of(socket);
    let own = own.and_then(|account| namespace(&account.channel));
    Ok(match namespace(channel) {
        other if other == own => Kind::Sibling,
        None => Kind::Plain,
        Some(_) => Kind::Unknown,
    })
}

fn namespace(channel: &str) -> Option<&str> {
    let (namespace, _) = channel.split_once(':')?;
    (!namespace.is_empty()).then_some(namespace)
}

fn subscribe(state: &State, socket: SocketId, request: &SubscribeRequest) -> Refusal {
    if !matches!(request.delta.as_str(), "" | "fossil") {
        return BAD_REQUEST.into();
    }
    match kind(state, socket, &request.channel) {
        Ok(Kind::Subscribed(_)) => ServerError::ALREADY_SUBSCRIBED.into(),
        Ok(Kind::Sibling | Kind::Plain) => ServerError::PERMISSION_DENIED.into(),
        Ok(Kind::Unknown) => ServerError::UNKNOWN_CHANNEL.into(),
        Err(refusal) => refusal,
    }
}

/// Whoever is not subscribed is unsubscribed as well.
fn unsubscribe(state: &mut State, socket: SocketId, channel: &str) -> Result<Reply, Refusal> {
    if let Kind::Subscribed(_) = kind(state, socket, channel)? {
        state.unsubscribe(socket);
    }
    Ok(Reply {
        unsubscribe: Some(Empty {}),
        ..Reply::default()
    })
}

fn publish(state: &State, socket: SocketId, request: &PublishRequest) -> Refusal {
    match kind(state, socket, &request.channel) {
        Ok(Kind::Unknown) => ServerError::UNKNOWN_CHANNEL.into(),
        Ok(_) if request.data.is_none() => ServerError::BAD_REQUEST.into(),
        Ok(_) => ServerError::PERMISSION_DENIED.into(),
        Err(refusal) => refusal,
    }
}

fn presence(state: &State, socket: SocketId, channel: &str) -> Refusal {
    match kind(state, socket, channel) {
        Ok(Kind::Unknown) => ServerError::UNKNOWN_CHANNEL.into(),
        Ok(_) => ServerError::NOT_AVAILABLE.into(),
        Err(refusal) => refusal,
    }
}

fn history(state: &State, socket: SocketId, request: &HistoryRequest) -> Result<Reply, Refusal> {
    let refusal = state.faults().history_refusal.map(ServerError::of_code);
    let account = match (kind(state, socket, &request.channel)?, refusal) {
        (Kind::Unknown, _) => return Err(ServerError::UNKNOWN_CHANNEL.into()),
        (Kind::Plain, _) => return Err(ServerError::NOT_AVAILABLE.into()),
        (_, Some(refusal)) => return Err(refusal.into()),
        (Kind::Sibling, None) => return Err(ServerError::PERMISSION_DENIED.into()),
        (Kind::Subscribed(account), None) => account,
    };
    let since = request.since.as_ref();
    let stream = &account.stream;
    let publications = stream.history(request.limit, since, request.reverse)?;
    let position = stream.position();
    Ok(Reply {
        history: Some(HistoryResult {
            publications,
            epoch: position.epoch,
            offset: position.offset,
        }),
        ..Reply::default()
    })
}

/// No token of ours is one that Centrifugo could check by itself.
fn refresh(request: &RefreshRequest) -> Refusal {
    if request.token.is_empty() {
        BAD_REQUEST.into()
    } else {
        INVALID_TOKEN.into()
    }
}

/// Subscriptions that the server makes are the server's to refresh.
fn sub_refresh(state: &State, socket: SocketId, channel: &str) -> Refusal {
    match kind(state, socket, channel) {
        Ok(Kind::Subscribed(_)) => BAD_REQUEST.into(),
        Ok(_) => ServerError::PERMISSION_DENIED.into(),
        Err(refusal) => refusal,
    }
}
