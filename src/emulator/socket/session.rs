//! The commands of a client, and the replies to them.

use std::collections::HashMap;
use std::time::Instant;

use serde_json::Value;

use super::frames::{
    BAD_REQUEST, Command, ConnectRequest, ConnectResult, HistoryRequest, HistoryResult, NO_PONG,
    NOT_AVAILABLE, RecoverRequest, Reply, ServerError, SubscribeResult, line,
};
use super::pings::{Pings, Tick};
use crate::emulator::world::accounts::{Account, AccountId};
use crate::emulator::world::counters::Connect;
use crate::emulator::world::ids;
use crate::emulator::world::sockets::{Close, Outgoing, SocketId};
use crate::emulator::world::state::{PROJECT_ID, State};

pub(crate) struct Session {
    socket: SocketId,
    phase: Phase,
}

enum Phase {
    New,
    Refused,
    Connected(Pings),
}

impl Session {
    pub(crate) fn new(socket: SocketId) -> Self {
        Self {
            socket,
            phase: Phase::New,
        }
    }

    /// Whether the client was refused, so that it is expected to close the connection.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.phase, Phase::Refused)
    }

    /// The next time at which [`tick`](Self::tick) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Connected(pings) => Some(pings.deadline()),
            Phase::New | Phase::Refused => None,
        }
    }

    /// Pings, or closes the socket of a client that has not answered the last ping.
    pub(crate) fn tick(&mut self, state: &mut State) {
        let Phase::Connected(pings) = &mut self.phase else {
            return;
        };
        let Some(socket) = state.sockets.get_mut(self.socket) else {
            return;
        };
        match pings.tick(Instant::now()) {
            Tick::Nothing => {}
            Tick::Ping => socket.send(Outgoing::Reply("{}".to_owned())),
            Tick::NoPong => socket.close(NO_PONG),
        }
    }

    /// Reads a frame, which holds one command or several.
    pub(crate) fn read(&mut self, state: &mut State, frame: &str) {
        let lines = frame.lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.is_empty()).peekable();
        let mut outcome = lines.peek().map(drop).ok_or(BAD_REQUEST);
        while outcome.is_ok()
            && let Some(text) = lines.next()
        {
            outcome = self.execute(state, text);
        }
        if let Err(close) = outcome
            && let Some(socket) = state.sockets.get_mut(self.socket)
        {
            socket.close(close);
        }
    }

    fn execute(&mut self, state: &mut State, text: &str) -> Result<(), Close> {
        let command = Command::parse(text).ok_or(BAD_REQUEST)?;
        let reply = match &mut self.phase {
            Phase::New => match command.connect {
                Some(request) if command.id != 0 => self.connect(state, command.id, request)?,
                _ => return Err(BAD_REQUEST),
            },
            Phase::Refused => return Err(BAD_REQUEST),
            Phase::Connected(pings) if command.is_pong() => {
                return if pings.pong() {
                    Ok(())
                } else {
                    Err(BAD_REQUEST)
                };
            }
            Phase::Connected(_) => serve(state, self.socket, command)?,
        };
        if let Some(socket) = state.sockets.get_mut(self.socket) {
            socket.send(Outgoing::Reply(line(&reply)));
        }
        Ok(())
    }

    fn connect(
        &mut self,
        state: &mut State,
        id: u32,
        request: ConnectRequest,
    ) -> Result<Reply, Close> {
        let asked = request.subs.unwrap_or_default();
        let (admitted, mut connect) = admit(state, &request.data.unwrap_or_default());
        let refusal = state.faults().connect_refusal.clone();
        let admitted = match refusal {
            Some((code, message)) => Err(ServerError::new(code, message.into())),
            None => admitted,
        };
        connect.is_accepted = admitted.is_ok();
        connect.is_recovering = asked.values().any(|sub| sub.recover);
        state.counters.connects.push(connect);
        let account = match admitted {
            Ok(account) => account,
            Err(error) => return self.refuse(id, error),
        };

        let mut subs = HashMap::new();
        let mut is_recovered = false;
        // Subscribing and reading the position are under the same lock, so that no publication is lost
        // between them.
        if let Some(account) = state.subscribe(self.socket, account) {
            let sub = subscription(account, asked.get(&account.channel));
            is_recovered = sub.recovered;
            subs.insert(account.channel.clone(), sub);
        }
        state.counters.recoveries += usize::from(is_recovered);
        let interval = state.settings.ping_interval;
        self.phase = Phase::Connected(Pings::new(interval));
        let connect = ConnectResult {
            client: ids::random_uuid(),
            version: env!("CARGO_PKG_VERSION"),
            subs,
            ping: u64::try_from(interval.as_millis().div_ceil(1000)).unwrap_or(u64::MAX),
            pong: true,
        };
        Ok(Reply {
            id,
            connect: Some(connect),
            ..Reply::default()
        })
    }

    /// Answers a `connect` with an error. From 3000 the code is that of a close frame.
    fn refuse(&mut self, id: u32, error: ServerError) -> Result<Reply, Close> {
        match u16::try_from(error.code) {
            Ok(code) if code >= 3000 => Err(Close {
                code,
                reason: error.message,
            }),
            _ => {
                self.phase = Phase::Refused;
                Ok(Reply::error(id, error))
            }
        }
    }
}

