//! The browser's clocks. The standard library's clocks panic in a browser.

use std::time::SystemTime;

pub(crate) use web_time::Instant;
use web_time::web::SystemTimeExt;

/// The time of the calendar. It may be set at any time, so no decision depends on it.
pub(crate) fn calendar() -> SystemTime {
    web_time::SystemTime::now().to_std()
}
