//! The system's clocks.

use std::time::SystemTime;

pub(crate) use std::time::Instant;

/// The time of the calendar. It may be set at any time, so no decision depends on it.
pub(crate) fn calendar() -> SystemTime {
    SystemTime::now()
}
