//! A real Centrifugo, configured as Xsolla's documentation implies: the application's backend (here
//! the test) is asked who a connection is, by way of a connect proxy, and answers with the user and
//! their channel; the channel keeps a history that its subscribers may read, and can be recovered.

#![allow(dead_code, reason = "each file of tests uses its part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(20);

/// Channels with a history, which subscribers may read, and which can be recovered.
pub const ORDERS: &str = "orders";
/// The same, but subscribers may not ask for the history: error 103, permission denied.
pub const PRIVATE: &str = "private";
/// The same as [`ORDERS`], for more publications than a page of history holds (300).
pub const LONG: &str = "long";
/// The same as [`ORDERS`], but only the last two publications are kept.
pub const SHORT: &str = "short";
/// Channels that keep nothing: `history` is answered with error 108, not available.
pub const FORGETFUL: &str = "forgetful";

/// Who may connect, and what they are subscribed to.
#[derive(Clone, Debug)]
pub struct Player {
    pub token: String,
    /// Their id at the server.
    pub id: String,
    pub channel: String,
}

/// The binary: `CENTRIFUGO_BIN`, or what `tests/interop/setup.sh` built, or one on `PATH`.
pub fn binary() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CENTRIFUGO_BIN") {
        return Some(PathBuf::from(named));
    }
    let name = format!("centrifugo{}", std::env::consts::EXE_SUFFIX);
    // The benchmarks are a package of their own, one folder further down.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = ["target/interop", "../target/interop"].map(|folder| package.join(folder));
    let path = std::env::var_os("PATH").unwrap_or_default();
    built
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(&name))
        .find(|file| file.is_file())
}

pub struct Centrifugo {
    binary: PathBuf,
    port: u16,
    key: String,
    folder: PathBuf,
    /// Whether clients may be slow.
    is_patient: bool,
    /// The origins of pages that may connect. What has no origin may always.
    origins: Vec<String>,
    backend: Backend,
    process: Option<Process>,
}

impl Centrifugo {
    /// Starts a server that lets this player in.
    pub fn start(binary: &Path, player: &Player) -> Self {
        Self::start_as(binary, player, false, &[])
    }

    /// The same, for pages of these origins, too.
    pub fn start_allowing(binary: &Path, player: &Player, origins: &[&str]) -> Self {
        Self::start_as(binary, player, false, origins)
    }

    /// The same, for clients that may have much to read, and be slow at it.
    pub fn start_patient(binary: &Path, player: &Player) -> Self {
        Self::start_as(binary, player, true, &[])
    }

    fn start_as(binary: &Path, player: &Player, is_patient: bool, origins: &[&str]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("centrifugo-{}-{number}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut server = Self {
            binary: binary.to_owned(),
            port: 0,
            // Nobody else's, so that an answer to it shows that the port is ours.
            key: name,
            folder,
            is_patient,
            origins: origins.iter().copied().map(str::to_owned).collect(),
            backend: Backend::start(player.clone()),
            process: None,
        };
        server.run();
        server
    }

