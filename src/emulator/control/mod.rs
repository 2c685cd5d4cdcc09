//! `XsollaEmulator`, with which a test controls the servers. Its methods are in files by subject.

mod counters;
pub(crate) mod emulator;
pub(crate) mod error;
mod events;
mod faults;
mod orders;
mod payment;
mod publications;
mod users;
pub(crate) mod webhooks;
