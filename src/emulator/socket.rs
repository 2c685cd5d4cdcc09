//! One socket: a connection of the Centrifuge protocol, from the upgrade to its end.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use super::counters::Connect;
use super::frames::{
    Command, ConnectRequest, ConnectResult, HistoryRequest, HistoryResult, Reply, ServerError,
    SubscribeResult, line,
};
use super::state::{Denied, Outgoing, PROJECT_ID, Shared, Socket, State, Subscription};
use super::token;

/// How many messages Centrifuge's writer puts into one frame.
const MAX_LINES: usize = 16;
/// Close codes of Centrifuge.
const BAD_REQUEST: (u16, &str) = (3501, "bad request");
const NOT_AVAILABLE: (u16, &str) = (3508, "not available");
const NO_PONG: (u16, &str) = (3012, "no pong");
const TOO_LARGE: (u16, &str) = (1009, "message size limit");

/// The largest message that Centrifugo takes by default.
const MAX_MESSAGE: usize = 64 * 1024;

/// How long a client has for its half of the closing handshake, as in Centrifuge.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

type WebSocket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// A socket's place in the registry, held by its task.
pub(super) struct Registration {
    shared: Arc<Shared>,
    id: u64,
    outgoing: mpsc::UnboundedReceiver<Outgoing>,
    /// Ends when the registry drops the socket.
    cut: oneshot::Receiver<()>,
}

impl Registration {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let (sender, outgoing) = mpsc::unbounded_channel();
        let (keep, cut) = oneshot::channel();
        let mut state = shared.lock();
        state.counters.sockets_opened += 1;
        let id = state.counters.sockets_opened as u64;
        state.sockets.insert(id, Socket::new(sender, keep));
        drop(state);
        Self {
            shared: Arc::clone(shared),
            id,
            outgoing,
            cut,
        }
    }

    /// Lives the connection's life once the HTTP server lets go of it.
    pub(super) async fn run(mut self, upgrade: OnUpgrade) {
        let (_, not_cut) = oneshot::channel();
        let cut = std::mem::replace(&mut self.cut, not_cut);
        tokio::select! {
            biased;
            _ = cut => {}
            () = self.converse(upgrade) => {}
        }
    }

    async fn converse(self, upgrade: OnUpgrade) {
        let Ok(upgraded) = upgrade.await else {
            return;
        };
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let io = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        let mut connection = Connection::new(self);
        let end = connection.run(&mut socket).await;
        if let End::Close(code, _) = &end {
            let mut state = connection.place.shared.lock();
            state.counters.closes.push(*code);
        }
        // Before the farewell, which may take its time: the socket is not open any more.
        drop(connection);
        finish(socket, end).await;
    }

    fn with_socket(&self, act: impl FnOnce(&mut Socket)) {
        if let Some(socket) = self.shared.lock().sockets.get_mut(&self.id) {
            act(socket);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.shared.lock().sockets.remove(&self.id);
    }
}

enum End {
    /// The client is gone or going.
    Client,
    /// The client was refused, and is expected to close.
    Refused,
    Close(u16, String),
}

async fn finish(mut socket: WebSocket, end: End) {
    let farewell = async {
        if let End::Close(code, reason) = end {
            let end = reason.floor_char_boundary(123);
            let frame = CloseFrame {
                code: code.into(),
                reason: reason.get(..end).unwrap_or_default().into(),
            };
            if socket.close(Some(frame)).await.is_err() {
                return;
            }
        }
        while let Some(Ok(_)) = socket.next().await {}
    };
    // Running out of time cuts the connection, which is the point.
    let _ = timeout(CLOSE_GRACE, farewell).await;
}

struct Connection {
    place: Registration,
    is_connected: bool,
    is_refused: bool,
    pings: Option<Pings>,
    /// What came in while the server played dead.
    unread: VecDeque<String>,
}

/// What a frame leads to, besides replies.
enum Verdict {
    GoOn,
    Disconnect(u16, String),
}

