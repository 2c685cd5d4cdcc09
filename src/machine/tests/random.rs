//! Tests with random purchases and everything that can go wrong, in simulated time.
//!
//! A plain world has a server with orders that move on by themselves, a socket that drops, repeats and
//! forgets, requests that fail and lag, tokens that expire, a ledger that is slow, and a game that
//! grants, acknowledges, and is killed at any moment.
//!
//! A harder world also has players who log out and in, a machine that sleeps and a calendar that is wrong,
//! purchases in one call and stores that answer them with known order ids, a disk that hangs, lists of items
//! that are empty for minutes or change with the payment, a project that changes, another instance that holds
//! the ledger, and a game that takes its time to hear what it is told. These faults are drawn from their own
//! generator, so that the seeds of plain worlds keep their meaning.
//!
//! `BEVY_XSOLLA_SEED` replays the worlds of one seed; `BEVY_XSOLLA_PURCHASES` sets how many purchases are
//! made in each kind.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use super::*;
use crate::model::error::AuthorizationError;
use crate::model::message::{OrderCanceled, OrderDone, OrderExpired, OrderTrackingFailed};
use crate::model::purchase::{CreatedOrder, Purchase, PurchaseId};

/// The time in which anything may go wrong. The world is calm after it, and all orders must reach their ends.
const TROUBLE: Duration = Duration::from_secs(900);
const CALM: Duration = Duration::from_secs(900);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The order reaches the next of its statuses.
    Move(OrderId),
    /// The game opens the payment page.
    Track(OrderId),
    SocketOpens(ConnectionId),
    SocketDrops(ConnectionId),
    Hear(ConnectionId, OrderId, String),
    Answer(OrderId, RequestId),
    Written(u32, OrderId, u8),
    Loaded(u32),
    Acknowledge(u32, OrderId),
    LogIn(u32),
    Told(u32, OrderId),
    Kill,
    Machine,
    LogOut(u32),
    /// The machine sleeps, or the player sets its clock.
    ClockJumps,
    Buy,
    Created(RequestId, OrderId),
    NotCreated(RequestId),
    /// The game is set to another project, or back.
    ChangeProject(u32, u64),
    /// The other instance lets go of the ledger.
    Unlock(u32),
    /// The game takes in what it is told.
    Frame(u32),
}

/// The project of the orders that are bought.
const PROJECT: u64 = 77_640;
/// Another project, which has other orders of the same ids. Those of odd ids are tracked there, and are paid and
/// never done.
const OTHER_PROJECT: u64 = 4;

/// In place of an entry's number: the entry is not written while another instance holds the ledger.
const UNWRITTEN: u8 = 8;
/// The entry is of the other project.
const ELSEWHERE: u8 = 9;

struct World {
    seed: u64,
    random: fastrand::Rng,
    now: Duration,
    end_of_trouble: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    last_event: u64,
    machine: Machine,
    /// The number of the process, so that events for a dead process do not reach the next one.
    process: u32,
    next_tick: Option<Duration>,

    server: BTreeMap<OrderId, ServerOrder>,
    /// The publications of the channel, in order.
    stream: Vec<(OrderId, String)>,
    /// The number of publications that the open socket has been sent.
    sent: usize,
    socket: Option<ConnectionId>,
    has_connected: bool,
    token_until: Duration,
    tokens: u64,
    /// The player, the entry and its time of each order.
    ledger: BTreeMap<OrderId, (&'static str, LedgerEntry, Duration)>,

    in_flight: HashMap<OrderId, RequestId>,
    answered_at: HashMap<OrderId, Duration>,
    hold_until: Duration,
    granted_now: HashSet<OrderId>,
    granted_ever: HashSet<OrderId>,
    /// Orders that are acknowledged, and of which the game was told that the ledger has this.
    safe: HashSet<OrderId>,
    canceled_now: HashSet<OrderId>,
    told_canceled: HashMap<OrderId, bool>,
    told_ended: HashSet<OrderId>,
    tracked: BTreeSet<OrderId>,

    /// Draws the faults of a harder world; `None` in a plain world.
    hard: Option<fastrand::Rng>,
    /// The time by which the machine's clock is ahead of the world's.
    skew: Duration,
    project: u64,
    is_logged_in: bool,
    /// The time until which the disk hangs.
    disk_hangs_until: Duration,
    /// Whether another instance holds the ledger.
    is_locked: bool,
    unwritten: Vec<(OrderId, u8)>,
    /// The entries that the disk is writing.
    writing: Vec<(OrderId, u8)>,
    outbox: VecDeque<Notice>,
    is_frame_due: bool,
    last_purchase: u64,
    /// The purchases that the game of this process waits for an answer to.
    unanswered: HashMap<PurchaseId, Duration>,
    given_up: HashSet<OrderId>,
    /// Whether a server has refused the token that the game inserted last.
    is_token_refused: bool,
    /// The orders whose items an answer told this process after their payment.
    listed: HashSet<OrderId>,
    /// Who plays: alice, or the account that she has linked, which knows her orders.
    player: &'static str,
    /// The orders that this process knows to be paid.
    known_paid: HashSet<OrderId>,
}

struct ServerOrder {
    /// The items before the payment and after it.
    items: [Vec<OrderItem>; 2],
    /// The time until which answers have an empty list of items.
    empty_until: Duration,
    /// The time until which the store does not find it.
    hidden_until: Duration,
    /// Whether nobody has been shown its payment page yet.
    waits_for_page: bool,
    history: Vec<(Duration, String)>,
    to_come: VecDeque<String>,
}

impl ServerOrder {
    /// The status that Get Order reports if it lags until this time.
    fn status_at(&self, time: Duration) -> Option<&str> {
        let past = self.history.iter().rev().find(|(at, _)| *at <= time);
        past.or(self.history.first())
            .map(|(_, status)| status.as_str())
    }

