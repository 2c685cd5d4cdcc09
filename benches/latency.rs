//! Measures how long news takes from the server's write of a publication until a system that reads
//! `OrderDone` has it, in an app that updates without waiting. In turn with it a floor is measured: a bare
//! WebSocket client that parses the same JSON on the same kind of runtime and hands it over by a channel.
//!
//! Everything is in one process, so that one clock tells the time. The emulator does not tell when it
//! writes, and it takes a lock, a queue and the making of the JSON before. So this benchmark has a server
//! of its own, which has its text ready and looks at the clock just before the write. The emulator answers
//! Get Order.

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use crossbeam_channel::{Receiver, Sender, unbounded};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async, connect_async};

use support::{Times, micros};

const SAMPLES: usize = 4_000;
const WARM_UP: usize = 500;
const DEADLINE: Duration = Duration::from_secs(120);

/// The server's sockets, in the order in which they were opened.
const GAME: usize = 0;
const FLOOR: usize = 1;

const CHANNEL: &str = "orders#1";

fn main() {
    let server = Server::start();
    let mut game = Game::start(&server, WARM_UP + SAMPLES);
    let floor = Floor::start(&server);
    println!("{SAMPLES} publications to each, in turn");
    let mut ours = Times::default();
    let mut theirs = Times::default();
    let mut updates = Times::default();
    for number in 0..WARM_UP + SAMPLES {
        if number % 500 == 0 {
            eprintln!("latency: {number} of {}", WARM_UP + SAMPLES);
        }
        let is_measured = number >= WARM_UP;
        let idle = game.idle_for(pause());
        let news = game.hear(&server, number);
        floor.idle_for(pause());
        let bare = floor.hear(&server, number, game.orders[number]);
        if is_measured {
            updates.add(idle);
            ours.add(news);
            theirs.add(bare);
        }
    }
    report(&ours, &theirs, &updates);
}

/// A short time that varies, so that the game and the server do not run in step.
fn pause() -> Duration {
    Duration::from_micros(fastrand::u64(200..700))
}

fn report(ours: &Times, theirs: &Times, updates: &Times) {
    println!();
    println!("| from the server's write to the reader, µs | p50 | p99 | max |");
    println!("|---|---|---|---|");
    for (name, times) in [
        ("`OrderDone` in an app that updates without waiting", ours),
        ("floor: a bare client, the same JSON", theirs),
        ("one update in which nothing happens", updates),
    ] {
        let [p50, p99, max] = [times.median(), times.quantile(0.99), times.max()].map(micros);
        println!("| {name} | {p50} | {p99} | {max} |");
    }
    let target = (theirs.median() + updates.median() / 2).mul_f64(1.2);
    let is_met = ours.median() <= target;
    println!();
    println!(
        "target: {} µs at most (1.2 times the floor and half an update): {}",
        micros(target),
        if is_met { "met" } else { "MISSED" },
    );
}

/// The game, and the plugin under test.
struct Game {
    app: App,
    orders: Vec<OrderId>,
    /// It answers Get Order.
    _emulator: XsollaEmulator,
}

/// What the reading system has seen last, and when.
#[derive(Resource, Default)]
struct Seen(Option<(OrderId, Instant)>);

impl Game {
    /// A game that follows this many orders and knows their items. It follows one more, which stays open and
    /// so keeps the socket open.
    fn start(server: &Server, count: usize) -> Self {
        let emulator = XsollaEmulator::start();
        let alice = emulator.user("alice");
        let mut config = emulator.config();
        config.socket_url = server.url();
        let orders: Vec<OrderId> = (0..=count)
            .map(|_| emulator.create_order(&alice, &[("sword", 1)]))
            .collect();
        // What is granted is what an answer lists that itself says that the order is paid.
        for order in orders.iter().take(count) {
            emulator.pay(*order);
        }
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, XsollaOrderPlugin))
            .insert_resource(config)
            .insert_resource(alice)
            .init_resource::<Seen>()
            .add_systems(Update, read);
        for order in &orders {
            app.world_mut().commands().track_order(*order);
        }
        let deadline = Instant::now() + DEADLINE;
        while !is_settled(&app) {
            assert!(Instant::now() < deadline, "the orders are not followed");
            app.update();
            std::thread::sleep(Duration::from_millis(1));
        }
        server.opened.recv().unwrap();
        Self {
            app,
            orders,
            _emulator: emulator,
        }
    }

    /// Updates for this long, and returns the median time of an update.
    fn idle_for(&mut self, time: Duration) -> Duration {
        let end = Instant::now() + time;
        let mut updates = Times::default();
        while Instant::now() < end {
            let begin = Instant::now();
            self.app.update();
            updates.add(begin.elapsed());
        }
        updates.median()
    }

    /// Publishes news of an order, and returns how long it took.
    fn hear(&mut self, server: &Server, number: usize) -> Duration {
        let order = self.orders[number];
        server.publish(GAME, order, number);
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.app.update();
            if let Some((seen, at)) = self.app.world().resource::<Seen>().0
                && seen == order
            {
                return at - server.written_at();
            }
            assert!(Instant::now() < deadline, "nothing was heard of {order}");
        }
    }
}

