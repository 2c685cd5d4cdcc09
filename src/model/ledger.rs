//! The ledger, which stores orders while the game is not running: its setting, its records, and its errors.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bevy::prelude::{Reflect, ReflectDefault, ReflectResource, Resource};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::fields::{Fields, Mismatch, Value, read_fields};
use crate::model::order::OrderId;
use crate::model::user::UserId;

/// The place where orders are stored while the game is not running.
///
/// Orders are found again by their user. A player with a Pay Station token, which cannot be read, and without an
/// [external id](crate::XsollaUser::with_external_id) counts as another player with each token, so their stored
/// orders are not found.
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
    /// Stores orders in the user's data directory, in one file for each Xsolla project and user:
    /// `bevy_xsolla/<project id>/<user>.redb` below `~/.local/share` (Linux; `XDG_DATA_HOME` if it is set),
    /// `~/Library/Application Support` (macOS), or `%APPDATA%` (Windows). This is the default.
    pub fn user_data() -> Self {
        Self(Place::UserData)
    }

    /// Stores the orders of all projects and users in this file. Its folder is created if it is missing.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(Place::At(path.into()))
    }

    /// Stores no orders. A purchase that is paid after the game was closed is not granted by this crate.
    pub fn disabled() -> Self {
        Self(Place::Disabled)
    }

    /// Stores orders in a store that the game provides, such as a server's database. It is called on a thread that
    /// may block.
    pub fn custom(store: impl LedgerStore) -> Self {
        Self(Place::Custom(CustomLedger(Arc::new(Mutex::new(store)))))
    }
}

/// A store that the game provides. Two are equal if they are the same instance.
#[derive(Clone)]
pub(crate) struct CustomLedger(Arc<Mutex<dyn LedgerStore>>);

impl CustomLedger {
    fn lock(&self) -> MutexGuard<'_, dyn LedgerStore + 'static> {
        // A store that has panicked reports by its own errors whether it still works.
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

/// A store for orders, for [`Ledger::custom`].
///
/// Its records are no proof of payment: after a restart each open order is requested again, and only the server's
/// answer leads to a grant. It never receives a token.
///
/// A failed call is repeated every few seconds. Until it succeeds, [`LedgerState::Trouble`] has the error, and
/// tracking continues.
pub trait LedgerStore: Send + 'static {
    /// Returns all records of a player's orders in a project.
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError>;

    /// Makes all of the changes or none of them, durably: once it has returned, the changes survive a loss of
    /// power. Each order occurs at most once in `changes`.
    ///
    /// An order of a project has one record, whoever's it is: its key is the project and the order, and the
    /// player is a value beside the record. [`LedgerChange::apply`] computes both. It moves the record of another
    /// player to the one who tracks the order now.
    ///
    /// Returns what [`LedgerChange::before`] says of each change, in the order of the changes. An order that turns
    /// out to be acknowledged is not granted again.
    fn commit(&mut self, changes: &[LedgerChange])
    -> Result<Vec<Option<LedgerEntry>>, LedgerError>;

    /// Tells the store that the player has no open orders any more, so that it may close the resources that it
    /// holds for them.
    fn release(&mut self, project_id: u64, user: &UserId) {
        let _ = (project_id, user);
    }

    /// Returns a problem that exists although the store works, such as lost orders.
    fn trouble(&self) -> Option<LedgerError> {
        None
    }

    /// Whether the store has lost records since the last call, for example because its file was deleted. It is
    /// called after other calls and every few seconds. After a loss, all that this run knows is recorded anew.
    fn has_lost(&mut self) -> bool {
        false
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

    fn has_lost(&mut self) -> bool {
        self.lock().has_lost()
    }
}

/// The progress of an order in the game, as the ledger stores it.
///
/// The variants are in ascending order. An entry is only ever raised, unless its order is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerEntry {
    /// The order is tracked.
    Open,
    /// The order is tracked, and the game was told to grant it. This does not decide whether it may be granted
    /// again, only that its cancellation would be a refund.
    Granted,
    /// The game has acknowledged the order. Its record is kept to notice a refund, and to never grant it again.
    Acknowledged,
    /// The order was refunded, and the game was told. Its record is kept, because a webhook that says that it is paid
    /// may come again.
    Canceled,
}

/// The record of an order.
// This is the stored form: fields may be added, and no field may change its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRecord {
    entry: LedgerEntry,
    /// The time of the entry, in seconds since 1970.
    at: u64,
}

/// The fields of a record that were read.
#[derive(Default)]
struct RecordFields {
    entry: Option<LedgerEntry>,
    at: Option<u64>,
}

