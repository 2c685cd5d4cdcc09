//! Faults: a test switches them on and off.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::emulator::XsollaEmulator;
use crate::emulator::world::faults::{Fault, Faults, Lag};
use crate::emulator::world::sockets::Close;

/// # Faults
///
/// Each lasts until it is switched off, and [`heal`](Self::heal) switches off all.
impl XsollaEmulator {
    /// Switches off every fault. What has happened stays: closed sockets, forgotten history, revoked
    /// tokens, [bodies of orders](Self::set_order_body).
    pub fn heal(&self) {
        self.set_faults(|faults| *faults = Faults::default());
    }

    /// Cuts the TCP connection of every socket without a close frame, as a pulled cable does.
    pub fn drop_sockets(&self) {
        // Removing a socket from the registry cuts its connection.
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
        let close = Close {
            code,
            reason: Cow::Owned(reason.to_owned()),
        };
        for socket in self.shared.lock().sockets.iter_mut() {
            socket.close(close.clone());
        }
    }

    /// Refuses new sockets with HTTP status 503 while it is on. Open ones stay open.
    pub fn refuse_sockets(&self, refuse: bool) {
        self.set_faults(|faults| faults.socket_refuse = refuse);
    }

    /// Accepts sockets and requests from pages of these origins alone, such as `http://127.0.0.1:8080`; `None` ends
    /// it. Others get HTTP status 403, and no permission to read it. Open sockets stay open. What no page sends has no
    /// origin, and is accepted: a game on a desktop, for example. The payment page is open to all.
    pub fn allow_origins(&self, origins: Option<&[&str]>) {
        let origins = origins.map(|origins| origins.iter().copied().map(str::to_owned).collect());
        self.set_faults(|faults| faults.allowed_origins = origins);
    }

    /// Lets new sockets hang before they are open while it is on: the TCP connection is accepted, and the
    /// WebSocket handshake is answered when the fault ends.
    pub fn hang_handshakes(&self, hang: bool) {
        self.set_faults(|faults| faults.handshake_hang = hang);
    }

    /// Gives no channel to sockets that connect while it is on, so that they hear of nothing. They are
    /// subscribed when the fault ends.
    pub fn withhold_channels(&self, withhold: bool) {
        self.set_faults(|faults| faults.channel_withhold = withhold);
    }

    /// Refuses every `connect` with this code and text; `None` ends it.
    ///
    /// A code below 3000 is an error reply, such as `(101, "unauthorized")` or the temporary
    /// `(100, "internal server error")`, after which the client has five seconds to close the socket;
    /// from 3000 it is the code that the socket is closed with, such as `(3500, "invalid token")`.
    pub fn refuse_connect(&self, refusal: Option<(u32, &str)>) {
        let refusal = refusal.map(|(code, message)| (code, message.to_owned()));
        self.set_faults(|faults| faults.connect_refusal = refusal);
    }

    /// Keeps old and new sockets silent while it is on: they send neither answers nor publications nor pings.
    /// All that was held back happens when the fault ends.
    pub fn hang_sockets(&self, hang: bool) {
        self.set_faults(|faults| faults.socket_hang = hang);
    }

    /// Lets requests fail in this way; `None` ends it. It does not concern the socket.
    ///
    /// ```
    /// # use bevy_xsolla::emulator::{Fault, XsollaEmulator};
    /// # let emulator = XsollaEmulator::start();
    /// emulator.fail_requests(Fault::status(503).times(2));
    /// emulator.fail_requests(None);
    /// ```
    pub fn fail_requests(&self, fault: impl Into<Option<Fault>>) {
        let fault = fault.into();
        self.set_faults(|faults| faults.request_fail = fault);
    }

    /// Answers requests with status 200 and a body that breaks off in the middle of the JSON while it is on.
    pub fn garble_requests(&self, garble: bool) {
        self.set_faults(|faults| faults.request_garble = garble);
    }

    /// Delays every answer by this much; [`Duration::ZERO`] ends it.
    pub fn delay_requests(&self, delay: Duration) {
        self.set_faults(|faults| faults.request_delay = delay);
    }

    /// Accepts requests while it is on, and answers them when the fault ends.
    pub fn hang_requests(&self, hang: bool) {
        self.set_faults(|faults| faults.request_hang = hang);
    }

    /// Cuts the TCP connection in place of every answer while it is on.
    pub fn drop_requests(&self, drop: bool) {
        self.set_faults(|faults| faults.request_drop = drop);
    }

