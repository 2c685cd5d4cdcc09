//! Random purchases through everything that can go wrong, in simulated time.
//!
//! A world has a server with orders that move on by themselves, a socket that drops, repeats and
//! forgets, requests that fail and lag, tokens that expire, a ledger that is slow, and a game that
//! grants, acknowledges, and is killed at any moment. `BEVY_XSOLLA_SEED` replays one world;
//! `BEVY_XSOLLA_PURCHASES` sets how many purchases are made.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use super::*;
use crate::model::message::{OrderCanceled, OrderDone, OrderExpired, OrderTrackingFailed};

/// For a while everything may go wrong; then the world is calm, and all must come right.
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
}

struct World {
    seed: u64,
    random: fastrand::Rng,
    now: Duration,
    end_of_trouble: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    last_event: u64,
    machine: Machine,
    /// Counts the processes, so that what was meant for a dead one is not given to the next.
    process: u32,
    next_tick: Option<Duration>,

    server: BTreeMap<OrderId, ServerOrder>,
    /// What the channel published, in order.
    stream: Vec<(OrderId, String)>,
    /// Publications that the open socket has been sent.
    sent: usize,
    socket: Option<ConnectionId>,
    has_connected: bool,
    token_until: Duration,
    tokens: u64,
    ledger: BTreeMap<OrderId, (LedgerEntry, Duration)>,

    in_flight: HashMap<OrderId, RequestId>,
    answered_at: HashMap<OrderId, Duration>,
    hold_until: Duration,
    granted_now: HashSet<OrderId>,
    granted_ever: HashSet<OrderId>,
    /// Acknowledged, and the game was told that the ledger has it.
    safe: HashSet<OrderId>,
    canceled_now: HashSet<OrderId>,
    told_canceled: HashMap<OrderId, bool>,
    told_ended: HashSet<OrderId>,
    tracked: BTreeSet<OrderId>,
}

struct ServerOrder {
    history: Vec<(Duration, String)>,
    to_come: VecDeque<String>,
}