impl<'a> Fields<'a> for RecordFields {
    fn take(&mut self, name: &str, value: &mut dyn Value<'a>) -> Result<(), Mismatch> {
        match name {
            "entry" => {
                self.entry = match &*value.text()? {
                    "open" => Some(LedgerEntry::Open),
                    "granted" => Some(LedgerEntry::Granted),
                    "acknowledged" => Some(LedgerEntry::Acknowledged),
                    "canceled" => Some(LedgerEntry::Canceled),
                    _ => None,
                };
            }
            "at" => self.at = value.raw()?.and_then(|at| at.get().parse().ok()),
            _ => {}
        }
        Ok(())
    }
}

impl LedgerRecord {
    /// Creates a record of an entry that was made at this time.
    pub fn new(entry: LedgerEntry, at: SystemTime) -> Self {
        let since = at.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            entry,
            at: since.map_or(0, |since| since.as_secs()),
        }
    }

    /// The order's progress.
    pub fn entry(&self) -> LedgerEntry {
        self.entry
    }

    /// The higher of two records of an order.
    #[must_use]
    pub fn raised(self, other: Self) -> Self {
        match self.entry >= other.entry {
            true => self,
            false => other,
        }
    }

    /// The record as text to store: a JSON object.
    pub fn to_json(&self) -> String {
        // Strings and numbers always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the text that [`to_json`](Self::to_json) wrote. Returns `None` if it cannot be read.
    pub fn from_json(json: impl AsRef<[u8]>) -> Option<Self> {
        let mut fields = RecordFields::default();
        read_fields(str::from_utf8(json.as_ref()).ok()?, &mut fields).ok()?;
        Some(Self {
            entry: fields.entry?,
            at: fields.at?,
        })
    }

    /// Reads the text of a record that is there. One that cannot be read comes from a later version of this crate,
    /// which may have granted the order. So it counts as acknowledged, which lets nobody grant it or change the text.
    pub(crate) fn of_stored(json: impl AsRef<[u8]>) -> Self {
        Self::from_json(json).unwrap_or(Self {
            entry: LedgerEntry::Acknowledged,
            at: u64::MAX,
        })
    }

    pub(crate) fn restore(&self, order_id: OrderId, now: SystemTime) -> Restored {
        let now = now.duration_since(SystemTime::UNIX_EPOCH);
        // If the clock was set back, an entry may be in the future. It counts as made now.
        let age = now.map_or(0, |now| now.as_secs().saturating_sub(self.at));
        Restored {
            order_id,
            entry: self.entry,
            age: Duration::from_secs(age),
        }
    }
}

/// A change of an order's record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerChange {
    /// The Xsolla project.
    pub project_id: u64,
    /// The player whose order it is.
    pub user: UserId,
    /// The order.
    pub order_id: OrderId,
    /// Whether the previous record is erased first.
    pub erases: bool,
    /// The lowest record that the order has after the change.
    pub record: Option<LedgerRecord>,
}

impl LedgerChange {
    /// Returns the owner and the record that an order has after the change, or `None` if none is to be stored.
    /// `stored` is what it had before: the [text](UserId::as_str) of its player's id, and its record.
    pub fn apply<'a>(
        &'a self,
        stored: Option<(&'a str, LedgerRecord)>,
    ) -> Option<(&'a str, LedgerRecord)> {
        let is_own = stored.is_some_and(|(owner, _)| owner == self.user.as_str());
        let stays = stored.filter(|_| !(is_own && self.erases));
        let Some(record) = self.record else {
            return stays;
        };
        let record = stays.map_or(record, |(_, before)| before.raised(record));
        Some((self.user.as_str(), record))
    }

    /// Returns the entry that the order had before, whoever's it was; `None` if the change erases it.
    pub fn before(&self, stored: Option<(&str, LedgerRecord)>) -> Option<LedgerEntry> {
        let (owner, record) = stored?;
        let is_erased = self.erases && owner == self.user.as_str();
        (!is_erased).then_some(record.entry())
    }
}

/// An order as the ledger returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) order_id: OrderId,
    pub(crate) entry: LedgerEntry,
    /// The time since the entry was made.
    pub(crate) age: Duration,
}

/// What the ledger tells the rest of the crate.
#[derive(Debug)]
pub(crate) enum LedgerReport {
    /// The entries of a player. They are reported again if they could not be read the first time.
    Loaded {
        project_id: u64,
        user: UserId,
        orders: Vec<Restored>,
        /// Whether nothing could be read because another instance of the game holds the ledger.
        is_locked: bool,
    },
    /// The entry is durable. For an open order this is also reported if the entry could not be written, after
    /// [`LedgerReport::State`] has reported the trouble, because tracking does not wait for a disk that fails. It is
    /// reported again once it is written.
    Recorded {
        project_id: u64,
        order_id: OrderId,
        entry: LedgerEntry,
        /// The entry that the ledger had for the order before, whoever's it was.
        before: Option<LedgerEntry>,
        /// Whether it is written, so that `before` is what the ledger had.
        is_written: bool,
    },
    /// The ledger has lost entries, and is to be told again what is known.
    Lost,
    /// Whether the ledger works.
    State(LedgerState),
}

