//! Folders of the system.

use std::path::PathBuf;

/// A browser has none.
pub(crate) fn data_dir() -> Option<PathBuf> {
    None
}
