//! The state of one player: their token, their socket and their orders.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::maps::HashSet;

use crate::machine::early_news::{EarlyNews, Past};
use crate::machine::input::ConnectionId;
use crate::model::error::{AuthorizationError, RequestError, SocketError};
use crate::model::order::OrderId;
use crate::model::state::TrackerState;
use crate::model::user::XsollaUser;

#[derive(Debug)]
pub(super) struct Player {
    pub(super) authorization: Authorization,
    /// Whether the player stays known while none of their orders is open. The logged-in player does; a player
    /// of a server is forgotten with their last order.
    pub(super) is_resident: bool,
    /// The number of tokens that this player has had.
    pub(super) token: u32,
    /// The number of the token that the socket was opened with.
    pub(super) connection_token: u32,
    /// The number of tokens that the socket refused since it accepted one.
    pub(super) refusals: u32,
    /// Whether the game was told that this token needs to be replaced.
    pub(super) is_token_reported: bool,
    /// The time at which the token expires, as the token itself states it.
    pub(super) token_expires: Option<Duration>,
    pub(super) reading: Reading,
    /// Orders that are being written to the ledger.
    pub(super) recording: HashSet<OrderId>,
    /// Orders to be followed once the ledger has been read.
    pub(super) queued: HashSet<OrderId>,
    /// Orders that were acknowledged in an earlier run, until it is known whether they were refunded.
    pub(super) checking: HashSet<OrderId>,
    /// The orders that are followed.
    pub(super) open: HashSet<OrderId>,
    /// Orders, followed or given up, for which a socket can bring news.
    pub(super) awaiting: HashSet<OrderId>,
    /// Orders that were given up, and are asked for whenever the socket opens.
    pub(super) given_up: HashSet<OrderId>,
    /// The number of purchases that are under way. The player stays known for them.
    pub(super) purchases: u32,
    pub(super) socket: Socket,
    /// The number of sockets that failed since a stable one.
    pub(super) failures: u32,
    /// The reason why the last socket ended; `None` while one is live.
    pub(super) trouble: Option<SocketError>,
    /// Until this time the server wants no requests (429, 503).
    pub(super) paused_until: Duration,
    /// Orders whose paced requests wait for their turn.
    pub(super) paced: VecDeque<OrderId>,
    /// The time from which the next paced request may be sent.
    pub(super) next_request: Duration,
    /// The error of the last request; `None` once one was answered.
    pub(super) request_trouble: Option<RequestError>,
    /// Until this time a socket that is being opened for the first time does not count as missing.
    pub(super) grace_until: Duration,
    /// Whether orders were asked for since the last live socket because there was no socket.
    pub(super) is_polling: bool,
    /// The [`severity`] of this player's entry in `Machine::standings`; 0 if there may be none.
    pub(super) severity: u8,
    /// News of orders that are not tracked.
    pub(super) early_news: EarlyNews,
    pub(super) past: Past,
    /// Whether the player has a socket while none of their orders is open.
    pub(super) listens: bool,
}

/// Whether the player is logged in, and whether the servers accept their token.
#[derive(Debug, PartialEq)]
pub(super) enum Authorization {
    /// The player is not logged in.
    Absent,
    Valid(XsollaUser),
    /// Requests are refused, so nothing is asked until there is a new token.
    Refused(XsollaUser, AuthorizationError),
}

/// Whether the player's orders have been read from the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    NotBegun,
    UnderWay,
    /// Another instance holds the ledger, or the ledger is silent and may be held. It is read once it is
    /// released.
    Locked,
    /// It could not be read for too long. Tracking goes on without it, until it is read after all.
    Failed,
    Done,
}

impl Reading {
    /// Whether tracking waits no longer for the ledger.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    Closed,
    Opening {
        connection: ConnectionId,
    },
    Live {
        connection: ConnectionId,
        since: Duration,
    },
    /// The socket broke. A timer reopens it.
    Waiting,
    /// The server does not accept the token for a socket. A new token reopens it.
    Refused,
}

