//! Measures what one purchase costs the network, with the plugin and with a poller that asks every three
//! seconds, which most SDKs fall back to. It runs in real time: the order is paid after 170 s and delivered
//! after 180 s.
//!
//! `BEVY_XSOLLA_BENCH_SECONDS=30 cargo bench --bench network` makes a shorter purchase.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

fn main() {
    let seconds = std::env::var("BEVY_XSOLLA_BENCH_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(180);
    let duration = Duration::from_secs(seconds);
    eprintln!("a purchase of {seconds} s, by each way at once …");
    let poller = std::thread::spawn(move || poll(duration));
    let listener = std::thread::spawn(move || listen(duration));
    let queue = std::thread::spawn(move || follow(duration, OrderSource::EventQueue));
    let ours = follow(duration, OrderSource::Socket);
    println!("| a purchase of {seconds} s | connections | requests | bytes up | bytes down |");
    println!("|---|---|---|---|---|");
    println!("| bevy_xsolla: the socket | {} |", ours.0);
    println!("| bevy_xsolla: Get Order | {} |", ours.1);
    let queue = queue.join().unwrap();
    println!("| bevy_xsolla: the queue of events, read | {} |", queue.0);
    println!("| bevy_xsolla: Get Order beside the queue | {} |", queue.1);
    println!("| a poller, every 3 s | {} |", poller.join().unwrap());
    let idle = listener.join().unwrap();
    println!("| bevy_xsolla: the socket of `WhileLoggedIn`, with nothing open | {idle} |");
}

/// Moves the order on as if the purchase took this long. It returns whether the time is over.
fn pay(emulator: &XsollaEmulator, order: OrderId, start: Instant, duration: Duration) -> bool {
    let left = duration.saturating_sub(start.elapsed());
    if left <= duration / 18 && emulator.status(order).as_str() == "new" {
        emulator.pay(order);
    }
    if left.is_zero() && emulator.status(order).as_str() == "paid" {
        emulator.deliver(order);
    }
    left.is_zero()
}

/// A purchase with the plugin: what the source of news costs, and what Get Order does.
fn follow(duration: Duration, source: OrderSource) -> (String, String) {
    let emulator = XsollaEmulator::start();
    emulator.queue_events(source == OrderSource::EventQueue);
    let config = emulator.config();
    let socket = Relay::before(&config.socket_url);
    let events = Relay::before(&config.events_url);
    let store = Relay::before(&config.store_url);
    let mut relayed = config.clone();
    relayed.source = source;
    relayed.socket_url = socket.in_place(&config.socket_url);
    relayed.events_url = events.in_place(&config.events_url);
    relayed.store_url = store.in_place(&config.store_url);
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let mut app = support::game(relayed);
    app.insert_resource(alice);
    app.world_mut().commands().track_order(order);
    let start = Instant::now();
    loop {
        app.update();
        pay(&emulator, order, start, duration);
        let order = app.world().resource::<Orders>().get(order);
        if order.is_some_and(|order| order.phase.is_granted()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(16));
    }
    // The closing of the socket is counted too.
    while emulator.open_sockets() > 0 {
        app.update();
        std::thread::sleep(Duration::from_millis(16));
    }
    let store = store.report(&emulator.order_requests().to_string());
    let news = match source {
        OrderSource::EventQueue => events.report(&emulator.event_requests().to_string()),
        _ => socket.report("-"),
    };
    drop(app);
    (news, store)
}

/// A game that listens, while nothing is bought.
fn listen(duration: Duration) -> String {
    let emulator = XsollaEmulator::start();
    let mut config = emulator.config();
    let socket = Relay::before(&config.socket_url);
    config.socket_url = socket.in_place(&config.socket_url);
    config.listen = Listen::WhileLoggedIn;
    let mut app = support::game(config);
    app.insert_resource(emulator.user("alice"));
    let start = Instant::now();
    while start.elapsed() < duration {
        app.update();
        std::thread::sleep(Duration::from_millis(16));
    }
    assert_eq!((emulator.open_sockets(), emulator.order_requests()), (1, 0));
    socket.report("-")
}

fn poll(duration: Duration) -> String {
    let emulator = XsollaEmulator::start();
    let relay = Relay::before(&emulator.store_url());
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let token = emulator.token("alice");
    let url = format!(
        "{}/v2/project/{}/order/{order}",
        relay.in_place(&emulator.store_url()),
        emulator.project_id()
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let start = Instant::now();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        loop {
            pay(&emulator, order, start, duration);
            let answer = client.get(&url).bearer_auth(&token).send().await.unwrap();
            if answer.text().await.unwrap().contains("\"done\"") {
                break;
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    });
    relay.report(&emulator.order_requests().to_string())
}

/// A proxy that passes bytes on and counts them.
struct Relay {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    up: AtomicUsize,
    down: AtomicUsize,
}

impl Relay {
    fn before(url: &str) -> Self {
        let server = url::Url::parse(url).unwrap().socket_addrs(|| None).unwrap()[0];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::<Counts>::default();
        let counted = counts.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(server).unwrap());
                counted.connections.fetch_add(1, Ordering::Relaxed);
                pass(
                    client.try_clone().unwrap(),
                    server.try_clone().unwrap(),
                    &counted,
                    |counts| &counts.up,
                );
                pass(server, client, &counted, |counts| &counts.down);
            }
        });
        Self { address, counts }
    }

    fn in_place(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        url.into()
    }

    fn report(&self, requests: &str) -> String {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        format!(
            "{} | {requests} | {} | {}",
            count(&self.counts.connections),
            count(&self.counts.up),
            count(&self.counts.down)
        )
    }
}

fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    counts: &Arc<Counts>,
    counter: fn(&Counts) -> &AtomicUsize,
) {
    let counts = counts.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            counter(&counts).fetch_add(length, Ordering::Relaxed);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
