//! The one clock of the tracker task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::platform::runtime::sleep;
use crate::platform::time::{Instant, calendar};

/// How much further the calendar's clock must have come than the monotonic one before the machine
/// counts as having slept. Below that it is a clock being adjusted.
const SLEEP_MIN: Duration = Duration::from_secs(5);
/// How often a sleeping task looks whether the machine slept: timers stand still meanwhile.
const LOOK: Duration = Duration::from_secs(5);

/// Time since the clock was made, including the time the machine was suspended: what the monotonic
/// clock leaves out (on Linux and macOS), and what an order's deadlines run on through.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    start: Instant,
    calendar_start: SystemTime,
    /// Milliseconds that the monotonic clock has missed.
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

    /// How long the machine has slept since the clock was made, as far as it was
    /// [noticed](Self::notice_sleep).
    pub(crate) fn asleep(&self) -> Duration {
        Duration::from_millis(self.asleep.load(Ordering::Relaxed))
    }

    /// Compares the clocks. Setting the calendar forward looks the same as a sleep; the price is a
    /// connection opened anew.
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

    /// Returns at the deadline, never without one. May return early after the machine has slept.
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

/// Measures how long something takes.
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
