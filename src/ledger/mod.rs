//! Orders that survive the process: those that are followed, and those that were granted lately.
//!
//! It holds intent, not proof. After a restart every open order is asked for again, and a grant
//! follows the server's word only: whoever edits the file gets nothing by it. It holds no token.

pub(crate) mod record;
mod redb;
#[cfg(test)]
mod tests;
pub(crate) mod writer;
