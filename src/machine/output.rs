//! All that the machine wants done.

use std::sync::Arc;

use crate::machine::input::{ConnectionId, RequestId};
use crate::model::catalog::{CatalogItem, CatalogRequest};
use crate::model::config::XsollaConfig;
use crate::model::error::RequestError;
use crate::model::ledger::{LedgerEntry, LedgerState};
use crate::model::message::{
    AuthorizationRequired, OrderCanceled, OrderDone, OrderExpired, OrderStatusChanged,
    OrderTrackingFailed,
};
use crate::model::order::{OrderId, OrderItem, OrderPhase, Price};
use crate::model::purchase::{PaymentPageFailed, Purchase, PurchaseFailed, PurchaseStarted};
use crate::model::state::TrackerState;
use crate::model::user::{UserId, XsollaUser};

#[derive(Debug)]
pub(crate) enum Output {
    /// Open a socket for this player, in place of one that may be there. It goes on where that one was.
    Connect {
        connection: ConnectionId,
        user: XsollaUser,
        config: Arc<XsollaConfig>,
    },
    /// Close this player's socket, and forget what it had seen.
    Disconnect(UserId),
    Request {
        request: RequestId,
        /// Who asks; nobody for a catalogue that is shown before the log-in.
        user: Option<XsollaUser>,
        call: Call,
        config: Arc<XsollaConfig>,
    },
    /// Nobody waits for this request's answer any more.
    CancelRequest(RequestId),
    /// What is loaded and recorded from here on is of this project, in the ledger that the config names.
    UseLedger(Arc<XsollaConfig>),
    /// Read what the ledger has of this player.
    Load(UserId),
    Record {
        user: UserId,
        order_id: OrderId,
        entry: LedgerEntry,
    },
    /// Take an order out of the ledger.
    Erase { user: UserId, order_id: OrderId },
    /// Nothing of this player's is open any more.
    Release(UserId),
    /// Open an order's payment page in the player's browser.
    OpenPage { order_id: OrderId, url: PageUrl },
    /// Tell the game.
    Notice(Notice),
}

/// What is asked of the store.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    GetOrder(OrderId),
    CreateOrder(Box<Purchase>),
    FetchCatalog(CatalogRequest),
}

/// A payment page's address. Whoever has it can pay, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PageUrl(pub(crate) String);

impl std::fmt::Debug for PageUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

/// What the game is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notice {
    State(TrackerState),
    Ledger(LedgerState),
    Catalog(Result<Vec<CatalogItem>, RequestError>),
    /// Where an order stands with the game.
    Phase {
        order_id: OrderId,
        user: UserId,
        phase: OrderPhase,
    },
    /// What an order is for.
    Details {
        order_id: OrderId,
        user: UserId,
        items: Vec<OrderItem>,
        price: Option<Price>,
    },
    StatusChanged(OrderStatusChanged),
    Done(OrderDone),
    Canceled(OrderCanceled),
    Expired(OrderExpired),
    Failed(OrderTrackingFailed),
    /// An order was forgotten at the game's word: what came before this is of its life before.
    Untracked(OrderId),
    AuthorizationRequired(AuthorizationRequired),
    PurchaseStarted(Box<PurchaseStarted>),
    PurchaseFailed(Box<PurchaseFailed>),
    PageFailed(PaymentPageFailed),
}

impl Notice {
    /// Whose it is, where it is for one player and nobody else.
    pub(crate) fn user(&self) -> Option<&UserId> {
        match self {
            Self::Phase { user, .. } | Self::Details { user, .. } => Some(user),
            Self::StatusChanged(changed) => Some(&changed.user),
            Self::Done(done) => Some(&done.user),
            Self::Canceled(canceled) => Some(&canceled.user),
            Self::Expired(expired) => Some(&expired.user),
            Self::Failed(failed) => Some(&failed.user),
            Self::PurchaseStarted(started) => Some(&started.user),
            Self::PurchaseFailed(failed) => failed.user.as_ref(),
            Self::PageFailed(failed) => failed.user.as_ref(),
            // A new token is wanted while its player may be logging in.
            Self::AuthorizationRequired(_)
            | Self::State(_)
            | Self::Ledger(_)
            | Self::Catalog(_)
            | Self::Untracked(_) => None,
        }
    }

    /// The order that it is about.
    pub(crate) fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Phase { order_id, .. }
            | Self::Details { order_id, .. }
            | Self::Untracked(order_id) => Some(*order_id),
            Self::StatusChanged(changed) => Some(changed.order_id),
            Self::Done(done) => Some(done.order_id),
            Self::Canceled(canceled) => Some(canceled.order_id),
            Self::Expired(expired) => Some(expired.order_id),
            Self::Failed(failed) => Some(failed.order_id),
            Self::PurchaseStarted(started) => Some(started.order_id),
            Self::PageFailed(failed) => Some(failed.order_id),
            Self::PurchaseFailed(_)
            | Self::AuthorizationRequired(_)
            | Self::State(_)
            | Self::Ledger(_)
            | Self::Catalog(_) => None,
        }
    }

    /// Whether it goes before what is for the user interface alone, when there is more than a frame
    /// can take.
    pub(crate) fn is_urgent(&self) -> bool {
        match self {
            Self::StatusChanged(changed) => changed.status.is_final(),
            Self::Details { .. } | Self::Phase { .. } | Self::Untracked(_) => false,
            _ => true,
        }
    }
}
