//! The payment page: how it is shown, and what is heard of it.

use std::fmt;

use bevy::prelude::{Event, Message};

use crate::model::order::OrderId;
use crate::model::purchase::{PageUrl, PurchaseId};
use crate::model::user::UserId;

/// How a game in a browser shows the payment page. A game on a desktop or a phone opens it in the player's browser,
/// whatever is set here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PaymentPage {
    /// In a new tab. It is opened in the frame in which the game calls [`purchase`](crate::StoreCommands::purchase),
    /// because a browser allows a tab for a few seconds after a click, and it shows the page as soon as the order is
    /// made. Where the browser blocks the tab, the game is told [`Blocked`](crate::PaymentPageError::Blocked).
    #[default]
    NewTab,
    /// In the game's own tab, which leaves the game. The page of the game is left once every system has had a frame to
    /// read [`PurchaseStarted`](crate::PurchaseStarted). Xsolla's page leads back to the game's address, unless the
    /// purchase has another [`return_url`](crate::Purchase::return_url). When the game starts again, the order is read
    /// from the ledger.
    SameTab,
    /// In a frame over the game, which goes on behind it. Some means of payment do not work in a frame.
    /// [`PaymentPageChanged`] tells what the page says.
    Frame,
}

/// The payment page in a [frame](PaymentPage::Frame) has told something, or was closed. This is for the user interface
/// only: what a page says proves no payment. The order is asked for at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct PaymentPageChanged {
    /// The order.
    pub order_id: OrderId,
    /// The player whose order it is.
    pub user: UserId,
    /// What has happened.
    pub status: PaymentPageStatus,
}

/// What has happened on a payment page, in Xsolla's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PaymentPageStatus {
    /// The payment was begun, and is awaited.
    Invoice,
    /// The payment was made, and the items are being delivered.
    Delivering,
    /// The payment was made, and the items were delivered.
    Done,
    /// The payment has failed. The player may try another means of payment.
    Troubled,
    /// The page was closed, by the player or by itself.
    Closed,
}

/// What the payment page has added to the address that brought the player back, see
/// [`payment_return`](crate::payment_return).
///
/// It is for the user interface only: anybody can make such an address, so it proves no payment.
/// [`payment_returned`](crate::StoreCommands::payment_returned) has the orders asked for.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PaymentReturn {
    /// How the payment stood, or `None` if the player left the page without a payment, or if Xsolla's word for it is not
    /// known.
    pub status: Option<PaymentPageStatus>,
    /// The number of the payment, which is not the order's.
    pub invoice_id: Option<u64>,
    /// Xsolla's id of the player.
    pub user_id: Option<String>,
}

/// `Debug` hides the player's id, because an address that somebody else has made may have anything in its place.
impl fmt::Debug for PaymentReturn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentReturn")
            .field("status", &self.status)
            .field("invoice_id", &self.invoice_id)
            .field("user_id", &self.user_id.as_ref().map(|_| "[hidden]"))
            .finish()
    }
}

/// A payment page that is to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageRequest {
    pub(crate) order_id: OrderId,
    /// The purchase that the page is opened for; `None` if it is opened again.
    pub(crate) purchase: Option<PurchaseId>,
    pub(crate) url: PageUrl,
    pub(crate) kind: PaymentPage,
}