impl Player {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            authorization: Authorization::Absent,
            is_resident: false,
            token: 0,
            connection_token: 0,
            refusals: 0,
            is_token_reported: false,
            token_expires: None,
            reading: Reading::NotBegun,
            recording: HashSet::default(),
            queued: HashSet::default(),
            checking: HashSet::default(),
            open: HashSet::default(),
            awaiting: HashSet::default(),
            given_up: HashSet::default(),
            purchases: 0,
            socket: Socket::Closed,
            failures: 0,
            trouble: None,
            paused_until: Duration::ZERO,
            paced: VecDeque::new(),
            next_request: Duration::ZERO,
            request_trouble: None,
            grace_until: Duration::ZERO,
            is_polling: false,
            severity: 0,
            early_news: EarlyNews::default(),
            past: Past::default(),
            listens: false,
        })
    }

    /// The player's credentials; `None` if they are not logged in.
    pub(super) fn credentials(&self) -> Option<&XsollaUser> {
        match &self.authorization {
            Authorization::Absent => None,
            Authorization::Valid(user) | Authorization::Refused(user, _) => Some(user),
        }
    }

    /// The player's credentials; `None` if they are not logged in or the servers have refused the token.
    pub(super) fn authorized(&self) -> Option<&XsollaUser> {
        match &self.authorization {
            Authorization::Valid(user) => Some(user),
            Authorization::Absent | Authorization::Refused(..) => None,
        }
    }

    /// Clears all lists of orders.
    pub(super) fn forget_orders(&mut self) {
        for list in [
            &mut self.recording,
            &mut self.queued,
            &mut self.checking,
            &mut self.open,
            &mut self.awaiting,
            &mut self.given_up,
        ] {
            list.clear();
        }
        self.paced.clear();
        self.early_news = EarlyNews::default();
        self.past = Past::default();
    }

    /// Whether nothing keeps the player known.
    pub(super) fn is_unused(&self) -> bool {
        !self.is_resident
            && self.reading != Reading::UnderWay
            && self.purchases == 0
            && self.open.is_empty()
            && self.awaiting.is_empty()
            && self.recording.is_empty()
            && self.queued.is_empty()
            && self.checking.is_empty()
    }

    pub(super) fn needs_no_socket(&self) -> bool {
        self.awaiting.is_empty() && !self.listens
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.socket, Socket::Live { .. })
    }

    pub(super) fn connection(&self) -> Option<ConnectionId> {
        match self.socket {
            Socket::Opening { connection } | Socket::Live { connection, .. } => Some(connection),
            Socket::Closed | Socket::Waiting | Socket::Refused => None,
        }
    }

    pub(super) fn state(&self) -> TrackerState {
        let is_on_its_way = !self.queued.is_empty() || !self.recording.is_empty();
        let is_unneeded = self.open.is_empty() && !is_on_its_way;
        if is_unneeded && !self.listens {
            return TrackerState::Idle;
        }
        match &self.authorization {
            Authorization::Absent => return TrackerState::NoUser,
            Authorization::Refused(_, reason) => {
                return TrackerState::Unauthorized {
                    reason: reason.clone(),
                };
            }
            Authorization::Valid(_) => {}
        }
        // Done orders whose items are still unknown need no socket.
        let is_refused = self.socket == Socket::Refused;
        let needs_requests = self.awaiting.is_empty() && !is_on_its_way;
        let is_in_trouble = self.request_trouble.is_some();
        if self.is_live() && (is_unneeded || !needs_requests || !is_in_trouble) {
            return TrackerState::Live;
        }
        if !is_unneeded && (self.is_polling || is_refused || needs_requests || is_in_trouble) {
            return TrackerState::Polling {
                reason: self.trouble.clone(),
                requests: self.request_trouble.clone(),
            };
        }
        match &self.trouble {
            Some(reason) => TrackerState::Reconnecting {
                reason: reason.clone(),
            },
            None => TrackerState::Connecting,
        }
    }
}

/// Ranks a state, so that the worst of the players' states becomes the state of the machine.
pub(super) fn severity(state: &TrackerState) -> u8 {
    match state {
        TrackerState::Idle => 0,
        // The state of a player who is logged in outranks that of one who has left.
        TrackerState::NoUser => 1,
        TrackerState::Live => 2,
        TrackerState::Connecting => 3,
        TrackerState::Reconnecting { .. } => 4,
        TrackerState::Polling { .. } => 5,
        TrackerState::Unauthorized { .. } => 6,
        TrackerState::NoConfig | TrackerState::InvalidConfig(_) => 7,
        TrackerState::Failed { .. } => 8,
    }
}
