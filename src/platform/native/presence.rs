//! The player's presence.

use std::future::pending;
use std::time::Duration;

use crate::platform::runtime::sleep;
use crate::platform::time::BootInstant;

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A process that has not looked for so long was stopped. A shorter stop leaves its connections alive.
const STOPPED: Duration = Duration::from_secs(5);

/// Whether [`Returns`] tells of each stop, whatever its cause.
pub(crate) const NOTICES_EACH_STOP: bool = true;

/// The times at which the process goes on after a stop: the machine has slept, or the system has stopped a game that was
/// in the background. No event tells a program without a window of either.
#[derive(Debug)]
pub(crate) struct Returns {
    looked: Option<BootInstant>,
}

impl Returns {
    pub(crate) fn new() -> Self {
        Self { looked: None }
    }

    /// Waits for the next return. It does not look, and so does not wake the machine, where nothing `is_awaited`.
    pub(crate) async fn next(&mut self, is_awaited: bool) {
        if !is_awaited {
            self.looked = None;
            return pending().await;
        }
        loop {
            let now = BootInstant::now();
            let last = self.looked.replace(now);
            if last.is_some_and(|last| now.duration_since(last) > STOPPED) {
                return;
            }
            sleep(LOOK).await;
        }
    }
}
