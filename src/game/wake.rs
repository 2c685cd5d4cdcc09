//! Wakes a game that sleeps until there is input (`WinitSettings::desktop_app()`).

use bevy::prelude::Res;
use bevy::winit::{EventLoopProxyWrapper, WinitUserEvent};

use crate::game::tracking::Tracking;

/// Connects the task's waker to winit's event loop, whichever plugin was added first.
pub(super) fn connect_to_winit(
    tracking: Res<Tracking>,
    event_loop: Option<Res<EventLoopProxyWrapper>>,
) {
    if let Some(event_loop) = event_loop {
        let event_loop = (**event_loop).clone();
        tracking.handle.waker.connect(move || {
            // A loop that has ended needs no waking.
            let _ = event_loop.send_event(WinitUserEvent::WakeUp);
        });
    }
}
