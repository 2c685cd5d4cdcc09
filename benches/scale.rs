//! Measures a game server with many players, against the emulator in another process: the memory for
//! players and orders, the processor time, and how long it takes until all is granted.
//!
//! Each line is measured in a process of its own, so that nothing of one affects the next.

mod support;

use std::alloc::System;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{Servers, Times, cpu_time, game, resident, run_until, scheduled};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// `<players> <orders of each>`; makes a process the game.
const GAME: &str = "BEVY_XSOLLA_BENCH_GAME";
/// How long the idle server is watched. In that time each socket is pinged, which happens every 25 seconds.
const WATCH: Duration = Duration::from_secs(25);

fn main() {
    support::serve_if_asked();
    if let Ok(size) = std::env::var(GAME) {
        let size: Vec<usize> = size.split(' ').map(|word| word.parse().unwrap()).collect();
        return measure(size[0], size[1]);
    }
    println!(
        "| players | orders | heap | resident | to follow all | processor | idle processor \
         | to grant all | processor | frame p99 | of it, main thread ran, p99 | waited for a processor, p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (players, orders) in [
        (0, 0),
        (100, 1),
        (300, 1),
        (1_000, 1),
        (100, 10),
        (300, 10),
        (1_000, 10),
        (1_000, 30),
    ] {
        let status = Command::new(std::env::current_exe().unwrap())
            .env(GAME, format!("{players} {orders}"))
            .status()
            .unwrap();
        assert!(status.success());
    }
    let heap = bare_sockets(200);
    println!("\na bare tokio-tungstenite socket with the same buffers: {heap} bytes of heap");
}

fn heap() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn measure(players: usize, orders_each: usize) {
    let folder = std::env::temp_dir().join(format!("bevy_xsolla-bench-{}", std::process::id()));
    let mut servers = Servers::start();
    let mut config = servers.config.clone();
    config.ledger = Ledger::at(folder.join("orders.redb"));
    let mut app = game(config);
    app.add_systems(Update, acknowledge);

    // Connections, the ledger and buffers are there once, whatever the number of players. A first player
    // makes them before the measurement.
    let first = servers.user("first");
    let warm = servers.create_orders("first", 1)[0];
    app.world_mut().commands().track_order_as(&first, warm);
    run_until(&mut app, "the first order is followed", support::is_settled);
    let (heap_before, resident_before) = (heap(), resident());

    let mut all = Vec::new();
    for player in 0..players {
        let name = format!("player-{player}");
        let user = servers.user(&name);
        all.push((user, servers.create_orders(&name, orders_each)));
    }
    let (start, cpu) = (Instant::now(), cpu_time());
    // The players come one by one, because a queue of commands keeps the memory of its greatest length.
    for (user, orders) in all {
        for order in orders {
            app.world_mut().commands().track_order_as(&user, order);
        }
        app.world_mut().flush();
    }
    run_until(&mut app, "all orders are followed", support::is_settled);
    while servers.open_sockets() < players + 1 {
        app.update();
        std::thread::sleep(Duration::from_millis(16));
    }
    let (to_follow, follow_cpu) = (start.elapsed(), cpu_time() - cpu);
    let heap_each = heap().saturating_sub(heap_before);
    let resident_each = resident().saturating_sub(resident_before);

    let (start, cpu) = (Instant::now(), cpu_time());
    while start.elapsed() < WATCH {
        app.update();
        std::thread::sleep(Duration::from_micros(16_600));
    }
    let idle = (cpu_time() - cpu).as_secs_f64() / WATCH.as_secs_f64();

    let (start, cpu) = (Instant::now(), cpu_time());
    servers.deliver_all();
    let mut frames = Frames::default();
    let mut next = Instant::now();
    loop {
        frames.run(&mut app);
        let orders = app.world().resource::<Orders>();
        if orders.iter().all(|order| order.phase.is_acknowledged()) {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "not all are granted"
        );
        next += Duration::from_micros(16_667);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let (to_grant, grant_cpu) = (start.elapsed(), cpu_time() - cpu);
    println!(
        "| {players} | {} | {heap_each} | {resident_each} | {to_follow:.2?} | {follow_cpu:.2?} \
         | {:.1} % | {to_grant:.2?} | {grant_cpu:.2?} | {:.2?} | {:.2?} | {:.2?} |",
        players * orders_each,
        idle * 100.0,
        frames.all.quantile(0.99),
        frames.ran.quantile(0.99),
        frames.waited.quantile(0.99),
    );
    std::io::stdout().flush().unwrap();
    drop(app);
    let _ = std::fs::remove_dir_all(folder);
}

/// How long frames took, and what the main thread did in them: with two cores and more threads that have work, it waits
/// for others.
#[derive(Default)]
struct Frames {
    all: Times,
    ran: Times,
    waited: Times,
}

impl Frames {
    fn run(&mut self, app: &mut App) {
        let (ran, waited) = scheduled();
        let frame = Instant::now();
        app.update();
        self.all.add(frame.elapsed());
        let after = scheduled();
        self.ran.add(after.0 - ran);
        self.waited.add(after.1 - waited);
    }
}

fn acknowledge(mut done: MessageReader<OrderDone>, mut commands: Commands) {
    for order in done.read() {
        commands.acknowledge_order(order.order_id);
    }
}

/// Measures the memory that the socket library alone takes for a connection.
fn bare_sockets(count: usize) -> usize {
    use tokio_tungstenite::connect_async_with_config;
    use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
    let servers = Servers::start();
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut sockets = Vec::with_capacity(count + 1);
        let mut before = 0;
        for number in 0..=count {
            let url = servers.config.socket_url.as_str();
            let (socket, _) = connect_async_with_config(url, Some(config), true)
                .await
                .unwrap();
            sockets.push(socket);
            if number == 0 {
                before = heap();
            }
        }
        // The list was allocated before, so the sockets' own size is added.
        (heap() - before) / count + size_of_val(&sockets[0])
    })
}
