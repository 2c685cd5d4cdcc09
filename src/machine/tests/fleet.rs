//! Servers that share a ledger, in simulated time.
//!
//! Players move between the servers, webhooks come to any of them, and each server may be killed, or stopped for minutes
//! while it believes that orders are its own. The database is away at times. The games write grants to tables beside the
//! ledger, in one transaction with their notes. `BEVY_XSOLLA_SEED` replays one world; `BEVY_XSOLLA_FLEETS` sets how
//! many there are.

mod judge;
mod ledger;
mod servers;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::*;
use crate::machine::tests::shared::Shared;
use crate::model::ledger::TakenOrder;
#[cfg(feature = "webhook")]
use crate::model::message::NewsSource;

const PROJECT: u64 = 77_640;
const SERVERS: usize = 3;
const PLAYERS: usize = 6;
const ORDERS: u64 = 12;
/// The time in which anything may go wrong, and the time after it.
const TROUBLE: Duration = seconds_of(900);
const CALM: Duration = seconds_of(2_400);
/// The time after which a webhook that was not confirmed comes again.
#[cfg(feature = "webhook")]
const AGAIN: Duration = seconds_of(300);
/// How often a server looks whether others have taken its orders.
const LOOK: Duration = seconds_of(5);

const fn seconds_of(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What the ledger has of an order.
struct Row {
    user: UserId,
    entry: LedgerEntry,
    /// The process that follows it.
    process: u32,
    is_granted: bool,
    is_taken_back: bool,
    /// When it was last granted, or got another process.
    changed: Duration,
}

/// An order as the store knows it.
struct Truth {
    player: usize,
    status: &'static str,
    to_come: VecDeque<&'static str>,
    was_done: bool,
}

/// Work for the thread that writes a server's ledger.
#[derive(Debug)]
enum Job {
    Load(UserId),
    Record(UserId, OrderId, LedgerEntry, bool),
    Erase(UserId, OrderId),
}

struct Server {
    machine: Machine,
    /// Another one for each process that was ever started.
    process: u32,
    stopped_until: Duration,
    next_tick: Option<Duration>,
    jobs: VecDeque<Job>,
    is_ledger_busy: bool,
    /// Reports come in their sequence.
    last_report: Duration,
    sockets: BTreeMap<UserId, (ConnectionId, bool)>,
    requests: BTreeSet<RequestId>,
}

#[derive(Debug)]
enum Event {
    /// Something in a process, which does not happen if the process is killed, and later if it is stopped.
    In(usize, u32, Inside),
    /// The order reaches the next of its statuses.
    Advance(OrderId),
    /// The player goes to a server.
    Move(usize),
    Webhook(OrderId, &'static str),
    Kill,
    Stop,
    DatabaseGoesAway,
    /// A server looks for refunds that its game has not taken back.
    Sweep,
}

#[derive(Debug)]
enum Inside {
    Tick,
    Ledger,
    Look,
    Report(LedgerReport),
    Answer(RequestId, OrderId),
    SocketOpens(UserId, ConnectionId),
    Hear(UserId, ConnectionId, OrderId, &'static str),
    Grant(OrderId, UserId),
    TakeBack(OrderId, UserId),
    Delivered(OrderId),
}

struct Fleet {
    seed: u64,
    random: fastrand::Rng,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64)>>,
    /// What happens, by the number of the event.
    happening: BTreeMap<u64, Event>,
    last_event: u64,
    last_process: u32,
    servers: Vec<Server>,
    ledger: BTreeMap<OrderId, Row>,
    database_away_until: Duration,
    orders: BTreeMap<OrderId, Truth>,
    /// The webhooks that were sent, by their receipts.
    webhooks: Vec<(OrderId, &'static str)>,
    confirmed: BTreeSet<(OrderId, &'static str)>,
    /// What the games' tables have.
    grants: BTreeMap<OrderId, u32>,
    taken_back: BTreeMap<OrderId, u32>,
    has_webhooks: bool,
    is_hard: bool,
    counts: Counts,
}

/// How often what is tested has happened.
#[derive(Default)]
struct Counts {
    kills: u32,
    taken: u32,
    told: u32,
    granted: u32,
    taken_back: u32,
    swept: u32,
}

fn player(number: usize) -> UserId {
    user_of(number).id().clone()
}

fn user_of(number: usize) -> XsollaUser {
    token(&format!("player-{number}"), 1)
}

impl Fleet {
    fn new(seed: u64) -> Self {
        let mut fleet = Self {
            seed,
            random: fastrand::Rng::with_seed(seed),
            now: seconds(1_000),
            events: BinaryHeap::new(),
            happening: BTreeMap::new(),
            last_event: 0,
            last_process: 0,
            servers: Vec::new(),
            ledger: BTreeMap::new(),
            database_away_until: Duration::ZERO,
            orders: BTreeMap::new(),
            webhooks: Vec::new(),
            confirmed: BTreeSet::new(),
            grants: BTreeMap::new(),
            taken_back: BTreeMap::new(),
            has_webhooks: cfg!(feature = "webhook") && seed.is_multiple_of(2),
            is_hard: !seed.is_multiple_of(4),
            counts: Counts::default(),
        };
        for _ in 0..SERVERS {
            let server = fleet.start_process();
            fleet.servers.push(server);
        }
        for index in 0..SERVERS {
            fleet.configure(index);
        }
        for number in 0..ORDERS {
            let to_come: &[&str] = match fleet.random.u32(0..20) {
                0..9 => &["paid", "done"],
                9..15 => &["paid", "done", "canceled"],
                15 => &["paid", "canceled"],
                16 => &["done"],
                17 => &["canceled"],
                18 => &["expired"],
                _ => &[],
            };
            let order_id = OrderId(100 + number);
            let truth = Truth {
                player: fleet.random.usize(0..PLAYERS),
                status: "new",
                to_come: to_come.iter().copied().collect(),
                was_done: false,
            };
            fleet.orders.insert(order_id, truth);
            fleet.after_some(TROUBLE / 2, Event::Advance(order_id));
        }
        for number in 0..PLAYERS {
            fleet.after_some(seconds(5), Event::Move(number));
            for _ in 0..4 {
                fleet.after_some(TROUBLE, Event::Move(number));
            }
            // All are there in the end.
            fleet.after(TROUBLE + seconds(1), Event::Move(number));
        }
        if fleet.is_hard {
            for _ in 0..4 {
                fleet.after_some(TROUBLE, Event::Kill);
                fleet.after_some(TROUBLE, Event::Stop);
            }
            for _ in 0..2 {
                fleet.after_some(TROUBLE, Event::DatabaseGoesAway);
            }
            for minute in 1..40 {
                fleet.after(seconds(60 * minute), Event::Sweep);
            }
        }
        fleet
    }

    fn after(&mut self, delay: Duration, event: Event) {
        self.last_event += 1;
        self.events
            .push(Reverse((self.now + delay, self.last_event)));
        self.happening.insert(self.last_event, event);
    }

    fn after_some(&mut self, longest: Duration, event: Event) {
        let delay = self.some(longest);
        self.after(delay, event);
    }

    fn some(&mut self, longest: Duration) -> Duration {
        let longest = u64::try_from(longest.as_millis()).unwrap();
        Duration::from_millis(self.random.u64(0..longest))
    }

    fn inside(&mut self, server: usize, delay: Duration, inside: Inside) {
        let process = self.servers[server].process;
        self.after(delay, Event::In(server, process, inside));
    }

    fn start_process(&mut self) -> Server {
        self.last_process += 1;
        Server {
            machine: Machine::new(self.random.u64(..)),
            process: self.last_process,
            stopped_until: Duration::ZERO,
            next_tick: None,
            jobs: VecDeque::new(),
            is_ledger_busy: false,
            last_report: Duration::ZERO,
            sockets: BTreeMap::new(),
            requests: BTreeSet::new(),
        }
    }

    fn configure(&mut self, server: usize) {
        let mut config = XsollaConfig::new(PROJECT);
        config.ledger = Ledger::custom(Shared);
        self.handle(server, Input::Configure(Some(Arc::new(config))));
        self.inside(server, LOOK, Inside::Look);
    }

    fn run(mut self) -> Counts {
        let end = self.now + TROUBLE + CALM;
        while let Some(Reverse((at, number))) = self.events.pop() {
            if at > end {
                break;
            }
            self.now = at;
            let event = self.happening.remove(&number).unwrap();
            self.happens(event);
        }
        self.judge();
        self.counts
    }

    fn is_in_trouble(&self) -> bool {
        self.now < seconds(1_000) + TROUBLE
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::In(server, process, inside) => {
                let of = &self.servers[server];
                if of.process != process {
                    return;
                }
                if of.stopped_until > self.now {
                    let delay = of.stopped_until - self.now;
                    return self.after(delay, Event::In(server, process, inside));
                }
                self.happens_inside(server, inside);
            }
            Event::Advance(order_id) => self.advance(order_id),
            Event::Move(number) => self.arrives(number),
            Event::Webhook(order_id, status) => self.webhook(order_id, status),
            Event::Kill => {
                let server = self.random.usize(0..SERVERS);
                self.servers[server] = self.start_process();
                self.counts.kills += 1;
                self.configure(server);
            }
            Event::Stop => {
                let server = self.random.usize(0..SERVERS);
                let time = self.some(seconds(120));
                self.servers[server].stopped_until = self.now + time;
            }
            Event::DatabaseGoesAway => {
                self.database_away_until = self.now + self.random.u32(1..90) * seconds(1);
            }
            Event::Sweep if self.is_database_there() => {
                let refunds = self.ledger.iter().filter(|(_, row)| {
                    row.entry == LedgerEntry::Canceled && row.is_granted && !row.is_taken_back
                });
                let refunds: Vec<(OrderId, UserId)> = refunds
                    .map(|(order_id, row)| (*order_id, row.user.clone()))
                    .collect();
                for (order_id, user) in refunds {
                    self.counts.swept += 1;
                    self.note_refund(order_id, user);
                }
            }
            Event::Sweep => {}
        }
    }

    fn is_database_there(&self) -> bool {
        self.now >= self.database_away_until
    }

    fn advance(&mut self, order_id: OrderId) {
        let order = self.orders.get_mut(&order_id).unwrap();
        let Some(status) = order.to_come.pop_front() else {
            return;
        };
        order.status = status;
        order.was_done |= status == "done";
        let user = player(order.player);
        let is_end = matches!(status, "done" | "canceled") && (order.was_done);
        self.after_some(seconds(200), Event::Advance(order_id));
        if is_end && self.has_webhooks {
            self.after_some(seconds(5), Event::Webhook(order_id, status));
        }
        for server in 0..SERVERS {
            let socket = self.servers[server].sockets.get(&user);
            if let Some((connection, true)) = socket.copied() {
                let hear = Inside::Hear(user.clone(), connection, order_id, status);
                let delay = self.some(seconds(2));
                self.inside(server, delay, hear);
            }
        }
    }

    /// The player comes to a server with their orders, and the one where they were is not told.
    fn arrives(&mut self, number: usize) {
        let server = self.random.usize(0..SERVERS);
        if self.servers[server].stopped_until > self.now {
            // They try again.
            return self.after(seconds(10), Event::Move(number));
        }
        let orders: Vec<OrderId> = self
            .orders
            .iter()
            .filter(|(_, truth)| truth.player == number)
            .map(|(order_id, _)| *order_id)
            .collect();
        for order_id in orders {
            let track = Input::TrackAs {
                user: user_of(number),
                expires_in: None,
                order_id,
            };
            self.handle(server, track);
        }
    }

    #[cfg(not(feature = "webhook"))]
    fn webhook(&mut self, _: OrderId, _: &'static str) {}

    /// Xsolla sends a webhook to any server, and again until one confirms it.
    #[cfg(feature = "webhook")]
    fn webhook(&mut self, order_id: OrderId, status: &'static str) {
        if self.confirmed.contains(&(order_id, status)) {
            return;
        }
        self.after(AGAIN, Event::Webhook(order_id, status));
        let is_twice = self.random.u32(0..5) == 0;
        self.sends(order_id, status);
        if is_twice {
            self.sends(order_id, status);
        }
    }

    #[cfg(feature = "webhook")]
    fn sends(&mut self, order_id: OrderId, status: &'static str) {
        let server = self.random.usize(0..SERVERS);
        if self.servers[server].stopped_until > self.now {
            return;
        }
        let receipt = u64::try_from(self.webhooks.len()).unwrap();
        self.webhooks.push((order_id, status));
        let input = Input::Pushed {
            user: player(self.orders[&order_id].player),
            project_id: Some(PROJECT),
            report: Report {
                order_id,
                ..report(status)
            },
            source: NewsSource::Webhook,
            receipt: Some(crate::machine::input::Receipt(receipt)),
        };
        self.handle(server, input);
    }
}

fn number_from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn servers_that_share_a_ledger_grant_each_order_once() {
    let seeds = match number_from_env("BEVY_XSOLLA_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            0..number_from_env("BEVY_XSOLLA_FLEETS").unwrap_or(if cfg!(debug_assertions) {
                200
            } else {
                2_000
            })
        }
    };
    let mut all = Counts::default();
    for seed in seeds {
        let counts = Fleet::new(seed).run();
        all.kills += counts.kills;
        all.taken += counts.taken;
        all.told += counts.told;
        all.granted += counts.granted;
        all.taken_back += counts.taken_back;
        all.swept += counts.swept;
    }
    let Counts {
        kills,
        taken,
        told,
        granted,
        taken_back,
        swept,
    } = all;
    println!(
        "{granted} granted, told {told} times; {taken_back} taken back, {swept} of them late; {kills} kills, {taken} \
         orders taken over"
    );
    assert!(granted > 0 && taken > 0 && taken_back > 0);
}
