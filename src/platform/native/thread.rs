//! Threads for blocking work.
//!
//! Tokio's blocking pool is not used, because dropping a runtime waits for that pool, so a hanging look-up would
//! keep the game from quitting. A process ends without waiting for a detached thread.

use std::io;
use std::thread;
use std::time::Duration;

use crossbeam_channel::Receiver;

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
