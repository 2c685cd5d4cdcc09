//! What the game asks of the plugin.

use bevy::prelude::Commands;

use crate::order::OrderId;
use crate::user::XsollaUser;

/// Tracking orders, on [`Commands`].
pub trait OrderCommands {
    /// Follows an order of the logged-in [`XsollaUser`]: call it when the payment page opens.
    ///
    /// Without a user it waits for one. An order that is followed already, or was done and not
    /// acknowledged, or acknowledged, stays as it is; one that ended otherwise is followed anew.
    fn track_order(&mut self, order_id: OrderId);

    /// Follows an order of this player: for servers with many. Also how such a player's token is
    /// refreshed: all their orders use the newest token that was given.
    fn track_order_as(&mut self, user: &XsollaUser, order_id: OrderId);

    /// Says that the game has granted an order that is [done](crate::OrderDone): it is never
    /// delivered again. An order that is not done is left as it is.
    fn acknowledge_order(&mut self, order_id: OrderId);

    /// Forgets an order: it is neither followed nor known any more.
    fn untrack_order(&mut self, order_id: OrderId);
}

impl OrderCommands for Commands<'_, '_> {
    fn track_order(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut bevy::prelude::World| {
            crate::plugin::track(world, None, order_id);
        });
    }

    fn track_order_as(&mut self, user: &XsollaUser, order_id: OrderId) {
        let user = user.clone();
        self.queue(move |world: &mut bevy::prelude::World| {
            crate::plugin::track(world, Some(user), order_id);
        });
    }

    fn acknowledge_order(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut bevy::prelude::World| {
            crate::plugin::acknowledge(world, order_id);
        });
    }

    fn untrack_order(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut bevy::prelude::World| {
            crate::plugin::untrack(world, order_id);
        });
    }
}
