//! The life cycle of a game with a window: it is suspended and resumed, and the player leaves it and comes back.

use std::time::Duration;

use bevy::prelude::{Local, MessageReader, Res};
use bevy_window::{AppLifecycle, WindowFocused};

use crate::game::tracking::Tracking;
use crate::machine::input::Input;

/// The time that a game waits for the ledger before it is suspended. Its player sees no frame meanwhile. Systems allow
/// some seconds, and end a suspended game without a word.
const SUSPEND_PATIENCE: Duration = Duration::from_millis(500);

/// What the game was before its last message.
#[derive(Debug, Default)]
pub(super) struct Before {
    is_suspended: bool,
    is_unfocused: bool,
}

/// Whether anything has happened to the window. Only this runs in a frame in which nothing has.
pub(super) fn may_have_returned(
    mut lifecycle: MessageReader<AppLifecycle>,
    mut focused: MessageReader<WindowFocused>,
) -> bool {
    lifecycle.read().count() + focused.read().count() > 0
}

/// Tells the task that the game is resumed, or that the player has come back to its window.
pub(super) fn tell_returns(
    mut lifecycle: MessageReader<AppLifecycle>,
    mut focused: MessageReader<WindowFocused>,
    mut before: Local<Before>,
    tracking: Res<Tracking>,
) {
    let (mut is_resumed, mut is_focused) = (false, false);
    for message in lifecycle.read() {
        // A game that starts is `Running` without having been suspended. winit's runner leaves out `WillResume`.
        let was_suspended = before.is_suspended;
        before.is_suspended = is_suspension(*message);
        is_resumed |= *message == AppLifecycle::WillResume
            || *message == AppLifecycle::Running && was_suspended;
    }
    for message in focused.read() {
        is_focused |= message.focused && before.is_unfocused;
        before.is_unfocused = !message.focused;
    }
    if is_resumed {
        tracking.handle.send(Input::Resumed);
    } else if is_focused {
        tracking.handle.send(Input::Returned);
    }
}

/// Waits until the ledger has what the game did, because the game may be ended while it is suspended.
pub(super) fn write_before_suspension(
    mut lifecycle: MessageReader<AppLifecycle>,
    tracking: Res<Tracking>,
) {
    // winit's runner leaves out `WillSuspend`, and runs a last frame with `Suspended`. All messages are read, so that
    // one that comes before the suspension does not stay for the next frame.
    let suspensions = lifecycle.read().filter(|message| is_suspension(**message));
    if suspensions.count() > 0 {
        tracking.wait_for_ledger(SUSPEND_PATIENCE);
    }
}

fn is_suspension(message: AppLifecycle) -> bool {
    matches!(message, AppLifecycle::WillSuspend | AppLifecycle::Suspended)
}
