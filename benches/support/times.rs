//! Times and their quantiles.

use std::time::Duration;

/// Durations, of which it tells the quantiles.
#[derive(Clone, Debug, Default)]
pub struct Times {
    all: Vec<Duration>,
}

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.all.push(time);
    }

    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The time that this share of all (0 to 1) does not exceed. It is zero where there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.all.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let place = (share * last as f64).round() as usize;
        sorted.get(place).copied().unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.quantile(0.5)
    }

    pub fn min(&self) -> Duration {
        self.quantile(0.0)
    }

    pub fn max(&self) -> Duration {
        self.quantile(1.0)
    }
}

/// The time in microseconds, for a table.
pub fn micros(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}

/// The time in milliseconds, for a table.
pub fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}
