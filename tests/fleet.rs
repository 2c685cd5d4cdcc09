//! A fleet of game servers on one PostgreSQL, whose players move between them: every paid order is granted exactly
//! once, none falsely, and every refund is taken back once, whatever dies, stops or is cut off meanwhile.
//!
//! The servers are processes of `examples/dedicated_server.rs`. The game's tables are what is judged.
//!
//! `BEVY_XSOLLA_FLEET=1000 cargo test --test fleet -- --nocapture` is the long run, of 1,000 orders, and
//! `BEVY_XSOLLA_SEED=…` makes the same random choices again. What they meet is up to the machine's scheduler as well,
//! so a seed repeats the plan, not the run.

#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on is to stop"
)]

#[path = "fleet/front.rs"]
mod front;
#[path = "fleet/network.rs"]
mod network;
#[path = "fleet/program.rs"]
mod program;
#[path = "fleet/server.rs"]
mod server;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use bevy_xsolla::prelude::*;
use front::Front;
use network::{Mode, Network};
use server::{SECRET, Said, Server};
use support::postgres::Postgres;
use support::process::Process;

#[test]
fn a_fleet_grants_every_paid_order_once_whatever_dies_stops_or_is_cut_off() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let size = number("BEVY_XSOLLA_FLEET").unwrap_or(60) as usize;
    let seed = number("BEVY_XSOLLA_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("BEVY_XSOLLA_FLEET={size} BEVY_XSOLLA_SEED={seed}");
    let mut fleet = Fleet::start(postgres, size, seed);
    fleet.storm();
    fleet.calm_down();
    // Each restart has the servers ask Xsolla for what its socket has not told.
    fleet.restart_servers();
    fleet.wait_until(
        "the last orders are paid and refunded",
        Fleet::have_plans_come_true,
    );
    fleet.restart_servers();
    fleet.wait_until("all is granted and taken back", |fleet| {
        fleet.have_webhooks_come() && fleet.faults().is_empty()
    });
    fleet.tell_all_again();
    fleet.judge();
}

const SERVERS: usize = 3;
/// How long a server is paused. It is longer than anything waits for anything: a server waits for its database for ten
/// seconds, and the database for a server that has begun something.
const PAUSE: Duration = Duration::from_secs(12);
/// How long the way from the last fault to the last grant may take. Generous: a condition that is met ends the wait.
fn patience(size: usize) -> Duration {
    Duration::from_secs(120) + Duration::from_millis(200) * u32::try_from(size).unwrap()
}

/// The time in which Xsolla repeats a webhook, less what is left for the end.
const REPEATED_FOR: Duration = Duration::from_secs(8 * 60 * 60);

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Order,
    /// The next thing happens to an order.
    Advance,
    /// A player comes to another server.
    Move,
    /// A player comes to another server while theirs is granting.
    Race,
    Kill,
    Pause,
    RestartDatabase,
    /// The network between a server and its database does something.
    Cut,
    /// Xsolla's socket or store does something.
    Trouble,
}

/// The ways by which the servers hear of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Webhook,
    Socket,
    Both,
}

struct Order {
    player: usize,
    way: Way,
    /// What is still to come of it, the next last.
    plan: Vec<OrderStatus>,
    is_paid: bool,
    is_refunded: bool,
    /// Whether it is refunded only after it was granted.
    is_refunded_late: bool,
}

struct Player {
    token: String,
    server: usize,
}

#[derive(Debug, Default)]
struct Figures {
    kills: usize,
    restarts: usize,
    pauses: usize,
    cuts: usize,
    joins: usize,
    refused_joins: usize,
    /// The webhooks after the end that had to come twice.
    repeated_late_webhooks: usize,
}

