//! Folders of the system.

use std::path::PathBuf;

/// Where this user's programs keep their data.
pub(crate) fn data_dir() -> Option<PathBuf> {
    dirs::data_dir()
}
