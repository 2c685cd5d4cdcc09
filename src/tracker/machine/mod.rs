//! Everything that decides: what is followed, what a status means, when to open and close the socket,
//! when to ask, what to tell the game.
//!
//! No IO, no clock, no randomness of its own: what happened goes in with the time it happened at, and
//! [outputs](Output) come out. So millions of purchases can be run through it in simulated time.

mod order;
#[cfg(test)]
mod tests;
mod timers;
mod user;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::order::{Order, Phase};
use self::timers::Timers;
use self::user::{Authorization, LedgerState, Socket, User, severity};
use super::backoff::backoff;
use crate::api::{OrderNews, OrderReport};
use crate::config::XsollaConfig;
use crate::error::{AuthorizationError, RequestError, SocketError, TrackingError};
use crate::ledger::{Entry, Restored};
use crate::message::NewsSource;
use crate::order::{OrderId, OrderStatus};
use crate::state::TrackerState;
use crate::tracker::Notice;
use crate::user::UserId;

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
    orders: BTreeMap<OrderId, Order>,
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

    /// Puts what is known of a user's orders into a ledger that does not have it.
    fn write_anew(&mut self, user: &UserId) {
        for (order_id, order) in self.orders.iter().filter(|(_, order)| order.user == *user) {
            if let Some(entry) = order.entry() {
                self.outputs.push_back(Output::Write {
                    user: user.clone(),
                    order_id: *order_id,
                    entry,
                });
            }
        }
    }

    /// A player has logged in, or has a new token, which expires then.
    pub(crate) fn log_in(&mut self, user: &UserId, expires_in: Option<Duration>, now: Duration) {
        let record = self.users.entry(user.clone()).or_insert_with(User::new);
        record.token += 1;
        record.is_token_reported = false;
        record.token_expires = expires_in.map(|left| now.saturating_add(left));
        let is_stuck =
            record.authorization != Authorization::Valid || record.socket == Socket::Refused;
        if is_stuck {
            record.authorization = Authorization::Valid;
            if record.socket == Socket::Refused && record.refusals <= MAX_TOKEN_REPORTS {
                record.socket = Socket::Closed;
            }
            self.resume(user, now);
        }
        self.watch_token(user, now);
        self.update_state(user);
    }

    /// A player stays known while none of their orders is open: the logged-in one does, those of a
    /// server come and go with their orders.
    pub(crate) fn stay(&mut self, user: &UserId) {
        if let Some(record) = self.users.get_mut(user) {
            record.is_resident = true;
        }
    }

    /// A player has logged out: nothing of theirs goes on, and nothing of theirs is forgotten.
    pub(crate) fn log_out(&mut self, user: &UserId) {
        if let Some(record) = self.users.get_mut(user) {
            record.authorization = Authorization::Absent;
            record.is_resident = false;
            record.clear_strays();
            self.timers.clear(&Timer::Token(user.clone()));
            self.stop(user);
            self.update_state(user);
            self.forget_user_if_unused(user);
        }
    }

    /// The ledger has been read: what was open is followed again, what was acknowledged is asked for
    /// once, because it may have been refunded meanwhile. A ledger that was in use elsewhere may be read
    /// a second time, later.
    pub(crate) fn ledger_loaded(&mut self, user: &UserId, orders: Vec<Restored>, now: Duration) {
        self.ledger_is_silent(false);
        self.take_loaded(user, orders, now);
    }

    fn take_loaded(&mut self, user: &UserId, orders: Vec<Restored>, now: Duration) {
        self.timers.clear(&Timer::Read(user.clone()));
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.ledger == LedgerState::Unknown {
            return;
        }
        record.ledger = LedgerState::Ready;
        let queued = std::mem::take(&mut record.queued);
        let untracked = std::mem::take(&mut record.untracked);
        for restored in orders {
            if !untracked.contains(&restored.order_id) {
                self.restore(user, restored, now);
            }
        }
        for order_id in queued {
            self.track_known(user, order_id, now);
        }
        self.check_acknowledged(user, now);
        self.update_state(user);
        self.forget_user_if_unused(user);
    }

    fn ledger_is_silent(&mut self, is_silent: bool) {
        if is_silent != self.is_ledger_silent {
            self.is_ledger_silent = is_silent;
            self.outputs.push_back(Output::LedgerSilent(is_silent));
        }
    }

    fn restore(&mut self, user: &UserId, restored: Restored, now: Duration) {
        let Restored {
            order_id,
            entry,
            age,
        } = restored;
        if let Some(order) = self.orders.get_mut(&order_id) {
            // The ledger was read late. It knows better what the game was told.
            if order.user != *user || order.phase == Phase::Acknowledged {
                return;
            }
            order.was_granted |= entry >= Entry::Granted;
            if entry != Entry::Acknowledged || order.phase == Phase::Ended {
                return;
            }
            order.phase = Phase::Acknowledged;
            self.close_order(order_id, user);
        } else if entry == Entry::Acknowledged {
            let order = Order::acknowledged(user.clone(), age, now);
            self.orders.insert(order_id, order);
            let window = self.config.as_ref().map(|config| config.refund_window);
            if let Some(record) = self.users.get_mut(user)
                && window.is_some_and(|window| age < window)
            {
                record.checking.insert(order_id);
            }
        } else {
            let mut order = Order::restored(user.clone(), age, now);
            order.was_granted = entry == Entry::Granted;
            self.orders.insert(order_id, order);
            self.begin(order_id, now);
        }
        self.outputs.push_back(Output::Notice(Notice::Restored {
            order_id,
            user: user.clone(),
            entry,
        }));
    }

    /// Follows an order of a player's.
    pub(crate) fn track(&mut self, user: &UserId, order_id: OrderId, now: Duration) {
        self.users.entry(user.clone()).or_insert_with(User::new);
        self.track_known(user, order_id, now);
        self.update_state(user);
        self.forget_user_if_unused(user);
    }

    fn track_known(&mut self, user: &UserId, order_id: OrderId, now: Duration) {
        let mut was_granted = false;
        if let Some(order) = self.orders.get(&order_id) {
            was_granted = order.was_granted;
            match order.phase {
                Phase::Recording | Phase::Open if order.user == *user => return,
                // It is over, or a late `done` must not grant a second time what was refunded. Where
                // it stands is said again.
                Phase::Granted | Phase::Acknowledged => return self.tell_again(order_id),
                Phase::Ended if was_granted => return self.tell_again(order_id),
                // The order of another player, or one that ended or was given up: begin anew.
                Phase::Recording | Phase::Open | Phase::Ended | Phase::Failed => {}
            }
            self.forget(order_id);
        }
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        record.untracked.remove(&order_id);
        if record.open.len() + record.recording.len() + record.queued.len() >= MAX_OPEN {
            self.outputs.push_back(Output::Notice(Notice::Failed {
                order_id,
                user: user.clone(),
                error: TrackingError::TooManyOrders,
            }));
            return;
        }
        if record.ledger != LedgerState::Ready {
            // It may be in the ledger, acknowledged long ago.
            record.queued.insert(order_id);
            return;
        }
        record.recording.insert(order_id);
        let mut order = Order::new(user.clone(), now);
        order.was_granted = was_granted;
        let entry = order.entry().unwrap_or(Entry::Open);
        self.orders.insert(order_id, order);
        self.timers
            .set(Timer::Record(order_id), now + LEDGER_PATIENCE);
        self.outputs.push_back(Output::Write {
            user: user.clone(),
            order_id,
            entry,
        });
    }

    fn tell_again(&mut self, order_id: OrderId) {
        if let Some(order) = self.orders.get(&order_id)
            && let Some(status) = &order.status
        {
            self.outputs.push_back(Output::Notice(Notice::Status {
                order_id,
                previous: Some(status.clone()),
                status: status.clone(),
                source: NewsSource::Request,
            }));
        }
    }

    /// An order's entry is in the ledger, or will not be, for trouble that was told.
    pub(crate) fn written(&mut self, order_id: OrderId, entry: Entry, now: Duration) {
        self.ledger_is_silent(false);
        let phase = self.orders.get(&order_id).map(|order| order.phase);
        match (entry, phase) {
            (Entry::Open | Entry::Granted, Some(Phase::Recording)) => self.begin(order_id, now),
            (Entry::Acknowledged, Some(Phase::Acknowledged)) => self
                .outputs
                .push_back(Output::Notice(Notice::Acknowledged { order_id })),
            _ => {}
        }
    }

    /// Starts what it takes to follow an order.
    fn begin(&mut self, order_id: OrderId, now: Duration) {
        self.timers.clear(&Timer::Record(order_id));
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if order.phase != Phase::Recording {
            return;
        }
        order.phase = Phase::Open;
        let user = order.user.clone();
        let record = self.users.entry(user.clone()).or_insert_with(User::new);
        if record.open.is_empty() {
            record.is_polling = false;
        }
        record.recording.remove(&order_id);
        record.open.insert(order_id);
        record.awaiting.insert(order_id);
        let strays = record.take_strays(order_id);
        self.schedule_give_up(order_id, now);
        self.ask_at(order_id, now);
        for status in strays {
            self.hear(order_id, &status, NewsSource::Socket, now);
        }
        self.open_socket_if_wanted(&user, now);
        self.update_state(&user);
    }

    /// The game has granted an order. Whether it was one to grant.
    pub(crate) fn acknowledge(&mut self, order_id: OrderId) -> bool {
        match self.orders.get_mut(&order_id) {
            Some(order) if order.phase == Phase::Granted => {
                order.phase = Phase::Acknowledged;
                let user = order.user.clone();
                self.outputs.push_back(Output::Write {
                    user,
                    order_id,
                    entry: Entry::Acknowledged,
                });
                true
            }
            Some(order) => order.phase == Phase::Acknowledged,
            None => false,
        }
    }

    /// Stops following an order that the player does not want to pay now. It stays in the ledger, and
    /// news of it begins it anew.
    #[cfg(feature = "store")]
    pub(crate) fn abandon(&mut self, order_id: OrderId, now: Duration) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        let is_unpaid = matches!(order.phase, Phase::Recording | Phase::Open) && !order.is_paid();
        if !is_unpaid {
            return;
        }
        order.phase = Phase::Failed;
        order.keeps_entry = true;
        order.age += now.saturating_sub(order.begun);
        let user = order.user.clone();
        self.outputs
            .push_back(Output::Notice(Notice::Abandoned { order_id }));
        self.close_order(order_id, &user);
        self.update_state(&user);
        self.forget_user_if_unused(&user);
    }

    /// The game's systems have had a whole frame to hear how an order ended: it need not be told
    /// after a restart.
    pub(crate) fn told(&mut self, order_id: OrderId) {
        if let Some(order) = self.orders.get(&order_id)
            && matches!(order.phase, Phase::Ended | Phase::Failed)
            && !order.keeps_entry
        {
            let user = order.user.clone();
            self.outputs.push_back(Output::Erase { user, order_id });
        }
    }

    /// Forgets an order, in the ledger as well.
    pub(crate) fn untrack(&mut self, order_id: OrderId) {
        match self.orders.get(&order_id).map(|order| order.user.clone()) {
            Some(user) => {
                self.forget(order_id);
                self.outputs.push_back(Output::Erase {
                    user: user.clone(),
                    order_id,
                });
                self.forget_user_if_unused(&user);
            }
            // A ledger that is being read, or is read late, may have it.
            None => {
                for (user, record) in &mut self.users {
                    record.queued.remove(&order_id);
                    if record.ledger != LedgerState::Ready {
                        record.untracked.insert(order_id);
                    }
                    self.outputs.push_back(Output::Erase {
                        user: user.clone(),
                        order_id,
                    });
                }
            }
        }
        // Whatever was said of the order before this is of its life before.
        self.outputs
            .push_back(Output::Notice(Notice::Untracked { order_id }));
    }

    fn forget(&mut self, order_id: OrderId) {
        if let Some(order) = self.orders.remove(&order_id) {
            self.close_order(order_id, &order.user);
            self.update_state(&order.user);
        }
    }

    /// The socket brought a publication. Any connection's is welcome.
    pub(crate) fn publication(&mut self, user: &UserId, news: OrderNews, now: Duration) {
        let is_logged_in = self
            .users
            .get(user)
            .is_some_and(|record| record.authorization != Authorization::Absent);
        if !is_logged_in {
            // Left over from before the log-out. At the next log-in it is asked for.
            return;
        }
        match self.orders.get(&news.order_id) {
            // What the game hears of an order, a restart must know of too.
            Some(order) if order.user == *user && order.phase == Phase::Recording => {
                if let Some(record) = self.users.get_mut(user) {
                    record.keep_stray(news.order_id, news.status);
                }
            }
            // Given up too early: it is there.
            Some(order) if order.user == *user && order.phase == Phase::Failed => {
                if let Some(record) = self.users.get_mut(user) {
                    record.keep_stray(news.order_id, news.status);
                }
                self.track(user, news.order_id, now);
            }
            Some(order) if order.user == *user => {
                self.hear(news.order_id, &news.status, NewsSource::Socket, now);
                self.update_state(user);
                self.forget_user_if_unused(user);
            }
            // Another player's socket has no say in it.
            Some(_) => {}
            None => {
                if let Some(record) = self.users.get_mut(user) {
                    record.keep_stray(news.order_id, news.status);
                }
            }
        }
    }

    /// The socket is subscribed and has told its past; with `gapless`, all that was missed.
    pub(crate) fn socket_caught_up(
        &mut self,
        user: &UserId,
        connection: u64,
        gapless: bool,
        now: Duration,
    ) {
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.connection() != Some(connection) {
            return;
        }
        if !record.is_live() {
            record.socket = Socket::Live {
                connection,
                since: now,
            };
        }
        record.trouble = None;
        record.refusals = 0;
        // After polling, one last look: the socket tells what comes, not what was.
        let asks_again = !gapless || std::mem::take(&mut record.is_polling);
        for order_id in record.awaiting.clone() {
            if asks_again {
                self.want(order_id, now);
            } else if self
                .orders
                .get(&order_id)
                .is_some_and(|order| !order.is_wanted)
            {
                self.timers.clear(&Timer::Ask(order_id));
            }
        }
        self.update_state(user);
    }

    /// A socket could not be opened, or ended.
    pub(crate) fn socket_ended(
        &mut self,
        user: &UserId,
        connection: u64,
        reason: SocketError,
        now: Duration,
    ) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.connection() != Some(connection) {
            return;
        }
        let was_live = record.is_live();
        let was_stable = matches!(
            record.socket,
            Socket::Live { since, .. } if now.saturating_sub(since) >= STABLE_AFTER
        );
        record.failures = if was_stable { 1 } else { record.failures + 1 };
        record.trouble = Some(reason.clone());
        self.timers.clear(&Timer::Renew(user.clone()));
        let is_outdated = record.connection_token != record.token;
        if reason.is_unauthorized() && !is_outdated {
            record.socket = Socket::Refused;
            record.refusals += 1;
            if record.refusals <= MAX_TOKEN_REPORTS {
                self.report_token(user, reason.into());
            } else {
                let at = now + config.socket_lifetime;
                self.timers.set(Timer::Reopen(user.clone()), at);
            }
        } else {
            record.socket = Socket::Waiting;
            let delay = if reason.is_terminal() && !is_outdated {
                // The server asks not to come back. It may have meant this one connection.
                config.socket_lifetime
            } else {
                let failures = record.failures;
                backoff(
                    failures,
                    config.retry_min,
                    config.retry_max,
                    &mut self.random,
                )
            };
            self.timers.set(Timer::Reopen(user.clone()), now + delay);
        }
        self.poll_instead(user, was_live, now);
        self.update_state(user);
    }

    /// A request for an order has ended.
    pub(crate) fn answered(
        &mut self,
        order_id: OrderId,
        request: u64,
        answer: Result<OrderReport, RequestError>,
        now: Duration,
    ) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if let Err(error) = &answer
            && let Some(wait) = error.retry_after()
            && let Some(record) = self.users.get_mut(&order.user)
        {
            // The server means everybody, whatever has become of this order meanwhile.
            record.hold_until = record.hold_until.max(now.saturating_add(wait));
        }
        if order.request != Some(request) {
            return;
        }
        order.request = None;
        order.answered_at = Some(now);
        let user = order.user.clone();
        match answer {
            Ok(report) => self.take_report(order_id, report, now),
            Err(error) => self.take_failure(order_id, &user, error, now),
        }
        self.update_state(&user);
        self.forget_user_if_unused(&user);
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

    fn take_report(&mut self, order_id: OrderId, report: OrderReport, now: Duration) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        order.is_wanted = std::mem::take(&mut order.is_wanted_again);
        let is_last_chance = order.is_overdue && !order.is_wanted;
        order.failures = 0;
        order.refusals = 0;
        if let Some(record) = self.users.get_mut(&order.user) {
            record.checking.remove(&order_id);
        }
        if order.phase == Phase::Open
            && let Some(items) = report.items
            && order.trusts(&items, report.status.as_ref())
        {
            order.items = Some(items);
            order.price = report.price;
            self.outputs.push_back(Output::Notice(Notice::Details {
                order_id,
                items: order.items.clone().unwrap_or_default(),
                price: order.price.clone(),
            }));
        }
        match report.status {
            Some(status) => self.hear(order_id, &status, NewsSource::Request, now),
            None => self.grant_if_ready(order_id),
        }
        let is_open = |order: &Order| order.phase == Phase::Open && order.is_overdue;
        if is_last_chance && self.orders.get(&order_id).is_some_and(is_open) {
            return self.time_out(order_id, now);
        }
        self.schedule_next(order_id, now);
    }

    fn take_failure(
        &mut self,
        order_id: OrderId,
        user: &UserId,
        error: RequestError,
        now: Duration,
    ) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        order.is_wanted |= std::mem::take(&mut order.is_wanted_again);
        if error.is_unauthorized() {
            let token = self.users.get(user).map(|record| record.token);
            if token != Some(order.asked_with) {
                // A newer token has come meanwhile.
                return self.want(order_id, now);
            }
            let error = AuthorizationError::from(error);
            if let Some(record) = self.users.get_mut(user) {
                record.authorization = Authorization::Refused(error.clone());
                for order_id in record.open.iter().chain(&record.checking) {
                    self.timers.clear(&Timer::Ask(*order_id));
                }
                // A socket that is live may go on, but none is opened.
                self.timers.clear(&Timer::Reopen(user.clone()));
            }
            self.report_token(user, error);
            return;
        }
        if error.is_refusal() {
            order.refusals += 1;
            if order.phase == Phase::Acknowledged {
                // There is nothing left to find out.
                order.is_wanted = false;
                if let Some(record) = self.users.get_mut(user) {
                    record.checking.remove(&order_id);
                }
                return;
            }
            // An order that the servers have told of exists, whatever this one says.
            if order.refusals >= config.refusals_max && order.status.is_none() {
                return self.fail(order_id, TrackingError::Refused(error), now);
            }
        }
        order.failures += 1;
        let mut delay = backoff(
            order.failures,
            config.retry_min,
            config.retry_max,
            &mut self.random,
        );
        if error.is_refusal() || order.phase == Phase::Acknowledged {
            // A fresh order needs time, not speed.
            delay = delay.max(config.poll_interval);
        }
        if let Some(wait) = error.retry_after() {
            delay = delay.max(wait);
        }
        self.ask_at(order_id, now + delay);
    }

    /// Takes what a server said of an order's status.
    fn hear(&mut self, order_id: OrderId, status: &OrderStatus, source: NewsSource, now: Duration) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        let previous = order.status.clone();
        if !order.advance(status, now) {
            return self.grant_if_ready(order_id);
        }
        self.outputs.push_back(Output::Notice(Notice::Status {
            order_id,
            previous,
            status: status.clone(),
            source,
        }));
        let user = order.user.clone();
        let was_done = order.was_granted;
        if status.is_final()
            && let Some(record) = self.users.get_mut(&user)
        {
            record.awaiting.remove(&order_id);
        }
        match status {
            OrderStatus::Canceled => {
                order.phase = Phase::Ended;
                let items = order.items.clone().unwrap_or_default();
                self.outputs.push_back(Output::Notice(Notice::Canceled {
                    order_id,
                    user: user.clone(),
                    was_done,
                    items,
                }));
                self.close_order(order_id, &user);
            }
            OrderStatus::Expired => {
                order.phase = Phase::Ended;
                self.outputs.push_back(Output::Notice(Notice::Expired {
                    order_id,
                    user: user.clone(),
                }));
                self.close_order(order_id, &user);
            }
            OrderStatus::Done => {
                self.grant_if_ready(order_id);
                self.close_socket_if_unused(&user);
                // What to grant may be unknown still: then nothing but an answer can tell.
                self.schedule_give_up(order_id, now);
                self.want(order_id, now);
            }
            // That an order is there is no news of it.
            OrderStatus::New => {}
            OrderStatus::Paid | OrderStatus::Other(_) => self.schedule_give_up(order_id, now),
        }
    }

    fn grant_if_ready(&mut self, order_id: OrderId) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if order.phase != Phase::Open || order.status != Some(OrderStatus::Done) {
            return;
        }
        let Some(items) = order.items.clone() else {
            return;
        };
        order.phase = Phase::Granted;
        order.was_granted = true;
        let user = order.user.clone();
        self.outputs.push_back(Output::Write {
            user: user.clone(),
            order_id,
            entry: Entry::Granted,
        });
        self.outputs.push_back(Output::Notice(Notice::Done {
            order_id,
            user: user.clone(),
            items,
            price: order.price.clone(),
        }));
        self.close_order(order_id, &user);
    }

    /// Sets the time of the next request for an order that is still followed, or none.
    fn schedule_next(&mut self, order_id: OrderId, now: Duration) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if order.phase != Phase::Open || order.request.is_some() {
            return;
        }
        if order.is_wanted {
            return self.ask_at(order_id, now);
        }
        let lacks_items = !order.awaits_news();
        let Some(record) = self.users.get(&order.user) else {
            return;
        };
        if record.is_live() && !lacks_items {
            return self.timers.clear(&Timer::Ask(order_id));
        }
        let mut at = now + poll_delay(order, &config, now);
        if record.trouble.is_none() && !lacks_items {
            at = at.max(record.grace_until);
        }
        self.ask_at(order_id, at);
    }

    /// Falls back on polling, in the rhythm of the orders' last answers; after a socket that was live,
    /// the next one has as long to come back.
    fn poll_instead(&mut self, user: &UserId, was_live: bool, now: Duration) {
        let (Some(config), Some(record)) = (self.config.clone(), self.users.get(user)) else {
            return;
        };
        for order_id in record.awaiting.clone() {
            let Some(order) = self.orders.get(&order_id) else {
                continue;
            };
            if order.request.is_some() {
                continue;
            }
            let since = order.answered_at.filter(|_| !was_live).unwrap_or(now);
            let at = since + poll_delay(order, &config, now);
            // What failed has a time of its own.
            let is_sooner = |set| order.failures == 0 && at < set;
            if self.timers.get(&Timer::Ask(order_id)).is_none_or(is_sooner) {
                self.ask_at(order_id, at);
            }
        }
    }

    /// Asks for an order whether or not there is a socket; once more, if a request is under way,
    /// because its answer may be older than the reason to ask.
    fn want(&mut self, order_id: OrderId, now: Duration) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if order.request.is_some() {
            order.is_wanted_again = true;
        } else {
            order.is_wanted = true;
            self.ask_at(order_id, now);
        }
    }

    fn ask_at(&mut self, order_id: OrderId, at: Duration) {
        let (Some(config), Some(order)) = (&self.config, self.orders.get(&order_id)) else {
            return;
        };
        let Some(record) = self.users.get(&order.user) else {
            return;
        };
        if record.authorization != Authorization::Valid || !order.may_be_asked_for() {
            return;
        }
        // However the news tumbles in, requests for one order keep a distance.
        let soonest = order
            .answered_at
            .map_or(Duration::ZERO, |answered| answered + config.retry_min);
        let at = at.max(soonest).max(record.hold_until);
        self.timers.set(Timer::Ask(order_id), at);
    }

    fn ask(&mut self, order_id: OrderId, now: Duration) {
        let request = self.next_number();
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if !order.may_be_asked_for() || order.request.is_some() {
            return;
        }
        let Some(record) = self.users.get_mut(&order.user) else {
            return;
        };
        if record.hold_until > now {
            let at = record.hold_until;
            return self.ask_at(order_id, at);
        }
        order.request = Some(request);
        order.asked_with = record.token;
        let user = order.user.clone();
        // A socket that is on its way for the first time is not missed yet.
        let lacks_socket =
            !record.is_live() && (record.trouble.is_some() || now >= record.grace_until);
        if lacks_socket && order.awaits_news() {
            record.is_polling = true;
        }
        self.outputs.push_back(Output::GetOrder {
            user: user.clone(),
            order_id,
            request,
        });
        self.update_state(&user);
    }

    fn schedule_give_up(&mut self, order_id: OrderId, now: Duration) {
        if let Some(config) = &self.config
            && let Some(order) = self.orders.get_mut(&order_id)
            && order.phase == Phase::Open
        {
            // What an order from the ledger has waited before counts until it is paid.
            let waited = if order.is_paid() {
                Duration::ZERO
            } else {
                order.age
            };
            let patience = config.tracking_timeout.saturating_sub(waited);
            order.is_overdue = false;
            let at = (order.last_news + patience).max(now);
            self.timers.set(Timer::GiveUp(order_id), at);
        }
    }

    /// The time for news is over. An order is given up by an answer, though, and not by a clock: the
    /// machine may have slept since it was last asked for, or the clock been set.
    fn give_up(&mut self, order_id: OrderId, now: Duration) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        let waits_for_a_token = self
            .users
            .get(&order.user)
            .is_none_or(|record| record.authorization != Authorization::Valid);
        if waits_for_a_token {
            let at = now + config.poll_interval_max;
            return self.timers.set(Timer::GiveUp(order_id), at);
        }
        order.is_overdue = true;
        let at = now + config.tracking_timeout;
        self.timers.set(Timer::GiveUp(order_id), at);
        self.want(order_id, now);
    }

    fn time_out(&mut self, order_id: OrderId, now: Duration) {
        if let Some(config) = &self.config {
            let error = TrackingError::TimedOut(config.tracking_timeout);
            self.fail(order_id, error, now);
        }
    }

    fn fail(&mut self, order_id: OrderId, error: TrackingError, now: Duration) {
        let timeout = self.config.as_ref().map(|config| config.tracking_timeout);
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        order.phase = Phase::Failed;
        // After a restart it is tried again: what was paid for always, the rest for a day.
        let age = order.age + now.saturating_sub(order.begun);
        // One that was refused may have been paid in an earlier run, for all that is known.
        let patience = match &error {
            TrackingError::Refused(_) => Some(KEEP_REFUSED),
            _ => timeout,
        };
        order.keeps_entry =
            order.is_paid() || order.was_granted || patience.is_none_or(|patience| age < patience);
        let user = order.user.clone();
        self.outputs.push_back(Output::Notice(Notice::Failed {
            order_id,
            user: user.clone(),
            error,
        }));
        self.close_order(order_id, &user);
    }

    /// Stops what runs for an order.
    fn close_order(&mut self, order_id: OrderId, user: &UserId) {
        self.timers.clear(&Timer::Ask(order_id));
        self.timers.clear(&Timer::GiveUp(order_id));
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.request = None;
        }
        if let Some(record) = self.users.get_mut(user) {
            record.open.remove(&order_id);
            record.awaiting.remove(&order_id);
            record.recording.remove(&order_id);
            record.checking.remove(&order_id);
        }
        self.timers.clear(&Timer::Record(order_id));
        self.close_socket_if_unused(user);
    }

    fn forget_user_if_unused(&mut self, user: &UserId) {
        let is_unused = self.users.get(user).is_some_and(|record| {
            !record.is_resident
                && record.ledger != LedgerState::Loading
                && record.open.is_empty()
                && record.recording.is_empty()
                && record.queued.is_empty()
                && record.checking.is_empty()
        });
        if is_unused && let Some(record) = self.users.remove(user) {
            self.timers.clear(&Timer::Token(user.clone()));
            self.timers.clear(&Timer::Read(user.clone()));
            self.standings.remove(&(record.severity, user.clone()));
            self.outputs
                .push_back(Output::Forget { user: user.clone() });
            self.tell_state();
        }
    }

    fn open_socket_if_wanted(&mut self, user: &UserId, now: Duration) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let connection = self.next_number();
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        let is_wanted = !record.awaiting.is_empty()
            && record.authorization == Authorization::Valid
            && record.socket == Socket::Closed;
        if !is_wanted {
            return;
        }
        record.socket = Socket::Opening { connection };
        record.connection_token = record.token;
        if record.trouble.is_none() {
            record.grace_until = now + config.socket_grace;
        }
        self.outputs.push_back(Output::OpenSocket {
            user: user.clone(),
            connection,
        });
        self.timers
            .set(Timer::Renew(user.clone()), now + config.socket_lifetime);
        self.update_state(user);
    }

    fn close_socket_if_unused(&mut self, user: &UserId) {
        if let Some(record) = self.users.get(user)
            && record.awaiting.is_empty()
        {
            self.close_socket(user);
        }
    }

    fn close_socket(&mut self, user: &UserId) {
        self.timers.clear(&Timer::Reopen(user.clone()));
        self.timers.clear(&Timer::Renew(user.clone()));
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.socket != Socket::Closed {
            self.outputs
                .push_back(Output::CloseSocket { user: user.clone() });
        }
        if record.socket != Socket::Refused {
            record.socket = Socket::Closed;
            record.failures = 0;
            record.trouble = None;
        }
    }

    fn reopen_socket(&mut self, user: &UserId, now: Duration) {
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.authorization == Authorization::Valid {
            record.socket = Socket::Closed;
            self.open_socket_if_wanted(user, now);
        } else {
            self.close_socket(user);
        }
    }

    /// No final status for as long as a socket is good for: ask, and begin a new one.
    fn renew(&mut self, user: &UserId, now: Duration) {
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.connection().is_none() {
            return;
        }
        let orders = record.awaiting.clone();
        self.reopen_socket(user, now);
        for order_id in orders {
            self.want(order_id, now);
        }
        self.update_state(user);
    }

    /// Stops what runs for a user.
    fn stop(&mut self, user: &UserId) {
        self.close_socket(user);
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        record.socket = Socket::Closed;
        record.is_polling = false;
        for order_id in record.open.union(&record.checking).copied() {
            self.timers.clear(&Timer::Ask(order_id));
            if let Some(order) = self.orders.get_mut(&order_id) {
                order.request = None;
            }
        }
    }

    /// Starts everything that an authorized user's orders need.
    fn resume(&mut self, user: &UserId, now: Duration) {
        let Some(record) = self.users.get(user) else {
            return;
        };
        for order_id in record.open.clone() {
            self.schedule_give_up(order_id, now);
            let Some(order) = self.orders.get_mut(&order_id) else {
                continue;
            };
            order.failures = 0;
            order.refusals = 0;
            self.want(order_id, now);
        }
        self.watch_token(user, now);
        self.load_ledger(user, now);
        self.check_acknowledged(user, now);
        self.open_socket_if_wanted(user, now);
        self.update_state(user);
    }

    fn load_ledger(&mut self, user: &UserId, now: Duration) {
        let is_configured = self.config.is_some();
        if let Some(record) = self.users.get_mut(user)
            && record.ledger == LedgerState::Unknown
            && record.authorization == Authorization::Valid
            && is_configured
        {
            record.ledger = LedgerState::Loading;
            self.timers
                .set(Timer::Read(user.clone()), now + LEDGER_PATIENCE);
            let user = user.clone();
            self.outputs.push_back(Output::LoadLedger { user });
        }
    }

    /// Asks for the orders that were acknowledged in earlier runs, one after the other.
    fn check_acknowledged(&mut self, user: &UserId, now: Duration) {
        let (Some(config), Some(record)) = (self.config.clone(), self.users.get(user)) else {
            return;
        };
        let mut at = now;
        for order_id in record.checking.clone() {
            at += config.poll_interval;
            self.ask_at(order_id, at);
        }
    }

    /// Sees to it that the game hears of the token's end before it comes.
    fn watch_token(&mut self, user: &UserId, now: Duration) {
        let timer = Timer::Token(user.clone());
        self.timers.clear(&timer);
        let (Some(config), Some(record)) = (&self.config, self.users.get(user)) else {
            return;
        };
        if let Some(expires) = record.token_expires
            && record.authorization != Authorization::Absent
        {
            let ahead = expires.saturating_sub(config.token_notice);
            self.timers.set(timer, ahead.max(now));
        }
    }

    fn token_expires(&mut self, user: &UserId, now: Duration) {
        let expires = self.users.get(user).and_then(|record| record.token_expires);
        let error = match expires {
            Some(expires) if expires > now => AuthorizationError::ExpiresSoon(expires - now),
            _ => AuthorizationError::Expired,
        };
        self.report_token(user, error);
    }

    fn report_token(&mut self, user: &UserId, error: AuthorizationError) {
        if let Some(record) = self.users.get_mut(user)
            && !std::mem::replace(&mut record.is_token_reported, true)
        {
            self.outputs
                .push_back(Output::Notice(Notice::AuthorizationRequired {
                    user: user.clone(),
                    error,
                }));
        }
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

/// Every few seconds at first; slower when there was no news for long.
fn poll_delay(order: &Order, config: &XsollaConfig, now: Duration) -> Duration {
    let quiet = now.saturating_sub(order.last_news);
    let beyond = quiet.saturating_sub(config.poll_slow_after);
    (config.poll_interval + beyond / 10).clamp(config.poll_interval, config.poll_interval_max)
}