impl Verdict {
    fn disconnect((code, reason): (u16, &str)) -> Self {
        Self::Disconnect(code, reason.to_owned())
    }
}

impl Connection {
    fn new(place: Registration) -> Self {
        Self {
            place,
            is_connected: false,
            is_refused: false,
            pings: None,
            unread: VecDeque::new(),
        }
    }

    async fn run(&mut self, socket: &mut WebSocket) -> End {
        let mut faults = self.place.shared.watch_faults();
        loop {
            let hangs = self.place.shared.lock().faults.socket_hang;
            if !hangs {
                while let Some(text) = self.unread.pop_front() {
                    self.read(&text);
                }
            }
            let timer = self.pings.as_ref().map(Pings::deadline);
            tokio::select! {
                biased;
                _ = faults.changed() => {}
                outgoing = self.place.outgoing.recv(), if !hangs => {
                    let Some(outgoing) = outgoing else {
                        return End::Client;
                    };
                    if let Some(end) = self.write(socket, outgoing).await {
                        return end;
                    }
                }
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.unread.push_back(text.to_string()),
                    Some(Ok(Message::Binary(bytes))) => {
                        let text = String::from_utf8_lossy(&bytes).into_owned();
                        self.unread.push_back(text);
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => {
                        if let Some(Err(tungstenite::Error::Capacity(_))) = message {
                            return End::Close(TOO_LARGE.0, TOO_LARGE.1.to_owned());
                        }
                        return End::Client;
                    }
                    Some(Ok(_)) => {}
                },
                () = sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() && !hangs => {
                    self.on_timer();
                }
            }
        }
    }

    /// Sends what is queued, as few frames as possible, the way Centrifuge's writer does.
    async fn write(&mut self, socket: &mut WebSocket, first: Outgoing) -> Option<End> {
        let mut next = Some(first);
        let mut lines: Vec<String> = Vec::new();
        loop {
            match next {
                Some(Outgoing::Lines(more)) => lines.extend(more),
                other => {
                    for lines in std::mem::take(&mut lines).chunks(MAX_LINES) {
                        let frame = Message::text(lines.join("\n"));
                        if socket.send(frame).await.is_err() {
                            return Some(End::Client);
                        }
                    }
                    match other {
                        Some(Outgoing::Frame(text)) => {
                            if socket.send(Message::text(text)).await.is_err() {
                                return Some(End::Client);
                            }
                        }
                        Some(Outgoing::Close(code, reason)) => {
                            return Some(End::Close(code, reason));
                        }
                        _ if self.is_refused => return Some(End::Refused),
                        _ => return None,
                    }
                }
            }
            next = self.place.outgoing.try_recv().ok();
        }
    }

    fn on_timer(&mut self) {
        let Some(pings) = &mut self.pings else {
            return;
        };
        match pings.fire(Instant::now()) {
            Tick::Nothing => {}
            Tick::Ping => self.place.with_socket(|s| s.send(vec!["{}".to_owned()])),
            Tick::NoPong => self.place.with_socket(|s| s.close(NO_PONG.0, NO_PONG.1)),
        }
    }

    /// Reads a frame, which may hold several commands.
    fn read(&mut self, frame: &str) {
        let mut lines = frame.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut is_empty = true;
        let verdict = loop {
            let Some(text) = lines.next() else {
                break if is_empty {
                    Verdict::disconnect(BAD_REQUEST)
                } else {
                    Verdict::GoOn
                };
            };
            is_empty = false;
            let verdict = match Command::parse(text) {
                Some(command) => self.execute(command),
                None => Verdict::disconnect(BAD_REQUEST),
            };
            if let Verdict::Disconnect(..) = verdict {
                break verdict;
            }
        };
        if let Verdict::Disconnect(code, reason) = verdict {
            self.place.with_socket(|socket| socket.close(code, &reason));
        }
    }

