//! The inputs of the machine.

use std::sync::Arc;
use std::time::Duration;

use crate::model::catalog::{CatalogItem, CatalogRequest};
use crate::model::config::XsollaConfig;
use crate::model::error::{RequestError, SocketError};
use crate::model::ledger::LedgerReport;
#[cfg(feature = "webhook")]
use crate::model::message::NewsSource;
use crate::model::order::{OrderId, Report};
use crate::model::page::PaymentPageStatus;
use crate::model::purchase::{CreatedOrder, PaymentPageError, Purchase, PurchaseId};
#[cfg(feature = "webhook")]
use crate::model::reconciliation::Reconciled;
use crate::model::user::{UserId, XsollaUser};

/// Identifies one connection of a player's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// Identifies a request to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RequestId(pub(crate) u64);

/// Identifies a webhook whose sender waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Receipt(pub(crate) u64);

#[derive(Debug)]
pub(crate) enum Input {
    /// There are new settings. `None` stops everything until there are some.
    Configure(Option<Arc<XsollaConfig>>),
    /// A player has logged in, or has a new token.
    LogIn {
        user: XsollaUser,
        /// The remaining life of the token, as the token itself states it.
        expires_in: Option<Duration>,
    },
    /// A player has logged out. Everything that runs for them stops, and their orders stay known.
    LogOut(UserId),
    /// Follow an order of a player who is logged in.
    Track {
        user: UserId,
        order_id: OrderId,
    },
    /// Log a player in and follow their order. The player stays known for as long as an order of theirs is
    /// open. This is one input, because between two inputs the end of another order could remove the player.
    TrackAs {
        user: XsollaUser,
        expires_in: Option<Duration>,
        order_id: OrderId,
    },
    /// The game has granted an order.
    Acknowledge(OrderId),
    /// Tell the game once more of each order that was granted and is not acknowledged.
    DeliverAgain,
    /// Every system of the game has had a whole frame to read how an order ended.
    Delivered(OrderId),
    /// Forget an order, also in the ledger.
    Untrack(OrderId),
    /// The player does not want to pay an order now.
    Abandon(OrderId),
    /// Create an order for a player who is logged in.
    Purchase {
        id: PurchaseId,
        user: UserId,
        purchase: Box<Purchase>,
    },
    /// Log a player in and create an order for them.
    PurchaseAs {
        id: PurchaseId,
        user: XsollaUser,
        expires_in: Option<Duration>,
        purchase: Box<Purchase>,
    },
    /// Open the payment page of an order again.
    ResumePayment(OrderId),
    /// The payment page of an order could not be opened.
    PageFailed {
        order_id: OrderId,
        error: PaymentPageError,
    },
    /// The payment page of an order has told something. It proves no payment.
    PageChanged {
        order_id: OrderId,
        status: PaymentPageStatus,
    },
    /// The player has come back to a game that went on meanwhile.
    Returned,
    /// The game or the network was stopped, and goes on. Connections may have been lost without a word.
    Resumed,
    /// Fetch the catalogue with this player's token, or without one.
    FetchCatalog {
        user: Option<UserId>,
        request: CatalogRequest,
    },
    /// A player's socket brought a publication.
    News {
        user: UserId,
        connection: ConnectionId,
        report: Report,
    },
    /// A webhook or a comparison says that an order is done or canceled.
    #[cfg(feature = "webhook")]
    Pushed {
        user: UserId,
        /// The project of the order, if it is named.
        project_id: Option<u64>,
        report: Report,
        source: NewsSource,
        /// Who waits for an answer.
        receipt: Option<Receipt>,
    },
    /// A comparison has ended.
    #[cfg(feature = "webhook")]
    Reconciled(Box<Reconciled>),
    /// A player's socket is subscribed, and has delivered its history.
    Subscribed {
        user: UserId,
        connection: ConnectionId,
        /// Whether no publication can be missing.
        recovered: bool,
        /// Whether all was heard that the server keeps of earlier publications.
        heard_all: bool,
    },
    /// A player's socket could not be opened, or ended.
    Ended {
        user: UserId,
        connection: ConnectionId,
        reason: SocketError,
    },
    /// A request has ended.
    Answered {
        request: RequestId,
        answer: Answer,
    },
    Ledger(LedgerReport),
}

#[derive(Debug)]
pub(crate) enum Answer {
    Order(Result<Report, RequestError>),
    Created(Result<CreatedOrder, RequestError>),
    Catalog(Result<Vec<CatalogItem>, RequestError>),
}
