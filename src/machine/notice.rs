//! What the tracker tells the game's side.

use crate::model::catalog::CatalogItem;
use crate::model::error::{AuthorizationError, RequestError, TrackingError};
use crate::model::ledger::{Entry, LedgerError};
use crate::model::message::NewsSource;
use crate::model::order::{OrderId, OrderItem, OrderStatus, Price};
use crate::model::purchase::{PaymentPageError, Purchase, PurchaseError};
use crate::model::state::TrackerState;
use crate::model::user::UserId;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notice {
    Store(Box<StoreNotice>),
    State(TrackerState),
    /// What is wrong with the ledger, or that nothing is.
    Ledger(Option<LedgerError>),
    /// An earlier run followed this order.
    Restored {
        order_id: OrderId,
        user: UserId,
        /// What it told the game of it.
        entry: Entry,
    },
    /// An acknowledgement is in the ledger.
    Acknowledged {
        order_id: OrderId,
    },
    Status {
        order_id: OrderId,
        previous: Option<OrderStatus>,
        status: OrderStatus,
        source: NewsSource,
    },
    /// An order was forgotten at the game's word: what came before this is of its life before.
    Untracked {
        order_id: OrderId,
    },
    /// An order is not followed any more, at the player's wish.
    Abandoned {
        order_id: OrderId,
    },
    /// What the order is for is known.
    Details {
        order_id: OrderId,
        items: Vec<OrderItem>,
        price: Option<Price>,
    },
    Done {
        order_id: OrderId,
        user: UserId,
        items: Vec<OrderItem>,
        price: Option<Price>,
    },
    Canceled {
        order_id: OrderId,
        user: UserId,
        was_done: bool,
        items: Vec<OrderItem>,
    },
    Expired {
        order_id: OrderId,
        user: UserId,
    },
    Failed {
        order_id: OrderId,
        user: UserId,
        error: TrackingError,
    },
    AuthorizationRequired {
        user: UserId,
        error: AuthorizationError,
    },
}

impl Notice {
    /// Whose it is, where it says so.
    pub(crate) fn user(&self) -> Option<&UserId> {
        match self {
            Self::Restored { user, .. }
            | Self::Done { user, .. }
            | Self::Canceled { user, .. }
            | Self::Expired { user, .. }
            | Self::Failed { user, .. } => Some(user),
            Self::Store(notice) => notice.user(),
            _ => None,
        }
    }

    /// The order that this tells the end of.
    pub(crate) fn ended(&self) -> Option<OrderId> {
        match self {
            Self::Done { order_id, .. }
            | Self::Canceled { order_id, .. }
            | Self::Expired { order_id, .. } => Some(*order_id),
            _ => None,
        }
    }

    /// Whether it goes before what is for the user interface alone, when there is more than a frame
    /// can take.
    pub(crate) fn is_urgent(&self) -> bool {
        match self {
            Self::Status { status, .. } => status.is_final(),
            Self::Details { .. }
            | Self::Restored { .. }
            | Self::Acknowledged { .. }
            | Self::Untracked { .. } => false,
            _ => true,
        }
    }

    /// The order that it is about.
    pub(crate) fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Restored { order_id, .. }
            | Self::Acknowledged { order_id }
            | Self::Untracked { order_id }
            | Self::Details { order_id, .. }
            | Self::Status { order_id, .. }
            | Self::Done { order_id, .. }
            | Self::Canceled { order_id, .. }
            | Self::Expired { order_id, .. }
            | Self::Failed { order_id, .. } => Some(*order_id),
            Self::Abandoned { order_id } => Some(*order_id),
            Self::Store(notice) => notice.order_id(),
            Self::State(_) | Self::Ledger(_) | Self::AuthorizationRequired { .. } => None,
        }
    }
}

/// What the tracker tells of the store.
#[derive(Clone, PartialEq)]
pub(crate) enum StoreNotice {
    Catalog(Result<Vec<CatalogItem>, RequestError>),
    Started {
        order_id: OrderId,
        user: UserId,
        purchase: Purchase,
        payment_url: Option<String>,
    },
    Failed {
        user: UserId,
        purchase: Purchase,
        error: PurchaseError,
    },
    PageFailed {
        order_id: OrderId,
        error: PaymentPageError,
    },
}

impl StoreNotice {
    /// The order that a purchase made: its beginning goes before its other news, and is its player's.
    pub(crate) fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Started { order_id, .. } => Some(*order_id),
            _ => None,
        }
    }

    pub(crate) fn user(&self) -> Option<&UserId> {
        match self {
            Self::Started { user, .. } => Some(user),
            _ => None,
        }
    }
}

impl std::fmt::Debug for StoreNotice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the payment page's address.
        f.write_str(match self {
            Self::Catalog(_) => "Catalog",
            Self::Started { .. } => "Started",
            Self::Failed { .. } => "Failed",
            Self::PageFailed { .. } => "PageFailed",
        })
    }
}
