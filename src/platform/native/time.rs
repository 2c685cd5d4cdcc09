//! The system's clocks.

use std::time::SystemTime;

pub(crate) use std::time::Instant;

/// A moment on a clock that also runs while the machine is suspended, and that nobody can set.
pub(crate) use boot_time::Instant as BootInstant;

/// The time of the calendar. It may be set at any time, so no decision depends on it.
pub(crate) fn calendar() -> SystemTime {
    SystemTime::now()
}
