//! Counters that the task keeps for [`XsollaDiagnosticsPlugin`](crate::XsollaDiagnosticsPlugin). They are
//! plain atomics, cheap enough to be kept without the plugin, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::machine::output::Call;

#[derive(Debug, Default)]
pub(crate) struct Counters {
    sockets: AtomicU64,
    reconnects: AtomicU64,
    requests: AtomicU64,
}

/// The values of the counters at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The number of sockets that are subscribed now.
    pub(crate) sockets: u64,
    /// The number of times that a socket was reopened.
    pub(crate) reconnects: u64,
    /// The number of Get Order requests that were sent.
    pub(crate) requests: u64,
}

impl Counters {
    pub(super) fn request_sent(&self, call: &Call) {
        if let Call::GetOrder(_) = call {
            self.requests.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn socket_opened_again(&self) {
        self.reconnects.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            sockets: self.sockets.load(Relaxed),
            reconnects: self.reconnects.load(Relaxed),
            requests: self.requests.load(Relaxed),
        }
    }
}

/// Counts a subscribed socket until it is dropped.
#[derive(Debug)]
pub(super) struct UpSocket(Arc<Counters>);

impl UpSocket {
    pub(super) fn new(counters: &Arc<Counters>) -> Self {
        counters.sockets.fetch_add(1, Relaxed);
        Self(counters.clone())
    }
}

impl Drop for UpSocket {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_up_for_as_long_as_it_is_kept() {
        let counters = Arc::new(Counters::default());
        let (a, b) = (UpSocket::new(&counters), UpSocket::new(&counters));
        assert_eq!(counters.counts().sockets, 2);
        drop((a, b));
        assert_eq!(counters.counts().sockets, 0);
    }
}
