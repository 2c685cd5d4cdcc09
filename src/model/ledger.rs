//! Where orders are kept while the game is not running.

use std::path::PathBuf;
use std::time::Duration;

use bevy::prelude::{Reflect, ReflectDefault};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::order::OrderId;

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

/// Where an order stands with the game.
///
/// In this order: an entry is raised and never lowered, unless the order is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Entry {
    /// It is followed.
    Open,
    /// It is followed, and the game was told to grant it. That says nothing of whether it may be
    /// granted again: only that its cancellation would be a refund.
    Granted,
    /// The game has acknowledged it: it is kept to notice a refund, and to never grant it again.
    Acknowledged,
}

/// An order as the ledger had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) order_id: OrderId,
    pub(crate) entry: Entry,
    /// How long ago the entry was made.
    pub(crate) age: Duration,
}
