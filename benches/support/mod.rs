//! What the benchmarks share.
#![allow(dead_code, unused_imports, reason = "each benchmark uses a part of it")]

mod times;

pub use times::{Times, micros, millis};

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

/// This variable makes a process the servers.
const SERVERS: &str = "BEVY_XSOLLA_BENCH_SERVERS";

/// The emulator in a process of its own, so that only the game's side is measured.
pub struct Servers {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub config: XsollaConfig,
}

impl Servers {
    /// Starts this program once more. That process calls [`serve_if_asked`].
    pub fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env(SERVERS, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let mut words = line.split_whitespace();
        let mut config = XsollaConfig::new(words.next().unwrap().parse().unwrap());
        config.store_url = words.next().unwrap().to_owned();
        config.socket_url = words.next().unwrap().to_owned();
        config.ledger = Ledger::disabled();
        config.open_payment_page = false;
        Self {
            process,
            commands,
            answers,
            config,
        }
    }

    pub fn user(&mut self, name: &str) -> XsollaUser {
        XsollaUser::new(self.ask(&format!("token {name}")))
    }

    pub fn create_orders(&mut self, name: &str, count: usize) -> Vec<OrderId> {
        let ids = self.ask(&format!("orders {name} {count}"));
        let ids = ids.split_whitespace();
        ids.map(|id| OrderId(id.parse().unwrap())).collect()
    }

    pub fn deliver_all(&mut self) {
        self.ask("deliver");
    }

    pub fn open_sockets(&mut self) -> usize {
        self.ask("sockets").parse().unwrap()
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// If this process was started as the servers, it serves until its standard input ends, and exits.
pub fn serve_if_asked() {
    if std::env::var_os(SERVERS).is_none() {
        return;
    }
    let emulator = XsollaEmulator::start();
    let (store, socket) = (emulator.store_url(), emulator.socket_url());
    println!("{} {store} {socket}", emulator.project_id());
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let mut words = line.split_whitespace();
        match words.next() {
            Some("token") => println!("{}", emulator.token(words.next().unwrap())),
            Some("orders") => {
                let user = emulator.user(words.next().unwrap());
                let count = words.next().unwrap().parse().unwrap();
                let ids = (0..count).map(|_| emulator.create_order(&user, &[("sword", 1)]));
                let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
                println!("{}", ids.join(" "));
            }
            Some("deliver") => {
                for order in emulator.orders() {
                    emulator.deliver(order);
                }
                println!("done");
            }
            Some("sockets") => println!("{}", emulator.open_sockets()),
            _ => panic!("unknown command {line}"),
        }
    }
    std::process::exit(0);
}

/// A headless app with the plugin.
pub fn game(config: XsollaConfig) -> App {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaOrderPlugin))
        .insert_resource(config);
    app
}

/// Runs frames at 60 Hz until the condition holds.
#[track_caller]
pub fn run_until(app: &mut App, what: &str, mut condition: impl FnMut(&World) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        app.update();
        if condition(app.world()) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "this did not happen in time: {what}"
        );
        std::thread::sleep(Duration::from_millis(16));
    }
}

/// Whether the items of all orders are known, and the socket is live.
pub fn is_settled(world: &World) -> bool {
    let orders = world.resource::<Orders>();
    orders.iter().all(|order| order.items.is_some()) && world.resource::<TrackerState>().is_live()
}

/// The processor time that this process has used.
pub fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The fields follow the program's name, which may have spaces. These two are `utime` and `stime`, in
    // hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The time for which this thread ran, and for which it was ready to run and another thread had its processor.
pub fn scheduled() -> (Duration, Duration) {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let mut times = stat.split_whitespace().map(|field| {
        let nanos = field.parse().unwrap_or_default();
        Duration::from_nanos(nanos)
    });
    let mut next = || times.next().unwrap_or_default();
    (next(), next())
}

/// The resident memory of this process, in bytes.
pub fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or_default() * 1024
}
