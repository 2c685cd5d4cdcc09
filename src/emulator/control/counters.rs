//! Counts of what has reached the emulator.

use super::emulator::XsollaEmulator;
use crate::emulator::world::counters::Connect;
use crate::model::order::OrderId;

/// # Counters
///
/// All of them count from the start of the emulator.
impl XsollaEmulator {
    /// The number of sockets that are open now.
    pub fn open_sockets(&self) -> usize {
        self.shared.lock().sockets.count_open()
    }

    /// The number of requests for a socket that came, with whatever outcome. They count when they come in, so the
    /// ones that hang count too.
    pub fn handshakes(&self) -> usize {
        self.shared.lock().counters.handshakes
    }

    /// The number of sockets that were opened.
    pub fn sockets_opened(&self) -> usize {
        self.shared.lock().sockets.opened()
    }

    /// Every `connect`, the oldest first, whether or not it was accepted.
    pub fn connects(&self) -> Vec<Connect> {
        self.shared.lock().counters.connects.clone()
    }

    /// The number of Get Order requests that came, for whatever order and with whatever outcome. They count
    /// when they come in, so the ones that hang count too.
    pub fn order_requests(&self) -> usize {
        self.shared.lock().counters.order_requests.values().sum()
    }

    /// The number of Get Order requests that came for this order.
    pub fn order_requests_for(&self, order_id: OrderId) -> usize {
        let state = self.shared.lock();
        let requests = state.counters.order_requests.get(&order_id);
        requests.copied().unwrap_or_default()
    }

    /// The number of requests to use an item up that came, with whatever outcome.
    pub fn consume_requests(&self) -> usize {
        self.shared.lock().counters.consume_requests
    }

    /// The number of times that `history` was asked for, whether or not it was granted.
    pub fn history_requests(&self) -> usize {
        self.shared.lock().counters.history_requests
    }

    /// The number of requests for the events of a queue that were answered.
    pub fn event_requests(&self) -> usize {
        self.shared.lock().counters.event_requests
    }

    /// The number of reconnects that were given what they had missed.
    pub fn recoveries(&self) -> usize {
        self.shared.lock().counters.recoveries
    }

    /// The code of every close frame that the emulator sent of itself or by
    /// [`close_sockets`](Self::close_sockets), the oldest first. A well-behaved client earns no 3501
    /// (bad request) and no 3012 (no pong).
    pub fn closes(&self) -> Vec<u16> {
        self.shared.lock().counters.closes.clone()
    }
}
