//! The background task that drives the machine.

pub(crate) mod counters;
pub(crate) mod driver;
pub(crate) mod handle;
mod outbox;
mod source;
#[cfg(test)]
mod tests;
