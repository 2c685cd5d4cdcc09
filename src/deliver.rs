//! The tracker's news, made into resources, messages and events.

use bevy::prelude::*;

use crate::ledger::Entry;
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
    !tracker.notices.is_empty()
        || !tracker.told.is_empty()
        || !tracker.released.is_empty()
        || tracker.has_died()
}

/// Takes in all that has come. Exclusive, so that observers see each piece of news with the resources
/// as they were made by it.
pub(crate) fn deliver_news(world: &mut World) {
    world.resource_mut::<Tracker>().confirm_told();
    let released = std::mem::take(&mut world.resource_mut::<Tracker>().released);
    let notices = world.resource::<Tracker>().notices.clone();
    for notice in released.into_iter().chain(notices.try_iter()) {
        let admitted = world.resource_scope(|world, mut tracker: Mut<Tracker>| {
            tracker.admit(notice, &world.get_resource_or_init::<Orders>())
        });
        if let Some(notice) = admitted {
            deliver(world, notice);
        }
    }
    // After all that it has said.
    if world.resource::<Tracker>().has_died() {
        world.resource_scope(|world, mut tracker: Mut<Tracker>| {
            tracker.bury(&world.get_resource_or_init::<Orders>());
        });
    }
    world.resource_scope(|world, tracker: Mut<Tracker>| {
        let overall = tracker.overall_state(&world.get_resource_or_init::<Orders>());
        world
            .get_resource_or_init::<TrackerState>()
            .set_if_neq(overall);
    });
}

fn deliver(world: &mut World, notice: Notice) {
    match notice {
        Notice::State(state) => world.resource_mut::<Tracker>().state = state,
        Notice::Ledger(error) => world.resource_mut::<Tracker>().ledger_error = error,
        Notice::Restored {
            order_id,
            user,
            entry,
        } => {
            update(world, order_id, |order| {
                order.user = Some(user);
                order.is_granted |= entry >= Entry::Granted;
                if entry == Entry::Acknowledged {
                    order.status = OrderStatus::Done;
                    order.is_acknowledged = true;
                    order.tracking = Tracking::Ended;
                }
            });
        }
        Notice::Acknowledged { order_id } => {
            update(world, order_id, |order| order.is_acknowledged = true);
        }
        #[cfg(feature = "store")]
        Notice::Store(notice) => crate::store::deliver(world, *notice),
        #[cfg(feature = "store")]
        Notice::Abandoned { order_id } => {
            update(world, order_id, |order| {
                order.tracking = Tracking::Abandoned
            });
        }
        // All that was to be done about it was to let it pass.
        Notice::Untracked { .. } => {}
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
                // There is news of it after all.
                if matches!(order.tracking, Tracking::Failed(_) | Tracking::Abandoned) {
                    order.tracking = Tracking::Active;
                }
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

fn update(world: &mut World, order_id: OrderId, change: impl FnOnce(&mut Order)) {
    // Made where it is missing: a game may have put other `Orders` in place.
    change(world.get_resource_or_init::<Orders>().entry(order_id));
}

pub(crate) fn send<M>(world: &mut World, message: M)
where
    M: Message + Clone,
    M: for<'a> Event<Trigger<'a>: Default>,
{
    world.write_message(message.clone());
    world.trigger(message);
}
