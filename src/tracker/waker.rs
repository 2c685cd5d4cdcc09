//! Wakes the game when there is news.

use std::sync::{Arc, OnceLock};

/// Wakes a game that sleeps until there is input (`WinitSettings::desktop_app()`). It does nothing until
/// the game has an event loop.
#[derive(Clone, Default)]
pub(crate) struct EventLoopWaker(Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>);

impl EventLoopWaker {
    pub(crate) fn wake(&self) {
        if let Some(wake) = self.0.get() {
            wake();
        }
    }

    /// Sets how to wake the game. Only the first call counts, because a game has one event loop.
    #[cfg(any(feature = "winit", test))]
    pub(crate) fn connect(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(wake));
    }
}

impl std::fmt::Debug for EventLoopWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EventLoopWaker")
            .field(&self.0.get().is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_waker_wakes_once_it_is_connected() {
        let waker = EventLoopWaker::default();
        waker.wake();
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        waker.connect(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        waker.clone().wake();
        assert_eq!(woken.load(Ordering::Relaxed), 1);
    }
}
