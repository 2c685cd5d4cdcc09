//! The clock of the tracker task.

use std::time::Duration;

use crate::platform::presence::NOTICES_EACH_STOP;
use crate::platform::runtime::sleep;
use crate::platform::time::{BootInstant, Instant};

/// How often a waiting task looks at the clock, because timers stop while the machine is suspended.
const LOOK: Duration = Duration::from_secs(5);

/// The time since the clock was made, including the time for which the machine was suspended. The standard
/// library's clock leaves that time out on Linux and macOS, but an order's deadlines must not.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    start: BootInstant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            start: BootInstant::now(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Returns at the deadline, or never if there is none.
    pub(crate) async fn sleep_until(&self, deadline: Option<Duration>) {
        self.sleep(deadline, LOOK).await;
    }

    /// The same for a socket, of which a server has thousands. Where each stop of the process is noticed, the tracker
    /// opens the sockets anew after it, so they need not look at the clock.
    pub(crate) async fn sleep_until_for_socket(&self, deadline: Option<Duration>) {
        let look = match NOTICES_EACH_STOP {
            true => Duration::MAX,
            false => LOOK,
        };
        self.sleep(deadline, look).await;
    }

    async fn sleep(&self, deadline: Option<Duration>, look: Duration) {
        let Some(deadline) = deadline else {
            return std::future::pending().await;
        };
        loop {
            let left = deadline.saturating_sub(self.now());
            if left.is_zero() {
                return;
            }
            sleep(left.min(look)).await;
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
