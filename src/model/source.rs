//! Where the news of orders comes from.

use crate::model::message::NewsSource;

/// Where the news of a player's orders comes from. Whatever the source says, what was bought is read from Get Order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderSource {
    /// The order-status socket, as Xsolla's documentation shows. It tells of each status at once.
    #[default]
    Socket,
    /// The queue of events that Xsolla keeps for each player (Event API). It keeps what was paid until a game has
    /// processed it, so a purchase in the Web Shop reaches a game that was not running, and a new installation.
    ///
    /// Xsolla switches it on for a project, which has no webhooks then. It is read every
    /// [`poll_interval`](crate::XsollaConfig::poll_interval) while an order is open, every
    /// [`poll_interval_max`](crate::XsollaConfig::poll_interval_max) while a logged-in player has none, and at once when
    /// the player returns. An event is processed once the [ledger](crate::Ledger) has the game's acknowledgement. Events
    /// of other projects, and of orders that the game neither tracks nor adopts, stay in the queue.
    #[cfg(feature = "event_queue")]
    EventQueue,
}

impl OrderSource {
    /// What the game is told of the way by which news came.
    pub(crate) fn news_source(self) -> NewsSource {
        match self {
            Self::Socket => NewsSource::Socket,
            #[cfg(feature = "event_queue")]
            Self::EventQueue => NewsSource::EventQueue,
        }
    }

    pub(crate) fn is_event_queue(self) -> bool {
        match self {
            Self::Socket => false,
            #[cfg(feature = "event_queue")]
            Self::EventQueue => true,
        }
    }
}