    fn has_been(&self, status: &str) -> bool {
        self.history.iter().any(|(_, s)| s == status)
    }
}

impl World {
    fn new(seed: u64, is_hard: bool) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let now = seconds(1_000);
        let mut world = Self {
            seed,
            machine: Machine::new(random.u64(..)),
            now,
            end_of_trouble: now + TROUBLE,
            events: BinaryHeap::new(),
            last_event: 0,
            process: 0,
            next_tick: None,
            server: BTreeMap::new(),
            stream: Vec::new(),
            sent: 0,
            socket: None,
            has_connected: false,
            token_until: now,
            tokens: 0,
            ledger: BTreeMap::new(),
            in_flight: HashMap::new(),
            answered_at: HashMap::new(),
            hold_until: Duration::ZERO,
            granted_now: HashSet::new(),
            granted_ever: HashSet::new(),
            safe: HashSet::new(),
            canceled_now: HashSet::new(),
            told_canceled: HashMap::new(),
            told_ended: HashSet::new(),
            tracked: BTreeSet::new(),
            random,
            hard: is_hard.then(|| fastrand::Rng::with_seed(seed ^ 0x5eed)),
            skew: Duration::ZERO,
            project: PROJECT,
            is_logged_in: false,
            disk_hangs_until: Duration::ZERO,
            is_locked: false,
            unwritten: Vec::new(),
            writing: Vec::new(),
            outbox: VecDeque::new(),
            is_frame_due: false,
            last_purchase: 0,
            unanswered: HashMap::new(),
            given_up: HashSet::new(),
            is_token_refused: false,
            listed: HashSet::new(),
            player: "alice",
            known_paid: HashSet::new(),
        };
        for n in 0..world.random.u64(1..=4) {
            let order_id = OrderId(n + 1);
            world.create_order(order_id);
            world.after_some(seconds(400), Event::Move(order_id));
            world.after_some(seconds(60), Event::Track(order_id));
        }
        for _ in 0..world.random.u32(0..4) {
            world.after_some(TROUBLE, Event::Kill);
        }
        world.plan_hardships();
        world.start();
        world
    }

    fn plan_hardships(&mut self) {
        for _ in 0..self.hard_number(3) {
            self.hard_after(TROUBLE, Event::ClockJumps);
        }
        for _ in 0..self.hard_number(3) {
            self.hard_after(TROUBLE, Event::Buy);
        }
    }

    /// Draws a number below this; 0 in a plain world.
    fn hard_number(&mut self, below: u64) -> u64 {
        self.hard.as_mut().map_or(0, |hard| hard.u64(0..below))
    }

    fn hard_chance(&mut self, percent: u64) -> bool {
        self.hard_number(100) >= 100 - percent && !self.is_calm()
    }

    fn hard_after(&mut self, most: Duration, event: Event) {
        let share = self.hard.as_mut().map_or(0.0, fastrand::Rng::f64);
        self.after(most.mul_f64(share), event);
    }

    fn player(&self) -> UserId {
        token(self.player, 0).id().clone()
    }

    /// The time on the machine's clock.
    fn machine_now(&self) -> Duration {
        self.now + self.skew
    }

    fn create_order(&mut self, order_id: OrderId) {
        let path: &[&str] = match self.random.u32(0..10) {
            0..4 => &["paid", "done"],
            4 => &["done"],
            5 => &["in_review", "paid", "on_hold", "done"],
            6 => &["canceled"],
            7 => &["paid", "canceled"],
            8 => &["paid", "done", "canceled"],
            _ => &["expired"],
        };
        let at = self.now;
        let before = vec![OrderItem::new("sword", 1)];
        let after = match self.hard_number(4) {
            // A promo code on the payment page changes the items.
            3 => vec![OrderItem::new("sword", 3), OrderItem::new("gems", 100)],
            _ => before.clone(),
        };
        let hidden_until = match self.hard_chance(20) {
            true => at + seconds(self.hard_number(55)),
            false => Duration::ZERO,
        };
        let order = ServerOrder {
            items: [before, after],
            empty_until: Duration::ZERO,
            hidden_until,
            waits_for_page: false,
            history: vec![(at, "new".to_owned())],
            to_come: path.iter().map(|status| (*status).to_owned()).collect(),
        };
        self.server.insert(order_id, order);
        self.stream.push((order_id, "new".to_owned()));
    }

