//! What the plugin tells the game.
//!
//! Each of these is sent both as a [`Message`] (for `MessageReader`) and as an [`Event`] (for
//! observers). Use one of the two for each effect: a game that grants in both grants twice.

use bevy::prelude::{Event, Message, Reflect};

use crate::model::error::{AuthorizationError, TrackingError};
use crate::model::order::{OrderId, OrderItem, OrderStatus, Price};
use crate::model::user::UserId;

/// An order moved on. For the user interface: grant on [`OrderDone`].
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct OrderStatusChanged {
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub user: UserId,
    /// What it was, or `None` where this is the first news of it.
    pub previous: Option<OrderStatus>,
    /// What it is.
    pub status: OrderStatus,
    /// How the news came.
    pub source: NewsSource,
}

/// An order is paid and delivered: grant the items now, then
/// [acknowledge](crate::OrderCommands::acknowledge_order) it.
///
/// Sent once for an order while the game runs.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct OrderDone {
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub user: UserId,
    /// What to grant, as the server lists it.
    pub items: Vec<OrderItem>,
    /// What it cost, where it was real money and the server said it.
    pub price: Option<Price>,
}

/// An order was canceled: it will not be paid, or it was refunded.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct OrderCanceled {
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub user: UserId,
    /// Whether [`OrderDone`] came before, in this run or an earlier one: a refund. What was granted may
    /// be taken back.
    ///
    /// That `OrderDone` was sent is written to the ledger at the same moment, and not before: nothing
    /// holds up a grant. A game that is killed within those milliseconds may hear of a refund without it.
    pub was_done: bool,
    /// What it was for, as far as it is known.
    pub items: Vec<OrderItem>,
}

/// The time to pay an order has passed.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct OrderExpired {
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub user: UserId,
}

/// An order is not followed any more, though it has no final status.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct OrderTrackingFailed {
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub user: UserId,
    /// Why.
    pub error: TrackingError,
}

/// A player's token is refused or has expired: insert a new [`XsollaUser`](crate::XsollaUser).
/// Their orders wait for it. Sent once for each token.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct AuthorizationRequired {
    /// Whose token.
    pub user: UserId,
    /// What the servers said.
    pub error: AuthorizationError,
}

/// How news of an order came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Reflect)]
#[reflect(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NewsSource {
    /// Over the order-status socket.
    Socket,
    /// In answer to Get Order.
    Request,
}
