//! The ledger keeps orders across restarts: those that are followed, and those that were granted recently.
//!
//! An entry is no proof of payment. After a restart every open order is asked for again, and only a server's
//! answer leads to a grant, so editing the file gains nothing. The ledger holds no token.

#[cfg(not(target_family = "wasm"))]
mod file;
#[cfg(target_family = "wasm")]
mod indexed_db;
mod kinds;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(not(target_family = "wasm"))]
mod redb;
mod shelf;
mod store;
#[cfg(target_family = "wasm")]
mod task;
#[cfg(test)]
mod tests;
#[cfg(not(target_family = "wasm"))]
mod thread;
pub(crate) mod writer;

#[cfg(target_family = "wasm")]
use self::indexed_db as embedded;
#[cfg(not(target_family = "wasm"))]
use self::redb as embedded;
#[cfg(target_family = "wasm")]
pub(crate) use self::task::Writer;
#[cfg(not(target_family = "wasm"))]
pub(crate) use self::thread::Writer;
