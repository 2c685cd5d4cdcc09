//! Conditions for a game's systems: `my_system.run_if(…)`.

use bevy::prelude::Res;

use crate::game::orders::Orders;
use crate::model::order::{OrderId, OrderStatus};
use crate::model::state::TrackerState;

/// Whether the order is known and has this status. The condition holds in every frame, not only when the
/// status changes. Until a server has reported a status, it is [`New`](OrderStatus::New).
///
/// Use it for what the game shows, and not to grant items: after a restart an order may be
/// [`Done`](OrderStatus::Done) that was granted long ago. [`OrderDone`](crate::OrderDone) says when to grant.
///
/// ```
/// use bevy::prelude::*;
/// use bevy_xsolla::prelude::*;
///
/// fn spin_the_coin() {}
///
/// let order = OrderId(59614241);
/// App::new().add_systems(Update, spin_the_coin.run_if(order_is(order, OrderStatus::Paid)));
/// ```
pub fn order_is(
    order_id: OrderId,
    status: OrderStatus,
) -> impl FnMut(Option<Res<Orders>>) -> bool + Clone {
    move |orders: Option<Res<Orders>>| {
        let order = orders.as_ref().and_then(|orders| orders.get(order_id));
        order.is_some_and(|order| order.status == status)
    }
}

/// Whether news comes over the socket, see [`TrackerState::is_live`]. It is `false` without the plugin.
///
/// ```
/// use bevy::prelude::*;
/// use bevy_xsolla::prelude::*;
///
/// fn show_the_cloud() {}
///
/// App::new().add_systems(Update, show_the_cloud.run_if(not(tracker_is_live)));
/// ```
pub fn tracker_is_live(state: Option<Res<TrackerState>>) -> bool {
    state.is_some_and(|state| state.is_live())
}
