//! What goes wrong on purpose.

use std::time::{Duration, Instant};

use super::XsollaEmulator;

/// How requests fail, for [`XsollaEmulator::fail_requests`].
///
/// ```
/// # use bevy_xsolla::emulator::Fault;
/// # use std::time::Duration;
/// let busy = Fault::status(429).retry_after(Duration::from_secs(2)).times(3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(super) status: u16,
    pub(super) code: Option<u32>,
    pub(super) retry_after: Option<Duration>,
    pub(super) times: Option<usize>,
}

impl Fault {
    /// Requests are answered with this HTTP status, until told otherwise.
    ///
    /// 401, 404 and 422 come with Xsolla's usual error body, other statuses with a line of text, as
    /// from a gateway.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            code: None,
            retry_after: None,
            times: None,
        }
    }

    /// The answer is Xsolla's error body with this `errorCode`, such as 2001 for a Pay Station
    /// token that is refused.
    #[must_use]
    pub fn code(mut self, code: u32) -> Self {
        self.code = Some(code);
        self
    }

    /// The answer asks to wait this long. The header is in whole seconds: the rest is rounded up.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Only the next so many requests fail.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }
}

/// How far Get Order is behind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Lag {
    #[default]
    None,
    /// It sees what was true then.
    Frozen(Instant),
    By(Duration),
}

#[derive(Default)]
pub(super) struct Faults {
    pub(super) request: Option<Fault>,
    pub(super) request_delay: Duration,
    pub(super) request_hang: bool,
    pub(super) request_garble: bool,
    pub(super) request_drop: bool,
    pub(super) lag: Lag,
    pub(super) socket_refuse: bool,
    pub(super) socket_hang: bool,
    pub(super) handshake_hang: bool,
    pub(super) channel_withhold: bool,
    pub(super) connect: Option<(u32, String)>,
    pub(super) history: Option<u32>,
}

impl Faults {
    /// The fault that the next request meets, if any.
    pub(super) fn take_request_fault(&mut self) -> Option<Fault> {
        let fault = self.request.as_mut()?;
        match &mut fault.times {
            Some(0) => {
                self.request = None;
                return None;
            }
            Some(times) => *times -= 1,
            None => {}
        }
        Some(fault.clone())
    }
}

/// # Faults
///
/// Each lasts until it is taken back, and [`heal`](Self::heal) takes back all.
impl XsollaEmulator {
    /// Takes back every fault. What has happened stays: closed sockets, forgotten history, revoked
    /// tokens, [bodies of orders](Self::set_order_body).
    pub fn heal(&self) {
        self.set_faults(|faults| *faults = Faults::default());
        self.withhold_channels(false);
    }

    /// Cuts every TCP connection of a socket, without a close frame, as when a cable is pulled.
    pub fn drop_sockets(&self) {
        // A socket lives as long as the registry has it.
        self.shared.lock().sockets.clear();
    }

    /// Closes every socket with this code, in a close frame. [`open_sockets`](Self::open_sockets)
    /// is zero at once.
    ///
    /// Clients of a Centrifuge server come back after a code below 3500 and after 4000–4499, and stay
    /// away after 3500–3999, such as 3500 (invalid token), and 4500–4999. WebSockets have no codes
    /// from 5000: clients may read those as a protocol error (1002). A reason longer than 123 bytes
    /// is cut.
    pub fn close_sockets(&self, code: u16, reason: &str) {
        let mut state = self.shared.lock();
        for socket in state.sockets.values_mut() {
            socket.close(code, reason);
        }
    }

    /// Whether new sockets are refused with HTTP status 503. Open ones stay open.
    pub fn refuse_sockets(&self, refuse: bool) {
        self.set_faults(|faults| faults.socket_refuse = refuse);
    }

    /// Whether new sockets hang before they are open: the TCP connection is accepted and the
    /// WebSocket handshake not answered. It is when it ends.
    pub fn hang_handshakes(&self, hang: bool) {
        self.set_faults(|faults| faults.handshake_hang = hang);
    }

    /// Whether sockets that connect get no channel, so that they hear of nothing. They are
    /// subscribed when it ends.
    pub fn withhold_channels(&self, withhold: bool) {
        let mut state = self.shared.lock();
        state.faults.channel_withhold = withhold;
        if !withhold {
            state.subscribe_the_waiting();
        }
    }

