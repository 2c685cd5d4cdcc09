//! How tracking is doing.

use bevy::prelude::{Reflect, ReflectDefault, ReflectResource, Resource};

use crate::model::config::ConfigError;
use crate::model::error::{AuthorizationError, RequestError, SocketError};

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
        /// What keeps the requests from being answered; `None` where nothing does.
        requests: Option<RequestError>,
    },
    /// The player's token is refused or expired. Their orders wait for a new
    /// [`XsollaUser`](crate::XsollaUser).
    Unauthorized {
        /// What the servers said.
        reason: AuthorizationError,
    },
    /// The background task cannot run.
    Failed {
        /// Why.
        reason: String,
    },
}

impl TrackerState {
    /// Whether news comes over the socket.
    pub fn is_live(&self) -> bool {
        *self == Self::Live
    }

    /// Whether news comes by short-polling.
    pub fn is_polling(&self) -> bool {
        matches!(self, Self::Polling { .. })
    }
}
