//! Orders that survive the process: those that are followed, and those that were granted lately.
//!
//! It holds intent, not proof. After a restart every open order is asked for again, and a grant
//! follows the server's word only: whoever edits the file gets nothing by it. It holds no token.

mod file;
mod record;
#[cfg(test)]
mod tests;
mod worker;

use std::path::PathBuf;

use bevy::prelude::{Reflect, ReflectDefault};
use thiserror::Error;

pub(crate) use record::{Entry, Restored};
pub(crate) use worker::{Job, Report, Worker};

/// Where orders are kept while the game is not running.
///
/// They are found again by their user. A player whose token cannot be read (a Pay Station token) and who
/// has no [external id](crate::XsollaUser::with_external_id) is another one with every token, so what
/// was kept for them is not found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Reflect)]
#[reflect(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Ledger {
    /// In the user's data directory, in a file for each Xsolla project and user:
    /// `bevy_xsolla/<project id>/<user>.redb` below `~/.local/share` (Linux; `XDG_DATA_HOME` where it
    /// is set), `~/Library/Application Support` (macOS), `%APPDATA%` (Windows).
    #[default]
    UserData,
    /// In this file, for all projects and users. Its folder is made if it is missing.
    At(PathBuf),
    /// Nowhere: a purchase that is paid after the game was closed is not granted by this crate.
    Disabled,
}

/// Why orders are not kept while the game is not running, or that some were lost.
///
/// Tracking goes on all the same.
#[derive(Clone, Debug, Error, PartialEq, Eq, Reflect)]
#[reflect(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another instance of the game uses the file.
    #[error("another instance uses the ledger {}", .path.display())]
    Locked {
        /// The ledger's file.
        path: PathBuf,
    },
    /// The file was damaged. It was put aside, and a new one begun.
    #[error("the ledger was damaged; it is kept as {}", .kept_as.display())]
    Damaged {
        /// Where the damaged file is now.
        kept_as: PathBuf,
    },
    /// The file cannot be read or written: the disk is full, read-only, or otherwise unwilling. It is
    /// tried again now and then.
    #[error("the ledger {} cannot be used: {message}", .path.display())]
    Unavailable {
        /// The ledger's file.
        path: PathBuf,
        /// What the system says.
        message: String,
    },
    /// The thread that writes cannot be started.
    #[error("the ledger's thread cannot start: {0}")]
    NoThread(String),
    /// The disk does not answer.
    #[error("the ledger's disk does not answer")]
    NoAnswer,
    /// This system has no data directory: name a file with [`Ledger::At`].
    #[error("this system has no data directory for the ledger")]
    NoPlace,
}
