//! Hash maps and hash sets. A server's keys, such as the ids of orders, may come from a stranger, so the hash differs
//! from process to process: nobody can choose ids that collide.

#[cfg(any(test, instruction_counts))]
use bevy::platform::hash::FixedHasher as State;
#[cfg(not(any(test, instruction_counts)))]
use bevy::platform::hash::RandomState as State;

/// A map. In tests its sequence is always the same, so that a seed replays a random world, and where instructions are
/// counted, so that the counts are the same.
pub(crate) type HashMap<K, V> = bevy::platform::collections::HashMap<K, V, State>;
/// A set.
pub(crate) type HashSet<K> = bevy::platform::collections::HashSet<K, State>;
