//! The background task that follows orders.

mod backoff;
mod counters;
mod machine;
mod notice;
mod outbox;
mod requests;
mod servers;
#[cfg(feature = "store")]
mod shop;
#[cfg(not(feature = "store"))]
#[path = "no_shop.rs"]
mod shop;
mod socket;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use counters::{Counters, Counts};
pub(crate) use notice::Notice;
#[cfg(feature = "store")]
pub(crate) use shop::StoreCommand;
pub(crate) use task::{Command, Link, run};
