//! The machine makes every decision: which orders to follow, what a status means, when to open and close a
//! socket, when to ask the store, and what to tell the game.
//!
//! It has no IO, no clock, and no randomness of its own. Each event goes in as an [`Input`] with its time,
//! and [`Output`]s come out, so tests can run millions of purchases in simulated time.

mod authorization;
mod backoff;
mod connections;
pub(crate) mod consumption;
mod discovery;
mod early_news;
pub(crate) mod input;
mod news;
mod order;
pub(crate) mod output;
mod pending;
mod player;
mod progress;
mod purchases;
mod queue;
mod receipts;
mod recording;
pub(crate) mod renewal;
mod requests;
mod shared;
#[cfg(test)]
mod tests;
mod timers;
mod tracking;
mod untracking;
#[cfg(feature = "webhook")]
mod webhooks;

use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::model::maps::{HashMap, HashSet};
use litemap::LiteMap;

use self::input::{Input, RequestId};
use self::order::Order;
use self::output::{Notice, Output};
use self::pending::PendingPurchases;
use self::player::{Player, severity};
use self::queue::RequestQueue;
use self::timers::Timers;
use crate::model::config::XsollaConfig;
use crate::model::ledger::LedgerState;
use crate::model::order::OrderId;
use crate::model::purchase::PurchaseId;
use crate::model::state::TrackerState;
use crate::model::user::UserId;

/// How many outdated entries `Machine::standings` may have besides as many as there are players.
const OUTDATED: usize = 64;

#[derive(Debug)]
pub(crate) struct Machine {
    /// `None` pauses everything.
    config: Option<Arc<XsollaConfig>>,
    /// The project that `orders` belong to.
    project: Option<u64>,
    players: LiteMap<UserId, Box<Player>>,
    orders: HashMap<OrderId, Box<Order>>,
    /// The orders of the other projects that the game was set to before.
    elsewhere: LiteMap<u64, HashMap<OrderId, Box<Order>>>,
    queue: RequestQueue,
    pending: PendingPurchases,
    timers: Timers<Timer>,
    outputs: VecDeque<Output>,
    /// The severity of each player's state, and outdated entries: those that differ from what the player has. The worst
    /// is first.
    standings: BinaryHeap<(u8, UserId)>,
    state: TrackerState,
    /// The state that the ledger last reported.
    ledger: LedgerState,
    /// Whether the ledger has not answered for too long.
    is_ledger_silent: bool,
    last_number: u64,
    /// The request for the catalogue that was sent last.
    catalog_request: Option<RequestId>,
    /// The earlier owner of each order that is being recorded for another player.
    moved: Vec<(OrderId, UserId)>,
    /// The orders of each project that the game has untracked, and that a ledger may still have which was not read yet.
    untracked: LiteMap<Option<u64>, HashSet<OrderId>>,
    /// Connections up to this number were opened with other settings.
    outdated_connections: u64,
    /// The players with news of orders that nobody has tracked.
    undiscovered: Vec<UserId>,
    random: fastrand::Rng,
}

/// An action that is due at a set time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    Request(OrderId),
    /// Check whether to give an order up.
    GiveUp(OrderId),
    /// Reopen a player's socket.
    Reopen(UserId),
    /// Replace a socket whose lifetime is over.
    Renew(UserId),
    /// Tell the game that a player's token is about to expire.
    Token(UserId),
    /// Go on without the ledger, which should have read a player's orders by now.
    Read(UserId),
    /// Go on without the ledger, which should have recorded an order by now.
    Record(OrderId),
    /// Send the next of a player's paced requests.
    Pace(UserId),
    /// Go on without a request's answer, which should have come by now.
    Answer(RequestId),
    /// Answer a purchase that has waited long enough to know what is in its player's open orders.
    Purchase(PurchaseId),
}

/// Orders in a sequence that does not depend on a hash, for whatever can be seen from outside.
fn sorted<'a>(orders: impl IntoIterator<Item = &'a OrderId>) -> Vec<OrderId> {
    let mut orders: Vec<OrderId> = orders.into_iter().copied().collect();
    orders.sort_unstable();
    orders
}