struct Fleet {
    random: fastrand::Rng,
    size: usize,
    started_at: Instant,
    emulator: XsollaEmulator,
    postgres: Postgres,
    /// When the database is started again.
    database_is_due: Option<Instant>,
    front: Front,
    networks: Vec<Network>,
    servers: Vec<Server>,
    /// When paused servers go on.
    paused: Vec<(Instant, usize)>,
    said: Arc<Mutex<Said>>,
    players: Vec<Player>,
    orders: BTreeMap<OrderId, Order>,
    /// Whether webhooks are sent that do not come again by themselves, so that each which fails counts as given up.
    is_over: bool,
    figures: Figures,
}

impl Fleet {
    fn start(postgres: Postgres, size: usize, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let emulator = XsollaEmulator::start();
        let front = Front::start(random.u64(..));
        emulator.webhooks_to(&front.url(), SECRET);
        emulator.duplicate_webhooks(true);
        emulator.reorder_webhooks(true);
        let players = (size * 3 / 10).max(30);
        let players: Vec<Player> = (0..players)
            .map(|number| Player {
                token: emulator.token(&format!("player-{number:03}")),
                server: random.usize(..SERVERS),
            })
            .collect();
        let tokens = players.iter().map(|player| player.token.clone());
        let secrets = tokens.chain([SECRET.to_owned()]).collect();
        let mut fleet = Self {
            random,
            size,
            started_at: Instant::now(),
            emulator,
            networks: (0..SERVERS)
                .map(|_| Network::start(postgres.port()))
                .collect(),
            postgres,
            database_is_due: None,
            front,
            servers: Vec::new(),
            paused: Vec::new(),
            said: Arc::new(Mutex::new(Said {
                secrets,
                ..Said::default()
            })),
            players,
            orders: BTreeMap::new(),
            is_over: false,
            figures: Figures::default(),
        };
        for number in 0..SERVERS {
            let server = fleet.new_server(number);
            fleet.servers.push(server);
        }
        fleet.wait_until("the servers are up", |fleet| fleet.are_up());
        fleet
    }

    fn new_server(&self, number: usize) -> Server {
        let database = self.postgres.address_at(self.networks[number].port);
        Server::start(number, &database, &self.emulator, &self.said)
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap()
    }

    fn are_up(&self) -> bool {
        self.servers.iter().all(Server::is_up)
    }

    // The storm.

    fn storm(&mut self) {
        let mut steps = Vec::new();
        for (step, count) in [
            (Step::Order, self.size),
            (Step::Advance, self.size * 7 / 2),
            (Step::Move, self.size),
            (Step::Race, self.size / 6),
            (Step::Kill, self.size / 10),
            (Step::Pause, (self.size / 50).max(2)),
            (Step::RestartDatabase, (self.size / 100).max(1)),
            (Step::Cut, self.size / 6),
            (Step::Trouble, self.size / 6),
        ] {
            steps.extend(std::iter::repeat_n(step, count));
        }
        self.random.shuffle(&mut steps);
        // Some time for each order, so that the storm is as thick whatever the size.
        let time = Duration::from_millis(220) * u32::try_from(self.size).unwrap();
        let (pace, webhooks) = (
            time / u32::try_from(steps.len()).unwrap(),
            REPEATED_FOR / u32::try_from(steps.len()).unwrap(),
        );
        for step in steps {
            self.step(step);
            self.emulator.pass_webhook_time(webhooks);
            std::thread::sleep(pace.mul_f64(self.random.f64() * 2.0));
            self.do_what_is_due();
        }
        // Servers that were paused are not to come back to a fleet at rest.
        while !self.paused.is_empty() {
            self.step(Step::Move);
            self.step(Step::Advance);
            std::thread::sleep(pace);
            self.do_what_is_due();
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Order => self.order(),
            Step::Advance => {
                if let Some(order_id) = self.next_planned() {
                    self.advance(order_id);
                }
            }
            Step::Move => {
                let player = self.random.usize(..self.players.len());
                self.move_player(player);
            }
            Step::Race => self.race(),
            Step::Kill => self.kill(),
            Step::Pause => self.pause(),
            Step::RestartDatabase => {
                if self.database_is_due.take().is_some() {
                    self.postgres.go_on();
                }
                self.postgres.kill();
                self.figures.restarts += 1;
                let time = Duration::from_millis(self.random.u64(..3_000));
                self.database_is_due = Some(Instant::now() + time);
            }
            Step::Cut => self.cut(),
            Step::Trouble => self.make_trouble(),
        }
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        if self.database_is_due.is_some_and(|due| due <= now) {
            self.database_is_due = None;
            self.postgres.go_on();
        }
        let (due, paused) = self.paused.iter().partition(|(at, _)| *at <= now);
        self.paused = paused;
        for (_, number) in due {
            self.resume(number);
        }
        let servers = &self.servers;
        let addresses = servers.iter().filter_map(Server::webhooks).collect();
        self.front.routes().servers = addresses;
    }

