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
#[path = "fleet/judge.rs"]
mod judge;
#[path = "fleet/network.rs"]
mod network;
#[path = "fleet/program.rs"]
mod program;
#[path = "fleet/server.rs"]
mod server;
#[path = "fleet/storm.rs"]
mod storm;
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