fn read(mut done: MessageReader<OrderDone>, mut seen: ResMut<Seen>) {
    for done in done.read() {
        seen.0 = Some((done.order_id, Instant::now()));
    }
}

fn is_settled(app: &App) -> bool {
    let mut orders = app.world().resource::<Orders>().iter();
    let is_live = app.world().resource::<TrackerState>().is_live();
    is_live && orders.all(|order| order.items.is_some())
}

/// A client that does as little as possible: it reads a frame, parses it and hands it over.
struct Floor {
    news: Receiver<(u64, String)>,
    _runtime: Runtime,
}

#[derive(Deserialize)]
struct Frame {
    push: Push,
}

#[derive(Deserialize)]
struct Push {
    #[serde(rename = "pub")]
    publication: Publication,
}

#[derive(Deserialize)]
struct Publication {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    order_id: u64,
    status: String,
}

impl Floor {
    fn start(server: &Server) -> Self {
        let (sender, news) = unbounded();
        let url = server.url();
        // The plugin's own runtime is like this.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.spawn(async move {
            let (mut socket, _) = connect_async(url).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Text(text) = message {
                    let frame: Frame = serde_json::from_str(&text).unwrap();
                    let data = frame.push.publication.data;
                    sender.send((data.order_id, data.status)).unwrap();
                }
            }
        });
        server.opened.recv().unwrap();
        Self {
            news,
            _runtime: runtime,
        }
    }

    /// Looks for news for this long, as the game does between two publications.
    fn idle_for(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            assert!(self.news.is_empty());
        }
    }

    fn hear(&self, server: &Server, number: usize, order: OrderId) -> Duration {
        server.publish(FLOOR, order, number);
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Ok((heard, status)) = self.news.try_recv() {
                let seen = Instant::now();
                assert_eq!((heard, status.as_str()), (order.0, "done"));
                return seen - server.written_at();
            }
            assert!(Instant::now() < deadline, "nothing was heard of {order}");
        }
    }
}

/// A server that knows only as much of the protocol as is needed, and writes publications on request.
struct Server {
    address: SocketAddr,
    publications: mpsc::UnboundedSender<(usize, Message)>,
    /// Gets an item for each socket that was opened.
    opened: Receiver<()>,
    /// Gets the time at which each publication was written.
    written: Receiver<Instant>,
}

impl Server {
    fn start() -> Self {
        let (publications, to_publish) = mpsc::unbounded_channel();
        let (opens, opened) = unbounded();
        let (writes, written) = unbounded();
        let (tell_address, address) = unbounded();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell_address.send(listener.local_addr().unwrap()).unwrap();
                serve(listener, to_publish, opens, writes).await;
            });
        });
        Self {
            address: address.recv().unwrap(),
            publications,
            opened,
            written,
        }
    }

    fn url(&self) -> String {
        format!("ws://{}/connection/websocket", self.address)
    }

    /// Publishes to one socket that this order is done.
    fn publish(&self, socket: usize, order: OrderId, number: usize) {
        let offset = number + 1;
        let text = format!(
            r#"{{"push":{{"channel":"{CHANNEL}","pub":{{"data":{{"order_id":{order},"status":"done"}},"offset":{offset}}}}}}}"#,
        );
        self.publications
            .send((socket, Message::text(text)))
            .unwrap();
    }

    /// When the last publication was written.
    fn written_at(&self) -> Instant {
        self.written.recv().unwrap()
    }
}

/// Serves until the benchmark ends.
async fn serve(
    listener: TcpListener,
    mut publications: mpsc::UnboundedReceiver<(usize, Message)>,
    opens: Sender<()>,
    writes: Sender<Instant>,
) {
    let mut sockets: Vec<WebSocketStream<TcpStream>> = Vec::new();
    for number in [GAME, FLOOR] {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        // The floor sends no commands.
        if number == GAME {
            answer(&mut socket).await;
            answer(&mut socket).await;
        }
        sockets.push(socket);
        opens.send(()).unwrap();
    }
    while let Some((socket, publication)) = publications.recv().await {
        let now = Instant::now();
        sockets[socket].send(publication).await.unwrap();
        writes.send(now).unwrap();
    }
}

/// Answers a `connect` or a `history`.
async fn answer(socket: &mut WebSocketStream<TcpStream>) {
    let message = socket.next().await.unwrap().unwrap();
    let command: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
    let reply = if command["connect"].is_null() {
        json!({"id": command["id"], "history": {"publications": [], "epoch": "abcd"}})
    } else {
        let subscription = json!({"recoverable": true, "positioned": true, "epoch": "abcd"});
        let subs = json!({CHANNEL: subscription});
        json!({"id": command["id"], "connect": {"client": "1", "version": "1", "subs": subs}})
    };
    let reply = Message::text(reply.to_string());
    socket.send(reply).await.unwrap();
}