    fn order(&mut self) {
        let player = self.random.usize(..self.players.len());
        let user = XsollaUser::new(&self.players[player].token);
        let items = [("sword", 1), ("potion", self.random.u64(1..=9))];
        let order_id = self.emulator.create_order(&user, &items);
        let way = self.random.choice([Way::Webhook, Way::Socket, Way::Both]);
        let plan = match self.random.u32(..20) {
            0..11 => vec![OrderStatus::Done],
            11..16 => vec![OrderStatus::Canceled, OrderStatus::Done],
            16..18 => vec![OrderStatus::Canceled],
            18 => vec![OrderStatus::Expired],
            _ => Vec::new(),
        };
        let mut order = Order {
            player,
            way: way.unwrap(),
            plan,
            is_paid: false,
            is_refunded: false,
            is_refunded_late: self.random.u32(..4) > 0,
        };
        if order.plan.last() == Some(&OrderStatus::Done) && self.random.bool() {
            order.plan.push(OrderStatus::Paid);
        }
        if order.way == Way::Socket {
            self.front.routes().kept.insert(order_id);
        }
        let (joins, server) = (order.way != Way::Webhook, self.players[player].server);
        self.orders.insert(order_id, order);
        if joins {
            self.join(player, server, &[order_id]);
        }
    }

    /// An order to which something is to happen now.
    fn next_planned(&mut self) -> Option<OrderId> {
        let said = self.said.lock().unwrap();
        let planned = self.orders.iter().filter(|(order_id, order)| {
            !order.plan.is_empty() && (!order.waits_for_grant() || said.granted.contains(order_id))
        });
        let planned: Vec<OrderId> = planned.map(|(order_id, _)| *order_id).collect();
        self.random.choice(planned)
    }

    fn advance(&mut self, order_id: OrderId) {
        let order = self.orders.get_mut(&order_id).unwrap();
        let Some(status) = order.plan.pop() else {
            return;
        };
        let is_over = status == OrderStatus::Canceled;
        order.is_refunded |= is_over && order.is_paid;
        order.is_paid |= matches!(status, OrderStatus::Paid | OrderStatus::Done);
        match self.random.u32(..6) {
            // The socket says nothing of it.
            0 => self.emulator.set_status_silently(order_id, status.as_str()),
            _ => self.emulator.set_status(order_id, status.as_str()),
        }
    }

    fn move_player(&mut self, player: usize) {
        let server = self.random.usize(..SERVERS);
        self.players[player].server = server;
        let orders = self.orders_of(player);
        self.join(player, server, &orders);
    }