    /// Whether every `connect` is refused with this code and text.
    ///
    /// A code below 3000 is an error reply, such as `(101, "unauthorized")` or the temporary
    /// `(100, "internal server error")`; from 3000 it is the code that the socket is closed with,
    /// such as `(3500, "invalid token")`.
    pub fn refuse_connect(&self, refusal: Option<(u32, &str)>) {
        let refusal = refusal.map(|(code, message)| (code, message.to_owned()));
        self.set_faults(|faults| faults.connect = refusal);
    }

    /// Whether sockets, old and new, are silent: accepted, and then neither answers nor
    /// publications nor pings. All that was held back happens when it ends.
    pub fn hang_sockets(&self, hang: bool) {
        self.set_faults(|faults| faults.socket_hang = hang);
    }

    /// Whether requests fail, and how; `None` ends it. It does not reach the socket.
    ///
    /// ```
    /// # use bevy_xsolla::emulator::{Fault, XsollaEmulator};
    /// # let emulator = XsollaEmulator::start();
    /// emulator.fail_requests(Fault::status(503).times(2));
    /// emulator.fail_requests(None);
    /// ```
    pub fn fail_requests(&self, fault: impl Into<Option<Fault>>) {
        let fault = fault.into();
        self.set_faults(|faults| faults.request = fault);
    }

    /// Whether requests are answered with status 200 and a body that breaks off in the middle of
    /// the JSON.
    pub fn garble_requests(&self, garble: bool) {
        self.set_faults(|faults| faults.request_garble = garble);
    }

    /// Every answer takes this much longer; [`Duration::ZERO`] ends it.
    pub fn delay_requests(&self, delay: Duration) {
        self.set_faults(|faults| faults.request_delay = delay);
    }

    /// Whether requests are accepted and not answered. They are when it ends.
    pub fn hang_requests(&self, hang: bool) {
        self.set_faults(|faults| faults.request_hang = hang);
    }

    /// Whether the TCP connection is cut in place of every answer.
    pub fn drop_requests(&self, drop: bool) {
        self.set_faults(|faults| faults.request_drop = drop);
    }

    /// Get Order answers with the status that the order had this long ago, while the socket is up
    /// to date; [`Duration::ZERO`] ends it, and so does [`freeze_requests`](Self::freeze_requests).
    pub fn lag_requests(&self, lag: Duration) {
        let lag = if lag.is_zero() {
            Lag::None
        } else {
            Lag::By(lag)
        };
        self.set_faults(|faults| faults.lag = lag);
    }

    /// Whether Get Order keeps answering with the status that each order has now.
    pub fn freeze_requests(&self, freeze: bool) {
        let lag = if freeze {
            Lag::Frozen(Instant::now())
        } else {
            Lag::None
        };
        self.set_faults(|faults| faults.lag = lag);
    }

    /// Whether `history` is refused, with this Centrifuge error code: 103 (permission denied) and
    /// 108 (not available) are the usual ones.
    pub fn deny_history(&self, code: Option<u32>) {
        self.set_faults(|faults| faults.history = code);
    }

    /// Forgets every channel's publications, as when Xsolla's server loses its memory: a new epoch,
    /// and offsets start anew. Nothing can be recovered across it.
    ///
    /// As on a Centrifuge server, an open socket is closed with 3010 (insufficient state) by the
    /// first publication that follows, and learns of that publication when it comes back.
    pub fn forget_history(&self) {
        let mut state = self.shared.lock();
        for account in &mut state.accounts {
            account.stream.reset();
        }
    }

    /// How many publications each channel keeps, for `history` and recovery: 100 unless set.
    /// Older ones are dropped at once. A client that has missed more cannot recover.
    pub fn set_history_limit(&self, publications: usize) {
        let mut state = self.shared.lock();
        state.history_limit = publications;
        for account in &mut state.accounts {
            account.stream.trim(publications);
        }
    }

    /// How often sockets are pinged that connect from now on: 25 s unless set.
    ///
    /// The interval is announced in whole seconds, rounded up. A client has a third of the interval
    /// to answer, or its socket is closed with 3012.
    pub fn set_ping_interval(&self, interval: Duration) {
        // Zero would be a busy loop, and a clock ends somewhere.
        let (shortest, longest) = (Duration::from_millis(1), Duration::from_secs(1 << 25));
        self.shared.lock().ping_interval = interval.clamp(shortest, longest);
    }

    fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.lock().faults);
        self.shared.faults_changed();
    }
}
