//! Counts of what has reached the servers since the start, for tests to assert on.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::order::OrderId;
use crate::model::user::XsollaUser;

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) connects: Vec<Connect>,
    pub(crate) handshakes: usize,
    pub(crate) order_requests: HashMap<OrderId, usize>,
    pub(crate) consume_requests: usize,
    pub(crate) history_requests: usize,
    pub(crate) event_requests: usize,
    pub(crate) recoveries: usize,
    /// The codes of the close frames that were sent.
    pub(crate) closes: Vec<u16>,
}

/// A `connect` that reached the emulator.
#[derive(Clone)]
pub struct Connect {
    pub(crate) user: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) project_id: Option<u64>,
    pub(crate) is_accepted: bool,
    pub(crate) is_recovering: bool,
    pub(crate) token: TokenHash,
}

/// What remains of a token. Every `connect` is remembered, and tokens are long.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TokenHash(u64);

impl TokenHash {
    pub(crate) fn of(token: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        token.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Connect {
    /// The name of the player to whom the token belongs; `None` for a token that is not accepted.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The `user_external_id` that it named.
    pub fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// The `project_id` that it named.
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

    /// Whether its token was the very one that this user carries, and not an earlier or a later one.
    pub fn has_token_of(&self, user: &XsollaUser) -> bool {
        self.token == TokenHash::of(user.token())
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
