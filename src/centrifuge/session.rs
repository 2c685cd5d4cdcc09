//! A conversation with the server. It takes frames and the time, and returns frames and events.
//!
//! A session outlives its connections, because the next connection recovers from the positions that the last one
//! has reached.

use std::collections::VecDeque;
use std::time::Duration;

use litemap::LiteMap;
use serde_json::value::RawValue;

use super::protocol::{
    self, Connected, History, Message, PONG, Position, Publication, Push, Subscription, messages,
};
use crate::model::error::{ConnectStep, SocketError, shorten};

/// The time since a moment of the caller's choice.
pub(crate) type Time = Duration;

/// How many pages of a channel's history are read. An order whose news is on a later page is requested from the
/// store.
const MAX_HISTORY_PAGES: u32 = 20;
/// How many live publications are remembered while a history is pending, so that they are not passed on again.
const MAX_EARLY: usize = 256;
/// The size of the largest data that is passed on. News of an order has about fifty bytes.
const MAX_DATA_BYTES: usize = 4 * 1024;
/// The size of the longest channel name or epoch. Centrifugo's own limit for names is 255.
const MAX_NAME_BYTES: usize = 255;
/// How many channels a server may subscribe one user to. Xsolla's documentation shows one.
const MAX_CHANNELS: usize = 16;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// The time for the answers to `connect` and `history`, and for the first subscription.
    pub(crate) step_timeout: Duration,
    /// How much later than announced a ping may come.
    pub(crate) ping_grace: Duration,
}

#[derive(Debug)]
pub(crate) enum Event {
    /// A publication. Each one comes once, in the order of its channel.
    Publication(Box<RawValue>),
    /// A channel is subscribed, and its earlier publications have been passed on, as far as the server provides
    /// them.
    Subscribed {
        /// Whether nothing can be missing since the session's last connection, or, in its first connection, since
        /// the stream began.
        recovered: bool,
        /// Whether all that the server keeps of its channels has been passed on in this session. What it has dropped
        /// does not count, because it never comes.
        heard_all: bool,
    },
}

/// A conversation of one user with the server.
#[derive(Debug)]
pub(crate) struct Session {
    settings: Settings,
    channels: LiteMap<String, Channel>,
    connection: Connection,
    /// Whether a channel was lost. It is reset when it is reported.
    has_lost_channel: bool,
    last_id: u32,
    frames: VecDeque<String>,
    events: VecDeque<Event>,
}

#[derive(Debug, Default)]
struct Channel {
    position: Position,
    /// The offset of the stream's last publication at the time of the subscription.
    top: u64,
    /// Whether the server can recover the publications since `position`.
    is_recoverable: bool,
    /// Whether the history was read to its end, and nothing was missed since.
    is_whole: bool,
    history: Option<HistoryRequest>,
    /// The offsets of live publications that were passed on before the pending history. They are kept across
    /// connections, because a history may never be answered. They are sorted.
    early: Vec<u64>,
    /// Whether publications may be missing, because the stream began anew or the server could not recover them. It
    /// is kept across connections until it is reported, because a history may never be answered.
    has_gap: bool,
}

#[derive(Debug)]
struct HistoryRequest {
    id: u32,
    deadline: Time,
    page: u32,
}

#[derive(Debug)]
enum Connection {
    Closed,
    AwaitsReply {
        id: u32,
        deadline: Time,
    },
    Open {
        /// The time by which there must be a subscription, or `None` once there is one.
        subscribe_by: Option<Time>,
        /// How long the server may be silent.
        silence: Option<Duration>,
        heard_at: Time,
        answers_pings: bool,
    },
}

impl Session {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            channels: LiteMap::new(),
            connection: Connection::Closed,
            has_lost_channel: false,
            last_id: 0,
            frames: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Begins a connection. Its first frame connects with this data, which is JSON, and recovers the publications since the last
    /// connection.
    pub(crate) fn open(&mut self, data: &str, now: Time) {
        self.frames.clear();
        // The last connection's subscription events do not hold for this one.
        self.events
            .retain(|event| matches!(event, Event::Publication(_)));
        self.last_id = 0;
        for channel in self.channels.iter_mut().map(|(_, channel)| channel) {
            channel.history = None;
        }
        let id = self.next_id();
        let channels = self.channels.iter();
        let positions = channels
            .filter(|(_, channel)| channel.is_recoverable && !channel.position.epoch.is_empty())
            .map(|(name, channel)| (name, &channel.position));
        let command = protocol::connect(id, data, positions);
        self.frames.push_back(command);
        self.connection = Connection::AwaitsReply {
            id,
            deadline: now + self.settings.step_timeout,
        };
    }

