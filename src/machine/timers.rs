//! A queue of timers.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

/// A time in nanoseconds, which takes half the memory of a `Duration` and lasts for centuries.
type Nanos = u64;

/// Timers with one time per key. Setting a key again replaces its time.
#[derive(Debug)]
pub(super) struct Timers<K> {
    queue: BTreeSet<(Nanos, K)>,
    moments: HashMap<K, Nanos>,
}

impl<K: Clone + Hash + Ord> Timers<K> {
    pub(super) fn new() -> Self {
        Self {
            queue: BTreeSet::new(),
            moments: HashMap::new(),
        }
    }

    pub(super) fn set(&mut self, key: K, at: Duration) {
        self.clear(&key);
        let at = Nanos::try_from(at.as_nanos()).unwrap_or(Nanos::MAX);
        self.moments.insert(key.clone(), at);
        self.queue.insert((at, key));
    }

    pub(super) fn clear(&mut self, key: &K) {
        if let Some((key, at)) = self.moments.remove_entry(key) {
            self.queue.remove(&(at, key));
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<Duration> {
        self.moments.get(key).copied().map(Duration::from_nanos)
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.queue.first().map(|(at, _)| Duration::from_nanos(*at))
    }

    /// Takes the first key that is due, and returns the time for which it was set.
    pub(super) fn pop(&mut self, now: Duration) -> Option<(Duration, K)> {
        let due = self.next().filter(|due| *due <= now)?;
        let (_, key) = self.queue.pop_first()?;
        self.moments.remove(&key);
        Some((due, key))
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.moments.keys()
    }
}
