//! Folders of the system.

use std::path::PathBuf;

/// A browser has no data directory.
pub(crate) fn data_dir() -> Option<PathBuf> {
    None
}