    /// Runs the server on a free port. Another process may take the port between our look and the
    /// server's bind: then the server ends, and another port is tried.
    pub fn run(&mut self) {
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            self.port = free.local_addr().unwrap().port();
            drop(free);
            self.process = Some(self.spawn());
            if self.is_up() {
                return;
            }
        }
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        panic!("Centrifugo does not start; it says:\n{log}");
    }

    fn spawn(&self) -> Process {
        // Otherwise the shortest that the protocol can announce: a test waits for them.
        let (ping_interval, pong_timeout) = match self.is_patient {
            true => ("25s", "8s"),
            false => ("1s", "500ms"),
        };
        let queue_mib = if self.is_patient { 64 } else { 1 };
        let config = json!({
            "http_server": {"address": "127.0.0.1", "port": self.port},
            "http_api": {"key": self.key},
            "client": {
                "ping_interval": ping_interval,
                "pong_timeout": pong_timeout,
                "allowed_origins": self.origins,
                "queue_max_size": queue_mib * 1024 * 1024,
                "proxy": {"connect": {
                    "enabled": true,
                    "endpoint": format!("http://{}/connect", self.backend.address),
                    "timeout": "5s",
                }},
            },
            "channel": {"namespaces": [
                namespace(ORDERS, 100, true),
                namespace(PRIVATE, 100, false),
                namespace(LONG, 2000, true),
                namespace(SHORT, 2, true),
                {"name": FORGETFUL, "allow_history_for_subscriber": true},
            ]},
            "usage_stats": {"disabled": true},
        });
        let file = self.folder.join("config.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let log = std::fs::File::create(self.log()).unwrap();
        let mut command = Command::new(&self.binary);
        // A developer's own settings for Centrifugo are not this server's.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CENTRIFUGO_") {
                command.env_remove(name);
            }
        }
        let child = command
            .arg("--config")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Process(child.unwrap_or_else(|error| panic!("{}: {error}", self.binary.display())))
    }

    fn is_up(&mut self) -> bool {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            if self.process.as_mut().is_none_or(Process::has_ended) {
                return false;
            }
            // Whoever else has the port may answer too, but not with a Centrifugo's nodes.
            let info = self.call("info", "{}");
            if info.is_ok_and(|info| info["result"]["nodes"].is_array()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Ends the server at once, as a crash does. What it remembered is gone with it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/connection/websocket", self.port)
    }

    /// The connect requests that the backend was asked about so far.
    pub fn connects(&self) -> Vec<Value> {
        self.backend.answers.asked.lock().unwrap().clone()
    }

    /// Publishes in the player's channel.
    pub fn publish(&self, data: Value) {
        let channel = &self.backend.player.channel;
        self.api("publish", &json!({"channel": channel, "data": data}));
    }

    /// Publishes all of them at once, in no particular order.
    pub fn publish_all(&self, all: impl IntoIterator<Item = Value>) {
        self.publish_batch(&self.batch(all, true));
    }

    /// A request that publishes all of these; in their order, unless it is `parallel`.
    pub fn batch(&self, all: impl IntoIterator<Item = Value>, parallel: bool) -> String {
        let channel = &self.backend.player.channel;
        let commands: Vec<_> = all
            .into_iter()
            .map(|data| json!({"publish": {"channel": channel, "data": data}}))
            .collect();
        json!({"commands": commands, "parallel": parallel}).to_string()
    }

    /// Publishes what [`batch`](Self::batch) put together.
    #[track_caller]
    pub fn publish_batch(&self, batch: &str) {
        let reply = self.call("batch", batch).unwrap();
        assert!(reply.get("error").is_none(), "{reply}");
    }

    /// Throws the player out, with this close code.
    pub fn disconnect(&self, code: u32, reason: &str) {
        let disconnect = json!({"code": code, "reason": reason});
        let user = &self.backend.player.id;
        let request = json!({"user": user, "disconnect": disconnect});
        self.api("disconnect", &request);
    }

    /// What the backend says to a token that is not the player's, instead of closing with 3500.
    pub fn refuse_with(&self, reply: Value) {
        *self.backend.answers.refusal.lock().unwrap() = reply;
    }

    /// Whether players are subscribed as they connect.
    pub fn subscribe_at_connect(&self, subscribes: bool) {
        let answers = &self.backend.answers;
        answers.subscribes.store(subscribes, Ordering::Release);
    }

    /// Subscribes the player, who is connected.
    pub fn subscribe(&self) {
        let Player { id, channel, .. } = &self.backend.player;
        self.api("subscribe", &json!({"user": id, "channel": channel}));
    }

    /// Ends the player's subscription, not their connection.
    pub fn unsubscribe(&self) {
        let Player { id, channel, .. } = &self.backend.player;
        self.api("unsubscribe", &json!({"user": id, "channel": channel}));
    }

    /// The top of the player's stream: its epoch and offset.
    pub fn position(&self) -> (String, u64) {
        let channel = &self.backend.player.channel;
        let history = self.api("history", &json!({"channel": channel, "limit": 0}));
        let epoch = history["epoch"].as_str().unwrap().to_owned();
        (epoch, history["offset"].as_u64().unwrap_or(0))
    }

    #[track_caller]
    fn api(&self, method: &str, request: &Value) -> Value {
        let reply = self.call(method, &request.to_string()).unwrap();
        assert!(reply.get("error").is_none(), "{method}: {reply}");
        reply["result"].clone()
    }

    fn call(&self, method: &str, body: &str) -> std::io::Result<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        write!(
            stream,
            "POST /api/{method} HTTP/1.0\r\nX-API-Key: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.key,
            body.len(),
        )?;
        let (head, body) = read_http(&mut BufReader::new(stream))?;
        if !head.contains(" 200 ") {
            return Err(std::io::Error::other(head));
        }
        Ok(serde_json::from_slice(&body)?)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Centrifugo {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("Centrifugo's log: {}", self.log().display());
        } else {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Ends with the test, also when it panics.
struct Process(Child);

impl Process {
    fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The application's backend: Centrifugo asks it about each connection.
struct Backend {
    player: Player,
    address: SocketAddr,
    answers: Arc<Answers>,
    thread: Option<JoinHandle<()>>,
}

/// What the backend answers, and what it has been asked so far.
struct Answers {
    asked: Mutex<Vec<Value>>,
    refusal: Mutex<Value>,
    subscribes: AtomicBool,
    is_closed: AtomicBool,
}

impl Backend {
    fn start(player: Player) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let refusal = json!({"disconnect": {"code": 3500, "reason": "invalid token"}});
        let answers = Arc::new(Answers {
            asked: Mutex::default(),
            refusal: Mutex::new(refusal),
            subscribes: AtomicBool::new(true),
            is_closed: AtomicBool::new(false),
        });
        let thread = std::thread::spawn({
            let (answers, player) = (Arc::clone(&answers), player.clone());
            move || {
                for stream in listener.incoming() {
                    if answers.is_closed.load(Ordering::Acquire) {
                        return;
                    }
                    // A server that was killed while it asked gets no answer.
                    let _ = stream.and_then(|stream| answers.answer(stream, &player));
                }
            }
        });
        Self {
            player,
            address,
            answers,
            thread: Some(thread),
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.answers.is_closed.store(true, Ordering::Release);
        // The thread waits for a connection: here is one.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Answers {
    fn answer(&self, mut stream: TcpStream, player: &Player) -> std::io::Result<()> {
        stream.set_read_timeout(Some(DEADLINE))?;
        let (_, body) = read_http(&mut BufReader::new(stream.try_clone()?))?;
        let request: Value = serde_json::from_slice(&body)?;
        let reply = if request["data"]["auth"] != *player.token {
            self.refusal.lock().unwrap().clone()
        } else if self.subscribes.load(Ordering::Acquire) {
            json!({"result": {"user": player.id, "channels": [player.channel]}})
        } else {
            json!({"result": {"user": player.id}})
        };
        self.asked.lock().unwrap().push(request);
        let reply = reply.to_string();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{reply}",
            reply.len(),
        )
    }
}

fn namespace(name: &str, history_size: u32, gives_history_away: bool) -> Value {
    json!({
        "name": name,
        "history_size": history_size,
        "history_ttl": "300s",
        "force_recovery": true,
        "allow_history_for_subscriber": gives_history_away,
    })
}

/// Reads a request or a response: its head, and its body by its length or to the end.
fn read_http(stream: &mut impl BufRead) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = String::new();
    let mut length = None;
    loop {
        let start = head.len();
        if stream.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = head.split_at(start).1.trim();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => stream.take(length).read_to_end(&mut body)?,
        None => stream.read_to_end(&mut body)?,
    };
    Ok((head, body))
}
