//! The background task that drives the machine.

pub(crate) mod counters;
pub(crate) mod driver;
pub(crate) mod handle;
#[cfg(instruction_counts)]
#[path = "../../benches/instructions/harness.rs"]
pub mod instructions;
mod notices;
mod outbox;
#[cfg(feature = "webhook")]
mod receipts;
pub(crate) mod services;
pub(crate) mod source;
#[cfg(feature = "token_verifier")]
pub(crate) mod token_verifier;
pub(crate) mod waker;
// They have servers of their own, so they run where the emulator does, which is not in a browser.
#[cfg(feature = "emulator")]
#[cfg(test)]
mod tests;
