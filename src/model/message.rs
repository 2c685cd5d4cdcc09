//! The messages that the plugin sends to the game.
//!
//! Each of them is sent both as a [`Message`] (for `MessageReader`) and as an [`Event`] (for observers). Use only
//! one of the two for each effect: a game that grants in both grants twice.

use bevy::prelude::{Event, Message, Reflect};

use crate::model::error::{AuthorizationError, TrackingError};
use crate::model::order::{OrderId, OrderItem, OrderStatus, Price};
use crate::model::user::UserId;

/// The status of an order changed. This is for the user interface: grant the items on [`OrderDone`].
///
/// In a burst of more news than a frame has time for ([`frame_budget`](crate::XsollaConfig::frame_budget)), a status that
/// another one follows at once may be left out, so that orders are granted sooner. The later one then names as `previous`
/// what was told before both.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct OrderStatusChanged {
    /// The order.
    pub order_id: OrderId,
    /// The player whose order it is.
    pub user: UserId,
    /// The previous status, or `None` if this is the first news of the order.
    pub previous: Option<OrderStatus>,
    /// The new status.
    pub status: OrderStatus,
    /// The way by which the news came.
    pub source: NewsSource,
}

/// An order is paid and delivered. Grant its items now, then
/// [acknowledge](crate::OrderCommands::acknowledge_order) it.
///
/// It is sent once for each order while the game runs. With [`GrantAt::Paid`](crate::GrantAt::Paid) it is sent when the
/// order is paid.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct OrderDone {
    /// The order.
    pub order_id: OrderId,
    /// The player whose order it is.
    pub user: UserId,
    /// The items to grant, as the server lists them.
    pub items: Vec<OrderItem>,
    /// The price of the order, if it was paid with real money and the server gave the price.
    pub price: Option<Price>,
}

/// An order was canceled: it will not be paid, or it was refunded.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct OrderCanceled {
    /// The order.
    pub order_id: OrderId,
    /// The player whose order it is.
    pub user: UserId,
    /// Whether [`OrderDone`] came before, in this run or an earlier one. If so, the order was refunded, and the
    /// granted items may be taken back.
    ///
    /// A grant does not wait for the ledger: the record that `OrderDone` was sent is written at the same moment.
    /// If the game is killed within those milliseconds, a later refund may have `false` here.
    pub was_done: bool,
    /// The items of the order, as far as they are known.
    pub items: Vec<OrderItem>,
}

/// The socket named an order of the player's that nobody has tracked: it was made in the Web Shop, on another device,
/// or by a purchase whose answer was lost. [Track](crate::OrderCommands::track_order) it to have it granted, or set
/// [`adopt_orders`](crate::XsollaConfig::adopt_orders).
///
/// It is sent once for each status while its player is logged in. It is not sent for an order that is tracked or was
/// acknowledged, nor for one that the game has [untracked](crate::OrderCommands::untrack_order), nor for one that was over
/// before the ledger was first used (unless [`discover_past_orders`](crate::XsollaConfig::discover_past_orders) is set). An order
/// that is `canceled` or `expired` when it is first heard of has nothing to grant, and is not told.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct OrderDiscovered {
    /// The order.
    pub order_id: OrderId,
    /// The player whose order it is.
    pub user: UserId,
    /// The last status that the socket told.
    pub status: OrderStatus,
}

/// The time to pay an order has passed.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct OrderExpired {
    /// The order.
    pub order_id: OrderId,
    /// The player whose order it is.
    pub user: UserId,
}

/// An order is not tracked any more, although it has no final status.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct OrderTrackingFailed {
    /// The order.
    pub order_id: OrderId,
    /// The player whose order it is.
    pub user: UserId,
    /// The reason.
    pub error: TrackingError,
}

/// A player's token was refused, has expired, or is about to expire. Insert a new
/// [`XsollaUser`](crate::XsollaUser); the player's orders wait for it. It is sent once for each token. A
/// [`TokenProvider`](crate::TokenProvider) does so for the game.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct AuthorizationRequired {
    /// The player whose token it is.
    pub user: UserId,
    /// The reason that a new token is needed.
    pub error: AuthorizationError,
}

/// The way by which news of an order came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NewsSource {
    /// The order-status socket.
    Socket,
    /// The queue of events that Xsolla keeps for the player.
    #[cfg(feature = "event_queue")]
    EventQueue,
    /// The answer to a Get Order request.
    Request,
    /// A webhook that Xsolla sent to the server.
    Webhook,
    /// Xsolla's order search, which a server has compared with the ledger.
    Reconciliation,
}
