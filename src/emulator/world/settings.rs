//! The settings of the servers that a test can change, apart from faults.

use std::time::Duration;

use super::tokens;

pub(crate) struct Settings {
    /// The number of publications that each channel keeps.
    pub(crate) history_limit: usize,
    pub(crate) ping_interval: Duration,
    pub(crate) delivery_delay: Duration,
    pub(crate) slow_payment: Duration,
    pub(crate) payment_token_lifetime: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            history_limit: 100,
            ping_interval: Duration::from_secs(25),
            delivery_delay: Duration::from_secs(1),
            slow_payment: Duration::from_secs(120),
            payment_token_lifetime: tokens::LIFETIME,
        }
    }
}
