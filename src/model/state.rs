//! How tracking is doing.

use bevy::prelude::{Reflect, ReflectDefault, ReflectResource, Resource};

use crate::model::config::ConfigError;
use crate::model::error::{AuthorizationError, SocketError};
use crate::model::ledger::LedgerError;

/// How tracking is doing, for a connection light or a line of text.
///
/// Every state that is not as it should be carries its reason. With
/// [many users](crate::OrderCommands::track_order_as) it is the worst of theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Resource, Reflect)]
#[reflect(Resource, Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum TrackerState {
    /// No order is open: no connection, no request, no timer.
    #[default]
    Idle,
    /// There is no [`XsollaConfig`](crate::XsollaConfig) yet.
    NoConfig,
    /// The [`XsollaConfig`](crate::XsollaConfig) cannot be used. What was tracked goes on once it can.
    InvalidConfig(ConfigError),
    /// Orders wait for their player: there is no [`XsollaUser`](crate::XsollaUser).
    NoUser,
    /// The socket is being opened.
    Connecting,
    /// News comes over the socket.
    Live,
    /// The socket broke or could not be opened, and is being tried again.
    Reconnecting {
        /// What happened to it.
        reason: SocketError,
    },
    /// News comes by short-polling, while the socket is tried again in the background.
    Polling {
        /// What keeps the socket from working; `None` where it is slow to open, nothing more.
        reason: Option<SocketError>,
    },
    /// The player's token is refused or expired. Their orders wait for a new
    /// [`XsollaUser`](crate::XsollaUser).
    Unauthorized {
        /// What the servers said.
        reason: AuthorizationError,
    },
    /// Orders are not, or not all, kept while the game is not running. Tracking goes on.
    LedgerTrouble {
        /// What is wrong with the ledger.
        reason: LedgerError,
        /// How tracking is doing otherwise. (Reflection shows it in `Debug` only.)
        // Bevy does not reflect a `Box`.
        #[reflect(ignore)]
        state: Box<TrackerState>,
    },
    /// The background task cannot run.
    Failed {
        /// Why.
        reason: String,
    },
}

impl TrackerState {
    /// How tracking is doing, whatever [may be wrong with the ledger](Self::LedgerTrouble).
    pub fn tracking(&self) -> &Self {
        match self {
            Self::LedgerTrouble { state, .. } => state,
            state => state,
        }
    }

    /// What is wrong with the ledger, if anything is.
    pub fn ledger_error(&self) -> Option<&LedgerError> {
        match self {
            Self::LedgerTrouble { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// Whether news comes over the socket.
    pub fn is_live(&self) -> bool {
        matches!(self.tracking(), Self::Live)
    }

    /// Whether news comes by short-polling.
    pub fn is_polling(&self) -> bool {
        matches!(self.tracking(), Self::Polling { .. })
    }
}
