//! What the emulator has seen, for tests to assert on.

use std::collections::HashMap;
use std::fmt;

use super::XsollaEmulator;
use crate::model::order::OrderId;
use crate::model::user::XsollaUser;

#[derive(Default)]
pub(super) struct Counters {
    pub(super) sockets_opened: usize,
    pub(super) connects: Vec<Connect>,
    pub(super) order_requests: HashMap<u64, usize>,
    pub(super) history_requests: usize,
    pub(super) recoveries: usize,
    pub(super) closes: Vec<u16>,
}

/// A `connect` that reached the emulator.
#[derive(Clone)]
pub struct Connect {
    pub(super) user: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) project_id: Option<u64>,
    pub(super) is_accepted: bool,
    pub(super) is_recovering: bool,
    pub(super) token: String,
}

impl Connect {
    /// The name of the player whose token it was; `None` for a token that is not accepted.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The `user_external_id` it named.
    pub fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// The `project_id` it named.
    pub fn project_id(&self) -> Option<u64> {
        self.project_id
    }

    /// Whether it was answered with a connection.
    pub fn is_accepted(&self) -> bool {
        self.is_accepted
    }

    /// Whether it asked to recover what it had missed.
    pub fn is_recovering(&self) -> bool {
        self.is_recovering
    }

    /// Whether its token was the one that this user carries: not an earlier or a later one.
    pub fn has_token_of(&self, user: &XsollaUser) -> bool {
        self.token == user.token()
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("user", &self.user)
            .field("external_id", &self.external_id)
            .field("project_id", &self.project_id)
            .field("is_accepted", &self.is_accepted)
            .field("is_recovering", &self.is_recovering)
            .finish_non_exhaustive()
    }
}

/// # Counters
///
/// All count from the start.
impl XsollaEmulator {
    /// How many sockets are open now.
    pub fn open_sockets(&self) -> usize {
        let state = self.shared.lock();
        state.sockets.values().filter(|s| s.is_open()).count()
    }

    /// How many sockets were opened.
    pub fn sockets_opened(&self) -> usize {
        self.shared.lock().counters.sockets_opened
    }

    /// Every `connect`, the oldest first, whether or not it was accepted.
    pub fn connects(&self) -> Vec<Connect> {
        self.shared.lock().counters.connects.clone()
    }

    /// How many Get Order requests came, for whatever order and with whatever outcome. They count
    /// when they come in, so the ones that hang count too.
    pub fn order_requests(&self) -> usize {
        self.shared.lock().counters.order_requests.values().sum()
    }

    /// How many Get Order requests came for this order.
    pub fn order_requests_for(&self, order_id: OrderId) -> usize {
        let state = self.shared.lock();
        let requests = state.counters.order_requests.get(&order_id.0);
        requests.copied().unwrap_or_default()
    }

    /// How many times `history` was asked for, whether or not it was granted.
    pub fn history_requests(&self) -> usize {
        self.shared.lock().counters.history_requests
    }

    /// How many reconnects were given what they had missed.
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
