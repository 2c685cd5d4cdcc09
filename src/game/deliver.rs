//! Turns the notices of the task into resources, messages and events.

use std::time::Duration;

use bevy::prelude::*;

use crate::game::orders::Orders;
use crate::game::resources::resource_or_default;
use crate::game::tracking::Tracking;
use crate::machine::output::Notice;
use crate::model::catalog::{Catalog, CatalogItem, CatalogState};
use crate::model::config::XsollaConfig;
use crate::model::error::RequestError;
use crate::model::order::OrderId;
use crate::model::user::XsollaUser;
use crate::platform::clock::Stopwatch;
use crate::platform::time::calendar;

/// Whether the plugin has work in this frame. Only this condition runs in a frame in which nothing happens.
pub(super) fn has_work(
    config: Option<Res<XsollaConfig>>,
    user: Option<Res<XsollaUser>>,
    tracking: Res<Tracking>,
) -> bool {
    let (config, user) = (config.map(Ref::from), user.map(Ref::from));
    tracking.settings.have_moved(config, user) || tracking.has_news()
}

/// Passes the config and the user to the task, and delivers notices until the frame budget is used up. The
/// system is exclusive, so that observers see each notice together with the resources that it has changed.
pub(super) fn deliver_news(world: &mut World) {
    let (began, now) = (Stopwatch::new(), calendar());
    take_tracking(world, |world, tracking| {
        tracking.confirm_delivered();
        tracking.pass_settings_on(world);
    });
    let config = world.get_resource::<XsollaConfig>();
    let budget = config.map_or(Duration::MAX, |config| config.frame_budget);
    while let Some(notice) = world.resource_mut::<Tracking>().next_notice(now) {
        if let Some(notice) = notice {
            deliver(world, notice);
        }
        if began.elapsed() >= budget {
            break;
        }
    }
    take_tracking(world, |world, tracking| {
        // This is read before the channel, which may hold the last notices of the task.
        let has_died = tracking.has_died();
        tracking.handle.make_room();
        if tracking.has_notices() {
            // This wakes a game that sleeps until there is news.
            tracking.handle.waker.wake();
        } else if has_died {
            // All notices of the task have been delivered by now.
            tracking.fail_all(&resource_or_default::<Orders>(world));
        }
        tracking.tell_state(world);
    });
}

/// Takes the tracking out of the world for a moment, which costs more than reading it in place.
pub(super) fn take_tracking(world: &mut World, work: impl FnOnce(&mut World, &mut Tracking)) {
    world.resource_scope(|world, mut tracking: Mut<Tracking>| work(world, &mut tracking));
}

/// Updates the resources, then triggers the event and sends the message.
pub(super) fn deliver(world: &mut World, notice: Notice) {
    match world.get_resource_mut::<Orders>() {
        Some(mut orders) => orders.apply(&notice),
        // The game has removed the resource.
        None => resource_or_default::<Orders>(world).apply(&notice),
    }
    match notice {
        Notice::State(state) => world.resource_mut::<Tracking>().state = state,
        Notice::Ledger(state) => world.insert_resource(state),
        Notice::Catalog(result) => take_catalog(world, result),
        Notice::Phase { .. } | Notice::Details { .. } | Notice::Untracked(_) => {}
        Notice::StatusChanged(changed) => send(world, changed),
        Notice::Done(done) => send(world, done),
        Notice::Canceled(canceled) => send_end(world, canceled.order_id, canceled),
        Notice::Expired(expired) => send_end(world, expired.order_id, expired),
        Notice::Failed(failed) => send_end(world, failed.order_id, failed),
        Notice::Discovered(discovered) => send(world, discovered),
        Notice::AuthorizationRequired(required) => send(world, required),
        Notice::PurchaseStarted(started) => {
            let mut tracking = world.resource_mut::<Tracking>();
            tracking.purchases.remove(&started.purchase_id);
            send(world, *started);
        }
        Notice::PurchaseFailed(failed) => {
            let mut tracking = world.resource_mut::<Tracking>();
            tracking.purchases.remove(&failed.purchase_id);
            send(world, *failed);
        }
        Notice::PageFailed(failed) => send(world, failed),
        Notice::PageChanged(changed) => send(world, changed),
        #[cfg(feature = "webhook")]
        Notice::Reconciled(reconciled) => send(world, *reconciled),
    }
}

/// Sends an order's end, which is confirmed in the next frame.
fn send_end<M>(world: &mut World, order_id: OrderId, message: M)
where
    M: Message + for<'a> Event<Trigger<'a>: Default>,
{
    world.resource_mut::<Tracking>().delivered.push(order_id);
    send(world, message);
}

/// Triggers the event and sends it as a message, without a copy: an observer that changes the event changes what systems
/// read.
pub(super) fn send<M>(world: &mut World, mut message: M)
where
    M: Message + for<'a> Event<Trigger<'a>: Default>,
{
    world.trigger_ref(&mut message);
    world.write_message(message);
}

fn take_catalog(world: &mut World, result: Result<Vec<CatalogItem>, RequestError>) {
    world.resource_mut::<Tracking>().is_fetching = false;
    let mut catalog = resource_or_default::<Catalog>(world);
    match result {
        Ok(items) => {
            catalog.items = items;
            catalog.state = CatalogState::Ready;
        }
        Err(error) => catalog.state = CatalogState::Failed(error),
    }
}
