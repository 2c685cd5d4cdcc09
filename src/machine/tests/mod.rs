//! The machine in simulated time: `follow` has the life of an order step by step, `trouble` what users
//! of other SDKs ran into.

mod authorization;
mod careful;
mod follow;
mod hard_cases;
mod ledger;
mod polling;
mod random;
mod socket;

use super::*;
use crate::model::ledger::Ledger;
use crate::model::order::OrderItem;

/// A machine, a clock that only the test moves, and all that came out.
struct Sim {
    machine: Machine,
    now: Duration,
    config: XsollaConfig,
    /// Open or opening, by their numbers.
    socket: Option<u64>,
    sockets_opened: usize,
    /// Requests without an answer yet.
    requests: VecDeque<(OrderId, u64)>,
    /// When each request was sent.
    sent: Vec<(Duration, OrderId)>,
    notices: Vec<Notice>,
    /// What the ledger has, and since when. Writes are done at once, unless it is stuck.
    ledger: BTreeMap<OrderId, (Entry, Duration)>,
    is_ledger_stuck: bool,
    is_ledger_silent: bool,
}

const ORDER: OrderId = OrderId(59_614_241);

fn alice() -> UserId {
    UserId::new('s', "alice")
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn sword() -> Vec<OrderItem> {
    vec![OrderItem {
        sku: "sword".to_owned(),
        quantity: 1,
        is_free: false,
        price: None,
    }]
}

fn report(status: &str) -> OrderReport {
    OrderReport {
        status: Some(OrderStatus::parse(status)),
        items: Some(sword()),
        price: None,
    }
}

fn http(status: u16) -> RequestError {
    RequestError::Status {
        status,
        code: None,
        message: None,
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

impl Sim {
    /// Configured, and alice logged in.
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
            ledger: BTreeMap::new(),
            is_ledger_stuck: false,
            is_ledger_silent: false,
        }
    }

    fn configure(&mut self, config: Option<XsollaConfig>) {
        self.machine.configure(config.map(Arc::new), self.now);
        self.collect();
    }

    fn log_in(&mut self) {
        self.machine.log_in(&alice(), None, self.now);
        self.machine.stay(&alice());
        self.collect();
    }

    /// The process ends, and another begins on the same ledger.
    fn restart(&mut self) {
        let fresh = Self::unconfigured();
        self.machine = fresh.machine;
        self.socket = None;
        self.requests.clear();
        self.notices.clear();
        let config = self.config.clone();
        self.configure(Some(config));
        self.log_in();
    }

    fn acknowledge(&mut self, order_id: OrderId) -> bool {
        let is_granted = self.machine.acknowledge(order_id);
        self.collect();
        is_granted
    }

    fn told(&mut self, order_id: OrderId) {
        self.machine.told(order_id);
        self.collect();
    }

    fn log_out(&mut self) {
        self.machine.log_out(&alice());
        self.collect();
    }

    fn track(&mut self, order_id: OrderId) {
        self.machine.track(&alice(), order_id, self.now);
        self.collect();
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
    fn pass_answering(&mut self, time: Duration, answer: &Result<OrderReport, RequestError>) {
        let end = self.now + time;
        self.answer_all(answer);
        while let Some(deadline) = self.machine.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(deadline);
            self.tick();
            self.answer_all(answer);
        }
        self.now = end;
    }

    fn answer_all(&mut self, answer: &Result<OrderReport, RequestError>) {
        self.tick();
        while !self.requests.is_empty() {
            self.answer(answer.clone());
            self.tick();
        }
    }

    /// Answers the oldest request.
    fn answer(&mut self, answer: Result<OrderReport, RequestError>) {
        let (order_id, request) = self.requests.pop_front().expect("no request is under way");
        self.machine.answered(order_id, request, answer, self.now);
        self.collect();
    }

    fn socket_is_live(&mut self, gapless: bool) {
        let connection = self.socket.expect("no socket is being opened");
        self.machine
            .socket_caught_up(&alice(), connection, gapless, self.now);
        self.collect();
    }

    fn socket_ends(&mut self, reason: SocketError) {
        let connection = self.socket.take().expect("no socket is open");
        self.machine
            .socket_ended(&alice(), connection, reason, self.now);
        self.collect();
    }

    fn publish(&mut self, order_id: OrderId, status: &str) {
        let news = OrderNews {
            order_id,
            status: OrderStatus::parse(status),
        };
        self.machine.publication(&alice(), news, self.now);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.machine.next_output() {
            match output {
                Output::OpenSocket { connection, .. } => {
                    self.socket = Some(connection);
                    self.sockets_opened += 1;
                }
                Output::CloseSocket { .. } => self.socket = None,
                Output::GetOrder {
                    order_id, request, ..
                } => {
                    self.requests.push_back((order_id, request));
                    self.sent.push((self.now, order_id));
                }
                Output::LoadLedger { user } => {
                    let orders = self.ledger.iter().map(|(id, (entry, at))| Restored {
                        order_id: *id,
                        entry: *entry,
                        age: self.now - *at,
                    });
                    let orders = orders.collect();
                    self.machine.ledger_loaded(&user, orders, self.now);
                }
                Output::Write { .. } if self.is_ledger_stuck => {}
                Output::Write {
                    order_id, entry, ..
                } => {
                    self.ledger.insert(order_id, (entry, self.now));
                    self.machine.written(order_id, entry, self.now);
                }
                Output::Erase { order_id, .. } => {
                    self.ledger.remove(&order_id);
                }
                Output::Forget { .. } => {}
                Output::LedgerSilent(is_silent) => self.is_ledger_silent = is_silent,
                Output::Notice(notice) => self.notices.push(notice),
            }
        }
    }

    /// The statuses that the game was told.
    fn statuses(&self) -> Vec<String> {
        let status = |notice: &Notice| match notice {
            Notice::Status { status, .. } => Some(status.to_string()),
            _ => None,
        };
        self.notices.iter().filter_map(status).collect()
    }

    /// How often the game was told to grant an order.
    fn grants(&self, order: OrderId) -> usize {
        let is_grant =
            |n: &&Notice| matches!(n, Notice::Done { order_id, .. } if *order_id == order);
        self.notices.iter().filter(is_grant).count()
    }

    fn failures(&self) -> Vec<&TrackingError> {
        self.notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::Failed { error, .. } => Some(error),
                _ => None,
            })
            .collect()
    }

    fn authorizations_required(&self) -> usize {
        let is_one = |n: &&Notice| matches!(n, Notice::AuthorizationRequired { .. });
        self.notices.iter().filter(is_one).count()
    }

    fn state(&self) -> &TrackerState {
        &self.machine.state
    }

    fn requests_sent(&self) -> usize {
        self.sent.len()
    }
}