    /// Carries out requests that change something, which are those by `POST`, and cuts the TCP connection in place of
    /// their answers while it is on. Other requests are answered.
    pub fn lose_answers(&self, lose: bool) {
        self.set_faults(|faults| faults.answer_loss = lose);
    }

    /// Lets Get Order answer with the status that the order had this long ago, while the socket is up
    /// to date; [`Duration::ZERO`] ends it, and so does [`freeze_requests`](Self::freeze_requests).
    pub fn lag_requests(&self, lag: Duration) {
        let lag = if lag.is_zero() {
            Lag::None
        } else {
            Lag::By(lag)
        };
        self.set_faults(|faults| faults.lag = lag);
    }

    /// Lets Get Order answer with the status that each order has now, while it is on.
    pub fn freeze_requests(&self, freeze: bool) {
        let lag = if freeze {
            Lag::FrozenAt(Instant::now())
        } else {
            Lag::None
        };
        self.set_faults(|faults| faults.lag = lag);
    }

    /// Refuses `history` with this Centrifuge error code; `None` ends it. 103 (permission denied) and 108 (not
    /// available) are the usual ones.
    pub fn deny_history(&self, code: Option<u32>) {
        self.set_faults(|faults| faults.history_refusal = code);
    }

    /// Lets webhooks wait while it is on, retries among them. Those of the payment page and those that a test fires are
    /// sent.
    pub fn hold_webhooks(&self, hold: bool) {
        self.set_faults(|faults| faults.webhooks.hold = hold);
    }

    /// Lets every second webhook overtake the one before it while it is on: one waits until there is another, and is
    /// sent after it. When the fault ends, the one that waits is sent. Webhooks of the payment page and those that a
    /// test fires are not concerned.
    pub fn reorder_webhooks(&self, reorder: bool) {
        self.set_faults(|faults| faults.webhooks.reorder = reorder);
    }

    /// Sends each attempt a second time while it is on, whatever the first was answered; `user_validation` excepted.
    /// Answers to duplicates change nothing.
    pub fn duplicate_webhooks(&self, duplicate: bool) {
        self.set_faults(|faults| faults.webhooks.duplicate = duplicate);
    }

    /// Sends webhooks with wrong signatures while it is on. A refusal counts as that of any other webhook: it is not
    /// sent again, and [automatic refunds](Self::refund_automatically) give the money back.
    pub fn sign_webhooks_wrongly(&self, wrongly: bool) {
        self.set_faults(|faults| faults.webhooks.sign_wrongly = wrongly);
    }

    /// Cuts the connection of each webhook in the middle of the body while it is on.
    pub fn cut_webhooks(&self, cut: bool) {
        self.set_faults(|faults| faults.webhooks.cut = cut);
    }

    /// Sends the bodies of webhooks in pieces, and takes this long for each body; [`Duration::ZERO`] ends it. The
    /// answer may take that much longer.
    pub fn slow_webhooks(&self, slowness: Duration) {
        self.set_faults(|faults| faults.webhooks.slowness = slowness);
    }

    /// Forgets every channel's publications, as a server of Xsolla's does that loses its memory: the epoch is
    /// another, and offsets start anew. Nothing can be recovered across it.
    ///
    /// As on a Centrifuge server, an open socket is closed with 3010 (insufficient state) by the
    /// first publication that follows, and learns of that publication when it comes back.
    pub fn forget_history(&self) {
        for account in self.shared.lock().accounts.iter_mut() {
            account.stream.reset();
        }
    }

    /// Sets how many publications each channel keeps for `history` and recovery, which is 100 at the start.
    /// Older ones are dropped at once. A client that has missed more cannot recover.
    pub fn set_history_limit(&self, publications: usize) {
        self.shared.lock().set_history_limit(publications);
    }

    /// Sets the ping interval of sockets that connect from now on, which is 25 s at the start.
    ///
    /// The interval is announced in whole seconds, rounded up. A client has a third of the interval
    /// to answer, or its socket is closed with 3012.
    pub fn set_ping_interval(&self, interval: Duration) {
        // Zero would be a busy loop, and adding too much to a clock overflows.
        let (shortest, longest) = (Duration::from_millis(1), Duration::from_secs(1 << 25));
        self.shared.lock().settings.ping_interval = interval.clamp(shortest, longest);
    }

    pub(super) fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        self.shared.lock().set_faults(change);
    }
}
