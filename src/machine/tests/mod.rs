//! Tests of the machine in simulated time, with one file for each subject. `random` makes random purchases
//! under random faults.

mod authorization;
mod discovery;
mod fleet;
mod granting;
mod ledger;
mod owners;
mod players;
mod polling;
mod purchases;
#[cfg(feature = "event_queue")]
mod queue;
mod random;
mod shared;
mod socket;
mod tracking;
#[cfg(feature = "webhook")]
mod webhooks;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::machine::Machine;
use crate::machine::input::{Answer, ConnectionId, Input, RequestId};
use crate::machine::output::{Call, Notice, Output};
use crate::machine::tracking::MAX_OPEN;
use crate::model::config::XsollaConfig;
use crate::model::error::{RequestError, SocketError, TrackingError};
use crate::model::ledger::{Ledger, LedgerError, LedgerReport, LedgerState, LoadOutcome};
use crate::model::order::{OrderId, OrderItem, OrderPhase, OrderStatus, Report};
use crate::model::record::{LedgerEntry, Restored};
use crate::model::state::TrackerState;
use crate::model::user::{UserId, XsollaUser};

/// A machine, a clock that only the test moves, and all outputs.
struct Sim {
    machine: Machine,
    now: Duration,
    config: XsollaConfig,
    /// The connection that is open or being opened.
    socket: Option<ConnectionId>,
    sockets_opened: usize,
    /// The requests that have no answer yet.
    requests: VecDeque<(OrderId, RequestId)>,
    /// The time at which each request was sent.
    sent: Vec<(Duration, OrderId)>,
    notices: Vec<Notice>,
    /// The requests of a shop, and the pages that were opened.
    others: Vec<Output>,
    /// The entries of the ledger with their times. Writes are done at once, unless it is stuck.
    ledger: BTreeMap<OrderId, (LedgerEntry, Duration)>,
    is_ledger_stuck: bool,
    /// The receipts of the webhooks that were confirmed.
    confirmed: Vec<u64>,
    /// The number of tokens.
    tokens: u64,
}

const ORDER: OrderId = OrderId(59_614_241);

