//! The browser's clocks. Those of the standard library panic here.

use std::time::SystemTime;

pub(crate) use web_time::Instant;
use web_time::web::SystemTimeExt;

/// What the calendar says. It may be set at any time, so nothing is decided by it.
pub(crate) fn calendar() -> SystemTime {
    web_time::SystemTime::now().to_std()
}