    fn execute(&mut self, command: Command) -> Verdict {
        if self.is_refused || !self.is_connected && command.connect.is_none() {
            return Verdict::disconnect(BAD_REQUEST);
        }
        if command.is_pong() {
            let is_expected = self.pings.as_mut().is_some_and(Pings::pong);
            return if is_expected {
                Verdict::GoOn
            } else {
                Verdict::disconnect(BAD_REQUEST)
            };
        }
        if let Some(request) = command.connect {
            return self.connect(command.id, request);
        }
        if let Some(request) = command.history {
            return self.history(command.id, &request);
        }
        if command.is_not_served() {
            let reply = Reply::error(command.id, ServerError::NOT_AVAILABLE);
            self.place.with_socket(|s| s.send(vec![line(&reply)]));
            return Verdict::GoOn;
        }
        // Nothing answers a `send`, so Centrifuge tells its client in this way.
        Verdict::disconnect(if command.send.is_some() {
            NOT_AVAILABLE
        } else {
            BAD_REQUEST
        })
    }

    fn connect(&mut self, id: u32, request: ConnectRequest) -> Verdict {
        if self.is_connected {
            return Verdict::disconnect(BAD_REQUEST);
        }
        let shared = Arc::clone(&self.place.shared);
        let mut state = shared.lock();
        let subs = request.subs.unwrap_or_default();
        let mut seen = Connect {
            user: None,
            external_id: None,
            project_id: None,
            is_accepted: false,
            is_recovering: subs.values().any(|sub| sub.recover),
            token: String::new(),
        };
        let account = check(&state, request.data.as_ref(), &mut seen);
        let refusal = match (&state.faults.connect, &account) {
            (Some((code, message)), _) => Some((*code, message.clone())),
            (None, Err(error)) => Some((error.code, error.message.to_string())),
            (None, Ok(_)) => None,
        };
        seen.is_accepted = refusal.is_none();
        state.counters.connects.push(seen);
        if let Some((code, message)) = refusal {
            return match u16::try_from(code) {
                Ok(code) if code >= 3000 => Verdict::Disconnect(code, message),
                _ => {
                    self.is_refused = true;
                    let reply = Reply::error(id, ServerError::new(code, &message));
                    if let Some(socket) = state.sockets.get(&self.place.id) {
                        socket.send(vec![line(&reply)]);
                    }
                    Verdict::GoOn
                }
            };
        }
        let Ok(index) = account else {
            return Verdict::disconnect(BAD_REQUEST);
        };
        let Some(account) = state.accounts.get(index) else {
            return Verdict::disconnect(BAD_REQUEST);
        };
        let mut sub = SubscribeResult::at_the_top_of(&account.stream);
        if let Some(asked) = subs.get(&account.channel).filter(|sub| sub.recover) {
            sub.was_recovering = true;
            if let Some(missed) = account.stream.recover(&asked.position) {
                sub.recovered = true;
                sub.publications = missed;
                // The client counts on from here with each publication, as Centrifuge has it.
                sub.offset = asked.position.offset;
            }
        }
        let (recovered, epoch) = (sub.recovered, sub.epoch.clone());
        let is_withheld = state.faults.channel_withhold;
        let mut subs = HashMap::new();
        if !is_withheld {
            subs.insert(account.channel.clone(), sub);
        }
        let reply = Reply {
            id,
            connect: Some(ConnectResult {
                client: token::uuid(fastrand::u128(..)),
                version: env!("CARGO_PKG_VERSION"),
                subs,
                ping: u64::try_from(state.ping_interval.as_millis().div_ceil(1000))
                    .unwrap_or(u64::MAX),
                pong: true,
            }),
            ..Reply::default()
        };
        self.pings = Some(Pings::new(state.ping_interval));
        self.is_connected = true;
        state.counters.recoveries += usize::from(recovered && !is_withheld);
        // Under the same lock as the position above, so that no publication falls in between.
        if let Some(socket) = state.sockets.get_mut(&self.place.id) {
            socket.send(vec![line(&reply)]);
            if is_withheld {
                socket.waits_as = Some(index);
            } else {
                socket.subscription = Some(Subscription {
                    account: index,
                    epoch,
                });
            }
        }
        Verdict::GoOn
    }