impl Machine {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            config: None,
            project: None,
            players: LiteMap::new(),
            orders: HashMap::default(),
            elsewhere: LiteMap::new(),
            queue: RequestQueue::default(),
            pending: PendingPurchases::default(),
            timers: Timers::new(),
            outputs: VecDeque::new(),
            standings: BinaryHeap::new(),
            state: TrackerState::Idle,
            ledger: LedgerState::Kept,
            is_ledger_silent: false,
            last_number: 0,
            catalog_request: None,
            moved: Vec::new(),
            untracked: LiteMap::new(),
            outdated_connections: 0,
            undiscovered: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub(crate) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The time of the next [`tick`](Self::tick); `None` while no timer is set.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.timers.next()
    }

    pub(crate) fn handle(&mut self, input: Input, now: Duration) {
        self.take(input, now);
        self.finish(now);
    }

    fn take(&mut self, input: Input, now: Duration) {
        match input {
            Input::Configure(config) => self.configure(config, now),
            Input::LogIn { user, expires_in } => {
                let id = user.id().clone();
                self.log_in(user, expires_in, now);
                self.stay(&id, now);
            }
            Input::LogOut(user) => self.log_out(&user),
            Input::Track { user, order_id } => self.track(&user, order_id, now),
            Input::TrackAs {
                user,
                expires_in,
                order_id,
            } => {
                let id = user.id().clone();
                self.log_in(user, expires_in, now);
                self.track(&id, order_id, now);
            }
            Input::Acknowledge(order_id) => self.acknowledge(order_id, now),
            Input::DeliverAgain => self.deliver_again(),
            Input::Delivered(order_id) => self.delivered(order_id),
            Input::Untrack(order_id) => self.untrack(order_id, now),
            Input::Abandon(order_id) => self.abandon(order_id, now),
            Input::Purchase { id, user, purchase } => self.purchase(id, &user, purchase, now),
            Input::PurchaseAs {
                id,
                user,
                expires_in,
                purchase,
            } => {
                let player = user.id().clone();
                self.log_in(user, expires_in, now);
                self.purchase(id, &player, purchase, now);
            }
            Input::ResumePayment(order_id) => self.resume_payment(order_id),
            Input::PageFailed { order_id, error } => self.page_failed(order_id, error),
            Input::PageChanged { order_id, status } => self.page_changed(order_id, status, now),
            Input::Returned => self.returned(now),
            Input::Resumed => self.resumed(now),
            Input::FetchCatalog { user, request } => self.fetch_catalog(user, request, now),
            Input::News {
                user,
                connection,
                report,
            } => self.news(&user, connection, report, now),
            #[cfg(feature = "webhook")]
            Input::Pushed {
                user,
                project_id,
                report,
                source,
                receipt,
            } if self.takes_webhook_of(project_id) => {
                self.pushed(user, report, source, receipt, now);
            }
            // It comes again.
            #[cfg(feature = "webhook")]
            Input::Pushed { .. } => {}
            #[cfg(feature = "webhook")]
            Input::Reconciled(reconciled) => self.tell(Notice::Reconciled(reconciled)),
            Input::Subscribed {
                user,
                connection,
                recovered,
                heard_all,
            } => self.subscribed(&user, connection, recovered, heard_all, now),
            Input::Ended {
                user,
                connection,
                reason,
            } => self.connection_ended(&user, connection, reason, now),
            Input::Answered { request, answer } => self.answered(request, answer, now),
            Input::Ledger(report) => self.ledger_reports(report, now),
        }
    }

    /// Runs every timer that is due.
    pub(crate) fn tick(&mut self, now: Duration) {
        while let Some((due, timer)) = self.timers.pop(now) {
            match timer {
                Timer::Request(order_id) => self.queue_request(order_id, now),
                Timer::GiveUp(order_id) => self.give_up(order_id, now),
                Timer::Reopen(user) => self.reconnect(&user, now),
                Timer::Renew(user) => self.renew(&user, now),
                Timer::Token(user) => self.token_expires(&user, now),
                Timer::Read(user) => self.reading_is_late(&user, due, now),
                Timer::Record(order_id) => self.recording_is_late(order_id, now),
                Timer::Pace(user) => self.queue_paced_request(&user, now),
                Timer::Answer(request) => self.answer_is_missing(request, now),
                Timer::Purchase(id) => self.hold_is_over(id),
            }
        }
        self.finish(now);
    }

    /// Does what is left to do once an input or a timer was handled.
    fn finish(&mut self, now: Duration) {
        self.discover_all(now);
        self.create_held_orders(now);
        // Canceled and answered requests have left their places.
        self.send_waiting(now);
    }

    /// Takes new settings. `None` stops everything until there are some.
    fn configure(&mut self, config: Option<Arc<XsollaConfig>>, now: Duration) {
        let place = |config: &XsollaConfig| (config.project_id, config.ledger.clone());
        let is_moved = self.config.as_deref().map(place) != config.as_deref().map(place);
        self.config = config;
        if let Some(config) = &self.config {
            let project = config.project_id;
            if let Some(before) = self.project.replace(project)
                && before != project
            {
                self.change_project(before, project, now);
            }
        }
        // The new settings may name other servers, so what the earlier ones said no longer counts.
        self.outdated_connections = self.last_number;
        if let Some(config) = &self.config {
            self.outputs.push_back(Output::UseLedger(config.clone()));
        }
        let users: Vec<UserId> = self.players.keys().cloned().collect();
        for user in &users {
            self.stop(user);
            self.begin_anew(user, is_moved, now);
        }
        if is_moved && self.config.is_some() {
            self.record_all_anew();
        }
        for user in &users {
            self.resume(user, now);
        }
    }

    fn tell(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Tells the game the state of tracking, if this player's state has changed it.
    fn update_state(&mut self, user: &UserId) {
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        let severity = severity(&player.state());
        if severity != player.severity {
            player.severity = severity;
            self.standings.push((severity, user.clone()));
        }
        self.tell_state();
    }

    fn tell_state(&mut self) {
        if self.standings.len() > 2 * self.players.len() + OUTDATED {
            let players = self.players.iter();
            self.standings = players
                .map(|(user, player)| (player.severity, user.clone()))
                .collect();
        }
        let players = &self.players;
        let is_outdated = |(severity, user): &(u8, UserId)| {
            let player = players.get(user);
            player.is_none_or(|player| player.severity != *severity)
        };
        while self.standings.peek().is_some_and(is_outdated) {
            self.standings.pop();
        }
        let worst = self.standings.peek().map(|(_, user)| user);
        let state = match worst.and_then(|user| players.get(user)) {
            Some(player) => player.state(),
            None => TrackerState::Idle,
        };
        if state != self.state {
            self.state = state.clone();
            self.tell(Notice::State(state));
        }
    }

    /// Whether there is nothing to do and nothing to wait for.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        let is_token = |timer: &Timer| matches!(timer, Timer::Token(_));
        self.timers.keys().all(is_token)
            && self
                .players
                .values()
                .all(|player| player.connection().is_none())
    }
}
