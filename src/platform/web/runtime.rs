//! The page's thread, on which the background task runs while the game waits for its next frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bevy::prelude::App;
use gloo_timers::future::TimeoutFuture;
use wasm_bindgen_futures::spawn_local;

/// The longest time that a browser's timer accepts, in milliseconds. With a longer time it fires at once.
const TIMER_MAX: u32 = i32::MAX.unsigned_abs();

/// A task that runs concurrently with the game.
#[derive(Debug)]
pub(crate) struct BackgroundTask {
    has_ended: Arc<AtomicBool>,
}

impl BackgroundTask {
    pub(crate) fn is_finished(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }
}

/// Starts a task on the page's thread.
pub(crate) fn start(
    _app: &mut App,
    task: impl Future<Output = ()> + 'static,
) -> Result<BackgroundTask, String> {
    let has_ended = Arc::<AtomicBool>::default();
    let at_its_end = has_ended.clone();
    spawn_local(async move {
        task.await;
        at_its_end.store(true, Ordering::Relaxed);
    });
    Ok(BackgroundTask { has_ended })
}

/// Runs another task concurrently with the one that calls this.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    spawn_local(task);
}

pub(crate) async fn sleep(duration: Duration) {
    // The browser counts in whole milliseconds. Rounding down would return too early.
    let of_second = duration.subsec_nanos().div_ceil(1_000_000);
    let mut left = duration
        .as_secs()
        .saturating_mul(1_000)
        .saturating_add(of_second.into());
    while left > 0 {
        let step = u32::try_from(left).unwrap_or(u32::MAX).min(TIMER_MAX);
        TimeoutFuture::new(step).await;
        left -= u64::from(step);
    }
}

/// Returns the future's result, or `None` if it takes longer than `patience`. In that case the future is dropped.
pub(crate) async fn timeout<T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        result = future => Some(result),
        () = sleep(patience) => None,
    }
}

/// Sockets and requests need no preparation in a browser.
pub(crate) async fn require_io() {}
