//! The times of pings and pongs.

use std::time::{Duration, Instant};

pub(crate) struct Pings {
    interval: Duration,
    next: Instant,
    pong_by: Option<Instant>,
}

pub(crate) enum Tick {
    Nothing,
    Ping,
    NoPong,
}

impl Pings {
    /// The first ping comes after half an interval to a whole one, so that many clients that
    /// connect at once are not pinged at once.
    pub(crate) fn new(interval: Duration) -> Self {
        let first = interval / 2 + (interval / 2).mul_f64(fastrand::f64());
        Self {
            interval,
            next: Instant::now() + first,
            pong_by: None,
        }
    }

    /// The next time at which [`tick`](Self::tick) has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        self.pong_by.map_or(self.next, |by| by.min(self.next))
    }

    pub(crate) fn tick(&mut self, now: Instant) -> Tick {
        if self.pong_by.is_some_and(|by| by <= now) {
            return Tick::NoPong;
        }
        if self.next > now {
            return Tick::Nothing;
        }
        self.next = now + self.interval;
        self.pong_by = Some(now + self.interval / 3);
        Tick::Ping
    }

    /// Takes note of a pong. Returns whether one was due.
    pub(crate) fn pong(&mut self) -> bool {
        self.pong_by.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(25);

    #[test]
    fn a_ping_wants_one_pong_within_a_third_of_the_interval() {
        let mut pings = Pings::new(INTERVAL);
        assert!(!pings.pong(), "there was no ping yet");
        let first = pings.deadline();
        assert!(matches!(pings.tick(first), Tick::Ping));
        assert!(pings.pong());
        assert!(!pings.pong(), "one is enough");
        let second = pings.deadline();
        assert_eq!(second, first + INTERVAL);
        assert!(matches!(pings.tick(second), Tick::Ping));
        let late = pings.deadline();
        assert_eq!(late, second + INTERVAL / 3);
        assert!(matches!(
            pings.tick(late - Duration::from_millis(1)),
            Tick::Nothing
        ));
        assert!(matches!(pings.tick(late), Tick::NoPong));
    }

    #[test]
    fn the_first_ping_comes_in_the_second_half_of_the_interval() {
        for _ in 0..100 {
            let start = Instant::now();
            let first = Pings::new(INTERVAL).deadline();
            assert!(first >= start + INTERVAL / 2);
            assert!(first <= Instant::now() + INTERVAL);
        }
    }
}