/// Checks the data of a `connect`: to whose account it belongs, and the record of it for tests.
fn admit(state: &State, data: &Value) -> (Result<AccountId, ServerError>, Connect) {
    let token = data.get("auth").and_then(Value::as_str).unwrap_or_default();
    let project_id = data.get("project_id").and_then(Value::as_u64);
    let external_id = data.get("user_external_id");
    let account = state.tokens.authorize(token);
    let user = account.ok().and_then(|id| state.accounts.get(id));
    let connect = Connect {
        user: user.map(|account| account.name.clone()),
        external_id: external_id.and_then(Value::as_str).map(str::to_owned),
        project_id,
        is_accepted: false,
        is_recovering: false,
        token: token.to_owned(),
    };
    let admitted = match project_id {
        None => Err(ServerError::BAD_REQUEST),
        _ if external_id.is_some_and(|id| !id.is_string()) => Err(ServerError::BAD_REQUEST),
        Some(project_id) => account.map_err(ServerError::from).and_then(|account| {
            if project_id == PROJECT_ID {
                Ok(account)
            } else {
                Err(ServerError::PERMISSION_DENIED)
            }
        }),
    };
    (admitted, connect)
}

/// The subscription to an account's channel, with what the client has missed if it asked to recover that.
fn subscription(account: &Account, asked: Option<&RecoverRequest>) -> SubscribeResult {
    let mut sub = SubscribeResult::at(account.stream.position());
    if let Some(asked) = asked.filter(|asked| asked.recover) {
        sub.was_recovering = true;
        if let Some(missed) = account.stream.recover(&asked.position) {
            sub.recovered = true;
            sub.publications = missed;
            // The client counts on from its own position with each publication, as with Centrifuge.
            sub.offset = asked.position.offset;
        }
    }
    sub
}

/// Executes a command of a client that is connected.
fn serve(state: &mut State, socket: SocketId, command: Command) -> Result<Reply, Close> {
    let id = command.id;
    if command.connect.is_some() {
        return Err(BAD_REQUEST);
    }
    if let Some(request) = command.history {
        state.counters.history_requests += 1;
        if request.channel.is_empty() {
            return Err(BAD_REQUEST);
        }
        return Ok(match history(state, socket, &request) {
            Ok(history) => Reply {
                id,
                history: Some(history),
                ..Reply::default()
            },
            Err(error) => Reply::error(id, error),
        });
    }
    if command.is_not_served() {
        return Ok(Reply::error(id, ServerError::NOT_AVAILABLE));
    }
    // A `send` has no reply, so Centrifuge closes the connection of a client that it cannot serve.
    Err(if command.is_send() {
        NOT_AVAILABLE
    } else {
        BAD_REQUEST
    })
}

fn history(
    state: &State,
    socket: SocketId,
    request: &HistoryRequest,
) -> Result<HistoryResult, ServerError> {
    if let Some(code) = state.faults().history_refusal {
        return Err(ServerError::of_code(code));
    }
    // The answer does not tell whether there is a channel with another name.
    let account = state
        .subscribed_account(socket)
        .filter(|account| account.channel == request.channel)
        .ok_or(ServerError::PERMISSION_DENIED)?;
    let since = request.since.as_ref();
    let stream = &account.stream;
    let publications = stream.history(request.limit, since, request.reverse)?;
    let position = stream.position();
    Ok(HistoryResult {
        publications,
        epoch: position.epoch,
        offset: position.offset,
    })
}