    /// Both servers may be told to grant: the other comes between the steps of the first, which is held up.
    fn race(&mut self) {
        let is_to_be_done = |(_, order): &(&OrderId, &mut Order)| {
            order.way != Way::Webhook && order.plan.contains(&OrderStatus::Done)
        };
        let mut orders = self.orders.iter_mut().filter(is_to_be_done);
        let Some((&order_id, order)) = orders.next() else {
            return;
        };
        order.plan.retain(|status| *status != OrderStatus::Paid);
        let player = order.player;
        let first = self.players[player].server;
        let other = (first + 1) % SERVERS;
        self.networks[other].set(Mode::Open);
        let lock = if self.random.bool() {
            self.networks[first].set(Mode::Slow);
            None
        } else {
            self.networks[first].set(Mode::Open);
            Some(self.lock_grants())
        };
        self.advance(order_id);
        std::thread::sleep(Duration::from_millis(self.random.u64(400..1_000)));
        self.players[player].server = other;
        self.join(player, other, &[order_id]);
        self.networks[first].set(Mode::Open);
        if let Some(mut lock) = lock {
            lock.wait_for_end();
        }
    }

    /// Lets no server write a grant for a while, unless the database is down.
    fn lock_grants(&self) -> Process {
        let lock = "LOCK TABLE grants; SELECT pg_sleep(1.5)";
        let lock = Process::start(&mut self.postgres.slow_query(lock));
        let is_locked = "SELECT count(*) FROM pg_locks WHERE relation = 'grants'::regclass \
            AND mode = 'AccessExclusiveLock' AND granted";
        let patience = Instant::now() + Duration::from_secs(1);
        while self
            .postgres
            .ask(is_locked)
            .is_some_and(|count| count == "0")
            && Instant::now() < patience
        {
            std::thread::yield_now();
        }
        lock
    }

    /// The orders that a player's game knows of.
    fn orders_of(&self, player: usize) -> Vec<OrderId> {
        let orders = self.orders.iter();
        let own = orders.filter(|(_, order)| order.player == player && order.way != Way::Webhook);
        own.map(|(order_id, _)| *order_id).collect()
    }

    /// A server that does not answer is left alone: the player comes again.
    fn join(&mut self, player: usize, server: usize, orders: &[OrderId]) -> bool {
        let has_joined = self.servers[server].join(&self.players[player].token, orders);
        self.figures.joins += 1;
        self.figures.refused_joins += usize::from(!has_joined);
        has_joined
    }

    /// Mostly in the moments after a server was told something.
    fn kill(&mut self) {
        let number = self.random.usize(..SERVERS);
        if self.random.u32(..4) > 0
            && let Some(order_id) = self.next_planned()
        {
            let lines = self.said().lines.len();
            self.advance(order_id);
            let patience = Instant::now() + Duration::from_millis(300);
            while self.said().lines.len() == lines && Instant::now() < patience {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_micros(self.random.u64(..20_000)));
        }
        assert!(self.servers[number].is_alive(), "server {number} has ended");
        self.paused.retain(|(_, paused)| *paused != number);
        // The old one is dropped, which kills it.
        self.servers[number] = self.new_server(number);
        self.figures.kills += 1;
    }

    fn pause(&mut self) {
        let number = self.random.usize(..SERVERS);
        if self.servers[number].is_paused {
            self.resume(number);
        }
        self.servers[number].signal("-STOP");
        self.servers[number].is_paused = true;
        self.paused.retain(|(_, paused)| *paused != number);
        self.paused.push((Instant::now() + PAUSE, number));
        self.figures.pauses += 1;
    }

    fn resume(&mut self, number: usize) {
        self.servers[number].signal("-CONT");
        self.servers[number].is_paused = false;
    }

    fn cut(&mut self) {
        let network = &self.networks[self.random.usize(..SERVERS)];
        self.figures.cuts += 1;
        match self.random.u32(..10) {
            0 => network.cut(),
            1 => network.set(Mode::Stalled),
            2..4 => network.set(Mode::LosesAnswer),
            4..7 => network.set(Mode::Slow),
            _ => {
                for network in &self.networks {
                    network.set(Mode::Open);
                }
            }
        }
    }

