//! What the game asks of the plugin.

use bevy::prelude::{Commands, Mut, World};

use crate::game::orders::{Order, Orders, Tracking};
use crate::game::tracking::Tracker;
use crate::model::order::OrderId;
use crate::model::user::XsollaUser;
use crate::tracker::task::Command;

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
        self.queue(move |world: &mut World| {
            track(world, None, order_id);
        });
    }

    fn track_order_as(&mut self, user: &XsollaUser, order_id: OrderId) {
        let user = user.clone();
        self.queue(move |world: &mut World| {
            track(world, Some(user), order_id);
        });
    }

    fn acknowledge_order(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut World| {
            acknowledge(world, order_id);
        });
    }

    fn untrack_order(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut World| {
            untrack(world, order_id);
        });
    }
}

/// Runs `work` with the tracker and the orders, if the plugin is there.
pub(crate) fn with_tracker(
    world: &mut World,
    work: impl FnOnce(&mut World, &mut Tracker, &mut Orders),
) {
    if !world.contains_resource::<Tracker>() {
        log::error!("no order can be tracked: XsollaOrderPlugin is not added");
        return;
    }
    // A game may have taken them away.
    world.init_resource::<Orders>();
    world.resource_scope(|world, mut tracker: Mut<Tracker>| {
        // What was inserted in this frame counts in this frame: games set up and buy in `Startup`.
        tracker.pass_settings_on(world);
        world.resource_scope(|world, mut orders: Mut<Orders>| {
            work(world, &mut tracker, &mut orders);
        });
        tracker.tell_state(world);
    });
}

fn track(world: &mut World, user: Option<XsollaUser>, order_id: OrderId) {
    with_tracker(world, |world, tracker, orders| {
        let is_explicit = user.is_some();
        let user = user.or_else(|| world.get_resource::<XsollaUser>().cloned());
        let has_ended = |order: &Order| order.tracking != Tracking::Active && !order.is_granted;
        if orders.get(order_id).is_some_and(has_ended) {
            orders.remove(order_id);
        }
        let order = orders.entry(order_id);
        tracker.waits_for_user |= user.is_none() && order.user.is_none();
        // A granted one stays the player's who paid.
        if let Some(user) = user {
            if !order.is_granted {
                order.user = Some(user.id().clone());
            }
            if is_explicit {
                tracker.welcome(user.id());
                tracker.tell(Command::TrackAs { user, order_id });
            } else {
                let user = user.id().clone();
                tracker.tell(Command::Track { user, order_id });
            }
        }
        tracker.fail_if_dead(orders.entry(order_id));
    });
}

fn acknowledge(world: &mut World, order_id: OrderId) {
    with_tracker(world, |_, tracker, orders| match orders.get_mut(order_id) {
        // `is_acknowledged` becomes true once that is in the ledger.
        // Where the game has put other `Orders` in place, the task still knows.
        None => tracker.tell(Command::Acknowledge(order_id)),
        Some(order) if order.is_granted => tracker.tell(Command::Acknowledge(order_id)),
        Some(_) => log::warn!("order {order_id} was acknowledged and is not done"),
    });
}

/// Passes a command of the store's on.
pub(crate) fn tell(world: &mut World, command: Command) {
    with_tracker(world, |_, tracker, _| tracker.tell(command));
}

/// Nobody answers purchases where the background task has ended.
pub(crate) fn fail_purchases_if_dead(world: &mut World) {
    if let Some(state) = world.get_resource::<crate::TrackerState>()
        && let crate::TrackerState::Failed { reason } = state.tracking()
    {
        let reason = reason.clone();
        crate::game::store_deliver::fail_all(world, &reason);
    }
}

fn untrack(world: &mut World, order_id: OrderId) {
    with_tracker(world, |_, tracker, orders| {
        orders.remove(order_id);
        tracker.waits_for_user =
            tracker.waits_for_user && orders.iter().any(|order| order.user.is_none());
        tracker.forget(order_id);
    });
}
