//! The clock of the tracker task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::platform::runtime::sleep;
use crate::platform::time::{Instant, calendar};

/// How far the calendar's clock must be ahead of the monotonic one before the difference counts as the machine's
/// sleep. A smaller difference is an adjustment of a clock.
const SLEEP_MIN: Duration = Duration::from_secs(5);
/// How often a waiting task checks whether the machine has slept, because timers stop during the sleep.
const LOOK: Duration = Duration::from_secs(5);

/// The time since the clock was made, including the time for which the machine was suspended. The monotonic clocks
/// of Linux and macOS leave that time out, but an order's deadlines must not.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    start: Instant,
    calendar_start: SystemTime,
    /// The time that the monotonic clock has missed, in milliseconds.
    asleep: Arc<AtomicU64>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            calendar_start: calendar(),
            asleep: Arc::new(AtomicU64::new(0)),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed() + self.asleep()
    }

    /// How long the machine has slept since the clock was made, as far as [`notice_sleep`](Self::notice_sleep) has
    /// found it.
    pub(crate) fn asleep(&self) -> Duration {
        Duration::from_millis(self.asleep.load(Ordering::Relaxed))
    }

    /// Compares the clocks. A calendar that was set forward looks like a sleep, which only causes a new
    /// connection.
    pub(crate) fn notice_sleep(&self) {
        let awake = self.start.elapsed();
        let Ok(calendar) = calendar().duration_since(self.calendar_start) else {
            return;
        };
        let missed = calendar.saturating_sub(awake);
        if missed > self.asleep() + SLEEP_MIN {
            let missed = u64::try_from(missed.as_millis()).unwrap_or(u64::MAX);
            self.asleep.store(missed, Ordering::Relaxed);
        }
    }

    /// Returns at the deadline, or never if there is none. It may return early after the machine has slept.
    pub(crate) async fn sleep_until(&self, deadline: Option<Duration>) {
        let Some(deadline) = deadline else {
            return std::future::pending().await;
        };
        loop {
            self.notice_sleep();
            let left = deadline.saturating_sub(self.now());
            if left.is_zero() {
                return;
            }
            sleep(left.min(LOOK)).await;
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
