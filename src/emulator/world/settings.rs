//! The settings of the servers that a test can change, apart from faults.

use std::time::Duration;

use super::tokens;
use super::webhook_bodies::Shape;

pub(crate) struct Settings {
    /// The number of publications that each channel keeps.
    pub(crate) history_limit: usize,
    pub(crate) ping_interval: Duration,
    pub(crate) delivery_delay: Duration,
    pub(crate) slow_payment: Duration,
    pub(crate) payment_token_lifetime: Duration,
    pub(crate) webhook_shape: Shape,
    /// Whether events are put into the queues of players.
    pub(crate) queues_events: bool,
    /// Whether an order is refunded whose webhook is refused or never answered.
    pub(crate) refunds_automatically: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            history_limit: 100,
            ping_interval: Duration::from_secs(25),
            delivery_delay: Duration::from_secs(1),
            slow_payment: Duration::from_secs(120),
            payment_token_lifetime: tokens::LIFETIME,
            webhook_shape: Shape::default(),
            queues_events: false,
            refunds_automatically: false,
        }
    }
}
