//! Folders and files of the system.

use std::io;
use std::path::PathBuf;

/// The directory in which this user's programs store their data.
pub(crate) fn data_dir() -> Option<PathBuf> {
    dirs::data_dir()
}

/// Whether another program has the file for itself, as virus scanners and backups on Windows do for a moment.
pub(crate) fn is_in_use(error: &io::Error) -> bool {
    // ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION, for which the standard library has no kind. Other systems have
    // these numbers for a closed pipe and for a number out of range, which are no errors of files.
    matches!(error.raw_os_error(), Some(32 | 33))
}
