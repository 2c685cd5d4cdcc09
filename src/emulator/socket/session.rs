//! The commands of a client, and the replies to them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::commands::serve;
use super::frames::{
    BAD_REQUEST, Command, ConnectRequest, ConnectResult, NO_PONG, RecoverRequest, Reply, STALE,
    ServerError, SubscribeResult, line,
};
use super::pings::{Pings, Tick};
use crate::emulator::world::accounts::{Account, AccountId};
use crate::emulator::world::counters::{Connect, TokenHash};
use crate::emulator::world::ids;
use crate::emulator::world::ids::PROJECT_ID;
use crate::emulator::world::sockets::{Close, Outgoing, SocketId};
use crate::emulator::world::state::State;

/// The time that Centrifugo gives a client to send its `connect`.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// The time that Centrifuge gives a client whose `connect` was refused to close the connection.
const REFUSED_FOR: Duration = Duration::from_secs(5);

pub(crate) struct Session {
    socket: SocketId,
    phase: Phase,
}

enum Phase {
    /// A `connect` is due by then.
    New(Instant),
    /// The client is expected to close. Nothing that it says is read any more, and then it is cut off.
    Refused(Instant),
    Connected(Pings),
}

impl Session {
    pub(crate) fn new(socket: SocketId, now: Instant) -> Self {
        Self {
            socket,
            phase: Phase::New(now + STALE_AFTER),
        }
    }

    /// The next time at which [`tick`](Self::tick) has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        match &self.phase {
            Phase::New(deadline) | Phase::Refused(deadline) => *deadline,
            Phase::Connected(pings) => pings.deadline(),
        }
    }

    /// Pings, or ends the socket of a client that has not done what was due.
    pub(crate) fn tick(&mut self, state: &mut State, now: Instant) {
        let Some(socket) = state.sockets.get_mut(self.socket) else {
            return;
        };
        match &mut self.phase {
            Phase::New(deadline) if *deadline <= now => socket.close(STALE),
            Phase::Refused(deadline) if *deadline <= now => state.sockets.remove(self.socket),
            Phase::New(_) | Phase::Refused(_) => {}
            Phase::Connected(pings) => match pings.tick(now) {
                Tick::Nothing => {}
                Tick::Ping => socket.send(Outgoing::Reply("{}".to_owned())),
                Tick::NoPong => socket.close(NO_PONG),
            },
        }
    }

    /// Reads a frame, which holds one command or several. An empty line is not a command.
    pub(crate) fn read(&mut self, state: &mut State, frame: &str) {
        let lines = frame.strip_suffix('\n').unwrap_or(frame).split('\n');
        for text in lines {
            if let Phase::Refused(_) = self.phase {
                return;
            }
            if let Err(close) = self.execute(state, text) {
                if let Some(socket) = state.sockets.get_mut(self.socket) {
                    socket.close(close);
                }
                return;
            }
        }
    }

    fn execute(&mut self, state: &mut State, text: &str) -> Result<(), Close> {
        let command = Command::parse(text).ok_or(BAD_REQUEST)?;
        let reply = match &mut self.phase {
            Phase::New(_) => match command.connect {
                Some(request) if command.id != 0 => self.connect(state, command.id, request)?,
                _ => return Err(BAD_REQUEST),
            },
            Phase::Refused(_) => return Ok(()),
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
                self.phase = Phase::Refused(Instant::now() + REFUSED_FOR);
                Ok(Reply::error(id, error))
            }
        }
    }
}

/// Checks the data of a `connect`: to whose account it belongs, and the record of it for tests.
fn admit(state: &State, data: &Value) -> (Result<AccountId, ServerError>, Connect) {
    let token = data.get("auth").and_then(Value::as_str).unwrap_or_default();
    let project_id = data.get("project_id").and_then(Value::as_u64);
    let external_id = data.get("user_external_id").filter(|id| !id.is_null());
    let account = state.tokens.authorize(token);
    let user = account.ok().and_then(|id| state.accounts.get(id));
    let connect = Connect {
        user: user.map(|account| account.name.clone()),
        external_id: external_id.and_then(Value::as_str).map(str::to_owned),
        project_id,
        is_accepted: false,
        is_recovering: false,
        token: TokenHash::of(token),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A session, what its socket is to send after a tick at that time, and whether the socket is still there.
    fn tick(session: &mut Session, state: &mut State, now: Instant) -> (Vec<Outgoing>, bool) {
        session.tick(state, now);
        let socket = state.sockets.get_mut(session.socket);
        let is_there = socket.is_some();
        let outgoing = socket.and_then(|socket| socket.take_outgoing());
        (outgoing.unwrap_or_default(), is_there)
    }

    #[test]
    fn a_client_that_does_not_connect_is_closed_after_ten_seconds() {
        let mut state = State::default();
        let begun = Instant::now();
        let mut session = Session::new(state.sockets.open(), begun);
        assert_eq!(session.deadline(), begun + STALE_AFTER);
        let early = begun + Duration::from_millis(9_999);
        assert_eq!(tick(&mut session, &mut state, early), (vec![], true));
        let closed = tick(&mut session, &mut state, begun + STALE_AFTER);
        assert_eq!(closed, (vec![Outgoing::Close(STALE)], true));
    }

    #[test]
    fn a_client_that_was_refused_is_cut_off_after_five_seconds() {
        let mut state = State::default();
        let mut session = Session::new(state.sockets.open(), Instant::now());
        session.read(&mut state, r#"{"id":1,"connect":{}}"#);
        let refused = session.deadline();
        let early = refused - Duration::from_millis(1);
        let (outgoing, is_there) = tick(&mut session, &mut state, early);
        assert!(is_there);
        let error = Reply::error(1, ServerError::BAD_REQUEST);
        assert_eq!(outgoing, [Outgoing::Reply(line(&error))]);
        session.read(&mut state, "nonsense");
        assert_eq!(tick(&mut session, &mut state, refused), (vec![], false));
    }
}
