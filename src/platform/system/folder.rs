//! Folders of the system.

use std::path::PathBuf;

/// The directory in which this user's programs store their data.
pub(crate) fn data_dir() -> Option<PathBuf> {
    dirs::data_dir()
}
