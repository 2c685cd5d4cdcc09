//! A wire tap between the plugin and a server: WebSocket in, WebSocket out, every text frame recorded,
//! and a link that can be cut or frozen.
//!
//! It runs on a thread of its own: an `App` must not be updated or dropped inside a Tokio context.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use futures_util::{Sink, SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::wait::DEADLINE;

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Up,
    Down,
}

/// What was seen on the wire, in the order of its passing.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The number of the connection, from 0.
    pub connection: usize,
    pub way: Way,
    pub at: Instant,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    Opened,
    /// A text frame, as it was sent: it may hold several messages.
    Text(String),
    /// A close frame with its code; 1005 where it has none.
    Closed(u16),
    /// The end of a connection, however it came.
    Ended,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            connection,
            way,
            at,
            what,
        } = self;
        let age = at.elapsed().as_secs_f32();
        write!(
            f,
            "{age:.3} s ago, connection {connection}, {way:?}: {what:?}"
        )
    }
}

impl Seen {
    /// The messages of a text frame; empty for anything else.
    pub fn messages(&self) -> Vec<Value> {
        match &self.what {
            What::Text(text) => text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
            _ => Vec::new(),
        }
    }
}

pub struct Tap {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    log: Mutex<Vec<Seen>>,
    more: Condvar,
    upstream: Mutex<String>,
    /// How many connections were opened, cut and frozen: the first so many are.
    opened: Mutex<usize>,
    cut: watch::Sender<usize>,
    /// What a frame of the server's holds that is to be the end of its connection.
    last_words: Mutex<Option<String>>,
    frozen: watch::Sender<usize>,
}

impl Tap {
    /// Listens on a free port of the loopback, for connections to this URL.
    pub fn start(upstream: impl Into<String>) -> Self {
        let shared = Arc::new(Shared {
            log: Mutex::default(),
            more: Condvar::new(),
            upstream: Mutex::new(upstream.into()),
            opened: Mutex::new(0),
            cut: watch::Sender::new(0),
            last_words: Mutex::default(),
            frozen: watch::Sender::new(0),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(TcpListener::from_std(listener).unwrap(), shared) => {}
                        _ = stopped => {}
                    }
                });
            }
        });
        Self {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/connection/websocket", self.address)
    }

    /// Where connections from now on lead to. An empty URL refuses them.
    pub fn lead_to(&self, upstream: impl Into<String>) {
        *lock(&self.shared.upstream) = upstream.into();
    }

    /// Breaks all connections there are, without a close frame, both ways.
    pub fn cut(&self) {
        let opened = *lock(&self.shared.opened);
        self.shared.cut.send_replace(opened);
    }

    /// Breaks the connection on which the server next says this, before it is heard.
    pub fn cut_before(&self, words: &str) {
        *lock(&self.shared.last_words) = Some(words.to_owned());
    }

    /// Nothing passes any more on the connections there are, though they stay open.
    pub fn freeze(&self) {
        let opened = *lock(&self.shared.opened);
        self.shared.frozen.send_replace(opened);
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        *lock(&self.shared.opened)
    }

    /// Everything seen so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.log).clone()
    }

    /// Every message seen so far on a connection that went this way.
    pub fn messages(&self, connection: usize, way: Way) -> Vec<Value> {
        let log = lock(&self.shared.log);
        log.iter()
            .filter(|seen| seen.connection == connection && seen.way == way)
            .flat_map(Seen::messages)
            .collect()
    }

    /// The first thing seen that is picked, as soon as there is one.
    #[track_caller]
    pub fn wait_for(&self, what: &str, pick: impl Fn(&Seen) -> bool) -> Seen {
        let deadline = Instant::now() + DEADLINE;
        let mut log = lock(&self.shared.log);
        let mut read = 0;
        loop {
            if let Some(seen) = log[read..].iter().find(|seen| pick(seen)) {
                return seen.clone();
            }
            read = log.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let lines: Vec<_> = log.iter().map(ToString::to_string).collect();
                panic!("not seen on the wire: {what}\n{}", lines.join("\n"));
            }
            log = self.shared.more.wait_timeout(log, left).unwrap().0;
        }
    }

    /// The first message that went this way on a connection and is picked, as soon as there is one.
    #[track_caller]
    pub fn wait_for_message(
        &self,
        what: &str,
        connection: usize,
        way: Way,
        pick: impl Fn(&Value) -> bool,
    ) -> Value {
        let is_there = |seen: &Seen| seen.connection == connection && seen.way == way;
        let seen = self.wait_for(what, |seen| {
            is_there(seen) && seen.messages().iter().any(&pick)
        });
        seen.messages().into_iter().find(pick).unwrap()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, was printed; a second one while the test unwinds would abort.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Shared {
    fn is_to_break(&self, frame: &Message) -> bool {
        let mut words = lock(&self.last_words);
        let is_said =
            |words: &mut String| frame.to_text().is_ok_and(|text| text.contains(&**words));
        words.take_if(is_said).is_some()
    }

    fn note(&self, connection: usize, way: Way, what: What) {
        lock(&self.log).push(Seen {
            connection,
            way,
            at: Instant::now(),
            what,
        });
        self.more.notify_all();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let connection = {
            let mut opened = lock(&shared.opened);
            *opened += 1;
            *opened - 1
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            shared.note(connection, Way::Up, What::Opened);
            let mut cut = shared.cut.subscribe();
            tokio::select! {
                // Whatever it says: a connection that fails is over, and that is noted.
                _ = carry(&shared, connection, stream) => {}
                _ = cut.wait_for(|cut| connection < *cut) => {}
            }
            shared.note(connection, Way::Down, What::Ended);
        });
    }
}

async fn carry(shared: &Shared, connection: usize, stream: TcpStream) -> Result<(), Error> {
    let upstream = lock(&shared.upstream).clone();
    // The server first: where there is none, the client is to see a connection that fails.
    let (server, _) = tokio_tungstenite::connect_async(upstream).await?;
    let client = tokio_tungstenite::accept_async(stream).await?;
    let (mut to_server, mut from_server) = server.split();
    let (mut to_client, mut from_client) = client.split();
    let mut frozen = shared.frozen.subscribe();
    loop {
        if connection < *frozen.borrow_and_update() {
            std::future::pending::<()>().await;
        }
        tokio::select! {
            // A frozen link takes no frame that came after.
            biased;
            _ = frozen.changed() => {}
            frame = from_server.next() => {
                let frame = frame.ok_or(Error::ConnectionClosed)??;
                if shared.is_to_break(&frame) {
                    return Ok(());
                }
                pass(shared, connection, Way::Down, frame, &mut to_client).await?;
            }
            frame = from_client.next() => {
                let frame = frame.ok_or(Error::ConnectionClosed)??;
                pass(shared, connection, Way::Up, frame, &mut to_server).await?;
            }
        }
    }
}

async fn pass(
    shared: &Shared,
    connection: usize,
    way: Way,
    frame: Message,
    to: &mut (impl Sink<Message, Error = Error> + Unpin),
) -> Result<(), Error> {
    match &frame {
        Message::Text(text) => shared.note(connection, way, What::Text(text.to_string())),
        Message::Close(frame) => {
            let code = frame.as_ref().map_or(1005, |frame| frame.code.into());
            shared.note(connection, way, What::Closed(code));
        }
        // Each leg answers the WebSocket's own pings by itself. Centrifuge's are text.
        _ => return Ok(()),
    }
    to.send(frame).await
}
