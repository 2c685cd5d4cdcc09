//! Measures a burst: 20,000 status changes of 5,000 orders are published at once to one player, until all
//! are seen. The plugin is measured beside three bare clients of the same protocol, which count
//! publications and know nothing of orders. All run against the same emulator, and then against the same
//! Centrifugo.
//!
//! Each contestant is a process of its own, the plugin too, and new in each round. It prints `ready` when
//! it is subscribed, `warm` when it has read a few thousand publications of other orders, and `seen` when
//! it has read the burst. This process publishes and takes the times. There are three sorts of burst:
//!
//! - *live*: the time runs from the first publication, so the server's own work is a part of it.
//! - *waiting*: the contestant's process is stopped while the server publishes, and the time runs from the
//!   moment at which it goes on, so it is mostly the contestant's own work.
//! - *known*: live, of orders of which the plugin knew before that they are paid, and what they are for. It has no request
//!   to send then, so this is how soon orders are granted.
//!
//! A contestant whose software is missing is skipped. `benches/compare/run.sh` gets all of it.

#[path = "../tests/support/centrifugo.rs"]
mod centrifugo;
#[path = "burst/game.rs"]
mod game;
mod support;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use serde_json::{Value, json};

use centrifugo::{Centrifugo, Player};
use support::{Times, millis, scheduled};

const ORDERS: u64 = 5_000;
/// The statuses of each order. The plugin does not know the second one.
const STATUSES: [&str; 4] = ["paid", "on_hold", "paid", "done"];
const BURST: u64 = ORDERS * STATUSES.len() as u64;
/// How many orders move on side by side. There are few, so that final statuses come all through the burst.
const SIDE_BY_SIDE: u64 = 50;
/// Publications before the burst, so that the contestants' code and buffers are warm.
const WARM_UP: u64 = 5_000;
/// Centrifuge's writer puts at most so many publications in a frame.
const A_FRAME: usize = 16;

const DEADLINE: Duration = Duration::from_secs(60);
/// If nothing has come for this long, the burst is over.
const QUIET: Duration = Duration::from_secs(1);
/// Makes this process a contestant, namely the plugin.
const CONTESTANT: &str = "BEVY_XSOLLA_BENCH_CONTESTANT";

fn main() {
    if std::env::var_os(CONTESTANT).is_some() {
        return game::run();
    }
    let rounds = std::env::var("BURST_ROUNDS").ok();
    let rounds = rounds.map_or(5, |rounds| rounds.parse().unwrap());
    let stage = Stage::new();
    let contestants = contestants();
    let mut servers = vec![Server::emulator(&stage)];
    match centrifugo::binary() {
        Some(binary) => servers.push(Server::centrifugo(&binary, &stage)),
        None => println!("skipped: there is no Centrifugo (benches/compare/run.sh gets it)"),
    }
    for server in &servers {
        for burst in [Burst::Live, Burst::Waiting] {
            compete(&stage, server, burst, &contestants, rounds);
        }
        let plugins: Vec<Contestant> = contestants
            .iter()
            .filter(|contestant| contestant.is_plugin)
            .cloned()
            .collect();
        compete(&stage, server, Burst::Known, &plugins, rounds);
    }
}

/// The orders, and their player.
struct Stage {
    emulator: XsollaEmulator,
    alice: XsollaUser,
    token: String,
    first: u64,
}

impl Stage {
    fn new() -> Self {
        let emulator = XsollaEmulator::start();
        let token = emulator.token("alice");
        let alice = XsollaUser::new(&token);
        let first = emulator.create_order(&alice, &[("sword", 1)]).0;
        // The warm-up needs one more order than the burst.
        for _ in 0..ORDERS {
            emulator.create_order(&alice, &[("sword", 1)]);
        }
        Self {
            emulator,
            alice,
            token,
            first,
        }
    }

    /// What Get Order says of the orders of the burst from now on.
    fn set_orders(&self, status: &str) {
        for order in self.first..self.first + ORDERS {
            self.emulator.set_status_silently(OrderId(order), status);
        }
    }