    /// Processes a text frame of the server. After an error the connection must be closed.
    pub(crate) fn receive(&mut self, frame: &str, now: Time) -> Result<(), SocketError> {
        if let Connection::Open { heard_at, .. } = &mut self.connection {
            *heard_at = now;
        }
        for message in messages(frame) {
            self.take(message?, now)?;
        }
        Ok(())
    }

    /// Checks the deadlines of the answers and of the server's ping.
    pub(crate) fn check_deadlines(&mut self, now: Time) -> Result<(), SocketError> {
        match &self.connection {
            Connection::Closed => return Ok(()),
            Connection::AwaitsReply { deadline, .. } if now >= *deadline => {
                return Err(SocketError::TimedOut(ConnectStep::Connect));
            }
            Connection::AwaitsReply { .. } => return Ok(()),
            Connection::Open {
                subscribe_by: Some(deadline),
                ..
            } if now >= *deadline => return Err(SocketError::TimedOut(ConnectStep::Subscribe)),
            Connection::Open {
                silence: Some(silence),
                heard_at,
                ..
            } if now >= *heard_at + *silence => return Err(SocketError::PingMissing),
            Connection::Open { .. } => {}
        }
        let late = |history: &HistoryRequest| now >= history.deadline;
        let late: Vec<String> = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.history.as_ref().is_some_and(late))
            .map(|(name, _)| name.clone())
            .collect();
        for name in late {
            self.end_history(&name, false);
        }
        Ok(())
    }

    /// The time at which [`check_deadlines`](Self::check_deadlines) must be called next.
    pub(crate) fn deadline(&self) -> Option<Time> {
        match &self.connection {
            Connection::Closed => None,
            Connection::AwaitsReply { deadline, .. } => Some(*deadline),
            Connection::Open {
                subscribe_by,
                silence,
                heard_at,
                ..
            } => {
                let ping = silence.map(|silence| *heard_at + silence);
                let histories = self.channels.values().filter_map(|channel| {
                    let history = channel.history.as_ref()?;
                    Some(history.deadline)
                });
                subscribe_by
                    .iter()
                    .copied()
                    .chain(ping)
                    .chain(histories)
                    .min()
            }
        }
    }

    pub(crate) fn next_frame(&mut self) -> Option<String> {
        self.frames.pop_front()
    }

    pub(crate) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    fn take(&mut self, message: Message<'_>, now: Time) -> Result<(), SocketError> {
        if let Some(push) = message.push {
            return self.take_push(push, now);
        }
        if message.id == 0 {
            if let Some(error) = message.error {
                return Err(refusal(error));
            }
            let answers_pings = matches!(
                self.connection,
                Connection::Open {
                    answers_pings: true,
                    ..
                }
            );
            // One pong answers all pings that came at once.
            let is_answered = self.frames.back().is_some_and(|frame| frame == PONG);
            if message.is_ping && answers_pings && !is_answered {
                self.frames.push_back(PONG.to_owned());
            }
            return Ok(());
        }
        match self.connection {
            Connection::AwaitsReply { id, .. } if id == message.id => {
                match (message.error, message.connect) {
                    (Some(error), _) => Err(refusal(error)),
                    (None, Some(connected)) => self.take_connected(connected, now),
                    (None, None) => Err(SocketError::Protocol(
                        "a reply to connect without a result".to_owned(),
                    )),
                }
            }
            _ => {
                let is_asked = |channel: &Channel| {
                    let history = channel.history.as_ref();
                    history.is_some_and(|history| history.id == message.id)
                };
                let channel = self.channels.iter().find(|(_, c)| is_asked(c));
                if let Some(name) = channel.map(|(name, _)| name.clone()) {
                    match (message.error, message.history) {
                        (None, Some(history)) => self.take_history(&name, history, now),
                        (error, _) => {
                            // A server may refuse its history (103, 108). Get Order provides what is missing then.
                            let code = error.map_or(0, |error| error.code);
                            log::debug!("the server gives no history away (code {code})");
                            self.end_history(&name, false);
                        }
                    }
                }
                Ok(())
            }
        }
    }

    fn take_connected(&mut self, connected: Connected<'_>, now: Time) -> Result<(), SocketError> {
        let silence = (connected.ping > 0).then(|| {
            Duration::from_secs(connected.ping.into()).saturating_add(self.settings.ping_grace)
        });
        self.connection = Connection::Open {
            subscribe_by: Some(now + self.settings.step_timeout),
            silence,
            heard_at: now,
            answers_pings: connected.pong && connected.ping > 0,
        };
        // A channel that the server does not list is dropped with all that is known of it.
        let known = self.channels.len();
        self.channels
            .retain(|name, _| connected.subs.0.iter().any(|(listed, _)| listed == name));
        self.has_lost_channel |= self.channels.len() < known;
        for (name, subscription) in connected.subs.0 {
            self.take_subscription(&name, subscription, now)?;
        }
        Ok(())
    }

    fn take_subscription(
        &mut self,
        name: &str,
        subscription: Subscription<'_>,
        now: Time,
    ) -> Result<(), SocketError> {
        if let Connection::Open { subscribe_by, .. } = &mut self.connection {
            *subscribe_by = None;
        }
        if name.len() > MAX_NAME_BYTES || subscription.epoch.len() > MAX_NAME_BYTES {
            return Err(SocketError::Protocol("a name is too long".to_owned()));
        }
        let is_known = self.channels.contains_key(name);
        if !is_known && self.channels.len() >= MAX_CHANNELS {
            return Err(SocketError::Protocol("too many channels".to_owned()));
        }
        let channel = self.channels.entry(name.to_owned()).or_default();
        channel.is_recoverable = subscription.recoverable || subscription.positioned;
        channel.history = None;
        channel.top = subscription.offset;

        if subscription.recovered && channel.position.epoch == subscription.epoch {
            for publication in subscription.publications.0 {
                channel.deliver(&publication, &mut self.events);
            }
            channel.position.offset = channel.position.offset.max(subscription.offset);
            self.catch_up(name, true);
            return Ok(());
        }

        if channel.position.epoch != subscription.epoch {
            channel.early.clear();
        }
        channel.position = Position {
            epoch: subscription.epoch.into_owned(),
            offset: 0,
        };
        channel.has_gap |= is_known;
        channel.is_whole = false;
        self.ask_history(name, 1, now);
        Ok(())
    }

    fn ask_history(&mut self, name: &str, page: u32, now: Time) {
        let id = self.next_id();
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        let command = protocol::history(id, name, &channel.position);
        self.frames.push_back(command);
        channel.history = Some(HistoryRequest {
            id,
            deadline: now + self.settings.step_timeout,
            page,
        });
    }

    fn take_history(&mut self, name: &str, history: History<'_>, now: Time) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        if channel.position.epoch.is_empty() {
            channel.position.epoch = history.epoch.into_owned();
        } else if !history.epoch.is_empty() && channel.position.epoch != *history.epoch {
            // The stream began anew between the subscription and this reply. The server will close the connection
            // for it (3010), and the next connection starts from the new epoch.
            return self.end_history(name, false);
        }
        let before = channel.position.offset;
        for publication in history.publications.0 {
            // Publications that the server has dropped from the stream's start are missing.
            channel.has_gap |= !channel.deliver(&publication, &mut self.events);
        }
        let has_moved = channel.position.offset > before;
        let is_complete = channel.position.offset >= history.offset;
        let Some(request) = channel.history.take() else {
            return;
        };
        if !is_complete && has_moved && request.page < MAX_HISTORY_PAGES {
            return self.ask_history(name, request.page + 1, now);
        }
        // An empty page before the stream's end means that the server has dropped the rest.
        channel.position.offset = channel.position.offset.max(history.offset);
        channel.is_whole = is_complete || !has_moved;
        self.finish(name, is_complete);
    }

    /// Continues without the pending history.
    fn end_history(&mut self, name: &str, recovered: bool) {
        if let Some(channel) = self.channels.get_mut(name)
            && channel.history.take().is_some()
        {
            // The next publications follow the stream's end at the subscription.
            channel.position.offset = channel.position.offset.max(channel.top);
            self.finish(name, recovered);
        }
    }

    fn finish(&mut self, name: &str, mut recovered: bool) {
        if let Some(channel) = self.channels.get_mut(name) {
            for offset in std::mem::take(&mut channel.early) {
                recovered &= offset <= channel.position.offset.saturating_add(1);
                channel.position.offset = channel.position.offset.max(offset);
            }
        }
        self.catch_up(name, recovered);
    }

    fn catch_up(&mut self, name: &str, recovered: bool) {
        let channel = self.channels.get_mut(name);
        let has_gap = channel.is_some_and(|channel| std::mem::take(&mut channel.has_gap))
            | std::mem::take(&mut self.has_lost_channel);
        self.tell_subscribed(recovered && !has_gap);
    }

    fn tell_subscribed(&mut self, recovered: bool) {
        self.events.push_back(Event::Subscribed {
            recovered,
            heard_all: self.channels.values().all(|channel| channel.is_whole),
        });
    }

    fn take_push(&mut self, push: Push<'_>, now: Time) -> Result<(), SocketError> {
        if let Some(disconnect) = push.disconnect {
            return Err(SocketError::Closed {
                code: disconnect.code,
                reason: shorten(&disconnect.reason),
            });
        }
        if let Some(subscription) = push.subscribe {
            return self.take_subscription(&push.channel, subscription, now);
        }
        if push.is_unsubscribed {
            // The next connection recovers the publications of the time between.
            return match self.channels.contains_key(&*push.channel) {
                true => Err(SocketError::Unsubscribed),
                false => Ok(()),
            };
        }
        let Some(publication) = push.publication else {
            return Ok(());
        };
        let Some(channel) = self.channels.get_mut(&*push.channel) else {
            return Ok(());
        };
        // Each live publication is passed on. It does not wait for the history before it, which may never come. A
        // known offset does not make it old, because the stream may have begun anew, and a publication does not
        // name its epoch.
        if let Some(data) = publication.data.filter(|data| is_short(data)) {
            self.events.push_back(Event::Publication(data.to_owned()));
        }
        let (offset, before) = (publication.offset, channel.position.offset);
        if offset == 0 {
            return Ok(());
        }
        if channel.history.is_some() {
            if let Err(index) = channel.early.binary_search(&offset) {
                channel.early.insert(index, offset);
            }
            if channel.early.len() > MAX_EARLY {
                self.end_history(&push.channel, false);
            }
            return Ok(());
        }
        channel.position.offset = offset;
        if offset != before && offset != before.saturating_add(1) {
            channel.is_whole = false;
            self.tell_subscribed(false);
        }
        Ok(())
    }
}

fn is_short(data: &RawValue) -> bool {
    data.get().len() <= MAX_DATA_BYTES
}

impl Channel {
    /// Passes a publication of the history on unless it was seen before. Returns whether none is missing before it.
    fn deliver(&mut self, publication: &Publication<'_>, events: &mut VecDeque<Event>) -> bool {
        let offset = publication.offset;
        let is_next = offset <= self.position.offset.saturating_add(1);
        // Publications without an offset cannot be told apart.
        let is_unseen = offset == 0
            || (offset > self.position.offset && self.early.binary_search(&offset).is_err());
        self.position.offset = self.position.offset.max(offset);
        let data = publication.data.filter(|data| is_short(data));
        if is_unseen && let Some(data) = data {
            events.push_back(Event::Publication(data.to_owned()));
        }
        is_next
    }
}

fn refusal(error: super::protocol::ErrorReply<'_>) -> SocketError {
    SocketError::Refused {
        code: error.code,
        message: shorten(&error.message),
        // The errors 100 (internal) and 111 (too many requests) are temporary even if the server does not say so.
        temporary: error.temporary || matches!(error.code, 100 | 111),
    }
}
