//! The background task that follows orders.

pub(crate) mod counters;
mod outbox;
mod requests;
mod servers;
pub(crate) mod shop;
mod socket;
pub(crate) mod task;
#[cfg(test)]
mod tests;
