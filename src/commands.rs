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
    ///
    /// Who a player is, is read from the token, and nothing here checks its signature. A server that is
    /// handed tokens by its players verifies them first, or one could speak for another.
    ///
    /// An acknowledged order stays known, so that it is not granted again. A server that runs for months
    /// and has a database of its own [untracks](Self::untrack_order) it instead.
    fn track_order_as(&mut self, user: &XsollaUser, order_id: OrderId);

    /// Says that the game has granted an order that is [done](crate::OrderDone): it is not delivered
    /// again in this run, and, once [`is_acknowledged`](crate::Order::is_acknowledged) says that the
    /// ledger has it, never. An order that is not done is left as it is.
    fn acknowledge_order(&mut self, order_id: OrderId);

    /// Forgets an order: it is neither followed nor known any more, and leaves the ledger.
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
