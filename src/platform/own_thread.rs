//! Opens pages on a thread of its own, because finding the browser takes time.

use std::io;

use bevy::prelude::App;
use tokio::sync::oneshot;

use crate::platform::thread::spawn_thread;

pub(crate) fn prepare(_app: &mut App) {}

/// Runs the work on a new thread.
pub(crate) fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = io::Result<T>> {
    let (done, result) = oneshot::channel();
    let started = spawn_thread("xsolla-browser", move || {
        // Sending fails if nobody waits for the result any more.
        let _ = done.send(work());
    });
    async {
        started?;
        result
            .await
            .map_err(|_| io::Error::other("the thread ended without a result"))
    }
}