impl ServerOrder {
    /// What Get Order says if it lags this much.
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
    fn new(seed: u64) -> Self {
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
        };
        for n in 0..world.random.u64(1..=4) {
            world.create_order(OrderId(n + 1));
        }
        for _ in 0..world.random.u32(0..4) {
            world.after_some(TROUBLE, Event::Kill);
        }
        world.start();
        world
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
        let order = ServerOrder {
            history: vec![(at, "new".to_owned())],
            to_come: path.iter().map(|status| (*status).to_owned()).collect(),
        };
        self.server.insert(order_id, order);
        self.stream.push((order_id, "new".to_owned()));
        self.after_some(seconds(400), Event::Move(order_id));
        self.after_some(seconds(60), Event::Track(order_id));
    }

    fn is_calm(&self) -> bool {
        self.now >= self.end_of_trouble
    }

    /// Whether this goes wrong; nothing does once the world is calm.
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

    /// A process begins.
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
        let config = XsollaConfig::new(77_640);
        self.handle(Input::Configure(Some(Arc::new(config))));
        self.log_in();
        self.perform();
        // Some games track the orders again that they knew of. All do where the process died before
        // the ledger had the order: that it is tracked was not said yet.
        let is_eager = self.random.bool();
        for order_id in self.tracked.clone() {
            if is_eager || !self.ledger.contains_key(&order_id) {
                self.after_some(seconds(5), Event::Track(order_id));
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(input, self.now);
    }

    fn log_in(&mut self) {
        let life = if self.chance(30) {
            seconds(self.random.u64(0..300))
        } else {
            seconds(24 * 3600)
        };
        self.token_until = self.now + life;
        // A fresh token starts afresh.
        self.hold_until = self.now;
        self.tokens += 1;
        self.handle(Input::LogIn {
            user: token("alice", self.tokens),
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
                self.machine.tick(self.now);
            }
            Event::Move(order_id) => self.move_on(order_id),
            // A game does not track again what it heard to have ended.
            Event::Track(order_id) if self.told_ended.contains(&order_id) => {}
            Event::Track(order_id) => {
                self.tracked.insert(order_id);
                self.handle(Input::Track {
                    user: alice(),
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
                    user: alice(),
                    connection,
                    reason,
                });
            }
            Event::Hear(connection, order_id, status) if self.socket == Some(connection) => {
                self.hear(connection, order_id, &status);
            }
            Event::Answer(order_id, request) if self.in_flight.get(&order_id) == Some(&request) => {
                self.in_flight.remove(&order_id);
                self.answered_at.insert(order_id, self.now);
                let answer = self.answer(order_id);
                let answer = Answer::Order(answer);
                self.handle(Input::Answered { request, answer });
            }
            Event::Written(process, order_id, entry) if process == self.process => {
                let entry = [
                    LedgerEntry::Open,
                    LedgerEntry::Granted,
                    LedgerEntry::Acknowledged,
                ][usize::from(entry)];
                self.write(order_id, entry);
                self.handle(Input::Recorded { order_id, entry });
            }
            Event::Loaded(process) if process == self.process => {
                let restored = self.ledger.iter().map(|(order_id, (entry, at))| Restored {
                    order_id: *order_id,
                    entry: *entry,
                    age: self.now - *at,
                });
                let restored = restored.collect();
                self.handle(Input::Loaded {
                    user: alice(),
                    orders: restored,
                    is_locked: false,
                });
            }
            Event::Acknowledge(process, order_id) if process == self.process => {
                self.handle(Input::Acknowledge(order_id));
            }
            Event::LogIn(process) if process == self.process => self.log_in(),
            Event::Told(process, order_id) if process == self.process => {
                self.tracked.remove(&order_id);
                self.handle(Input::Delivered(order_id));
            }
            Event::Kill => self.start(),
            // Meant for what is gone.
            _ => {}
        }
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
        let has_more = !order.to_come.is_empty();
        self.stream.push((order_id, status.clone()));
        if has_more {
            self.after_some(seconds(200), Event::Move(order_id));
        }
        if let Some(connection) = self.socket
            && self.has_opened()
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
            .get(&alice())
            .is_some_and(Player::is_live)
    }

    fn hear(&mut self, connection: ConnectionId, order_id: OrderId, status: &str) {
        self.handle(Input::News {
            user: alice(),
            connection,
            report: Report {
                order_id,
                items: None,
                ..report(status)
            },
        });
    }

    fn socket_opens(&mut self, connection: ConnectionId) {
        if self.now >= self.token_until {
            self.socket = None;
            let reason = closed(3500);
            return self.handle(Input::Ended {
                user: alice(),
                connection,
                reason,
            });
        }
        // History at first, recovery later; either may not be had.
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
            user: alice(),
            connection,
            recovered,
        });
        if self.chance(60) {
            self.after_some(seconds(200), Event::SocketDrops(connection));
        }
    }

    fn answer(&mut self, order_id: OrderId) -> Result<Report, RequestError> {
        if self.now >= self.token_until {
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
        // A fresh order is not everywhere yet.
        if self.now - order.history[0].0 < lag {
            return Err(http(404));
        }
        let status = order.status_at(self.now - lag).map(str::to_owned);
        let lacks_status = self.chance(5);
        let lacks_items = self.chance(10);
        Ok(Report {
            order_id,
            status: status
                .filter(|_| !lacks_status)
                .map(|s| OrderStatus::parse(&s)),
            items: (!lacks_items).then(sword),
            price: None,
        })
    }

    fn write(&mut self, order_id: OrderId, entry: LedgerEntry) {
        let since = match self.ledger.get(&order_id) {
            Some((known, since)) if *known == entry => *since,
            _ => self.now,
        };
        self.ledger.insert(order_id, (entry, since));
    }

    /// Does what the machine wants, and holds it to its promises.
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
                    // The disk takes its time, and keeps the order.
                    self.after(seconds(1), Event::Written(self.process, order_id, number));
                }
                Output::Erase { order_id, .. } => {
                    self.ledger.remove(&order_id);
                }
                Output::UseLedger(_)
                | Output::Release(_)
                | Output::Request { .. }
                | Output::OpenPage { .. } => {}
                Output::Notice(notice) => self.told(notice),
            }
        }
        let deadline = self.machine.deadline();
        if let Some(at) = deadline
            && self.next_tick.is_none_or(|next| at < next)
        {
            self.next_tick = Some(at);
            self.after(at.saturating_sub(self.now), Event::Machine);
        }
    }

    fn ask(&mut self, order_id: OrderId, request: RequestId) {
        let seed = self.seed;
        let other = self.in_flight.insert(order_id, request);
        assert_eq!(other, None, "seed {seed}: two requests for {order_id}");
        if let Some(answered) = self.answered_at.get(&order_id) {
            let distance = self.now - *answered;
            assert!(
                distance >= Duration::from_millis(250),
                "seed {seed}: {order_id} was asked for again after {distance:?}"
            );
        }
        assert!(
            self.now >= self.hold_until || self.process > 1,
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
                assert_eq!(items, sword(), "seed {seed}");
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
                order_id, was_done, ..
            }) => {
                assert!(
                    self.server[&order_id].has_been("canceled"),
                    "seed {seed}: {order_id} is not canceled"
                );
                if self.granted_now.contains(&order_id) || self.safe.contains(&order_id) {
                    assert!(was_done, "seed {seed}: {order_id} was granted before");
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
                panic!("seed {seed}: {order_id} was given up: {error}");
            }
            Notice::AuthorizationRequired(_) => {
                let process = self.process;
                self.after_some(seconds(120), Event::LogIn(process));
            }
            _ => {}
        }
    }

    /// What must hold once the world has been calm for long enough.
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

    /// At the next start refunds are found out.
    fn check_after_a_restart(&mut self) {
        let seed = self.seed;
        self.start();
        self.end_of_trouble = self.now;
        self.run();
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
                !(self.safe.contains(order_id) && self.granted_now.contains(order_id)),
                "seed {seed}: {order_id} was granted after its acknowledgement"
            );
        }
        assert!(self.machine.is_idle(), "seed {seed}: something still runs");
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs worlds of every second seed, so that two tests share two cores.
fn run_worlds(first: u64) {
    if let Some(seed) = setting("BEVY_XSOLLA_SEED") {
        run_world(seed);
        return;
    }
    let purchases = setting("BEVY_XSOLLA_PURCHASES").unwrap_or(100_000) / 2;
    let (mut made, mut seed) = (0, first);
    while made < purchases {
        made += run_world(seed);
        seed += 2;
    }
    println!("{made} purchases, up to seed {seed}");
}

fn run_world(seed: u64) -> u64 {
    let mut world = World::new(seed);
    world.run();
    world.check();
    world.check_after_a_restart();
    world.server.len() as u64
}

#[test]
fn every_done_order_is_granted_exactly_once_and_no_other_in_worlds_of_even_seeds() {
    run_worlds(0);
}

#[test]
fn every_done_order_is_granted_exactly_once_and_no_other_in_worlds_of_odd_seeds() {
    run_worlds(1);
}
