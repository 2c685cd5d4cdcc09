//! Tests with random purchases and everything that can go wrong, in simulated time.
//!
//! A plain world has a server with orders that move on by themselves, a socket that drops, repeats and
//! forgets, requests that fail and lag, tokens that expire, a ledger that is slow, and a game that
//! grants, acknowledges, and is killed at any moment.
//!
//! A harder world also has players who log out and in, a machine that sleeps and a calendar that is wrong,
//! purchases in one call and stores that answer them with known order ids, a disk that hangs, lists of items
//! that are empty for minutes or change with the payment, a project that changes, another instance that holds
//! the ledger, and a game that takes its time to hear what it is told. In some, the game also untracks orders; in
//! others, it is a server that takes webhooks, which come late, twice, in any sequence, and again until they are
//! confirmed, or a game that reads the queue of events, which come so, too, until they are processed. These faults are drawn from their own generators, so that the seeds of plain worlds keep their meaning.
//!
//! `BEVY_XSOLLA_SEED` replays the worlds of one seed; `BEVY_XSOLLA_PURCHASES` sets how many purchases are
//! made in each kind.

mod events;
mod judge;
mod queue;
mod servers;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use super::*;
use crate::machine::input::Receipt;
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
    Untrack(OrderId),
    /// Xsolla sends the webhook, or sends it again.
    Webhook(Webhook),
    ReadQueue(ConnectionId),
}

/// A webhook, which says that an order is done or canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Webhook {
    order_id: OrderId,
    status: &'static str,
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
    /// The orders that the game has untracked, each with whether it is gone. Otherwise it may come back.
    untracked: BTreeMap<OrderId, bool>,
    /// Those that are to be erased from the ledger that another instance holds.
    unerased: Vec<OrderId>,
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
    /// The webhooks that were sent at least once, and whether they were confirmed.
    webhooks: HashMap<Webhook, bool>,
    /// The webhooks that this process has been sent, by their receipts.
    receipts: HashMap<Receipt, Webhook>,
    /// The events that were not processed yet.
    queue: Vec<(u64, Webhook)>,
    last_queued: u64,
    /// The events that this connection has told.
    told_events: HashSet<u64>,
    /// Whether the queue is read often.
    is_awaited: bool,
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
            untracked: BTreeMap::new(),
            unerased: Vec::new(),
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
            webhooks: HashMap::new(),
            receipts: HashMap::new(),
            queue: Vec::new(),
            last_queued: 0,
            told_events: HashSet::new(),
            is_awaited: false,
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
        if self.hard.is_some() && matches!(self.seed % 8, 5 | 6) {
            let mut random = fastrand::Rng::with_seed(self.seed ^ 0x0ff);
            for _ in 0..random.u32(1..4) {
                let order_id = OrderId(random.u64(1..=self.server.len() as u64));
                let at = TROUBLE.mul_f64(random.f64());
                self.after(at, Event::Untrack(order_id));
                if random.bool() {
                    // The game changes its mind.
                    let later = seconds(100).mul_f64(random.f64());
                    self.after(at + later, Event::Track(order_id));
                }
            }
        }
    }

    /// Whether the game is a server that takes webhooks. None of its orders is untracked.
    fn has_webhooks(&self) -> bool {
        cfg!(feature = "webhook") && self.hard.is_some() && matches!(self.seed % 8, 3 | 4)
    }

    /// Whether the order may be granted. A webhook and an event say so as soon as it is paid.
    fn may_be_granted(&self, order_id: OrderId) -> bool {
        let status = "done";
        let webhook = Webhook { order_id, status };
        let order = &self.server[&order_id];
        let is_queued = self.has_queue() && order.has_been("paid");
        order.has_been("done") || is_queued || self.webhooks.contains_key(&webhook)
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
            _ if self.has_queue() && self.hard_number(2) == 1 => &["expired", "paid", "done"],
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
        if self.hard.is_some() {
            // A process does not hear the sockets of the one before it.
            let is_heard = |event: &Event| matches!(event, Event::Hear(..));
            self.events.retain(|Reverse((.., event))| !is_heard(event));
        }
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
        for order_id in std::mem::take(&mut self.unerased) {
            self.untracked.insert(order_id, false);
        }
        self.listed.clear();
        self.known_paid.clear();
        self.receipts.clear();
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
        let config = self.config(PROJECT);
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
        while self
            .events
            .peek()
            .is_some_and(|Reverse((at, ..))| *at <= end)
            && let Some(Reverse((at, _, event))) = self.events.pop()
        {
            self.now = at;
            self.happen(event);
            self.perform();
        }
        self.now = end;
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