    fn history(&mut self, id: u32, request: &HistoryRequest) -> Verdict {
        let mut state = self.place.shared.lock();
        state.counters.history_requests += 1;
        if request.channel.is_empty() {
            return Verdict::disconnect(BAD_REQUEST);
        }
        let reply = match history(&state, self.place.id, request) {
            Ok(history) => Reply {
                id,
                history: Some(history),
                ..Reply::default()
            },
            Err(error) => Reply::error(id, error),
        };
        if let Some(socket) = state.sockets.get(&self.place.id) {
            socket.send(vec![line(&reply)]);
        }
        Verdict::GoOn
    }
}

/// Whose connection it is, by what `connect` carries; notes what it saw.
fn check(state: &State, data: Option<&Value>, seen: &mut Connect) -> Result<usize, ServerError> {
    let field = |name| {
        data.and_then(|data| data.get(name))
            .filter(|v| !v.is_null())
    };
    let auth = field("auth").and_then(Value::as_str).unwrap_or_default();
    seen.token = auth.to_owned();
    let project = field("project_id");
    seen.project_id = project.and_then(Value::as_u64);
    let external_id = field("user_external_id");
    seen.external_id = external_id.and_then(Value::as_str).map(str::to_owned);

    let account = state.authorize(auth);
    if let Ok(account) = account {
        seen.user = state.accounts.get(account).map(|a| a.name.clone());
    }
    let project_id = seen.project_id.ok_or(ServerError::BAD_REQUEST)?;
    if external_id.is_some_and(|id| !id.is_string()) {
        return Err(ServerError::BAD_REQUEST);
    }
    let account = account.map_err(|denied| match denied {
        Denied::Unknown => ServerError::UNAUTHORIZED,
        Denied::Expired => ServerError::TOKEN_EXPIRED,
    })?;
    if project_id == PROJECT_ID {
        Ok(account)
    } else {
        Err(ServerError::PERMISSION_DENIED)
    }
}

fn history(
    state: &State,
    socket: u64,
    request: &HistoryRequest,
) -> Result<HistoryResult, ServerError> {
    if let Some(code) = state.faults.history {
        return Err(ServerError::of_code(code));
    }
    // Whether there is a channel of this name is nobody else's business.
    let account = state
        .sockets
        .get(&socket)
        .and_then(|socket| socket.subscription.as_ref())
        .and_then(|subscription| state.accounts.get(subscription.account))
        .filter(|account| account.channel == request.channel)
        .ok_or(ServerError::PERMISSION_DENIED)?;
    Ok(HistoryResult {
        publications: account.stream.history(request)?,
        epoch: account.stream.epoch().to_owned(),
        offset: account.stream.top(),
    })
}

/// When the server pings, and whether it was answered.
struct Pings {
    interval: Duration,
    next: Instant,
    pong_by: Option<Instant>,
}

enum Tick {
    Nothing,
    Ping,
    NoPong,
}

impl Pings {
    /// The first ping comes after half an interval to a whole one, so that many clients that
    /// connect at once are not pinged at once.
    fn new(interval: Duration) -> Self {
        let first = interval / 2 + (interval / 2).mul_f64(fastrand::f64());
        Self {
            interval,
            next: Instant::now() + first,
            pong_by: None,
        }
    }

    fn deadline(&self) -> Instant {
        self.pong_by.map_or(self.next, |by| by.min(self.next))
    }

    fn fire(&mut self, now: Instant) -> Tick {
        if self.pong_by.is_some_and(|by| by <= now) {
            return Tick::NoPong;
        }
        if self.next > now {
            return Tick::Nothing;
        }
        self.next = now + self.interval;
        self.pong_by = Some(now + self.interval / 3);
        Tick::Ping
    }

    /// Whether a pong was due.
    fn pong(&mut self) -> bool {
        self.pong_by.take().is_some()
    }
}