    fn make_trouble(&mut self) {
        match self.random.u32(..6) {
            0..2 => self.emulator.drop_sockets(),
            2 => self.emulator.fail_requests(Fault::status(503).times(5)),
            3 => self.emulator.drop_requests(true),
            4 => self.emulator.cut_webhooks(true),
            _ => {
                self.emulator.drop_requests(false);
                self.emulator.cut_webhooks(false);
            }
        }
    }

    // The calm.

    /// All faults end, and the servers hear of what they missed.
    fn calm_down(&mut self) {
        self.emulator.heal();
        if self.database_is_due.take().is_some() {
            self.postgres.go_on();
        }
        for network in &self.networks {
            network.set(Mode::Open);
        }
        self.wait_until("the servers are up", |fleet| fleet.are_up());
        self.do_what_is_due();
        self.all_join();
        self.wait_until("every webhook is accepted", Self::have_webhooks_come);
    }

    /// The servers are started again, as for a new version of the game, and everybody comes to one of them.
    fn restart_servers(&mut self) {
        for number in 0..SERVERS {
            let server = self.new_server(number);
            std::mem::replace(&mut self.servers[number], server).end();
        }
        self.wait_until("the servers are up", |fleet| fleet.are_up());
        self.do_what_is_due();
        self.all_join();
    }

    fn have_webhooks_come(&mut self) -> bool {
        self.emulator.pass_webhook_time(Duration::from_secs(60));
        self.emulator.webhook_counts().pending == 0
    }

    fn have_plans_come_true(&mut self) -> bool {
        // A server may have died before it said what it granted.
        let granted = self.table("grants");
        self.said().granted.extend(granted);
        while let Some(order_id) = self.next_planned() {
            self.advance(order_id);
        }
        self.orders.values().all(|order| order.plan.is_empty())
    }

    /// Everybody comes to another server, and each webhook comes once more. Nothing may follow from it.
    fn tell_all_again(&mut self) {
        for player in &mut self.players {
            player.server = (player.server + 1) % SERVERS;
        }
        self.all_join();
        self.front.routes().kept.clear();
        let paid = self.orders.iter().filter(|(_, order)| order.is_paid);
        let mut unanswered: BTreeMap<OrderId, &str> = BTreeMap::new();
        for (order_id, order) in paid {
            // A late `order_paid` of a refunded order, too.
            self.emulator.send_webhook(*order_id, "order_paid");
            let last = match order.is_refunded {
                true => "order_canceled",
                false => "order_paid",
            };
            unanswered.insert(*order_id, last);
        }
        self.is_over = true;
        let mut asked = BTreeMap::new();
        self.wait_until("every webhook is accepted once more", |fleet| {
            let emulator = &fleet.emulator;
            let asked_before = asked.len();
            asked.retain(|_, webhook| {
                let answer = emulator.webhook_answer(*webhook);
                answer.is_none_or(|answer| answer.status() == Some(204))
            });
            fleet.figures.repeated_late_webhooks += asked_before - asked.len();
            for (order_id, kind) in &unanswered {
                asked
                    .entry(*order_id)
                    .or_insert_with(|| emulator.send_webhook(*order_id, kind));
            }
            let is_accepted = |webhook| emulator.webhook_answer(webhook).is_some();
            asked.values().all(|webhook| is_accepted(*webhook))
        });
    }

    fn all_join(&mut self) {
        for player in 0..self.players.len() {
            let orders = self.orders_of(player);
            self.wait_until("the player is let in", |fleet| {
                let server = fleet.players[player].server;
                fleet.join(player, server, &orders)
            });
        }
    }

