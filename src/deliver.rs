//! The tracker's news, made into resources, messages and events.

use bevy::prelude::*;

use crate::message::{
    AuthorizationRequired, OrderCanceled, OrderDone, OrderExpired, OrderStatusChanged,
    OrderTrackingFailed,
};
use crate::order::{OrderId, OrderStatus};
use crate::orders::{Order, Orders, Tracking};
use crate::plugin::Tracker;
use crate::state::TrackerState;
use crate::tracker::Notice;

pub(crate) fn has_news(tracker: Res<Tracker>) -> bool {
    !tracker.notices.is_empty() || !tracker.told.is_empty() || tracker.has_died()
}

/// Takes in all that has come. Exclusive, so that observers see each piece of news with the resources
/// as they were made by it.
pub(crate) fn deliver_news(world: &mut World) {
    world.resource_mut::<Tracker>().confirm_told();
    let notices = world.resource::<Tracker>().notices.clone();
    for notice in notices.try_iter() {
        deliver(world, notice);
    }
    if world.resource::<Tracker>().has_died() {
        world.resource_mut::<Tracker>().bury();
    }
    let overall = {
        let (tracker, orders) = (world.resource::<Tracker>(), world.resource::<Orders>());
        tracker.overall_state(orders)
    };
    world.resource_mut::<TrackerState>().set_if_neq(overall);
}

fn deliver(world: &mut World, notice: Notice) {
    match notice {
        Notice::State(state) => world.resource_mut::<Tracker>().state = state,
        Notice::Ledger(error) => world.resource_mut::<Tracker>().ledger_error = error,
        Notice::Restored {
            order_id,
            user,
            is_acknowledged,
        } => {
            let mut orders = world.resource_mut::<Orders>();
            let order = orders.entry(order_id);
            order.user = Some(user);
            if is_acknowledged {
                order.status = OrderStatus::Done;
                order.is_granted = true;
                order.is_acknowledged = true;
                order.tracking = Tracking::Ended;
            }
        }
        Notice::Acknowledged { order_id } => {
            update(world, order_id, |order| order.is_acknowledged = true);
        }
        Notice::Details {
            order_id,
            items,
            price,
        } => update(world, order_id, |order| {
            order.items = Some(items);
            order.price = price;
        }),
        Notice::Status {
            order_id,
            previous,
            status,
            source,
        } => {
            update(world, order_id, |order| {
                order.status = status.clone();
                order.source = Some(source);
            });
            send(
                world,
                OrderStatusChanged {
                    order_id,
                    previous,
                    status,
                    source,
                },
            );
        }
        Notice::Done {
            order_id,
            user,
            items,
            price,
        } => {
            update(world, order_id, |order| {
                order.is_granted = true;
                order.tracking = Tracking::Ended;
            });
            send(
                world,
                OrderDone {
                    order_id,
                    user,
                    items,
                    price,
                },
            );
        }
        Notice::Canceled {
            order_id,
            user,
            was_done,
            items,
        } => {
            world.resource_mut::<Tracker>().told.push(order_id);
            update(world, order_id, |order| order.tracking = Tracking::Ended);
            send(
                world,
                OrderCanceled {
                    order_id,
                    user,
                    was_done,
                    items,
                },
            );
        }
        Notice::Expired { order_id, user } => {
            world.resource_mut::<Tracker>().told.push(order_id);
            update(world, order_id, |order| order.tracking = Tracking::Ended);
            send(world, OrderExpired { order_id, user });
        }
        Notice::Failed {
            order_id,
            user,
            error,
        } => {
            world.resource_mut::<Tracker>().told.push(order_id);
            update(world, order_id, |order| {
                order.tracking = Tracking::Failed(error.clone());
            });
            send(
                world,
                OrderTrackingFailed {
                    order_id,
                    user,
                    error,
                },
            );
        }
        Notice::AuthorizationRequired { user, error } => {
            send(world, AuthorizationRequired { user, error });
        }
    }
}

/// An order that was untracked meanwhile stays forgotten.
fn update(world: &mut World, order_id: OrderId, change: impl FnOnce(&mut Order)) {
    if let Some(order) = world.resource_mut::<Orders>().get_mut(order_id) {
        change(order);
    }
}

fn send<M>(world: &mut World, message: M)
where
    M: Message + Clone,
    M: for<'a> Event<Trigger<'a>: Default>,
{
    world.write_message(message.clone());
    world.trigger(message);
}
