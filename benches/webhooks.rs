//! Measures a server that takes webhooks, in another process: signed `order_paid` of new orders, 2,000 a second, by
//! themselves, and while strangers hold 10,000 idle and 1,000 slow connections. Every order is granted and acknowledged
//! in the next of 60 frames a second, and is in the ledger before it is answered. The ledger is a file, or the PostgreSQL
//! database whose address is in `BEVY_XSOLLA_BENCH_DATABASE`.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use bevy_xsolla::webhook::{WebhookState, XsollaWebhookPlugin, signature};
use support::{Times, cpu_time, game, millis, resident};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Makes a process the server.
const SERVER: &str = "BEVY_XSOLLA_BENCH_WEBHOOKS";
const SECRET: &str = "secret";
const RATE: u64 = 2_000;
/// As many as the server keeps.
const CONNECTIONS: usize = 400;
const FRAME: Duration = Duration::from_micros(16_667);

fn main() {
    if std::env::var_os(SERVER).is_some() {
        return serve();
    }
    let seconds = std::env::var("BEVY_XSOLLA_SECONDS").map_or(30, |text| text.parse().unwrap());
    println!(
        "| strangers | webhooks | answered 204 | a second | p50, ms | p99, ms | worst, ms | granted | frame p99, ms \
         | processor of the server | resident |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    measure("none", seconds, 0, 0);
    measure("10,000 idle, 1,000 slow", seconds, 10_000, 1_000);
}

struct Server {
    process: Child,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env(SERVER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let mut address = String::new();
        answers.read_line(&mut address).unwrap();
        Self {
            process,
            answers,
            address: address.trim().parse().unwrap(),
        }
    }

    /// Ends it, and returns what it says of itself.
    fn end(mut self) -> String {
        drop(self.process.stdin.take());
        let mut report = String::new();
        self.answers.read_line(&mut report).unwrap();
        self.process.wait().unwrap();
        report.trim().to_owned()
    }
}

fn serve() {
    #[derive(Default, Resource)]
    struct Granted(u64);

    let folder = std::env::temp_dir().join(format!("bevy_xsolla-bench-{}", std::process::id()));
    let mut config = XsollaConfig::new(77_640);
    config.ledger = match std::env::var("BEVY_XSOLLA_BENCH_DATABASE") {
        Ok(address) => Ledger::postgres(address),
        Err(_) => Ledger::at(folder.join("orders.redb")),
    };
    let mut app = game(config);
    app.add_plugins(XsollaWebhookPlugin::new(
        (Ipv4Addr::LOCALHOST, 0).into(),
        SECRET,
    ))
    .init_resource::<Granted>()
    .add_systems(
        Update,
        |mut done: MessageReader<OrderDone>,
         mut granted: ResMut<Granted>,
         mut commands: Commands| {
            for order in done.read() {
                granted.0 += 1;
                commands.acknowledge_order(order.order_id);
            }
        },
    );
    let ended = Arc::new(AtomicBool::new(false));
    let has_ended = ended.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        has_ended.store(true, Ordering::Relaxed);
    });
    let (mut is_told, mut frames, mut next) = (false, Times::default(), Instant::now());
    let (start, cpu) = (Instant::now(), cpu_time());
    while !ended.load(Ordering::Relaxed) {
        let frame = Instant::now();
        app.update();
        frames.add(frame.elapsed());
        if let WebhookState::Listening(address) = app.world().resource()
            && !std::mem::replace(&mut is_told, true)
        {
            println!("{address}");
        }
        next += FRAME;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let share = (cpu_time() - cpu).as_secs_f64() / start.elapsed().as_secs_f64();
    println!(
        "{} | {} | {:.0} % | {}",
        app.world().resource::<Granted>().0,
        millis(frames.quantile(0.99)),
        share * 100.0,
        resident(),
    );
    drop(app);
    let _ = std::fs::remove_dir_all(folder);
}

fn measure(name: &str, seconds: u64, idle: usize, slow: usize) {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let total = RATE * seconds;
    let (latencies, accepted, elapsed) = runtime.block_on(load(server.address, total, idle, slow));
    let report = server.end();
    println!(
        "| {name} | {total} | {accepted} | {:.0} | {} | {} | {} | {report} |",
        accepted as f64 / elapsed.as_secs_f64(),
        millis(latencies.quantile(0.5)),
        millis(latencies.quantile(0.99)),
        millis(latencies.quantile(1.0)),
    );
}

async fn load(address: SocketAddr, total: u64, idle: usize, slow: usize) -> (Times, u64, Duration) {
    let strangers = tokio::spawn(async move {
        let mut streams = Vec::new();
        for number in 0..idle + slow {
            let Ok(mut stream) = TcpStream::connect(address).await else {
                continue;
            };
            if number % 11 == 0 && slow > 0 {
                let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nslow";
                let _ = stream.write_all(head.as_bytes()).await;
            }
            streams.push(stream);
        }
        std::future::pending::<()>().await;
    });
    let start = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(send(address, start, next.clone(), total)))
        .collect();
    let (mut latencies, mut accepted) = (Times::default(), 0);
    for sender in senders {
        for latency in sender.await.unwrap() {
            latencies.add(latency);
            accepted += 1;
        }
    }
    strangers.abort();
    (latencies, accepted, start.elapsed())
}

/// Sends the webhooks that are due, one after the other, and returns the times of those that were accepted.
async fn send(
    address: SocketAddr,
    start: Instant,
    next: Arc<AtomicU64>,
    total: u64,
) -> Vec<Duration> {
    let mut accepted = Vec::new();
    let mut stream = None;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= total {
            return accepted;
        }
        let due = start + Duration::from_secs_f64(number as f64 / RATE as f64);
        tokio::time::sleep_until(due.into()).await;
        let request = request(number);
        let sent = Instant::now();
        // A connection that the server has closed meanwhile is opened again.
        for _ in 0..3 {
            if stream.is_none() {
                stream = TcpStream::connect(address).await.ok();
            }
            let Some(open) = &mut stream else {
                continue;
            };
            match exchange(open, &request).await {
                Some(204) => {
                    accepted.push(sent.elapsed());
                    break;
                }
                Some(_) => break,
                None => stream = None,
            }
        }
    }
}

async fn exchange(stream: &mut TcpStream, request: &str) -> Option<u16> {
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        // Answers to paid orders have no body.
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
    }
    let answer = String::from_utf8(answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

fn request(number: u64) -> String {
    static FIRST: LazyLock<u64> = LazyLock::new(|| {
        // A database keeps the orders of earlier runs.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap().as_secs() * 1_000_000
    });
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let order = *FIRST + COUNT.fetch_add(1, Ordering::Relaxed);
    let player = number % 5_000;
    let body = format!(
        r#"{{"notification_type":"order_paid","items":[{{"sku":"sword","type":"virtual_good","quantity":1,"amount":"1.99"}}],"order":{{"id":{order},"mode":"default","currency_type":"real","currency":"USD","amount":"1.99","status":"paid","invoice_id":"{number}"}},"user":{{"external_id":"player-{player}","email":"p@example.com"}},"billing":{{"settings":{{"project_id":77640}},"transaction":{{"id":{number},"dry_run":0}}}}}}"#
    );
    let signature = signature(&body, SECRET);
    format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Signature {signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
