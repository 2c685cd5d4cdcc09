//! Threads for blocking work.
//!
//! Tokio's blocking pool is not used, because dropping a runtime waits for that pool, so a hanging look-up would
//! keep the game from quitting. A process ends without waiting for a detached thread.

use std::io;
use std::thread;
use std::time::Duration;

use crossbeam_channel::Receiver;
use tokio::sync::oneshot;

/// Runs the work on a new thread.
pub(crate) fn spawn_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
}

/// Blocks until the background task has sent something, or `patience` has passed.
pub(crate) fn wait_for_task<T>(sent: &Receiver<T>, patience: Duration) {
    let _ = sent.recv_timeout(patience);
}

/// Runs the work on a new thread and waits for its result.
pub(super) async fn run_on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    spawn_thread(name, move || {
        // Sending fails if nobody waits for the result any more.
        let _ = done.send(work());
    })?;
    result
        .await
        .map_err(|_| io::Error::other("the thread ended without a result"))
}
