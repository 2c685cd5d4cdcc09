//! What the tracker tells the game's side.

use crate::error::{AuthorizationError, TrackingError};
use crate::ledger::LedgerError;
use crate::message::NewsSource;
use crate::order::{OrderId, OrderItem, OrderStatus, Price};
use crate::state::TrackerState;
use crate::user::UserId;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notice {
    State(TrackerState),
    /// What is wrong with the ledger, or that nothing is.
    Ledger(Option<LedgerError>),
    /// An earlier run followed this order.
    Restored {
        order_id: OrderId,
        user: UserId,
        is_acknowledged: bool,
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
