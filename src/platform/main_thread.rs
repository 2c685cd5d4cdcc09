//! Opens pages on the main thread, in a frame of the game. iOS shows things for the main thread only.

use std::io;
use std::sync::LazyLock;

use bevy::ecs::system::NonSendMarker;
use bevy::prelude::{App, First, IntoScheduleConfigs};
use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// The work that waits for a frame. The main thread is the same for every app.
static WORK: LazyLock<(Sender<Work>, Receiver<Work>)> = LazyLock::new(unbounded);

pub(crate) fn prepare(app: &mut App) {
    app.add_systems(First, do_work.run_if(|| !WORK.1.is_empty()));
}

/// Has the work done in the next frame.
pub(crate) fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = io::Result<T>> {
    let (done, result) = oneshot::channel();
    let work = move || {
        // Sending fails if nobody waits for the result any more.
        let _ = done.send(work());
    };
    // The receiver is never dropped.
    let _ = WORK.0.send(Box::new(work));
    async {
        result
            .await
            .map_err(|_| io::Error::other("the work ended without a result"))
    }
}

/// Does what waits. The marker keeps the system on the main thread.
fn do_work(_: NonSendMarker) {
    while let Ok(work) = WORK.1.try_recv() {
        work();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use bevy::MinimalPlugins;
    use bevy::ecs::schedule::MultiThreadedExecutor;
    use bevy::tasks::block_on;

    use super::*;

    #[test]
    fn work_is_done_on_the_thread_of_the_game_in_the_next_frame() {
        let mut app = App::new();
        app.add_plugins(MinimalPlugins);
        app.edit_schedule(First, |schedule| {
            schedule.set_executor(MultiThreadedExecutor::new());
        });
        prepare(&mut app);
        for _ in 0..200 {
            let done = run(|| thread::current().id());
            app.update();
            assert_eq!(block_on(done).unwrap(), thread::current().id());
        }
    }
}
