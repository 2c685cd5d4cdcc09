//! What passes between the plugin and the game's provider of tokens.

use std::fmt::Display;
use std::time::Duration;

use bevy::prelude::{Event, Message};
use thiserror::Error;

use crate::model::error::AuthorizationError;
use crate::model::user::UserId;

/// What a [`TokenProvider`](crate::TokenProvider) is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenRequest {
    /// The player whose token is needed; `None` for whoever is to be logged in.
    pub user: Option<UserId>,
    /// The reason that a token is needed.
    pub reason: TokenReason,
}

/// The reason that a [`TokenProvider`](crate::TokenProvider) is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenReason {
    /// Nobody is logged in, and an order, a purchase or the game needs a player.
    Absent,
    /// The player's token is about to expire, has expired, or was refused.
    Required(AuthorizationError),
}

/// The reason that a [`TokenProvider`](crate::TokenProvider) gives no token. It is logged, so it must not contain a
/// secret. What looks like a token is taken out of it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{reason}")]
#[non_exhaustive]
pub struct TokenFailure {
    /// The reason, for the developer.
    pub reason: String,
    /// Whether the player has to log in again. The provider is not asked again until they have, and
    /// [`LoginRequired`] is sent.
    pub needs_login: bool,
    /// The time to wait before the provider is asked again, if it is longer than the plugin would wait. Five minutes are
    /// the longest.
    pub retry_after: Option<Duration>,
}

impl TokenFailure {
    /// A failure that may pass: the provider is asked again, after a delay that grows.
    pub fn new(reason: impl Display) -> Self {
        Self {
            reason: reason.to_string(),
            needs_login: false,
            retry_after: None,
        }
    }

    /// There is no token until the player logs in again.
    pub fn log_in_again(reason: impl Display) -> Self {
        Self {
            needs_login: true,
            ..Self::new(reason)
        }
    }

    /// Has the plugin wait for at least this long.
    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }
}

/// The [`TokenProvider`](crate::TokenProvider) has no token for a player who is needed: ask the player to log in, and
/// insert the new [`XsollaUser`](crate::XsollaUser). The player's orders wait for it. It is sent once, and the provider
/// is not asked again before that.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct LoginRequired {
    /// The player whose token is needed; `None` if nobody is logged in.
    pub user: Option<UserId>,
    /// The provider's reason.
    pub failure: TokenFailure,
}
