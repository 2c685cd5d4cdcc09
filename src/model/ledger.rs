//! Where orders are kept while the game is not running, and what is kept of them.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bevy::prelude::{Reflect, ReflectDefault, ReflectResource, Resource};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::order::OrderId;
use crate::model::user::UserId;

/// Where orders are kept while the game is not running.
///
/// They are found again by their user. A player whose token cannot be read (a Pay Station token) and who
/// has no [external id](crate::XsollaUser::with_external_id) is another one with every token, so what
/// was kept for them is not found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger(pub(crate) Place);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    UserData,
    At(PathBuf),
    Disabled,
    Custom(CustomLedger),
}

impl Ledger {
    /// In the user's data directory, in a file for each Xsolla project and user:
    /// `bevy_xsolla/<project id>/<user>.redb` below `~/.local/share` (Linux; `XDG_DATA_HOME` where it
    /// is set), `~/Library/Application Support` (macOS), `%APPDATA%` (Windows). This is the default.
    pub fn user_data() -> Self {
        Self(Place::UserData)
    }

    /// In this file, for all projects and users. Its folder is made if it is missing.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(Place::At(path.into()))
    }

    /// Nowhere: a purchase that is paid after the game was closed is not granted by this crate.
    pub fn disabled() -> Self {
        Self(Place::Disabled)
    }

    /// In a store of the game's own, such as a server's database. It is called on a thread that may
    /// block.
    pub fn custom(store: impl LedgerStore) -> Self {
        Self(Place::Custom(CustomLedger(Arc::new(Mutex::new(store)))))
    }
}

/// A store of the game's own. Two are equal where they are the same one.
#[derive(Clone)]
pub(crate) struct CustomLedger(Arc<Mutex<dyn LedgerStore>>);

impl CustomLedger {
    fn lock(&self) -> MutexGuard<'_, dyn LedgerStore + 'static> {
        // A store that has panicked says itself whether it can go on.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CustomLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomLedger")
    }
}

impl PartialEq for CustomLedger {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for CustomLedger {}

/// A place where orders are kept, for [`Ledger::custom`].
///
/// It holds intent, not proof: after a restart each open order is asked for again, and a grant follows
/// the server's word only. It is never given a token.
///
/// What fails is tried again every few seconds, and [`LedgerState::Trouble`] says so meanwhile. Tracking
/// goes on.
pub trait LedgerStore: Send + 'static {
    /// All that is kept of a player's orders in a project.
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError>;

    /// Makes all of the changes or none of them, durably: what it returned for is there after a loss of
    /// power. Each order occurs once. [`LedgerChange::apply`] says what an order's record becomes.
    ///
    /// It returns what each order's entry was before, in the order of the changes.
    fn commit(&mut self, changes: &[LedgerChange])
    -> Result<Vec<Option<LedgerEntry>>, LedgerError>;

    /// Nothing of the player's is open any more: what is kept open for them may be closed.
    fn release(&mut self, project_id: u64, user: &UserId) {
        let _ = (project_id, user);
    }

    /// What is wrong though the store works, such as orders that were lost.
    fn trouble(&self) -> Option<LedgerError> {
        None
    }
}

impl LedgerStore for CustomLedger {
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        self.lock().load(project_id, user)
    }

    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        self.lock().commit(changes)
    }

    fn release(&mut self, project_id: u64, user: &UserId) {
        self.lock().release(project_id, user);
    }

    fn trouble(&self) -> Option<LedgerError> {
        self.lock().trouble()
    }
}

/// Where an order stands with the game.
///
/// In this order: an entry is raised and never lowered, unless the order is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerEntry {
    /// It is followed.
    Open,
    /// It is followed, and the game was told to grant it. That says nothing of whether it may be
    /// granted again: only that its cancellation would be a refund.
    Granted,
    /// The game has acknowledged it: it is kept to notice a refund, and to never grant it again.
    Acknowledged,
}

/// What is kept of an order.
// As it is stored: fields may be added, and none may change its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRecord {
    entry: LedgerEntry,
    /// Seconds since 1970.
    at: u64,
}

