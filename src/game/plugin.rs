//! The plugin and the systems that it adds to the app.

use std::time::Duration;

use bevy::prelude::*;
use bevy_window::AppLifecycle;

use crate::game::deliver::{deliver_news, has_work};
use crate::game::orders::Orders;
use crate::game::presence::{may_have_returned, tell_returns, write_before_suspension};
use crate::game::resources::resource_or_default;
use crate::game::tracking::Tracking;
use crate::model::catalog::Catalog;
use crate::model::ledger::LedgerState;
use crate::model::message::{
    AuthorizationRequired, OrderCanceled, OrderDiscovered, OrderDone, OrderExpired,
    OrderStatusChanged, OrderTrackingFailed,
};
use crate::model::page::PaymentPageChanged;
use crate::model::purchase::{PaymentPageFailed, PurchaseFailed, PurchaseStarted};
#[cfg(feature = "webhook")]
use crate::model::reconciliation::Reconciled;
use crate::platform::{browser, runtime};
use crate::tracker::driver;
use crate::tracker::handle::channels;

/// The time that the end of a game waits for the ledger.
const EXIT_PATIENCE: Duration = Duration::from_millis(50);

/// Tracks orders on a background task, and tells the game of their news. See the
/// [crate documentation](crate).
///
/// The task runs on the `TokioTasksRuntime` of `bevy_tokio_tasks`. If the game has added a `TokioTasksPlugin`
/// before, with IO and time enabled, the task uses its runtime; otherwise the plugin adds one.
#[derive(Clone, Copy, Debug, Default)]
pub struct XsollaOrderPlugin;

/// The systems of [`XsollaOrderPlugin`]. They run in [`PreUpdate`], so every system in [`Update`] sees
/// this frame's news.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, SystemSet)]
pub struct XsollaOrderSystems;

impl Plugin for XsollaOrderPlugin {
    fn build(&self, app: &mut App) {
        add_game_side(app);
        browser::prepare(app);
        let (handle, ports) = channels();
        let tracking = match runtime::start(app, driver::run(ports)) {
            Ok(task) => Tracking::new(handle, Some(task)),
            Err(reason) => Tracking::failed(handle, reason),
        };
        add_tracking(app, tracking);
    }

    fn finish(&self, app: &mut App) {
        // A game without windows has no such messages. All plugins have been added by now.
        if app.world().contains_resource::<Messages<AppLifecycle>>() {
            app.add_systems(
                PreUpdate,
                tell_returns
                    .run_if(may_have_returned)
                    .in_set(XsollaOrderSystems),
            )
            .add_systems(
                Last,
                write_before_suspension.run_if(on_message::<AppLifecycle>),
            );
        }
    }
}

/// Adds all but the background task.
pub(super) fn add_game_side(app: &mut App) {
    let world = app.world_mut();
    resource_or_default::<Orders>(world);
    resource_or_default::<LedgerState>(world);
    resource_or_default::<Catalog>(world);
    app.add_message::<OrderStatusChanged>()
        .add_message::<OrderDone>()
        .add_message::<OrderCanceled>()
        .add_message::<OrderExpired>()
        .add_message::<OrderTrackingFailed>()
        .add_message::<OrderDiscovered>()
        .add_message::<AuthorizationRequired>()
        .add_message::<PurchaseStarted>()
        .add_message::<PurchaseFailed>()
        .add_message::<PaymentPageFailed>()
        .add_message::<PaymentPageChanged>()
        .add_systems(
            PreUpdate,
            // The system is exclusive, and may run before or after any other system of this schedule.
            deliver_news
                .run_if(has_work)
                .ambiguous_with_all()
                .in_set(XsollaOrderSystems),
        )
        .add_systems(Last, finish_writing.run_if(on_message::<AppExit>));
    #[cfg(feature = "webhook")]
    app.add_message::<Reconciled>();
    #[cfg(feature = "winit")]
    app.add_systems(PreStartup, crate::game::wake::connect_to_winit);
}

pub(super) fn add_tracking(app: &mut App, tracking: Tracking) {
    app.insert_resource(tracking.overall_state(app.world().resource()))
        .insert_resource(tracking);
}

/// Gives the ledger a moment to record what the game did in its last frame. Anything that it cannot record is
/// told again after the restart, so the wait is too short for a player to notice.
fn finish_writing(mut tracking: ResMut<Tracking>) {
    // Every system has read the messages of the last frame by now.
    tracking.confirm_delivered();
    tracking.wait_for_ledger(EXIT_PATIENCE);
}
