//! One player: their token's standing, their socket, their open orders.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::machine::input::ConnectionId;
use crate::model::error::{AuthorizationError, RequestError, SocketError};
use crate::model::order::{OrderId, OrderStatus};
use crate::model::state::TrackerState;
use crate::model::user::XsollaUser;

/// How many pieces of news about orders that are not tracked (yet) are kept.
const MAX_EARLY_NEWS: usize = 256;

#[derive(Debug)]
pub(super) struct Player {
    pub(super) authorization: Authorization,
    /// Whether they stay known while none of their orders is open: the logged-in player does, those of
    /// a server come and go with their orders.
    pub(super) is_resident: bool,
    /// Counts the tokens that this player has had.
    pub(super) token: u64,
    /// Which of them the socket was opened with.
    pub(super) connection_token: u64,
    /// Tokens that the socket refused since it took one.
    pub(super) refusals: u32,
    /// Whether the game was told that this token does not serve.
    pub(super) is_token_reported: bool,
    /// When the token expires, by its own word.
    pub(super) token_expires: Option<Duration>,
    pub(super) reading: Reading,
    /// Orders that are being written to the ledger.
    pub(super) recording: BTreeSet<OrderId>,
    /// Orders that were forgotten before the ledger was read.
    pub(super) untracked: BTreeSet<OrderId>,
    /// Orders to be followed once the ledger has been read.
    pub(super) queued: BTreeSet<OrderId>,
    /// Orders that were acknowledged in an earlier run, until it is known whether they were refunded.
    pub(super) checking: BTreeSet<OrderId>,
    /// The orders that are followed.
    pub(super) open: BTreeSet<OrderId>,
    /// Those of them, and of the ones that were given up, that a socket can bring news of.
    pub(super) awaiting: BTreeSet<OrderId>,
    /// Orders that were given up, and are asked for whenever the socket opens.
    pub(super) given_up: BTreeSet<OrderId>,
    /// Purchases that are under way, for which the player stays known.
    pub(super) purchases: u32,
    pub(super) socket: Socket,
    /// Sockets that broke since one held.
    pub(super) failures: u32,
    /// What happened to the last socket; `None` while one is live.
    pub(super) trouble: Option<SocketError>,
    /// Before this moment the server wants no requests (429, 503).
    pub(super) paused_until: Duration,
    /// Requests that keep a distance, in their order.
    pub(super) paced: VecDeque<OrderId>,
    /// When the next of them may be sent.
    pub(super) next_request: Duration,
    /// What happened to the last request; `None` once one was answered.
    pub(super) request_trouble: Option<RequestError>,
    /// Before this moment a socket that is being opened for the first time counts as on its way.
    pub(super) grace_until: Duration,
    /// Whether orders were asked for because there was no socket, since there was one.
    pub(super) is_polling: bool,
    /// The [`severity`] of the state that the machine's own was last made of; 0 is none.
    pub(super) severity: u8,
    early_news: VecDeque<(OrderId, OrderStatus)>,
}

/// Whether the player is logged in, and what the servers say of their token.
#[derive(Debug, PartialEq)]
pub(super) enum Authorization {
    /// They are not logged in.
    Absent,
    Valid(XsollaUser),
    /// Requests are refused, so nothing is asked until there is a new token.
    Refused(XsollaUser, AuthorizationError),
}

/// Whether it is known what an earlier run left in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    NotBegun,
    UnderWay,
    /// Another instance holds the ledger, or may: it is silent. It is read once that one lets go of it.
    Locked,
    Done,
}

impl Reading {
    pub(super) fn is_done(self) -> bool {
        self == Self::Done
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
    /// It broke; a timer opens it again.
    Waiting,
    /// The server does not take the token for a socket; a new token opens it again.
    Refused,
}

impl Player {
    pub(super) fn new() -> Self {
        Self {
            authorization: Authorization::Absent,
            is_resident: false,
            token: 0,
            connection_token: 0,
            refusals: 0,
            is_token_reported: false,
            token_expires: None,
            reading: Reading::NotBegun,
            recording: BTreeSet::new(),
            untracked: BTreeSet::new(),
            queued: BTreeSet::new(),
            checking: BTreeSet::new(),
            open: BTreeSet::new(),
            awaiting: BTreeSet::new(),
            given_up: BTreeSet::new(),
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
            early_news: VecDeque::new(),
        }
    }

    /// Who asks for the player, as long as they are logged in.
    pub(super) fn credentials(&self) -> Option<&XsollaUser> {
        match &self.authorization {
            Authorization::Absent => None,
            Authorization::Valid(user) | Authorization::Refused(user, _) => Some(user),
        }
    }

    /// The same, unless the servers have refused the token.
    pub(super) fn authorized(&self) -> Option<&XsollaUser> {
        match &self.authorization {
            Authorization::Valid(user) => Some(user),
            Authorization::Absent | Authorization::Refused(..) => None,
        }
    }

    /// Takes all orders off their lists.
    pub(super) fn forget_orders(&mut self) {
        for list in [
            &mut self.recording,
            &mut self.untracked,
            &mut self.queued,
            &mut self.checking,
            &mut self.open,
            &mut self.awaiting,
            &mut self.given_up,
        ] {
            list.clear();
        }
        self.paced.clear();
        self.early_news.clear();
    }

    /// Whether anything of theirs keeps them known.
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

    pub(super) fn is_live(&self) -> bool {
        matches!(self.socket, Socket::Live { .. })
    }

    pub(super) fn connection(&self) -> Option<ConnectionId> {
        match self.socket {
            Socket::Opening { connection } | Socket::Live { connection, .. } => Some(connection),
            Socket::Closed | Socket::Waiting | Socket::Refused => None,
        }
    }

    /// Keeps news of an order that nobody tracks. The game may be about to.
    pub(super) fn keep_early_news(&mut self, order_id: OrderId, status: OrderStatus) {
        if self.early_news.len() >= MAX_EARLY_NEWS {
            self.early_news.pop_front();
        }
        self.early_news.push_back((order_id, status));
    }

    /// Takes out what was kept for an order, oldest first.
    pub(super) fn take_early_news(&mut self, order_id: OrderId) -> Vec<OrderStatus> {
        let (taken, kept) = std::mem::take(&mut self.early_news)
            .into_iter()
            .partition::<VecDeque<_>, _>(|(id, _)| *id == order_id);
        self.early_news = kept;
        taken.into_iter().map(|(_, status)| status).collect()
    }

    pub(super) fn clear_early_news(&mut self) {
        self.early_news.clear();
    }

    pub(super) fn state(&self) -> TrackerState {
        let is_on_its_way = !self.queued.is_empty() || !self.recording.is_empty();
        if self.open.is_empty() && !is_on_its_way {
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
        if self.is_live() {
            return TrackerState::Live;
        }
        // Done orders whose items are still unknown need no socket.
        let is_refused = self.socket == Socket::Refused;
        if self.is_polling || is_refused || (self.awaiting.is_empty() && !is_on_its_way) {
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

/// How bad a state is, where several players' states become one.
pub(super) fn severity(state: &TrackerState) -> u8 {
    match state {
        TrackerState::Idle => 0,
        // The state of who is here goes before that of who has left.
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
