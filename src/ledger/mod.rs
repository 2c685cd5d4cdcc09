//! Orders that survive the process: those that are followed, and those that were granted lately.
//!
//! The ledger holds intent, not proof. After a restart every open order is asked for again, and a grant
//! follows the server's word only: whoever edits the file gets nothing by it. It holds no token.

mod kinds;
mod memory;
#[cfg(not(target_family = "wasm"))]
mod redb;
#[cfg(target_family = "wasm")]
#[path = "no_files.rs"]
mod redb;
#[cfg(target_family = "wasm")]
mod task;
#[cfg(test)]
mod tests;
#[cfg(not(target_family = "wasm"))]
mod thread;
pub(crate) mod writer;

#[cfg(target_family = "wasm")]
pub(crate) use self::task::Writer;
#[cfg(not(target_family = "wasm"))]
pub(crate) use self::thread::Writer;
