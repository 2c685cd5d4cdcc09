//! Replaces the ledger in a file on platforms without files.

use std::path::PathBuf;

use crate::model::ledger::{LedgerError, LedgerStore};

pub(super) fn open(_path: PathBuf) -> Result<Box<dyn LedgerStore>, LedgerError> {
    Err(LedgerError::NoPlace)
}