impl LedgerRecord {
    /// An entry that was made at this time.
    pub fn new(entry: LedgerEntry, at: SystemTime) -> Self {
        let since = at.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            entry,
            at: since.map_or(0, |since| since.as_secs()),
        }
    }

    /// Where the order stands.
    pub fn entry(&self) -> LedgerEntry {
        self.entry
    }

    /// The further of two records of an order.
    #[must_use]
    pub fn raised(self, other: Self) -> Self {
        match self.entry >= other.entry {
            true => self,
            false => other,
        }
    }

    /// The record as text, to be stored: a JSON object.
    pub fn to_json(&self) -> String {
        // Strings and numbers always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`to_json`](Self::to_json) wrote; `None` where it cannot be read.
    pub fn from_json(json: impl AsRef<[u8]>) -> Option<Self> {
        serde_json::from_slice(json.as_ref()).ok()
    }

    pub(crate) fn restore(&self, order_id: OrderId, now: SystemTime) -> Restored {
        let now = now.duration_since(SystemTime::UNIX_EPOCH);
        // A clock that was set back makes entries of the future; they count as made now.
        let age = now.map_or(0, |now| now.as_secs().saturating_sub(self.at));
        Restored {
            order_id,
            entry: self.entry,
            age: Duration::from_secs(age),
        }
    }
}

/// What is to happen to an order's record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerChange {
    /// The Xsolla project.
    pub project_id: u64,
    /// Whose order it is.
    pub user: UserId,
    /// The order.
    pub order_id: OrderId,
    /// Whether what is kept of it is to be forgotten first.
    pub erases: bool,
    /// What its record is to be at least.
    pub record: Option<LedgerRecord>,
}

impl LedgerChange {
    /// What the order's record becomes; `None` where none is to be kept.
    pub fn apply(&self, before: Option<LedgerRecord>) -> Option<LedgerRecord> {
        match (before.filter(|_| !self.erases), self.record) {
            (Some(before), Some(record)) => Some(before.raised(record)),
            (before, record) => before.or(record),
        }
    }
}

/// An order as the ledger had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) order_id: OrderId,
    pub(crate) entry: LedgerEntry,
    /// How long ago the entry was made.
    pub(crate) age: Duration,
}

/// Whether orders are kept while the game is not running. Tracking goes on all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Resource, Reflect)]
#[reflect(Resource, Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum LedgerState {
    /// They are kept.
    #[default]
    Kept,
    /// They are not kept, because the game has chosen [`Ledger::disabled`].
    Disabled,
    /// They are not kept, or not all of them.
    Trouble(LedgerError),
}

impl LedgerState {
    /// What the trouble is, where there is trouble.
    pub fn trouble(&self) -> Option<&LedgerError> {
        match self {
            Self::Trouble(error) => Some(error),
            Self::Kept | Self::Disabled => None,
        }
    }
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
    /// A [custom](Ledger::custom) ledger cannot be used. It is tried again now and then.
    #[error("the game's own ledger cannot be used: {0}")]
    Custom(String),
    /// The thread that writes cannot be started.
    #[error("the ledger's thread cannot start: {0}")]
    NoThread(String),
    /// The disk does not answer.
    #[error("the ledger's disk does not answer")]
    NoAnswer,
    /// This system has no data directory: name a file with [`Ledger::at`].
    #[error("this system has no data directory for the ledger")]
    NoPlace,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_record_reads_as_it_was_written_and_newer_fields_are_skipped() {
        let record = LedgerRecord::new(LedgerEntry::Acknowledged, at(1_000));
        assert_eq!(LedgerRecord::from_json(record.to_json()).unwrap(), record);
        let newer = br#"{"entry":"acknowledged","at":1000,"note":[1]}"#;
        assert_eq!(LedgerRecord::from_json(newer).unwrap(), record);
        for bytes in [&b""[..], b"{}", b"\xff", br#"{"entry":"?","at":1}"#] {
            assert_eq!(LedgerRecord::from_json(bytes), None);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_negative_age() {
        let record = LedgerRecord::new(LedgerEntry::Open, at(1_000));
        for (now, age) in [(0, 0), (999, 0), (1_060, 60)] {
            let restored = record.restore(OrderId(1), at(now));
            assert_eq!(restored.age, Duration::from_secs(age));
        }
    }

    #[test]
    fn a_record_is_raised_and_never_lowered_until_it_is_erased() {
        let [open, granted] =
            [LedgerEntry::Open, LedgerEntry::Granted].map(|entry| LedgerRecord::new(entry, at(1)));
        let change = |erases, record| LedgerChange {
            project_id: 1,
            user: UserId::new('s', "alice"),
            order_id: OrderId(1),
            erases,
            record,
        };
        for (erases, record, before, after) in [
            (false, Some(open), None, Some(open)),
            (false, Some(open), Some(granted), Some(granted)),
            (false, Some(granted), Some(open), Some(granted)),
            (true, Some(open), Some(granted), Some(open)),
            (true, None, Some(granted), None),
        ] {
            assert_eq!(change(erases, record).apply(before), after);
        }
    }
}
