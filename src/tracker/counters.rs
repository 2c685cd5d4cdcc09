//! What the task counts for [`XsollaDiagnosticsPlugin`](crate::XsollaDiagnosticsPlugin), whether or not
//! anybody looks: an atomic here and there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Counters {
    began: Instant,
    /// When the oldest news that the game has not taken came, in nanoseconds since `began`; 0 for none.
    oldest_news: AtomicU64,
    sockets: AtomicU64,
    reconnects: AtomicU64,
    requests: AtomicU64,
}

/// The counters at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Sockets that are subscribed now.
    pub(crate) sockets: u64,
    /// How often a socket was opened again.
    pub(crate) reconnects: u64,
    /// Get Order requests that were sent.
    pub(crate) requests: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            oldest_news: AtomicU64::new(0),
            sockets: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// There is news for the game. To be called before the game can take it.
    pub(super) fn news_came(&self) {
        if self.oldest_news.load(Relaxed) == 0 {
            self.note_news(self.now());
        }
    }

    /// How long the oldest news has waited; it is taken by the game now.
    pub(crate) fn take_news_age(&self) -> Option<Duration> {
        match self.oldest_news.swap(0, Relaxed) {
            0 => None,
            came => Some(Duration::from_nanos(self.now().saturating_sub(came))),
        }
    }

    /// The game has left some of it for the next frame.
    pub(crate) fn return_news(&self, age: Duration) {
        let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        self.note_news(self.now().saturating_sub(age).max(1));
    }

    fn note_news(&self, came: u64) {
        let _ = self
            .oldest_news
            .fetch_update(Relaxed, Relaxed, |oldest| match oldest {
                0 => Some(came),
                oldest => Some(oldest.min(came)),
            });
    }

    /// Never 0, which means that there is none.
    fn now(&self) -> u64 {
        let nanos = self.began.elapsed().as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX).max(1)
    }

    pub(super) fn request_sent(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    pub(super) fn socket_opened_again(&self) {
        self.reconnects.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            sockets: self.sockets.load(Relaxed),
            reconnects: self.reconnects.load(Relaxed),
            requests: self.requests.load(Relaxed),
        }
    }
}

/// A socket that is subscribed, for as long as this is kept.
pub(super) struct UpSocket(Arc<Counters>);

impl UpSocket {
    pub(super) fn new(counters: &Arc<Counters>) -> Self {
        counters.sockets.fetch_add(1, Relaxed);
        Self(counters.clone())
    }
}

impl Drop for UpSocket {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_news_counts() {
        let counters = Counters::default();
        assert_eq!(counters.take_news_age(), None);
        counters.news_came();
        std::thread::sleep(Duration::from_millis(20));
        counters.news_came();
        let age = counters.take_news_age().unwrap();
        assert!(age >= Duration::from_millis(20), "{age:?}");
        assert_eq!(counters.take_news_age(), None);

        counters.news_came();
        counters.return_news(age);
        assert!(counters.take_news_age().unwrap() >= age);
    }

    #[test]
    fn a_socket_is_up_for_as_long_as_it_is_kept() {
        let counters = Arc::new(Counters::default());
        let (a, b) = (UpSocket::new(&counters), UpSocket::new(&counters));
        assert_eq!(counters.counts().sockets, 2);
        drop((a, b));
        assert_eq!(counters.counts().sockets, 0);
    }
}