fn alice() -> UserId {
    UserId::new('e', "alice")
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Makes a token. The same name gives the same player.
fn token(name: &str, number: u64) -> XsollaUser {
    XsollaUser::new(format!("{name}-{number}")).with_external_id(name)
}

fn sword() -> Vec<OrderItem> {
    vec![OrderItem::new("sword", 1)]
}

/// Makes a server's report on an order. The caller puts in the id of the order.
fn report(status: &str) -> Report {
    Report {
        order_id: ORDER,
        status: Some(OrderStatus::parse(status)),
        items: Some(sword()),
        price: None,
    }
}

/// Makes an error of the store itself.
fn http(status: u16) -> RequestError {
    RequestError::Status {
        status,
        code: Some("0401-0000".to_owned()),
        message: None,
        transaction_id: None,
        retry_after: None,
    }
}

/// Makes the error page of somebody between the game and the store, such as a firewall.
fn foreign(status: u16) -> RequestError {
    RequestError::Status {
        status,
        code: None,
        message: None,
        transaction_id: None,
        retry_after: None,
    }
}

fn lost() -> SocketError {
    SocketError::Lost("test".to_owned())
}

fn closed(code: u32) -> SocketError {
    SocketError::Closed {
        code,
        reason: "test".to_owned(),
    }
}

/// Makes a machine with alice logged in and the ledger still being read.
fn loading() -> Sim {
    let mut sim = Sim::unconfigured();
    let config = sim.config.clone();
    sim.configure(Some(config));
    let input = Input::LogIn {
        user: token("alice", 1),
        expires_in: None,
    };
    sim.machine.handle(input, sim.now);
    while sim.machine.next_output().is_some() {}
    sim
}

/// Makes a machine whose socket is live and that follows these orders, all of them new.
fn live_with(orders: &[OrderId]) -> Sim {
    let mut sim = Sim::new();
    for order in orders {
        sim.track(*order);
    }
    sim.tick();
    while !sim.requests.is_empty() {
        sim.answer(Ok(report("new")));
    }
    sim.socket_is_live(true);
    sim
}

fn known(entry: LedgerEntry) -> Vec<Restored> {
    vec![Restored {
        order_id: ORDER,
        entry,
        age: seconds(5),
    }]
}

fn was_told_a_refund(sim: &Sim) -> bool {
    let is_refund = |n: &Notice| matches!(n, Notice::Canceled(canceled) if canceled.was_done);
    sim.notices.iter().any(is_refund)
}

impl Sim {
    /// Returns the orders whose cancellation was told, and whether they had been granted.
    fn canceled(&self) -> Vec<(OrderId, bool)> {
        let canceled = |notice: &Notice| match notice {
            Notice::Canceled(canceled) => Some((canceled.order_id, canceled.was_done)),
            _ => None,
        };
        self.notices.iter().filter_map(canceled).collect()
    }

    /// Takes what the machine wants done, without doing it.
    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.machine.next_output()).collect()
    }

    /// Makes a configured machine with alice logged in.
    fn new() -> Self {
        let mut sim = Self::unconfigured();
        let config = sim.config.clone();
        sim.configure(Some(config));
        sim.log_in();
        sim
    }

    fn unconfigured() -> Self {
        Self {
            machine: Machine::new(7),
            now: seconds(1_000),
            config: XsollaConfig::new(77_640),
            socket: None,
            sockets_opened: 0,
            requests: VecDeque::new(),
            sent: Vec::new(),
            notices: Vec::new(),
            others: Vec::new(),
            ledger: BTreeMap::new(),
            is_ledger_stuck: false,
            confirmed: Vec::new(),
            tokens: 0,
        }
    }

    fn configure(&mut self, config: Option<XsollaConfig>) {
        self.handle(Input::Configure(config.map(Arc::new)));
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.collect();
    }

    fn log_in(&mut self) {
        self.log_in_for(None);
    }

    /// Logs in with a token of this life.
    fn log_in_for(&mut self, expires_in: Option<Duration>) {
        self.tokens += 1;
        let user = token("alice", self.tokens);
        self.handle(Input::LogIn { user, expires_in });
    }

    /// Ends the process, and starts another one on the same ledger.
    fn restart(&mut self) {
        self.restart_logged_out();
        self.log_in();
    }

    fn restart_logged_out(&mut self) {
        let fresh = Self::unconfigured();
        self.machine = fresh.machine;
        self.socket = None;
        self.requests.clear();
        self.notices.clear();
        let config = self.config.clone();
        self.configure(Some(config));
    }

    fn acknowledge(&mut self, order_id: OrderId) {
        self.handle(Input::Acknowledge(order_id));
    }

    fn delivered(&mut self, order_id: OrderId) {
        self.handle(Input::Delivered(order_id));
    }

    fn log_out(&mut self) {
        self.handle(Input::LogOut(alice()));
    }

    fn track(&mut self, order_id: OrderId) {
        let user = alice();
        self.handle(Input::Track { user, order_id });
    }

    fn untrack(&mut self, order_id: OrderId) {
        self.handle(Input::Untrack(order_id));
    }

    fn project(&self) -> u64 {
        self.machine.project.unwrap_or_default()
    }

    fn recorded(&mut self, order_id: OrderId, entry: LedgerEntry) {
        self.handle(Input::Ledger(LedgerReport::Recorded {
            project_id: self.project(),
            order_id,
            entry,
            before: None,
            is_written: true,
            claims: false,
        }));
    }

    /// The ledger's report that it has an entry of the order, and what it had before.
    fn recording(&self, entry: LedgerEntry, before: Option<LedgerEntry>) -> Input {
        Input::Ledger(LedgerReport::Recorded {
            project_id: self.project(),
            order_id: ORDER,
            entry,
            before,
            is_written: true,
            claims: false,
        })
    }

    fn loaded(&mut self, orders: Vec<Restored>) {
        self.handle(Input::Ledger(LedgerReport::Loaded {
            project_id: self.project(),
            user: alice(),
            orders,
            outcome: LoadOutcome::Read,
        }));
    }

    fn tick(&mut self) {
        self.machine.tick(self.now);
        self.collect();
    }

    /// Lets time pass, deadline by deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.machine.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(deadline);
            self.tick();
        }
        self.now = end;
    }

    /// Lets time pass, with every request answered at once.
    fn pass_answering(&mut self, time: Duration, answer: &Result<Report, RequestError>) {
        let end = self.now + time;
        self.answer_all(answer);
        while let Some(deadline) = self.machine.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(deadline);
            self.tick();
            self.answer_all(answer);
        }
        self.now = end;
    }

    fn answer_all(&mut self, answer: &Result<Report, RequestError>) {
        self.tick();
        while !self.requests.is_empty() {
            self.answer(answer.clone());
            self.tick();
        }
    }

    /// Answers the oldest request.
    fn answer(&mut self, answer: Result<Report, RequestError>) {
        let (order_id, request) = self.requests.pop_front().expect("no request is under way");
        let answer = Answer::Order(answer.map(|report| Report { order_id, ..report }));
        self.handle(Input::Answered { request, answer });
    }

    fn socket_is_live(&mut self, recovered: bool) {
        self.socket_is_subscribed(recovered, recovered);
    }

    fn socket_is_subscribed(&mut self, recovered: bool, heard_all: bool) {
        let connection = self.socket.expect("no socket is being opened");
        self.handle(Input::Subscribed {
            user: alice(),
            connection,
            recovered,
            heard_all,
        });
    }

    fn socket_ends(&mut self, reason: SocketError) {
        let connection = self.socket.take().expect("no socket is open");
        self.handle(Input::Ended {
            user: alice(),
            connection,
            reason,
        });
    }

    fn publish(&mut self, order_id: OrderId, status: &str) {
        self.handle(Input::News {
            user: alice(),
            // News counts from any connection of the player.
            connection: ConnectionId(u64::MAX),
            report: Report {
                order_id,
                items: None,
                ..report(status)
            },
        });
    }

    /// Publishes that the order is paid, answers the request that follows, and publishes that it is done.
    fn publish_purchase(&mut self, order_id: OrderId) {
        self.publish(order_id, "paid");
        self.answer_all(&Ok(report("paid")));
        self.publish(order_id, "done");
    }

    fn collect(&mut self) {
        while let Some(output) = self.machine.next_output() {
            match output {
                Output::Connect { connection, .. } => {
                    self.socket = Some(connection);
                    self.sockets_opened += 1;
                }
                Output::Disconnect(_) => self.socket = None,
                Output::Request {
                    request,
                    call: Call::GetOrder(order_id),
                    ..
                } => {
                    self.requests.push_back((order_id, request));
                    self.sent.push((self.now, order_id));
                }
                Output::CancelRequest(request) => self.requests.retain(|(_, of)| *of != request),
                Output::Load(user) => {
                    let orders = self.ledger.iter().map(|(id, (entry, at))| Restored {
                        order_id: *id,
                        entry: *entry,
                        age: self.now - *at,
                    });
                    let orders = orders.collect();
                    let input = Input::Ledger(LedgerReport::Loaded {
                        project_id: self.project(),
                        user,
                        orders,
                        outcome: LoadOutcome::Read,
                    });
                    self.machine.handle(input, self.now);
                }
                Output::Record { .. } if self.is_ledger_stuck => {}
                Output::Record {
                    order_id,
                    entry,
                    claims,
                    ..
                } => {
                    let before = self.ledger.get(&order_id).copied();
                    // An entry is raised and never lowered.
                    if before.is_none_or(|(before, _)| before < entry) {
                        self.ledger.insert(order_id, (entry, self.now));
                    }
                    let input = Input::Ledger(LedgerReport::Recorded {
                        project_id: self.project(),
                        order_id,
                        entry,
                        before: before.map(|(entry, _)| entry),
                        is_written: true,
                        claims,
                    });
                    self.machine.handle(input, self.now);
                }
                Output::Erase { order_id, .. } => {
                    self.ledger.remove(&order_id);
                }
                Output::Confirm(receipt) => self.confirmed.push(receipt.0),
                Output::Hurry { .. } | Output::Settled { .. } => self.others.push(output),
                Output::UseLedger(_) | Output::Release(_) => {}
                Output::Notice(notice) => self.notices.push(notice),
                Output::Request { .. } | Output::OpenPage { .. } => self.others.push(output),
            }
        }
    }

    /// Whether the game was last told that the ledger does not answer.
    fn is_ledger_silent(&self) -> bool {
        let silence = Notice::Ledger(LedgerState::Trouble(LedgerError::NoAnswer));
        let of_ledger = |notice: &&Notice| matches!(notice, Notice::Ledger(_));
        self.notices.iter().rfind(of_ledger) == Some(&silence)
    }

    /// The statuses that the game was told.
    fn statuses(&self) -> Vec<String> {
        let status = |notice: &Notice| match notice {
            Notice::StatusChanged(changed) => Some(changed.status.to_string()),
            _ => None,
        };
        self.notices.iter().filter_map(status).collect()
    }

    /// The number of times that the game was told to grant an order.
    fn grants(&self, order: OrderId) -> usize {
        let is_grant = |n: &&Notice| matches!(n, Notice::Done(done) if done.order_id == order);
        self.notices.iter().filter(is_grant).count()
    }

    fn failures(&self) -> Vec<&TrackingError> {
        self.notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::Failed(failed) => Some(&failed.error),
                _ => None,
            })
            .collect()
    }

    fn authorizations_required(&self) -> usize {
        let is_one = |n: &&Notice| matches!(n, Notice::AuthorizationRequired(_));
        self.notices.iter().filter(is_one).count()
    }

    fn state(&self) -> &TrackerState {
        &self.machine.state
    }

    fn requests_sent(&self) -> usize {
        self.sent.len()
    }
}
