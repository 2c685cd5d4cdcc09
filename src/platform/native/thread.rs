//! Threads for what blocks.

use std::io;
use std::thread;

use tokio::sync::oneshot;

/// Runs what blocks on a thread of its own.
///
/// Not on Tokio's blocking pool: dropping a runtime waits for that pool, and a look-up that hangs
/// would keep a game from quitting. A process ends without waiting for a detached thread.
pub(crate) async fn on_own_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // Nobody waits any more where the receiver is gone.
            let _ = done.send(work());
        })?;
    result
        .await
        .map_err(|_| io::Error::other("the thread ended without a result"))
}
