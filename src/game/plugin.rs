//! The plugin: what it adds to the app.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bevy::app::MainScheduleOrder;
use bevy::ecs::schedule::{InternedScheduleLabel, ScheduleLabel, SingleThreadedExecutor};
use bevy::prelude::*;
use bevy_tokio_tasks::{TokioTasksPlugin, TokioTasksRuntime};
use tokio::runtime::{Builder, Runtime};

use crate::game::deliver::{deliver_news, has_work};
use crate::game::orders::Orders;
use crate::game::tracking::Tracker;
use crate::model::config::XsollaConfig;
use crate::model::message::{
    AuthorizationRequired, OrderCanceled, OrderDone, OrderExpired, OrderStatusChanged,
    OrderTrackingFailed,
};
use crate::model::state::TrackerState;
use crate::tracker::task::Command;

/// How long a game's end waits for the ledger.
const EXIT_PATIENCE: Duration = Duration::from_millis(50);

/// Tracks orders on a background task, and tells the game of their news. See the
/// [crate documentation](crate).
///
/// It runs on the [`TokioTasksRuntime`]: on the game's own where its `TokioTasksPlugin` was added
/// before, with IO and time enabled; otherwise on one that it brings along.
pub struct XsollaOrderPlugin;

/// The systems of [`XsollaOrderPlugin`]. They run in [`PreUpdate`], so every system in [`Update`] sees
/// this frame's news.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, SystemSet)]
pub struct XsollaOrderSystems;

impl Plugin for XsollaOrderPlugin {
    fn build(&self, app: &mut App) {
        add_game_side(app);
        if !app.world().contains_resource::<TokioTasksRuntime>() {
            match small_runtime() {
                Ok(runtime) => {
                    let schedule_label = a_schedule_beside_update(app);
                    app.add_plugins(TokioTasksPlugin {
                        make_runtime: hand_over(runtime),
                        schedule_label,
                    });
                }
                Err(error) => {
                    let reason = format!("the background runtime cannot start: {error}");
                    return add_tracker(app, Tracker::failed(reason));
                }
            }
        }
        let tracker = Tracker::start(app.world().resource::<TokioTasksRuntime>());
        add_tracker(app, tracker);
    }
}

/// Where a `TokioTasksPlugin` that the game did not add does its work: not in `Update`, because its system
/// takes the whole world, and no other could run beside it.
#[derive(Clone, Debug, Hash, PartialEq, Eq, ScheduleLabel)]
struct TokioTasks;

fn a_schedule_beside_update(app: &mut App) -> InternedScheduleLabel {
    let Some(mut order) = app.world_mut().get_resource_mut::<MainScheduleOrder>() else {
        return Update.intern();
    };
    order.insert_before(Update, TokioTasks);
    app.init_schedule(TokioTasks);
    app.edit_schedule(TokioTasks, |schedule| {
        schedule.set_executor(SingleThreadedExecutor::new());
    });
    TokioTasks.intern()
}

/// All but the background task.
pub(crate) fn add_game_side(app: &mut App) {
    app.init_resource::<Orders>()
        .add_message::<OrderStatusChanged>()
        .add_message::<OrderDone>()
        .add_message::<OrderCanceled>()
        .add_message::<OrderExpired>()
        .add_message::<OrderTrackingFailed>()
        .add_message::<AuthorizationRequired>()
        .add_systems(
            PreUpdate,
            // It takes the whole world, and may do so before or after what others do here.
            deliver_news
                .run_if(has_work)
                .ambiguous_with_all()
                .in_set(XsollaOrderSystems),
        )
        .add_systems(Last, finish_writing.run_if(on_message::<AppExit>));
    register_types(app);
    crate::game::checkout::build(app);
    #[cfg(feature = "winit")]
    app.add_systems(PreStartup, crate::game::wake::connect_to_winit);
}

/// What tools that inspect a game may look at, and what that is made of.
///
/// Neither `XsollaUser`, which holds the token, nor `ReflectMessage` and `ReflectEvent`, with which a tool
/// could make an `OrderDone` of its own.
fn register_types(app: &mut App) {
    app.register_type::<Orders>()
        .register_type::<TrackerState>()
        .register_type::<XsollaConfig>()
        .register_type::<OrderStatusChanged>()
        .register_type::<OrderDone>()
        .register_type::<OrderCanceled>()
        .register_type::<OrderExpired>()
        .register_type::<OrderTrackingFailed>()
        .register_type::<AuthorizationRequired>();
}

pub(crate) fn add_tracker(app: &mut App, tracker: Tracker) {
    app.insert_resource(tracker.overall_state(app.world().resource()))
        .insert_resource(tracker);
}

/// A thread is plenty for a few sockets, and leaves the cores to the game.
fn small_runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("xsolla")
        .enable_all()
        .build()
}

/// `TokioTasksPlugin` wants a function that makes a runtime, and calls it once. It is made before,
/// where a failure can be reported.
fn hand_over(runtime: Runtime) -> Box<dyn Fn() -> Runtime + Send + Sync> {
    let runtime = Mutex::new(Some(runtime));
    Box::new(move || {
        let ready = runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match ready {
            Some(runtime) => runtime,
            None => (TokioTasksPlugin::default().make_runtime)(),
        }
    })
}

/// Gives the ledger a moment to take in what the game did in its last frame. What it cannot take in
/// is told again after the restart, so this need not wait longer than a player would notice.
fn finish_writing(mut tracker: ResMut<Tracker>) {
    // Of the last frame's news every system has heard by now.
    tracker.confirm_told();
    if !tracker.has_task() {
        return;
    }
    let (done, is_done) = crossbeam_channel::bounded(1);
    tracker.tell(Command::Flush(done));
    let _ = is_done.recv_timeout(EXIT_PATIENCE);
}
