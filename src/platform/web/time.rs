//! The browser's clocks. The standard library's clocks panic in a browser.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

pub(crate) use web_time::Instant;
use web_time::web::SystemTimeExt;

/// How far the calendar's clock must be ahead of the monotonic one before the difference counts as the machine's
/// sleep. A smaller difference is an adjustment of a clock.
const SLEEP_MIN: Duration = Duration::from_secs(5);

/// The time of the calendar. It may be set at any time, so no decision depends on it.
pub(crate) fn calendar() -> SystemTime {
    web_time::SystemTime::now().to_std()
}

/// A moment on a clock that also runs while the machine is suspended. Some browsers have no such clock, so this adds
/// to the monotonic clock what the calendar has on it. A calendar that is set forward looks like a sleep.
#[derive(Clone, Debug)]
pub(crate) struct BootInstant {
    start: Instant,
    calendar_start: SystemTime,
    /// The time that the monotonic clock has missed, in milliseconds.
    asleep: Arc<AtomicU64>,
}

impl BootInstant {
    pub(crate) fn now() -> Self {
        Self {
            start: Instant::now(),
            calendar_start: calendar(),
            asleep: Arc::new(AtomicU64::new(0)),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        let awake = self.start.elapsed();
        let asleep = Duration::from_millis(self.asleep.load(Ordering::Relaxed));
        let calendar = calendar().duration_since(self.calendar_start);
        let missed = calendar.unwrap_or_default().saturating_sub(awake);
        if missed <= asleep + SLEEP_MIN {
            return awake + asleep;
        }
        let millis = u64::try_from(missed.as_millis()).unwrap_or(u64::MAX);
        self.asleep.store(millis, Ordering::Relaxed);
        awake + missed
    }
}