    /// News of orders that nobody tracks, and last of one that the plugin tracks.
    fn warm_up(&self) -> Vec<Value> {
        let strangers = (1..WARM_UP).map(|id| publication(id, "paid"));
        let own = publication(self.first + ORDERS, "paid");
        strangers.chain([own]).collect()
    }

    fn burst(&self) -> Vec<Value> {
        let orders: Vec<u64> = (self.first..self.first + ORDERS).collect();
        orders
            .chunks(SIDE_BY_SIDE as usize)
            .flat_map(|orders| {
                STATUSES
                    .iter()
                    .flat_map(|status| orders.iter().map(|id| publication(*id, status)))
            })
            .collect()
    }

    /// The task of a contestant, in one line.
    fn task(&self, url: &str, hz: u64) -> String {
        let data = json!({
            "user_external_id": "player-1",
            "auth": self.token,
            "project_id": self.emulator.project_id(),
        });
        let task = json!({
            "url": url, "data": data, "warm_up": WARM_UP, "count": BURST,
            // These are for the plugin.
            "store_url": self.emulator.store_url(), "first_order": self.first, "hz": hz,
        });
        task.to_string()
    }
}

fn publication(order: u64, status: &str) -> Value {
    json!({"order_id": order, "status": status})
}

enum Server<'a> {
    Emulator {
        stage: &'a Stage,
        warm_up: Vec<String>,
        burst: Vec<String>,
    },
    Centrifugo {
        server: Box<Centrifugo>,
        warm_up: String,
        burst: String,
    },
}

impl<'a> Server<'a> {
    fn emulator(stage: &'a Stage) -> Self {
        // The emulator has published each order's `new`, and the offsets go on from there.
        let top = ORDERS + 1;
        let channel = stage.emulator.channel(&stage.alice);
        Self::Emulator {
            stage,
            warm_up: frames(&channel, stage.warm_up(), top),
            burst: frames(&channel, stage.burst(), top + WARM_UP),
        }
    }

    fn centrifugo(binary: &Path, stage: &Stage) -> Self {
        let player = Player {
            token: stage.token.clone(),
            id: "alice".to_owned(),
            channel: format!("{}:alice", centrifugo::ORDERS),
        };
        let server = Centrifugo::start_patient(binary, &player);
        Self::Centrifugo {
            warm_up: server.batch(stage.warm_up(), false),
            burst: server.batch(stage.burst(), false),
            server: Box::new(server),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Emulator { .. } => "the emulator",
            Self::Centrifugo { .. } => "Centrifugo",
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Emulator { stage, .. } => stage.emulator.socket_url(),
            Self::Centrifugo { server, .. } => server.url(),
        }
    }

    fn publish_warm_up(&self) {
        match self {
            Self::Emulator { stage, warm_up, .. } => stage.send(warm_up),
            Self::Centrifugo {
                server, warm_up, ..
            } => server.publish_batch(warm_up),
        }
    }

    fn publish_burst(&self) {
        match self {
            Self::Emulator { stage, burst, .. } => stage.send(burst),
            Self::Centrifugo { server, burst, .. } => server.publish_batch(burst),
        }
    }

    /// Makes the channel forget the burst, so that the next contestant does not get it from the history.
    fn clean_up(&self) {
        if let Self::Centrifugo { server, .. } = self {
            // These are more than the history keeps.
            server.publish_all((1..=200).map(|id| publication(id, "paid")));
        }
    }
}

impl Stage {
    fn send(&self, frames: &[String]) {
        for frame in frames {
            self.emulator.send_frame(&self.alice, frame.as_str());
        }
    }
}

