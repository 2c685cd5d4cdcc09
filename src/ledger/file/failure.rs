//! Why a ledger's file cannot be used: which of the library's errors mean that it is locked, and which that it is
//! damaged.

use std::io;

use ::redb::{DatabaseError, StorageError};

pub(super) enum Failure {
    Locked,
    Damaged(String),
    Other(String),
}

impl Failure {
    pub(super) fn io(error: io::Error) -> Self {
        match is_in_use(&error) {
            true => Self::Locked,
            false => Self::Other(error.to_string()),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Locked => f.write_str("it is locked"),
            Self::Damaged(message) | Self::Other(message) => f.write_str(message),
        }
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                Self::Locked
            }
            DatabaseError::UpgradeRequired(_) | DatabaseError::RepairAborted => {
                Self::Damaged(error.to_string())
            }
            DatabaseError::Storage(error) => error.into(),
            error => Self::Other(error.to_string()),
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match &error {
            StorageError::Corrupted(_) => Self::Damaged(error.to_string()),
            StorageError::Io(io) => match io.kind() {
                // The library reports these kinds for a file that is not a database.
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    Self::Damaged(error.to_string())
                }
                _ if is_in_use(io) => Self::Locked,
                _ => Self::Other(error.to_string()),
            },
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<::redb::Error> for Failure {
    fn from(error: ::redb::Error) -> Self {
        match error {
            ::redb::Error::DatabaseAlreadyOpen => Self::Locked,
            ::redb::Error::Corrupted(message) => StorageError::Corrupted(message).into(),
            ::redb::Error::Io(error) => StorageError::Io(error).into(),
            ::redb::Error::TableTypeMismatch { .. } | ::redb::Error::UpgradeRequired(_) => {
                Self::Damaged(error.to_string())
            }
            error => Self::Other(error.to_string()),
        }
    }
}

/// Whether another program has the file for itself, as virus scanners and backups on Windows do for a moment.
fn is_in_use(error: &io::Error) -> bool {
    // ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION, for which the standard library has no kind. Other systems have
    // these numbers for a closed pipe and for a number out of range, which are no errors of files.
    matches!(error.raw_os_error(), Some(32 | 33))
}