    fn judge(mut self) {
        assert!(self.faults().is_empty(), "{}", self.report());
        for server in self.servers.drain(..) {
            server.end();
        }
        assert!(self.faults().is_empty(), "{}", self.report());
        let counts = self.emulator.webhook_counts();
        let (grants, refunds) = (self.table("grants").len(), self.table("refunds").len());
        assert!(
            grants > self.size / 3 && refunds > 0,
            "there is nothing to judge"
        );
        println!(
            "{} players, {} orders, {} paid, {} refunded; {grants} grants, {refunds} taken back; \
             {} grants that were told again; {} webhooks passed on, {} accepted; {:?}; {} s",
            self.players.len(),
            self.orders.len(),
            self.orders.values().filter(|order| order.is_paid).count(),
            self.orders
                .values()
                .filter(|order| order.is_refunded)
                .count(),
            self.said().told_again,
            self.front.routes().passed,
            counts.accepted,
            self.figures,
            self.started_at.elapsed().as_secs(),
        );
    }

    /// The orders that a table of the game's has.
    fn table(&self, name: &str) -> BTreeSet<OrderId> {
        let ids = self.postgres.query(&format!("SELECT order_id FROM {name}"));
        ids.lines().map(|id| id.parse().unwrap()).collect()
    }

    /// What is not as it should be.
    fn faults(&self) -> Vec<String> {
        let mut faults = self.said().wrong.clone();
        let counts = self.emulator.webhook_counts();
        if !self.is_over && counts.given_up > 0 || counts.refused > 0 {
            faults.push(format!("webhooks were refused or given up: {counts:?}"));
        }
        let (grants, refunds) = (self.table("grants"), self.table("refunds"));
        // The ids are primary keys, so the sets have as many entries as the tables.
        for (order_id, order) in &self.orders {
            let (is_granted, is_taken_back) =
                (grants.contains(order_id), refunds.contains(order_id));
            let fault = match (order.is_paid, order.is_refunded) {
                (false, _) if is_granted => "was not paid, and is granted",
                (true, false) if !is_granted => "was paid, and is not granted",
                (_, false) if is_taken_back => "was not refunded, and is taken back",
                (true, true) if is_granted && !is_taken_back => {
                    "was refunded, and is not taken back"
                }
                (true, true) if !is_granted && order.is_refunded_late => {
                    "was granted before it was refunded, and has no grant"
                }
                _ => continue,
            };
            faults.push(format!("order {order_id} ({:?}) {fault}", order.way));
        }
        let items = "SELECT count(*) FROM (SELECT order_id FROM grants LEFT JOIN granted_items USING (order_id) \
            GROUP BY order_id HAVING count(*) <> 2) AS broken";
        if self.postgres.query(items) != "0" {
            faults.push("an order is granted in part, or twice".to_owned());
        }
        faults
    }

    fn report(&self) -> String {
        let faults = self.faults();
        let mut report = format!("{} faults:\n{}\n", faults.len(), faults.join("\n"));
        // What the servers said of the first of them.
        let order = faults.iter().find_map(|fault| fault.split(' ').nth(1));
        let order = order.and_then(|id| id.parse().ok()).map(OrderId);
        if let Some(order_id) = order {
            let id = order_id.to_string();
            let said = self.said();
            for line in said.lines.iter().filter(|line| line.contains(&id)) {
                report += &format!("{line}\n");
            }
            for attempt in self.emulator.webhook_attempts_for(order_id) {
                report += &format!(
                    "webhook {} {}: {:?}\n",
                    attempt.notification_type, attempt.attempt, attempt.answer
                );
            }
            let row = format!("SELECT * FROM bevy_xsolla.orders WHERE order_id = {id}");
            report += &format!("ledger: {}\n", self.postgres.query(&row));
        }
        let said = self.said();
        let last = said.lines.len().saturating_sub(60);
        report + &said.lines[last..].join("\n")
    }

    #[track_caller]
    fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + patience(self.size);
        while !condition(self) {
            assert!(
                Instant::now() < deadline && self.said().wrong.is_empty(),
                "waited in vain until {what}: {:?}\n{}",
                self.figures,
                self.report()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Order {
    /// Whether it is to be refunded once it is granted.
    fn waits_for_grant(&self) -> bool {
        self.plan.as_slice() == [OrderStatus::Canceled] && self.is_paid && self.is_refunded_late
    }
}
