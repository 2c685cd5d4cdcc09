//! Everything that decides: what is followed, what a status means, when to open and close the socket,
//! when to ask, what to tell the game.
//!
//! No IO, no clock, no randomness of its own: what happened goes in with the time it happened at, and
//! [outputs](Output) come out. So millions of purchases can be run through it in simulated time.

mod backoff;
mod entries;
mod follow;
pub(crate) mod notice;
mod order;
mod players;
mod requests;
mod sockets;
#[cfg(test)]
mod tests;
mod timers;
mod user;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::backoff::backoff;
use self::notice::Notice;
use self::order::{Details, Order, Phase};
use self::timers::Timers;
use self::user::{Authorization, LedgerState, Socket, User, severity};
use crate::model::config::XsollaConfig;
use crate::model::error::{AuthorizationError, RequestError, SocketError, TrackingError};
use crate::model::ledger::{Entry, Restored};
use crate::model::message::NewsSource;
use crate::model::order::{OrderId, OrderStatus};
use crate::model::state::TrackerState;
use crate::model::user::UserId;
use crate::wire::order::{OrderNews, OrderReport};

/// How many orders of one user are followed at a time.
const MAX_OPEN: usize = 100_000;
/// How many tokens in a row the socket may refuse before it is no more asked to take each new one at
/// once: while Get Order takes them, the tokens are not what is wrong.
const MAX_TOKEN_REPORTS: u32 = 2;
/// How long an order that the servers will not tell of is tried again at each start.
const KEEP_REFUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long tracking waits for the ledger. A disk that takes longer hangs.
const LEDGER_PATIENCE: Duration = Duration::from_secs(5);
/// A socket that held this long was a good one: the delays begin anew.
const STABLE_AFTER: Duration = Duration::from_secs(30);

/// What is to be done outside.
#[derive(Debug)]
pub(crate) enum Output {
    /// Open a socket for this user, in place of one that may be there.
    OpenSocket { user: UserId, connection: u64 },
    /// Close this user's socket, and forget what it had seen.
    CloseSocket { user: UserId },
    /// Ask for an order.
    GetOrder {
        user: UserId,
        order_id: OrderId,
        request: u64,
    },
    /// Read what the ledger has of this user.
    LoadLedger { user: UserId },
    /// Write an order to the ledger.
    Write {
        user: UserId,
        order_id: OrderId,
        entry: Entry,
    },
    /// Take an order out of the ledger.
    Erase { user: UserId, order_id: OrderId },
    /// Nothing of this user's is open any more: their token is not needed.
    Forget { user: UserId },
    /// The ledger has not answered for too long, or has answered again.
    LedgerSilent(bool),
    /// Tell the game.
    Notice(Notice),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Ask for an order.
    Ask(OrderId),
    /// Give an order up.
    GiveUp(OrderId),
    /// Open a user's socket again.
    Reopen(UserId),
    /// A user's socket has waited long enough.
    Renew(UserId),
    /// A user's token is about to expire.
    Token(UserId),
    /// The ledger should have read a user's orders by now.
    Read(UserId),
    /// The ledger should have written an order by now.
    Record(OrderId),
}

#[derive(Debug)]
pub(crate) struct Machine {
    /// `None` pauses everything.
    config: Option<Arc<XsollaConfig>>,
    users: BTreeMap<UserId, User>,
    /// Boxed, because a map keeps room to spare for each of its values.
    orders: BTreeMap<OrderId, Box<Order>>,
    timers: Timers<Timer>,
    outputs: VecDeque<Output>,
    /// How each user's tracking is doing, the worst last.
    standings: BTreeSet<(u8, UserId)>,
    state: TrackerState,
    is_ledger_silent: bool,
    last_number: u64,
    random: fastrand::Rng,
}

impl Machine {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            config: None,
            users: BTreeMap::new(),
            orders: BTreeMap::new(),
            timers: Timers::new(),
            outputs: VecDeque::new(),
            standings: BTreeSet::new(),
            state: TrackerState::Idle,
            is_ledger_silent: false,
            last_number: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub(crate) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`tick`](Self::tick) wants to be called next; never while nothing is open.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// Takes new settings. `None` stops everything until there are some.
    pub(crate) fn configure(&mut self, config: Option<Arc<XsollaConfig>>, now: Duration) {
        let place = |config: &XsollaConfig| (config.project_id, config.ledger.clone());
        let is_moved = self.config.as_deref().map(place) != config.as_deref().map(place);
        self.config = config;
        let users: Vec<UserId> = self.users.keys().cloned().collect();
        for user in users {
            // Other servers may be meant, so nothing that those of before said counts.
            self.stop(&user);
            if let Some(record) = self.users.get_mut(&user) {
                record.hold_until = now;
                if is_moved {
                    record.ledger = LedgerState::Unknown;
                    self.timers.clear(&Timer::Read(user.clone()));
                }
                if matches!(record.authorization, Authorization::Refused(_)) {
                    record.authorization = Authorization::Valid;
                }
            }
            if is_moved {
                self.write_anew(&user);
            }
            self.resume(&user, now);
        }
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Duration) {
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Ask(order_id) => self.ask(order_id, now),
                Timer::GiveUp(order_id) => self.give_up(order_id, now),
                Timer::Reopen(user) => self.reopen_socket(&user, now),
                Timer::Renew(user) => self.renew(&user, now),
                Timer::Token(user) => self.token_expires(&user, now),
                Timer::Read(user) => {
                    self.ledger_is_silent(true);
                    self.take_loaded(&user, Vec::new(), now);
                }
                Timer::Record(order_id) => {
                    self.ledger_is_silent(true);
                    self.begin(order_id, now);
                }
            }
        }
    }

    /// Whether there is nothing to do and nothing to wait for.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        let is_token = |timer: &Timer| matches!(timer, Timer::Token(_));
        self.timers.keys().all(is_token)
            && self.users.values().all(|user| user.connection().is_none())
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Tells the game how tracking is doing, if that has changed.
    fn update_state(&mut self, user: &UserId) {
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        let state = record.state();
        let severity = severity(&state);
        if severity != record.severity {
            self.standings.remove(&(record.severity, user.clone()));
            record.severity = severity;
            self.standings.insert((severity, user.clone()));
        }
        self.tell_state();
    }

    fn tell_state(&mut self) {
        let worst = self.standings.last().map(|(_, user)| user);
        let state = match worst.and_then(|user| self.users.get(user)) {
            Some(record) => record.state(),
            None => TrackerState::Idle,
        };
        if state != self.state {
            self.state = state.clone();
            self.outputs.push_back(Output::Notice(Notice::State(state)));
        }
    }
}
