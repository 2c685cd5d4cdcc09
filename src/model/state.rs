//! The state of the tracking.

use bevy::prelude::{Reflect, ReflectDefault, ReflectResource, Resource};

use crate::model::config::ConfigError;
use crate::model::error::{AuthorizationError, RequestError, SocketError};

/// The state of the tracking, for an indicator in the game's user interface.
///
/// Every state that hinders tracking carries its reason. With [several
/// users](crate::OrderCommands::track_order_as) this is the worst of their states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Resource, Reflect)]
// Nobody clones the entity of a resource, and a game in a browser would load the code.
#[component(clone_behavior = Ignore)]
#[reflect(no_auto_register, Resource, Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum TrackerState {
    /// No order is open. There is no connection, no request, and no timer.
    #[default]
    Idle,
    /// There is no [`XsollaConfig`](crate::XsollaConfig) yet.
    NoConfig,
    /// The [`XsollaConfig`](crate::XsollaConfig) is invalid. Tracking continues once it is valid.
    InvalidConfig(ConfigError),
    /// Orders wait for their player: there is no [`XsollaUser`](crate::XsollaUser).
    NoUser,
    /// The socket is being opened.
    Connecting,
    /// News comes over the socket.
    Live,
    /// The socket broke or could not be opened, and is being tried again.
    Reconnecting {
        /// The reason that the socket does not work.
        reason: SocketError,
    },
    /// News comes by short-polling. The socket is opened or tried again in the background.
    Polling {
        /// The reason that the socket does not work, or `None` if it is only slow to open.
        reason: Option<SocketError>,
        /// The reason that requests fail, or `None` if they succeed.
        requests: Option<RequestError>,
    },
    /// The player's token was refused or has expired. Their orders wait for a new
    /// [`XsollaUser`](crate::XsollaUser).
    Unauthorized {
        /// The reason that a new token is needed.
        reason: AuthorizationError,
    },
    /// The background task cannot run.
    Failed {
        /// The reason.
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
