//! The faults that a test can switch on.

use std::time::{Duration, Instant};

/// A failure of requests, for [`fail_requests`](crate::emulator::XsollaEmulator::fail_requests).
///
/// ```
/// # use bevy_xsolla::emulator::Fault;
/// # use std::time::Duration;
/// let busy = Fault::status(429).retry_after(Duration::from_secs(2)).times(3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(crate) status: u16,
    pub(crate) code: Option<u32>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) times: Option<usize>,
    pub(crate) changes_only: bool,
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
            changes_only: false,
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

    /// Only requests that change something fail, which are those by `POST`. They have no effect.
    #[must_use]
    pub fn changes_only(mut self) -> Self {
        self.changes_only = true;
        self
    }
}

/// The delay with which Get Order sees the statuses of orders.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Lag {
    #[default]
    None,
    FrozenAt(Instant),
    By(Duration),
}

impl Lag {
    /// The moment whose statuses Get Order sees; `None` is a moment before every other.
    pub(crate) fn seen_at(self) -> Option<Instant> {
        let now = Instant::now();
        match self {
            Self::None => Some(now),
            Self::FrozenAt(at) => Some(at),
            Self::By(lag) => now.checked_sub(lag),
        }
    }
}

#[derive(Default)]
pub(crate) struct Faults {
    pub(crate) request_fail: Option<Fault>,
    pub(crate) request_delay: Duration,
    pub(crate) request_hang: bool,
    pub(crate) request_garble: bool,
    pub(crate) request_drop: bool,
    /// Whether the answers of requests that change something are lost.
    pub(crate) answer_loss: bool,
    pub(crate) lag: Lag,
    /// The origins whose pages may reach the servers; `None` stands for any.
    pub(crate) allowed_origins: Option<Vec<String>>,
    pub(crate) socket_refuse: bool,
    pub(crate) socket_hang: bool,
    pub(crate) handshake_hang: bool,
    pub(crate) channel_withhold: bool,
    /// The code and the text that every `connect` is refused with.
    pub(crate) connect_refusal: Option<(u32, String)>,
    /// The code of the error that `history` is refused with.
    pub(crate) history_refusal: Option<u32>,
    pub(crate) webhooks: WebhookFaults,
    pub(crate) events: EventFaults,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct EventFaults {
    pub(crate) duplicate: bool,
    pub(crate) reorder: bool,
    /// Whether events that were processed are still in the queue.
    pub(crate) repeat: bool,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct WebhookFaults {
    pub(crate) hold: bool,
    pub(crate) reorder: bool,
    pub(crate) duplicate: bool,
    pub(crate) sign_wrongly: bool,
    pub(crate) cut: bool,
    /// The time that the body takes to be sent.
    pub(crate) slowness: Duration,
}

impl Faults {
    /// Returns the failure of the next request, if it fails, and counts it. `changes` says whether the request is one
    /// that changes something.
    pub(crate) fn take_request_fault(&mut self, changes: bool) -> Option<Fault> {
        let fault = self.request_fail.as_mut();
        let fault = fault.filter(|fault| changes || !fault.changes_only)?;
        match &mut fault.times {
            Some(0) => {
                self.request_fail = None;
                return None;
            }
            Some(times) => *times -= 1,
            None => {}
        }
        Some(fault.clone())
    }
}
