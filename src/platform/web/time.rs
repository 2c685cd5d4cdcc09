//! The browser's clocks. The standard library's clocks panic in a browser.

use std::cell::Cell;
use std::rc::Rc;
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

/// A moment on a clock that also runs while the machine is suspended. Some browsers have no such clock, so this takes
/// the larger step of the monotonic clock and of the calendar, since it was last asked. A calendar that is set forward
/// looks like a sleep. One that is set back changes nothing, and the next sleep is noticed all the same.
#[derive(Clone, Debug)]
pub(crate) struct BootInstant(Rc<Cell<Reading>>);

#[derive(Clone, Copy, Debug)]
struct Reading {
    elapsed: Duration,
    at: Instant,
    calendar: SystemTime,
}

impl BootInstant {
    pub(crate) fn now() -> Self {
        Self(Rc::new(Cell::new(Reading {
            elapsed: Duration::ZERO,
            at: Instant::now(),
            calendar: calendar(),
        })))
    }

    pub(crate) fn elapsed(&self) -> Duration {
        let (at, calendar, last) = (Instant::now(), calendar(), self.0.get());
        let awake = at.saturating_duration_since(last.at);
        let step = calendar.duration_since(last.calendar).unwrap_or_default();
        let has_slept = step > awake.saturating_add(SLEEP_MIN);
        let elapsed = last.elapsed + if has_slept { step } else { awake };
        self.0.set(Reading {
            elapsed,
            at,
            calendar,
        });
        elapsed
    }
}