    fn is_calm(&self) -> bool {
        self.now >= self.end_of_trouble
    }

    /// Draws whether this goes wrong; nothing does once the world is calm.
    fn chance(&mut self, percent: u32) -> bool {
        self.random.u32(0..100) < percent && !self.is_calm()
    }

    fn after(&mut self, delay: Duration, event: Event) {
        self.last_event += 1;
        let at = self.now + delay;
        self.events.push(Reverse((at, self.last_event, event)));
    }

    fn after_some(&mut self, most: Duration, event: Event) {
        let delay = most.mul_f64(self.random.f64());
        self.after(delay, event);
    }

    /// Starts a process.
    fn start(&mut self) {
        self.process += 1;
        self.machine = Machine::new(self.random.u64(..));
        self.next_tick = None;
        self.socket = None;
        self.has_connected = false;
        self.in_flight.clear();
        self.answered_at.clear();
        self.granted_now.clear();
        self.canceled_now.clear();
        self.outbox.clear();
        self.is_frame_due = false;
        self.unanswered.clear();
        self.unwritten.clear();
        self.writing.clear();
        self.listed.clear();
        self.known_paid.clear();
        let is_linked = self.hard_chance(20);
        if is_linked {
            self.player = match self.player {
                "alice" => "alice_on_steam",
                _ => "alice",
            };
            // The game also knows those that it was told to have given up.
            self.tracked.extend(self.ledger.keys());
        }
        self.is_locked = self.hard_chance(20);
        if self.is_locked {
            let process = self.process;
            self.hard_after(seconds(200), Event::Unlock(process));
        }
        self.project = PROJECT;
        if self.hard_chance(10) {
            let process = self.process;
            self.hard_after(seconds(300), Event::ChangeProject(process, OTHER_PROJECT));
        }
        if self.hard_chance(30) {
            let process = self.process;
            self.hard_after(seconds(300), Event::LogOut(process));
        }
        let config = XsollaConfig::new(PROJECT);
        self.handle(Input::Configure(Some(Arc::new(config))));
        self.log_in();
        self.perform();
        // Some games track the orders again that they knew. All games do where the process died before the
        // ledger had the order, because they were not told yet that it is tracked.
        // An account that was linked just now tracks the orders of the one before.
        let is_eager = self.random.bool() || is_linked;
        for order_id in self.tracked.clone() {
            let owner = self.ledger.get(&order_id).map(|(owner, ..)| *owner);
            if is_eager || owner != Some(self.player) {
                self.after_some(seconds(5), Event::Track(order_id));
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(input, self.machine_now());
    }

    fn log_in(&mut self) {
        self.is_logged_in = true;
        let life = if self.chance(30) {
            seconds(self.random.u64(0..300))
        } else {
            seconds(24 * 3600)
        };
        self.token_until = self.now + life;
        // A new token ends the pause.
        self.hold_until = self.now;
        self.tokens += 1;
        self.is_token_refused = false;
        self.handle(Input::LogIn {
            user: token(self.player, self.tokens),
            expires_in: Some(life),
        });
    }

    fn run(&mut self) {
        let end = self.end_of_trouble + CALM;
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            if at > end {
                break;
            }
            self.now = at;
            self.happen(event);
            self.perform();
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Machine if self.next_tick.is_some_and(|at| at <= self.now) => {
                self.next_tick = None;
                self.machine.tick(self.machine_now());
            }
            Event::Move(order_id) => self.move_on(order_id),
            // A game does not track again what it heard to have ended.
            Event::Track(order_id) if self.told_ended.contains(&order_id) => {}
            // In the other project it would be another order.
            Event::Track(order_id) if self.project == OTHER_PROJECT => {
                self.after(seconds(30), Event::Track(order_id));
            }
            Event::Track(order_id) => {
                self.tracked.insert(order_id);
                self.handle(Input::Track {
                    user: self.player(),
                    order_id,
                });
            }
            Event::SocketOpens(connection) if self.socket == Some(connection) => {
                self.socket_opens(connection);
            }
            Event::SocketDrops(connection) if self.socket == Some(connection) => {
                self.socket = None;
                let reason = match self.random.u32(0..8) {
                    0 => closed(3503),
                    1 => closed(3001),
                    2 => SocketError::PingMissing,
                    _ => lost(),
                };
                self.handle(Input::Ended {
                    user: self.player(),
                    connection,
                    reason,
                });
            }
            Event::Hear(connection, order_id, status)
                if self.socket == Some(connection) || self.hard.is_some() =>
            {
                self.hear(connection, order_id, &status);
            }
            Event::Answer(order_id, request) if self.in_flight.get(&order_id) == Some(&request) => {
                self.in_flight.remove(&order_id);
                self.answered_at.insert(order_id, self.now);
                let answer = self.answer(order_id);
                let answer = Answer::Order(answer);
                self.handle(Input::Answered { request, answer });
            }
            // Tracking does not wait for a ledger that another instance holds.
            Event::Written(process, order_id, UNWRITTEN | ELSEWHERE) if process == self.process => {
                let entry = LedgerEntry::Open;
                let project_id = match event {
                    Event::Written(_, _, ELSEWHERE) => OTHER_PROJECT,
                    _ => PROJECT,
                };
                self.handle(Input::Ledger(LedgerReport::Recorded {
                    project_id,
                    order_id,
                    entry,
                    before: None,
                }));
            }
            Event::Written(process, order_id, number) if process == self.process => {
                let entry = (order_id, number);
                if let Some(at) = self.writing.iter().position(|writing| *writing == entry) {
                    self.writing.remove(at);
                    self.record(order_id, number);
                }
            }
            Event::Loaded(process) if process == self.process && self.is_locked => {
                self.handle(Input::Ledger(LedgerReport::Loaded {
                    project_id: self.project,
                    user: self.player(),
                    orders: Vec::new(),
                    is_locked: true,
                }));
            }
            Event::Loaded(process) if process == self.process && self.project == OTHER_PROJECT => {
                self.handle(Input::Ledger(LedgerReport::Loaded {
                    project_id: self.project,
                    user: self.player(),
                    orders: Vec::new(),
                    is_locked: false,
                }));
            }
            Event::Loaded(process)
                if process == self.process && self.now < self.disk_hangs_until =>
            {
                let left = self.disk_hangs_until - self.now;
                self.after(left, Event::Loaded(process));
            }
            Event::Loaded(process) if process == self.process => {
                // What came before is written first.
                for (order_id, number) in std::mem::take(&mut self.writing) {
                    self.record(order_id, number);
                }
                // The calendar may be wrong by weeks.
                let days = self.hard_number(20);
                let own = self
                    .ledger
                    .iter()
                    .filter(|(_, (owner, ..))| *owner == self.player);
                let restored = own.map(|(order_id, (_, entry, at))| Restored {
                    order_id: *order_id,
                    entry: *entry,
                    age: self.now - *at + seconds(days * 24 * 3600),
                });
                let restored = restored.collect();
                self.handle(Input::Ledger(LedgerReport::Loaded {
                    project_id: self.project,
                    user: self.player(),
                    orders: restored,
                    is_locked: false,
                }));
            }
            Event::Acknowledge(process, order_id) if process == self.process => {
                self.handle(Input::Acknowledge(order_id));
            }
            Event::LogIn(process) if process == self.process => self.log_in(),
            Event::LogOut(process) if process == self.process => {
                self.is_logged_in = false;
                self.handle(Input::LogOut(self.player()));
                self.hard_after(seconds(100), Event::LogIn(process));
            }
            Event::ClockJumps => {
                let hours = self.hard_number(30);
                self.skew += seconds(hours * 3600);
                self.machine.tick(self.machine_now());
            }
            Event::Buy if self.project == PROJECT => {
                self.last_purchase += 1;
                let id = PurchaseId::next();
                self.unanswered.insert(id, self.now);
                self.handle(Input::Purchase {
                    id,
                    user: self.player(),
                    purchase: Box::new(Purchase::item("sword")),
                });
            }
            Event::Created(request, order_id) => {
                let created = CreatedOrder {
                    order_id,
                    token: Some("token".to_owned()),
                };
                let answer = Answer::Created(Ok(created));
                self.handle(Input::Answered { request, answer });
            }
            Event::NotCreated(request) => {
                let answer = Answer::Created(Err(http(500)));
                self.handle(Input::Answered { request, answer });
            }
            Event::ChangeProject(process, project) if process == self.process => {
                self.project = project;
                let mut config = XsollaConfig::new(project);
                config.socket_url = format!("wss://{project}.test/");
                self.handle(Input::Configure(Some(Arc::new(config))));
                if project == OTHER_PROJECT {
                    for order_id in self.tracked.clone() {
                        if order_id.0 % 2 == 1 {
                            let user = self.player();
                            self.handle(Input::Track { user, order_id });
                        }
                    }
                    self.hard_after(seconds(100), Event::ChangeProject(process, PROJECT));
                }
            }
            Event::Unlock(process) if process == self.process => {
                self.is_locked = false;
                // The entries that waited are written before any are read.
                self.writing.append(&mut self.unwritten);
                self.after(seconds(1), Event::Loaded(process));
            }
            Event::Frame(process) if process == self.process => {
                self.is_frame_due = false;
                while let Some(notice) = self.outbox.pop_front() {
                    self.told(notice);
                }
            }
            Event::Told(process, order_id) if process == self.process => {
                // The game has to track an order again that was given up and is not in the ledger.
                let owner = self.ledger.get(&order_id).map(|(owner, ..)| *owner);
                if !self.given_up.contains(&order_id) || owner == Some(self.player) {
                    self.tracked.remove(&order_id);
                }
                self.handle(Input::Delivered(order_id));
            }
            Event::Kill => self.start(),
            // The event is for something that is gone.
            _ => {}
        }
    }

    /// The disk has written an entry.
    fn record(&mut self, order_id: OrderId, number: u8) {
        let entry = [
            LedgerEntry::Open,
            LedgerEntry::Granted,
            LedgerEntry::Acknowledged,
        ][usize::from(number)];
        let before = self.ledger.get(&order_id).map(|(_, entry, _)| *entry);
        self.write(order_id, entry);
        self.handle(Input::Ledger(LedgerReport::Recorded {
            project_id: PROJECT,
            order_id,
            entry,
            before,
        }));
    }

    fn move_on(&mut self, order_id: OrderId) {
        let now = self.now;
        let Some(order) = self.server.get_mut(&order_id) else {
            return;
        };
        let Some(status) = order.to_come.pop_front() else {
            return;
        };
        order.history.push((now, status.clone()));
        let is_paid_now = status == "paid" || status == "done";
        if is_paid_now && order.empty_until.is_zero() {
            let minutes = self.hard.as_mut().map_or(0, |hard| hard.u64(0..5));
            order.empty_until = now + seconds(minutes * 60);
        }
        let has_more = !order.to_come.is_empty();
        self.stream.push((order_id, status.clone()));
        if has_more {
            self.after_some(seconds(200), Event::Move(order_id));
        }
        if let Some(connection) = self.socket
            && self.has_opened()
            && self.project == PROJECT
        {
            self.sent = self.stream.len();
            let delay = Duration::from_millis(self.random.u64(0..2_000));
            self.after(delay, Event::Hear(connection, order_id, status.clone()));
            if self.chance(20) {
                let delay = Duration::from_millis(self.random.u64(0..9_000));
                self.after(delay, Event::Hear(connection, order_id, status));
            }
        }
    }

    fn has_opened(&self) -> bool {
        self.machine
            .players
            .get(&self.player())
            .is_some_and(Player::is_live)
    }

    fn hear(&mut self, connection: ConnectionId, order_id: OrderId, status: &str) {
        self.handle(Input::News {
            user: self.player(),
            connection,
            report: Report {
                order_id,
                items: None,
                ..report(status)
            },
        });
    }

    fn socket_opens(&mut self, connection: ConnectionId) {
        if self.project == OTHER_PROJECT {
            // The other project has another order of the same id.
            for order_id in self.tracked.clone() {
                self.hear(connection, order_id, "paid");
                if order_id.0.is_multiple_of(2) {
                    self.hear(connection, order_id, "done");
                }
            }
            return self.handle(Input::Subscribed {
                user: self.player(),
                connection,
                recovered: true,
            });
        }
        if self.now >= self.token_until {
            self.socket = None;
            self.is_token_refused = true;
            let reason = closed(3500);
            return self.handle(Input::Ended {
                user: self.player(),
                connection,
                reason,
            });
        }
        // The socket delivers history at first and recovery later. Either may be missing.
        let recovered = !self.chance(25);
        if recovered {
            let from = if self.has_connected { self.sent } else { 0 };
            for (order_id, status) in self.stream.clone().split_off(from) {
                self.hear(connection, order_id, &status);
            }
        }
        self.has_connected = true;
        self.sent = self.stream.len();
        self.handle(Input::Subscribed {
            user: self.player(),
            connection,
            recovered,
        });
        if self.chance(60) {
            self.after_some(seconds(200), Event::SocketDrops(connection));
        }
    }

    fn answer(&mut self, order_id: OrderId) -> Result<Report, RequestError> {
        if self.project == OTHER_PROJECT {
            return Ok(Report {
                order_id,
                items: Some(vec![OrderItem::new("shield", 1)]),
                ..report(if order_id.0.is_multiple_of(2) {
                    "done"
                } else {
                    "paid"
                })
            });
        }
        if self.hard_chance(10) {
            // A firewall or a CDN answers in the store's place.
            let status = [401, 403, 404, 502][self.hard_number(4) as usize];
            return Err(foreign(status));
        }
        if self.now >= self.token_until {
            self.is_token_refused = true;
            return Err(http(401));
        }
        if self.chance(30) {
            return Err(match self.random.u32(0..5) {
                0 => http(500),
                1 => RequestError::TimedOut,
                2 => RequestError::Malformed("test".to_owned()),
                3 => {
                    let wait = seconds(self.random.u64(1..60));
                    self.hold_until = self.hold_until.max(self.now + wait);
                    RequestError::Status {
                        status: 429,
                        code: None,
                        message: None,
                        transaction_id: None,
                        retry_after: Some(wait),
                    }
                }
                _ => RequestError::Network("test".to_owned()),
            });
        }
        let lag = if self.chance(30) {
            Duration::from_millis(self.random.u64(0..10_000))
        } else {
            Duration::ZERO
        };
        let order = &self.server[&order_id];
        // A new order is not visible everywhere yet.
        if self.now - order.history[0].0 < lag || self.now < order.hidden_until {
            return Err(http(404));
        }
        let status = order.status_at(self.now - lag).map(str::to_owned);
        let is_paid = status
            .as_deref()
            .is_some_and(|status| !matches!(status, "new" | "in_review" | "expired"));
        let items = match is_paid && self.now < order.empty_until {
            true => Vec::new(),
            false => order.items[usize::from(is_paid)].clone(),
        };
        let lacks_status = self.chance(5);
        let lacks_items = self.chance(10);
        if is_paid && !lacks_items && !items.is_empty() {
            self.listed.insert(order_id);
        }
        Ok(Report {
            order_id,
            status: status
                .filter(|_| !lacks_status)
                .map(|s| OrderStatus::parse(&s)),
            items: (!lacks_items).then_some(items),
            price: None,
        })
    }

    fn write(&mut self, order_id: OrderId, entry: LedgerEntry) {
        let (entry, since) = match self.ledger.get(&order_id) {
            // An entry is raised and never lowered.
            Some((_, known, since)) if *known >= entry => (*known, *since),
            _ => (entry, self.now),
        };
        // The entry of another player moves to this one.
        self.ledger.insert(order_id, (self.player, entry, since));
    }

    /// Carries out the machine's outputs, and checks its promises.
    fn perform(&mut self) {
        while let Some(output) = self.machine.next_output() {
            match output {
                Output::Connect { connection, .. } => {
                    self.socket = Some(connection);
                    let delay = Duration::from_millis(self.random.u64(10..3_000));
                    if self.chance(30) {
                        self.after(delay, Event::SocketDrops(connection));
                    } else {
                        self.after(delay, Event::SocketOpens(connection));
                    }
                }
                Output::Disconnect(_) => self.socket = None,
                Output::Request {
                    request,
                    call: Call::GetOrder(order_id),
                    ..
                } => self.ask(order_id, request),
                Output::CancelRequest(request) => self.in_flight.retain(|_, of| *of != request),
                Output::Request {
                    request,
                    call: Call::CreateOrder(_),
                    ..
                } => self.create(request),
                Output::Load(_) => {
                    let process = self.process;
                    self.after_some(seconds(2), Event::Loaded(process));
                }
                Output::Record {
                    order_id, entry, ..
                } => {
                    let number = match entry {
                        LedgerEntry::Open => 0,
                        LedgerEntry::Granted => 1,
                        LedgerEntry::Acknowledged => 2,
                    };
                    // Nothing is kept while another instance has the ledger, or in the other project.
                    if self.is_locked || self.project == OTHER_PROJECT {
                        let lost = match self.project {
                            PROJECT => UNWRITTEN,
                            _ => ELSEWHERE,
                        };
                        let lost = Event::Written(self.process, order_id, lost);
                        if number == 0 {
                            self.after(seconds(1), lost);
                        }
                        if self.is_locked && self.project == PROJECT {
                            self.unwritten.push((order_id, number));
                        }
                        continue;
                    }
                    // The machine waits for no disk longer than this one hangs.
                    if self.hard_chance(3) && self.now > self.disk_hangs_until + seconds(30) {
                        self.disk_hangs_until = self.now + seconds(self.hard_number(15));
                    }
                    // The disk takes its time, and keeps the sequence of the entries.
                    let hangs = self.disk_hangs_until.saturating_sub(self.now);
                    self.writing.push((order_id, number));
                    let written = Event::Written(self.process, order_id, number);
                    self.after(hangs + seconds(1), written);
                }
                Output::Erase { user, order_id } => {
                    let owner = self.ledger.get(&order_id).map(|(owner, ..)| *owner);
                    let is_own = owner.is_some_and(|owner| token(owner, 0).id() == &user);
                    if is_own && self.project == PROJECT {
                        self.ledger.remove(&order_id);
                    }
                }
                Output::UseLedger(_)
                | Output::Release(_)
                | Output::Request { .. }
                | Output::OpenPage { .. } => {}
                Output::Notice(notice) if self.hard.is_none() => self.told(notice),
                Output::Notice(notice) => {
                    if let Notice::StatusChanged(changed) = &notice
                        && matches!(changed.status, OrderStatus::Paid | OrderStatus::Done)
                        && self.project == PROJECT
                    {
                        self.known_paid.insert(changed.order_id);
                    }
                    if let Notice::Failed(failed) = &notice {
                        let (seed, order_id) = (self.seed, failed.order_id);
                        assert!(
                            !self.known_paid.contains(&order_id),
                            "seed {seed}: {order_id} was paid and is given up"
                        );
                    }
                    self.outbox.push_back(notice);
                    if !std::mem::replace(&mut self.is_frame_due, true) {
                        let frame = Event::Frame(self.process);
                        let delay = match self.hard_chance(5) {
                            true => seconds(5),
                            false => Duration::from_millis(16),
                        };
                        self.after(delay, frame);
                    }
                }
            }
        }
        let deadline = self.machine.deadline();
        if let Some(at) = deadline.map(|at| at.saturating_sub(self.skew))
            && self.next_tick.is_none_or(|next| at < next)
        {
            self.next_tick = Some(at);
            self.after(at.saturating_sub(self.now), Event::Machine);
        }
    }

    /// The store creates an order, or answers with one that is known.
    fn create(&mut self, request: RequestId) {
        let number = self.hard_number(10);
        if number < 2 {
            return self.hard_after(seconds(5), Event::NotCreated(request));
        }
        // An order whose end was told is not known any more.
        let known: Vec<OrderId> = self.server.keys().copied().collect();
        let known: Vec<OrderId> = known
            .into_iter()
            .filter(|order_id| !self.told_ended.contains(order_id) && !self.is_locked)
            .collect();
        let order_id = if number < 5 && !known.is_empty() {
            known[self.hard_number(known.len() as u64) as usize]
        } else {
            let order_id = OrderId(1_000 + self.last_purchase);
            if !self.server.contains_key(&order_id) {
                self.create_order(order_id);
                if let Some(order) = self.server.get_mut(&order_id) {
                    order.waits_for_page = true;
                }
            }
            order_id
        };
        self.hard_after(seconds(5), Event::Created(request, order_id));
    }

    fn ask(&mut self, order_id: OrderId, request: RequestId) {
        let seed = self.seed;
        let other = self.in_flight.insert(order_id, request);
        assert_eq!(other, None, "seed {seed}: two requests for {order_id}");
        if let Some(answered) = self.answered_at.get(&order_id) {
            let distance = self.now - *answered;
            assert!(
                distance >= Duration::from_millis(250) || self.hard.is_some(),
                "seed {seed}: {order_id} was asked for again after {distance:?}"
            );
        }
        assert!(
            self.now >= self.hold_until || self.process > 1 || self.hard.is_some(),
            "seed {seed}: asked before Retry-After was over"
        );
        self.after_some(seconds(5), Event::Answer(order_id, request));
    }

    fn told(&mut self, notice: Notice) {
        let seed = self.seed;
        match notice {
            Notice::Done(OrderDone {
                order_id, items, ..
            }) => {
                let order = &self.server[&order_id];
                assert!(
                    order.has_been("done"),
                    "seed {seed}: {order_id} is not done"
                );
                assert_eq!(items, order.items[1], "seed {seed}: {order_id}");
                assert!(
                    self.granted_now.insert(order_id),
                    "seed {seed}: {order_id} was granted twice"
                );
                assert!(
                    !self.safe.contains(&order_id),
                    "seed {seed}: {order_id} was granted after its acknowledgement"
                );
                assert!(
                    !self.canceled_now.contains(&order_id),
                    "seed {seed}: {order_id} was granted after its cancellation"
                );
                self.granted_ever.insert(order_id);
                let process = self.process;
                self.after_some(seconds(30), Event::Acknowledge(process, order_id));
            }
            Notice::Phase {
                order_id,
                phase: OrderPhase::Acknowledged,
                ..
            } => {
                self.safe.insert(order_id);
            }
            Notice::Canceled(OrderCanceled {
                order_id,
                was_done,
                items,
                ..
            }) => {
                assert!(
                    self.server[&order_id].has_been("canceled"),
                    "seed {seed}: {order_id} is not canceled"
                );
                if self.granted_now.contains(&order_id) || self.safe.contains(&order_id) {
                    assert!(was_done, "seed {seed}: {order_id} was granted before");
                }
                // What was granted is what the game has to take back.
                let is_listed = self.listed.contains(&order_id);
                if was_done && (is_listed || self.granted_now.contains(&order_id)) {
                    let granted = &self.server[&order_id].items[1];
                    assert_eq!(items, *granted, "seed {seed}: the refund of {order_id}");
                }
                self.canceled_now.insert(order_id);
                self.told_canceled.insert(order_id, was_done);
                self.told_ended.insert(order_id);
                self.after(seconds(1), Event::Told(self.process, order_id));
            }
            Notice::Expired(OrderExpired { order_id, .. }) => {
                assert!(
                    self.server[&order_id].has_been("expired"),
                    "seed {seed}: {order_id} has not expired"
                );
                self.told_ended.insert(order_id);
                self.after(seconds(1), Event::Told(self.process, order_id));
            }
            Notice::Failed(OrderTrackingFailed {
                order_id, error, ..
            }) => {
                // A clock that jumps by a day may have it given up by an answer that lags behind the
                // payment. It is granted all the same, at the next start at the latest.
                assert!(
                    self.skew > Duration::ZERO,
                    "seed {seed}: {order_id} was given up: {error}"
                );
                self.given_up.insert(order_id);
                self.after(seconds(1), Event::Told(self.process, order_id));
            }
            Notice::PurchaseStarted(started) => {
                self.purchase_is_answered(started.purchase_id);
                // The player pays once they see the page.
                let order = self.server.get_mut(&started.order_id);
                if order.is_some_and(|order| std::mem::take(&mut order.waits_for_page)) {
                    self.after_some(seconds(400), Event::Move(started.order_id));
                }
                self.tracked.insert(started.order_id);
            }
            Notice::PurchaseFailed(failed) => self.purchase_is_answered(failed.purchase_id),
            Notice::AuthorizationRequired(required) => {
                let is_ahead = matches!(
                    required.error,
                    AuthorizationError::ExpiresSoon(_) | AuthorizationError::Expired
                );
                assert!(
                    is_ahead || self.is_token_refused || self.hard.is_none(),
                    "seed {seed}: no server has refused the token: {}",
                    required.error
                );
                let process = self.process;
                self.after_some(seconds(120), Event::LogIn(process));
            }
            _ => {}
        }
    }

    fn purchase_is_answered(&mut self, id: PurchaseId) {
        let seed = self.seed;
        assert!(
            self.unanswered.remove(&id).is_some(),
            "seed {seed}: a purchase was answered twice"
        );
    }

    /// Checks what must hold once the world has been calm for long enough.
    fn check(&mut self) {
        let seed = self.seed;
        for (order_id, order) in &self.server {
            let last = order.history.last().map(|(_, status)| status.as_str());
            match last {
                Some("done") => assert!(
                    self.granted_ever.contains(order_id),
                    "seed {seed}: {order_id} is done and was never granted"
                ),
                Some("canceled") if !order.has_been("done") => assert!(
                    self.told_canceled.contains_key(order_id),
                    "seed {seed}: {order_id} is canceled and nobody was told"
                ),
                _ => assert!(
                    !self.granted_ever.contains(order_id) || order.has_been("done"),
                    "seed {seed}: {order_id} was granted falsely"
                ),
            }
        }
        assert!(
            self.machine.is_idle(),
            "seed {seed}: something still runs: {:?}",
            self.machine.timers
        );
        assert_eq!(self.machine.state, TrackerState::Idle, "seed {seed}");
        assert_eq!(self.socket, None, "seed {seed}: a socket is open");
    }

    /// Checks what must hold of a harder world by then. An order that was given up there may be granted only
    /// at the next start.
    fn check_promises(&self) {
        let seed = self.seed;
        assert!(
            self.unanswered.is_empty(),
            "seed {seed}: a purchase was not answered"
        );
        for (order_id, order) in &self.server {
            assert!(
                !self.granted_ever.contains(order_id) || order.has_been("done"),
                "seed {seed}: {order_id} was granted falsely"
            );
        }
    }

    /// Checks that the next start finds out refunds.
    fn check_after_a_restart(&mut self) {
        let seed = self.seed;
        let was_safe = self.safe.clone();
        self.start();
        self.end_of_trouble = self.now;
        self.run();
        for (order_id, order) in &self.server {
            let last = order.history.last().map(|(_, status)| status.as_str());
            assert!(
                last != Some("done") || self.granted_ever.contains(order_id),
                "seed {seed}: {order_id} is done and was never granted"
            );
        }
        for (order_id, order) in &self.server {
            if order.has_been("canceled") {
                let was_done = self.told_canceled.get(order_id);
                assert!(
                    was_done.is_some(),
                    "seed {seed}: {order_id}'s refund is not told"
                );
                if self.granted_ever.contains(order_id) && self.safe.contains(order_id) {
                    assert_eq!(was_done, Some(&true), "seed {seed}: {order_id}");
                }
            }
            assert!(
                !(was_safe.contains(order_id) && self.granted_now.contains(order_id)),
                "seed {seed}: {order_id} was granted after its acknowledgement"
            );
        }
        // An unpaid order is still waited for.
        let mut orders = self.server.values();
        let is_unpaid = orders.any(|order| order.waits_for_page || !order.to_come.is_empty());
        assert!(
            is_unpaid || self.machine.is_idle(),
            "seed {seed}: something still runs: {:?}",
            self.machine.timers
        );
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs worlds of every second seed, so that two tests share two cores.
fn run_worlds(first: u64, is_hard: bool) {
    if let Some(seed) = setting("BEVY_XSOLLA_SEED") {
        run_world(seed, is_hard);
        return;
    }
    let purchases = setting("BEVY_XSOLLA_PURCHASES").unwrap_or(50_000) / 2;
    let (mut made, mut seed) = (0, first);
    while made < purchases {
        made += run_world(seed, is_hard);
        seed += 2;
    }
    println!("{made} purchases, up to seed {seed}");
}

fn run_world(seed: u64, is_hard: bool) -> u64 {
    let mut world = World::new(seed, is_hard);
    world.run();
    if is_hard {
        world.check_promises();
    } else {
        world.check();
    }
    world.check_after_a_restart();
    world.server.len() as u64
}

#[test]
fn every_done_order_is_granted_exactly_once_and_no_other_in_worlds_of_even_seeds() {
    run_worlds(0, false);
}

#[test]
fn every_done_order_is_granted_exactly_once_and_no_other_in_worlds_of_odd_seeds() {
    run_worlds(1, false);
}

#[test]
fn in_random_worlds_that_are_harder_the_same_holds_and_each_purchase_is_answered_even_seeds() {
    run_worlds(0, true);
}

#[test]
fn in_random_worlds_that_are_harder_the_same_holds_and_each_purchase_is_answered_odd_seeds() {
    run_worlds(1, true);
}
