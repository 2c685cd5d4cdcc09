//! The Tokio runtime of the background task: the game's own, or one that is added.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bevy::app::MainScheduleOrder;
use bevy::ecs::schedule::{InternedScheduleLabel, ScheduleLabel, SingleThreadedExecutor};
use bevy::prelude::{App, Update};
use bevy_tokio_tasks::{TokioTasksPlugin, TokioTasksRuntime};
use tokio::net::UdpSocket;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// A task that runs concurrently with the game.
#[derive(Debug)]
pub(crate) struct BackgroundTask(JoinHandle<()>);

impl BackgroundTask {
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// Starts a task on the runtime of the game's `TokioTasksPlugin`, or on one that is added here. The error is the
/// reason that there is no runtime.
pub(crate) fn start(
    app: &mut App,
    task: impl Future<Output = ()> + Send + 'static,
) -> Result<BackgroundTask, String> {
    if !app.world().contains_resource::<TokioTasksRuntime>() {
        let runtime = small_runtime()
            .map_err(|error| format!("the background runtime cannot start: {error}"))?;
        let schedule_label = a_schedule_beside_update(app);
        app.add_plugins(TokioTasksPlugin {
            make_runtime: hand_over(runtime),
            schedule_label,
        });
    }
    let runtime = app.world().resource::<TokioTasksRuntime>();
    Ok(BackgroundTask(runtime.spawn_background_task(|_| task)))
}

/// Runs another task concurrently with the one that calls this.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Panics if the game's runtime was built without IO, and so ends the task that calls this. The end of the task is
/// noticed, while a panic in each connection would not be.
pub(crate) async fn require_io() {
    drop(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await);
}

/// The schedule of a `TokioTasksPlugin` that the game did not add. It is not `Update`, because the plugin's system
/// takes the whole world, so that no other system could run in parallel.
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

/// Builds a runtime with one thread, which is enough for a few sockets and leaves the cores to the game.
fn small_runtime() -> io::Result<Runtime> {
    // Tokio panics if it cannot start its thread. So another is started first, whose failure is an error.
    thread::Builder::new().spawn(|| ())?.join().ok();
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("xsolla")
        // The thread looks after each step of a task whether the game has ended. By default it looks after 61
        // steps, for which the end of the game waits.
        .event_interval(1)
        .enable_all()
        .build()
}

/// Makes the function that `TokioTasksPlugin` calls once to get its runtime. The runtime is created beforehand, so
/// that a failure can be reported.
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
