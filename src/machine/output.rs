//! The outputs of the machine.

use std::sync::Arc;

use crate::machine::input::{ConnectionId, Receipt, RequestId};
use crate::model::catalog::{CatalogItem, CatalogRequest};
use crate::model::config::XsollaConfig;
use crate::model::error::RequestError;
use crate::model::ledger::LedgerState;
use crate::model::message::{
    AuthorizationRequired, OrderCanceled, OrderDiscovered, OrderDone, OrderExpired,
    OrderStatusChanged, OrderTrackingFailed,
};
use crate::model::order::{OrderId, OrderItem, OrderPhase, OrderStatus, Price};
use crate::model::page::{PageRequest, PaymentPageChanged};
use crate::model::purchase::{
    PaymentPageFailed, Purchase, PurchaseFailed, PurchaseId, PurchaseStarted,
};
#[cfg(feature = "webhook")]
use crate::model::reconciliation::Reconciled;
use crate::model::record::LedgerEntry;
use crate::model::state::TrackerState;
use crate::model::user::{UserId, XsollaUser};

#[derive(Debug)]
pub(crate) enum Output {
    /// Open a socket for this player in place of an earlier one. The session continues where that one
    /// stopped.
    Connect {
        connection: ConnectionId,
        user: XsollaUser,
        config: Arc<XsollaConfig>,
    },
    /// Close this player's socket, and forget its session.
    Disconnect(UserId),
    Request {
        request: RequestId,
        /// The player who asks; `None` for a catalogue that is shown before the log-in.
        user: Option<XsollaUser>,
        call: Call,
        config: Arc<XsollaConfig>,
    },
    /// Cancel a request whose answer is no longer needed.
    CancelRequest(RequestId),
    /// Load and record from here on for the project and in the ledger that the config names.
    UseLedger(Arc<XsollaConfig>),
    /// Read this player's orders from the ledger.
    Load(UserId),
    Record {
        user: UserId,
        order_id: OrderId,
        entry: LedgerEntry,
        /// Whether the order becomes this server's, where servers share the ledger.
        claims: bool,
    },
    /// Remove an order from the ledger.
    Erase { user: UserId, order_id: OrderId },
    /// Release what the ledger holds for this player, who has no open order any more.
    Release(UserId),
    /// Read a player's queue of events at once, and often while an order waits for news.
    #[cfg_attr(
        not(feature = "event_queue"),
        allow(dead_code, reason = "only a queue is read")
    )]
    Hurry { user: UserId, is_awaited: bool },
    /// The ledger has what became of an order that had come as far as this status, so what the queue of events says of
    /// it need not come again.
    #[cfg_attr(
        not(feature = "event_queue"),
        allow(dead_code, reason = "only a queue is told")
    )]
    Settled {
        user: UserId,
        order_id: OrderId,
        status: OrderStatus,
    },
    /// What a webhook told is in the ledger, so it need not come again.
    Confirm(
        #[cfg_attr(
            not(feature = "webhook"),
            allow(dead_code, reason = "only webhooks are confirmed")
        )]
        Receipt,
    ),
    /// Open an order's payment page.
    OpenPage(PageRequest),
    /// A notice for the game.
    Notice(Notice),
}

/// A request to the store.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    GetOrder(OrderId),
    CreateOrder(Box<Purchase>),
    FetchCatalog(CatalogRequest),
}

/// A message from the machine to the game.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notice {
    State(TrackerState),
    Ledger(LedgerState),
    Catalog(Result<Vec<CatalogItem>, RequestError>),
    /// The phase of an order.
    Phase {
        order_id: OrderId,
        user: UserId,
        phase: OrderPhase,
    },
    /// The items and the price of an order.
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
    Discovered(OrderDiscovered),
    /// The game has untracked an order. Notices about the order that came before this one are outdated.
    Untracked(OrderId),
    AuthorizationRequired(AuthorizationRequired),
    PurchaseStarted(Box<PurchaseStarted>),
    PurchaseFailed(Box<PurchaseFailed>),
    PageFailed(PaymentPageFailed),
    PageChanged(PaymentPageChanged),
    #[cfg(feature = "webhook")]
    Reconciled(Box<Reconciled>),
}

impl Notice {
    /// The player whom the notice is for; `None` if it is not for one player alone.
    pub(crate) fn user(&self) -> Option<&UserId> {
        match self {
            Self::Phase { user, .. } | Self::Details { user, .. } => Some(user),
            Self::StatusChanged(changed) => Some(&changed.user),
            Self::Done(done) => Some(&done.user),
            Self::Canceled(canceled) => Some(&canceled.user),
            Self::Expired(expired) => Some(&expired.user),
            Self::Failed(failed) => Some(&failed.user),
            Self::Discovered(discovered) => Some(&discovered.user),
            Self::PurchaseStarted(started) => Some(&started.user),
            Self::PurchaseFailed(failed) => failed.user.as_ref(),
            Self::PageFailed(failed) => failed.user.as_ref(),
            Self::PageChanged(changed) => Some(&changed.user),
            // The game must hear that a new token is required even while the player is logging in again.
            Self::AuthorizationRequired(_)
            | Self::State(_)
            | Self::Ledger(_)
            | Self::Catalog(_)
            | Self::Untracked(_) => None,
            #[cfg(feature = "webhook")]
            Self::Reconciled(_) => None,
        }
    }

    /// The order that the notice is about.
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
            Self::Discovered(discovered) => Some(discovered.order_id),
            Self::PurchaseStarted(started) => Some(started.order_id),
            Self::PageFailed(failed) => Some(failed.order_id),
            Self::PageChanged(changed) => Some(changed.order_id),
            Self::PurchaseFailed(_)
            | Self::AuthorizationRequired(_)
            | Self::State(_)
            | Self::Ledger(_)
            | Self::Catalog(_) => None,
            #[cfg(feature = "webhook")]
            Self::Reconciled(_) => None,
        }
    }

    /// The purchase that the notice answers.
    pub(crate) fn answered_purchase(&self) -> Option<PurchaseId> {
        match self {
            Self::PurchaseStarted(started) => Some(started.purchase_id),
            Self::PurchaseFailed(failed) => Some(failed.purchase_id),
            _ => None,
        }
    }

    /// Whether it precedes notices that only the user interface needs, when there are more than a frame can
    /// take.
    pub(crate) fn is_urgent(&self) -> bool {
        match self {
            Self::StatusChanged(changed) => changed.status.is_final(),
            Self::Details { .. } | Self::Phase { .. } | Self::Untracked(_) => false,
            _ => true,
        }
    }
}
