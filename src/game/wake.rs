//! Waking a game that sleeps until there is input (`WinitSettings::desktop_app()`).

use std::sync::{Arc, OnceLock};

/// Rings when there is news; silent until the game has an event loop to wake.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>);

impl Bell {
    pub(crate) fn ring(&self) {
        if let Some(wake) = self.0.get() {
            wake();
        }
    }

    #[cfg(feature = "winit")]
    fn is_connected(&self) -> bool {
        self.0.get().is_some()
    }

    #[cfg(any(feature = "winit", test))]
    fn connect(&self, wake: impl Fn() + Send + Sync + 'static) {
        // Once connected it stays so: a game has one event loop.
        let _ = self.0.set(Box::new(wake));
    }
}

/// Connects the bell to winit's event loop, whichever plugin was added first.
#[cfg(feature = "winit")]
pub(crate) fn connect_to_winit(
    tracker: bevy::prelude::Res<crate::game::tracking::Tracker>,
    event_loop: Option<bevy::prelude::Res<bevy::winit::EventLoopProxyWrapper>>,
) {
    if let Some(event_loop) = event_loop
        && !tracker.bell.is_connected()
    {
        let event_loop = (**event_loop).clone();
        tracker.bell.connect(move || {
            // A loop that has ended needs no waking.
            let _ = event_loop.send_event(bevy::winit::WinitUserEvent::WakeUp);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_bell_rings_once_it_is_connected() {
        let bell = Bell::default();
        bell.ring();
        let rung = Arc::new(AtomicUsize::new(0));
        let count = rung.clone();
        bell.connect(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        bell.clone().ring();
        assert_eq!(rung.load(Ordering::Relaxed), 1);
    }
}
