//! The system's clocks.

use std::time::SystemTime;

pub(crate) use std::time::Instant;

/// What the calendar says. It may be set at any time, so nothing is decided by it.
pub(crate) fn calendar() -> SystemTime {
    SystemTime::now()
}