/// Whether orders are stored while the game is not running. Tracking continues in every state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Resource, Reflect)]
#[reflect(no_auto_register, Resource, Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum LedgerState {
    /// Orders are stored.
    #[default]
    Kept,
    /// Orders are not stored, because the game has chosen [`Ledger::disabled`].
    Disabled,
    /// Some orders or all orders are not stored.
    Trouble(LedgerError),
}

impl LedgerState {
    /// The error, if there is one.
    pub fn trouble(&self) -> Option<&LedgerError> {
        match self {
            Self::Trouble(error) => Some(error),
            Self::Kept | Self::Disabled => None,
        }
    }
}

/// The reason that orders are not stored while the game is not running, or that some were lost.
///
/// Tracking continues nevertheless.
#[derive(Clone, Debug, Error, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another program uses the file: another instance of the game, or on Windows a virus scanner, for a moment.
    #[error("another program uses the ledger {}", .path.display())]
    Locked {
        /// The ledger's file.
        path: PathBuf,
    },
    /// The file was damaged. It was renamed, and a new one was created.
    #[error("the ledger was damaged; it is kept as {}", .kept_as.display())]
    Damaged {
        /// The path of the damaged file.
        kept_as: PathBuf,
    },
    /// The file was deleted or replaced while the game was running. A new one was created, and what this run knows is
    /// written to it.
    #[error("the ledger {} was deleted or replaced; what this run knows is written anew", .path.display())]
    Lost {
        /// The ledger's file.
        path: PathBuf,
    },
    /// The file cannot be read or written, for example because the disk is full or read-only. The operation is
    /// repeated from time to time.
    #[error("the ledger {} cannot be used: {message}", .path.display())]
    Unavailable {
        /// The ledger's file.
        path: PathBuf,
        /// The system's error text.
        message: String,
    },
    /// A [custom](Ledger::custom) ledger cannot be used. The operation is repeated from time to time.
    #[error("the game's own ledger cannot be used: {0}")]
    Custom(String),
    /// The thread that writes the ledger cannot be started.
    #[error("the ledger's thread cannot start: {0}")]
    NoThread(String),
    /// The disk does not answer.
    #[error("the ledger's disk does not answer")]
    NoAnswer,
    /// This system has no data directory. [`Ledger::at`] names a file instead.
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
        for json in [
            &b""[..],
            b"{}",
            b"\xff",
            b"[\"open\",1]",
            br#"{"entry":"?","at":1}"#,
            br#"{"entry":"open","at":null}"#,
            br#"{"entry":"open","at":"1"}"#,
            br#"{"entry":1,"at":1}"#,
            br#"{"entry":"open","at":1} x"#,
        ] {
            assert_eq!(LedgerRecord::from_json(json), None);
        }
    }

    #[test]
    fn a_record_reads_as_what_its_serde_implementation_writes() {
        for entry in [
            LedgerEntry::Open,
            LedgerEntry::Granted,
            LedgerEntry::Acknowledged,
            LedgerEntry::Canceled,
        ] {
            let record = LedgerRecord::new(entry, at(7));
            let json = serde_json::to_string(&record).unwrap();
            assert_eq!(LedgerRecord::from_json(&json), Some(record));
            assert_eq!(serde_json::from_str(&json).ok(), Some(record));
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
    fn a_record_is_raised_and_never_lowered_until_it_is_erased_and_moves_to_who_tracks_its_order() {
        let [open, granted] =
            [LedgerEntry::Open, LedgerEntry::Granted].map(|entry| LedgerRecord::new(entry, at(1)));
        let alice = UserId::new('s', "alice");
        let (hers, his) = (alice.as_str(), "s:bob");
        for (erases, record, stored, before, after) in [
            (false, Some(open), None, None, Some((hers, open))),
            (
                false,
                Some(open),
                Some((hers, granted)),
                Some(granted),
                Some((hers, granted)),
            ),
            (
                false,
                Some(granted),
                Some((hers, open)),
                Some(open),
                Some((hers, granted)),
            ),
            (
                true,
                Some(open),
                Some((hers, granted)),
                None,
                Some((hers, open)),
            ),
            (true, None, Some((hers, granted)), None, None),
            // Another player's entry moves, and is not erased by one who does not have it.
            (
                false,
                Some(open),
                Some((his, granted)),
                Some(granted),
                Some((hers, granted)),
            ),
            (
                true,
                Some(open),
                Some((his, granted)),
                Some(granted),
                Some((hers, granted)),
            ),
            (
                true,
                None,
                Some((his, granted)),
                Some(granted),
                Some((his, granted)),
            ),
        ] {
            let change = LedgerChange {
                project_id: 1,
                user: alice.clone(),
                order_id: OrderId(1),
                erases,
                record,
            };
            assert_eq!(change.apply(stored), after, "{change:?}");
            assert_eq!(change.before(stored), before.map(|record| record.entry()));
        }
    }
}
