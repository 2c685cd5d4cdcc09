//! The plugin: from the game to the tracker task, and back.

use bevy::prelude::*;

use crate::message::*;
use crate::order::OrderId;
use crate::orders::Orders;
use crate::state::TrackerState;
use crate::user::XsollaUser;

/// Tracks orders. See the [crate documentation](crate).
pub struct XsollaOrderPlugin;

/// The systems of [`XsollaOrderPlugin`], in [`PreUpdate`].
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, SystemSet)]
pub struct XsollaOrderSystems;

impl Plugin for XsollaOrderPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Orders>()
            .init_resource::<TrackerState>()
            .add_message::<OrderStatusChanged>()
            .add_message::<OrderDone>()
            .add_message::<OrderCanceled>()
            .add_message::<OrderExpired>()
            .add_message::<OrderTrackingFailed>()
            .add_message::<AuthorizationRequired>();
    }
}

pub(crate) fn track(_world: &mut World, _user: Option<XsollaUser>, _order_id: OrderId) {}
pub(crate) fn acknowledge(_world: &mut World, _order_id: OrderId) {}
pub(crate) fn untrack(_world: &mut World, _order_id: OrderId) {}