/// Frames as Centrifuge's writer makes them of publications that wait. The emulator's `publish_many` would
/// make one frame of them all, which has more than two megabytes here.
fn frames(channel: &str, publications: Vec<Value>, top: u64) -> Vec<String> {
    let channel = Value::from(channel);
    let mut offset = top;
    publications
        .chunks(A_FRAME)
        .map(|publications| {
            let mut frame = String::new();
            for data in publications {
                offset += 1;
                let _ = writeln!(
                    frame,
                    r#"{{"push":{{"channel":{channel},"pub":{{"data":{data},"offset":{offset}}}}}}}"#,
                );
            }
            frame
        })
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Burst {
    Live,
    Waiting,
    Known,
}

#[derive(Clone)]
struct Contestant {
    name: &'static str,
    command: Vec<PathBuf>,
    /// The plugin's frames a second. 0 means as many as possible.
    hz: u64,
    is_plugin: bool,
}

/// The contestants whose software is there.
fn contestants() -> Vec<Contestant> {
    let plugin = |name, hz| Contestant {
        name,
        command: vec![std::env::current_exe().unwrap()],
        hz,
        is_plugin: true,
    };
    let mut all = vec![
        plugin("bevy_xsolla, updating without waiting", 0),
        plugin("bevy_xsolla, 60 frames a second", 60),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cache = std::env::var_os("COMPARE_CACHE");
    let cache = cache.map_or_else(|| root.join("../target/compare"), PathBuf::from);
    let rust = format!(
        "centrifuge-client/release/counter{}",
        std::env::consts::EXE_SUFFIX
    );
    let peers = [
        ("crate centrifuge-client", vec![cache.join(rust)]),
        (
            "npm centrifuge, Node and ws",
            vec![PathBuf::from("node"), cache.join("npm/counter.mjs")],
        ),
        (
            "PyPI centrifuge-python",
            vec![
                cache.join("pypi/bin/python"),
                root.join("compare/pypi/counter.py"),
            ],
        ),
    ];
    for (name, command) in peers {
        let is_there = |file: &PathBuf| file.is_file() || file.as_os_str() == "node";
        if command.iter().all(is_there) {
            all.push(Contestant {
                name,
                command,
                hz: 0,
                is_plugin: false,
            });
        } else {
            println!("skipped: there is no {name} (benches/compare/run.sh gets it)");
        }
    }
    all
}

/// The results of a contestant's rounds.
#[derive(Default)]
struct Score {
    seen: Times,
    /// How long the plugin took until the last `OrderDone`.
    granted: Times,
    frames: Vec<Value>,
    /// The processor time of all threads together.
    cpu: Times,
    failures: Vec<String>,
}

fn compete(
    stage: &Stage,
    server: &Server,
    burst: Burst,
    contestants: &[Contestant],
    rounds: usize,
) {
    let mut scores: Vec<Score> = contestants.iter().map(|_| Score::default()).collect();
    for round in 1..=rounds {
        for (contestant, score) in contestants.iter().zip(&mut scores) {
            match turn(stage, server, burst, contestant, score) {
                Ok(seen) => eprintln!(
                    "burst: {}, round {round} of {rounds}, {}: {} ms",
                    server.name(),
                    contestant.name,
                    millis(seen)
                ),
                Err(failure) => {
                    eprintln!("burst: {}: {failure}", contestant.name);
                    score.failures.push(failure);
                }
            }
            server.clean_up();
        }
    }
    report(server, burst, contestants, &scores);
}

fn turn(
    stage: &Stage,
    server: &Server,
    burst: Burst,
    contestant: &Contestant,
    score: &mut Score,
) -> Result<Duration, String> {
    stage.set_orders(match burst {
        Burst::Known => "paid",
        Burst::Live | Burst::Waiting => "new",
    });
    let mut peer = Peer::start(contestant, &stage.task(&server.url(), contestant.hz));
    peer.hear("ready")?;
    // The plugin grants what an answer lists that itself says that the order is paid.
    stage.set_orders("paid");
    server.publish_warm_up();
    peer.hear("warm")?;
    std::thread::sleep(Duration::from_millis(300));
    let cpu = peer.cpu();
    let start = match burst {
        Burst::Live | Burst::Known => {
            let start = Instant::now();
            server.publish_burst();
            start
        }
        Burst::Waiting => {
            peer.signal("STOP");
            server.publish_burst();
            // By then the burst is in the server's queue and the system's buffers.
            std::thread::sleep(Duration::from_millis(300));
            let start = Instant::now();
            peer.signal("CONT");
            start
        }
    };
    if contestant.is_plugin {
        score.granted.add(peer.hear("granted")? - start);
    }
    let seen = peer.hear("seen")? - start;
    if let Some((before, after)) = cpu.zip(peer.cpu()) {
        score.cpu.add(after - before);
    }
    score.seen.add(seen);
    if contestant.is_plugin {
        peer.hear("frames")?;
        score.frames.push(peer.rest.clone());
    }
    Ok(seen)
}

/// A running contestant.
struct Peer {
    process: Child,
    lines: Receiver<(Instant, String)>,
    /// What the last line had after its first word.
    rest: Value,
}

impl Peer {
    fn start(contestant: &Contestant, task: &str) -> Self {
        let (program, arguments) = contestant.command.split_first().unwrap();
        let mut process = Command::new(program)
            .args(arguments)
            .env(CONTESTANT, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(process.stdin.as_mut().unwrap(), "{task}").unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let (sender, lines) = channel();
        // The thread ends with the process, whose end closes the pipe.
        std::thread::spawn(move || {
            for line in output.map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            lines,
            rest: Value::Null,
        }
    }

    /// When the contestant printed this word. A number behind the word says how many microseconds late it was
    /// printed.
    fn hear(&mut self, word: &str) -> Result<Instant, String> {
        let (at, line) = self
            .lines
            .recv_timeout(DEADLINE)
            .map_err(|_| format!("did not say {word:?}"))?;
        let (first, rest) = line.split_once(' ').unwrap_or((&line, "null"));
        if first != word {
            return Err(format!("said {line:?} instead of {word:?}"));
        }
        self.rest = serde_json::from_str(rest).map_err(|error| error.to_string())?;
        Ok(at - Duration::from_micros(self.rest.as_u64().unwrap_or(0)))
    }

    /// The processor time of the process so far, where the system (Linux) tells it.
    fn cpu(&self) -> Option<Duration> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).ok()?;
        let mut nanos = 0;
        for thread in threads {
            let times = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            let running: u64 = times.split_whitespace().next()?.parse().ok()?;
            nanos += running;
        }
        Some(Duration::from_nanos(nanos))
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success(), "kill -s {name}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn report(server: &Server, burst: Burst, contestants: &[Contestant], scores: &[Score]) {
    let sort = match burst {
        Burst::Live => "live: from the first publication until all were seen",
        Burst::Waiting => "waiting: from the contestant's going on until all were seen",
        Burst::Known => {
            "known: from the first publication until all were seen, of orders that were known to be paid"
        }
    };
    println!();
    println!("Burst of {BURST}, {}, {sort}", server.name());
    println!();
    println!("| contestant | median, ms | lowest | highest | rounds | CPU time, median, ms |");
    println!("|---|---|---|---|---|---|");
    for (contestant, score) in contestants.iter().zip(scores) {
        let seen = &score.seen;
        let [median, min, max] = [seen.median(), seen.min(), seen.max()].map(millis);
        let (name, count) = (contestant.name, seen.count());
        let cpu = millis(score.cpu.median());
        println!("| {name} | {median} | {min} | {max} | {count} | {cpu} |");
    }
    println!();
    println!(
        "| the plugin | last `OrderDone`, ms | last of all, ms | changes told | frames with news | \
         p50, ms | p99, ms | max, ms | main thread ran: p99, ms | of all frames: p99, ms | \
         main thread ran for each message, ns |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (contestant, score) in contestants.iter().zip(scores) {
        if !contestant.is_plugin {
            continue;
        }
        let [granted, seen] = [&score.granted, &score.seen].map(|times| millis(times.median()));
        let of = |name: &str| median(score.frames.iter().map(|frames| &frames[name]));
        let [p50, p99, max, ran, all_p99] =
            ["p50_us", "p99_us", "max_us", "ran_p99_us", "all_p99_us"]
                .map(|name| format!("{:.2}", of(name) / 1e3));
        println!(
            "| {} | {granted} | {seen} | {} | {} | {p50} | {p99} | {max} | {ran} | {all_p99} | {:.0} |",
            contestant.name,
            of("changes"),
            of("count"),
            of("ran_each_ns"),
        );
    }
    for (contestant, score) in contestants.iter().zip(scores) {
        for failure in &score.failures {
            println!();
            println!("{}: {failure}", contestant.name);
        }
    }
}

fn median<'a>(values: impl Iterator<Item = &'a Value>) -> f64 {
    let mut values: Vec<f64> = values.filter_map(Value::as_f64).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
