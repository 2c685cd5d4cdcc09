//! The tracker's news, made into resources, messages and events.

use std::time::{Duration, Instant};

use bevy::prelude::*;

use crate::game::orders::{Order, Orders, Tracking};
use crate::game::tracking::Tracker;
use crate::machine::notice::Notice;
use crate::model::config::XsollaConfig;
use crate::model::ledger::Entry;
use crate::model::message::{
    AuthorizationRequired, OrderCanceled, OrderDone, OrderExpired, OrderStatusChanged,
    OrderTrackingFailed,
};
use crate::model::order::{OrderId, OrderStatus};
use crate::model::user::XsollaUser;

/// Whether the frame has anything for the plugin to do: all that runs in one in which nothing happens.
pub(crate) fn has_work(
    config: Option<Res<XsollaConfig>>,
    user: Option<Res<XsollaUser>>,
    tracker: Res<Tracker>,
) -> bool {
    // The tick besides, because a game's own condition on the set may have swallowed the change.
    let [config_tick, user_tick] = tracker.ticks;
    let config_moved = config.map_or(tracker.has_config(), |config| {
        config.is_changed() || Some(config.last_changed()) != config_tick
    });
    let user_moved = user.map_or(tracker.has_user(), |user| {
        user.is_changed() || Some(user.last_changed()) != user_tick
    });
    config_moved || user_moved || tracker.has_news()
}

/// Passes the config and the user on, and takes in what has come, for as long as a frame has time for
/// it. Exclusive, so that observers see each piece of news with the resources as they were made by it.
pub(crate) fn deliver_news(world: &mut World) {
    let began = Instant::now();
    let news_age = with_tracker(world, |world, tracker| {
        tracker.confirm_told();
        tracker.pass_settings_on(world);
        let age = tracker.counters.take_news_age();
        tracker.news_latency = age.or(tracker.news_latency);
        age
    });
    let config = world.get_resource::<XsollaConfig>();
    let budget = config.map_or(Duration::MAX, |config| config.frame_budget);
    while let Some((notice, is_clear)) = world.resource_mut::<Tracker>().next_notice() {
        let admitted = match is_clear {
            true => Some(notice),
            false => admit(world, notice),
        };
        if let Some(notice) = admitted {
            deliver(world, notice);
        }
        if began.elapsed() >= budget {
            break;
        }
    }
    let is_buried = with_tracker(world, |world, tracker| {
        // Looked at before the channel: what it said last is in there.
        let has_died = tracker.has_died();
        tracker.make_room();
        let is_left = tracker.has_notices();
        if is_left {
            if let Some(age) = news_age {
                tracker.counters.return_news(age + began.elapsed());
            }
            // A game that sleeps until there is news is to go on.
            tracker.bell.ring();
        } else if has_died {
            // After all that it has said.
            tracker.bury(&world.get_resource_or_init::<Orders>());
        }
        tracker.tell_state(world);
        has_died && !is_left
    });
    if is_buried {
        crate::game::commands::fail_purchases_if_dead(world);
    }
}

fn admit(world: &mut World, notice: Notice) -> Option<Notice> {
    with_tracker(world, |world, tracker| {
        tracker.admit(notice, &world.get_resource_or_init::<Orders>())
    })
}

/// Takes the tracker out of the world for a moment, which costs more than a look at it.
fn with_tracker<T>(world: &mut World, work: impl FnOnce(&mut World, &mut Tracker) -> T) -> T {
    world.resource_scope(|world, mut tracker: Mut<Tracker>| work(world, &mut tracker))
}

pub(crate) fn deliver(world: &mut World, notice: Notice) {
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
        Notice::Store(notice) => crate::game::store_deliver::deliver(world, *notice),
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
    if let Some(mut orders) = world.get_resource_mut::<Orders>() {
        return change(orders.entry(order_id));
    }
    // A game may have taken them away.
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
