//! A queue of timers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;
use std::time::Duration;

use crate::model::maps::HashMap;

/// A time in nanoseconds, which takes half the memory of a `Duration` and lasts for centuries.
type Nanos = u64;

/// How many outdated entries the queue may have besides half as many as there are timers.
const OUTDATED: usize = 64;

/// Timers with one time per key. Setting a key again replaces its time.
#[derive(Debug)]
pub(super) struct Timers<K> {
    /// The timers by time, and outdated entries: those that `moments` does not have. The first entry is none of these.
    queue: BinaryHeap<Reverse<(Nanos, K)>>,
    moments: HashMap<K, Nanos>,
}

impl<K: Clone + Hash + Ord> Timers<K> {
    pub(super) fn new() -> Self {
        Self {
            queue: BinaryHeap::new(),
            moments: HashMap::default(),
        }
    }

    pub(super) fn set(&mut self, key: K, at: Duration) {
        let at = Nanos::try_from(at.as_nanos()).unwrap_or(Nanos::MAX);
        if self.moments.insert(key.clone(), at) != Some(at) {
            self.queue.push(Reverse((at, key)));
            self.drop_outdated();
        }
    }

    pub(super) fn clear(&mut self, key: &K) {
        if self.moments.remove(key).is_some() {
            self.drop_outdated();
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<Duration> {
        self.moments.get(key).copied().map(Duration::from_nanos)
    }

    pub(super) fn next(&self) -> Option<Duration> {
        let first = self.queue.peek();
        first.map(|Reverse((at, _))| Duration::from_nanos(*at))
    }

    /// Takes the first key that is due, and returns the time for which it was set.
    pub(super) fn pop(&mut self, now: Duration) -> Option<(Duration, K)> {
        let due = self.next().filter(|due| *due <= now)?;
        let Reverse((_, key)) = self.queue.pop()?;
        self.moments.remove(&key);
        self.drop_outdated();
        Some((due, key))
    }

    /// Drops the outdated entries before the first timer, and all of them once they are many.
    fn drop_outdated(&mut self) {
        let is_set =
            |moments: &HashMap<K, Nanos>, at: Nanos, key: &K| moments.get(key) == Some(&at);
        while let Some(Reverse((at, key))) = self.queue.peek()
            && !is_set(&self.moments, *at, key)
        {
            self.queue.pop();
        }
        if self.queue.len() > self.moments.len() + self.moments.len() / 2 + OUTDATED {
            let moments = &self.moments;
            self.queue
                .retain(|Reverse((at, key))| is_set(moments, *at, key));
        }
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.moments.keys()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A list without a queue, to compare with.
    #[derive(Default)]
    struct Plain(BTreeMap<u8, u64>);

    impl Plain {
        fn next(&self) -> Option<(u64, u8)> {
            self.0.iter().map(|(key, at)| (*at, *key)).min()
        }
    }

    #[test]
    fn timers_come_in_order_and_once_and_outdated_entries_do_not_pile_up() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut timers, mut plain) = (Timers::new(), Plain::default());
            for _ in 0..1_000 {
                let (key, at) = (random.u8(..20), random.u64(..50));
                match random.u8(..4) {
                    0 | 1 => {
                        timers.set(key, Duration::from_nanos(at));
                        plain.0.insert(key, at);
                    }
                    2 => {
                        timers.clear(&key);
                        plain.0.remove(&key);
                    }
                    _ => {
                        let due = plain.next().filter(|(due, _)| *due <= at);
                        let popped = timers.pop(Duration::from_nanos(at));
                        assert_eq!(popped, due.map(|(at, key)| (Duration::from_nanos(at), key)));
                        if let Some((_, key)) = due {
                            plain.0.remove(&key);
                        }
                    }
                }
                let next = plain.next().map(|(at, _)| Duration::from_nanos(at));
                assert_eq!(timers.next(), next, "seed {seed}");
                let moment = plain.0.get(&key).copied().map(Duration::from_nanos);
                assert_eq!(timers.get(&key), moment);
                assert!(timers.queue.len() <= 20 + 10 + OUTDATED);
            }
        }
    }
}
