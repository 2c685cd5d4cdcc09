//! Threads for what blocks.
//!
//! Not Tokio's blocking pool: dropping a runtime waits for that pool, and a look-up that hangs would keep
//! a game from quitting. A process ends without waiting for a detached thread.

use std::io;
use std::thread;
use std::time::Duration;

use crossbeam_channel::Receiver;
use tokio::sync::oneshot;

/// Runs the work on a thread of its own.
pub(crate) fn spawn_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
}

/// Blocks until the background task has sent something, but not longer than this.
pub(crate) fn wait_for_task<T>(sent: &Receiver<T>, patience: Duration) {
    let _ = sent.recv_timeout(patience);
}

/// Runs the work on a thread of its own, and waits for its result.
pub(super) async fn run_on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    spawn_thread(name, move || {
        // Nobody waits any more where the receiver is gone.
        let _ = done.send(work());
    })?;
    result
        .await
        .map_err(|_| io::Error::other("the thread ended without a result"))
}
