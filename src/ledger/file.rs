//! One ledger file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use redb::{Database, DatabaseError, ReadableDatabase, StorageError, TableDefinition};

use super::record::{Entry, Record, Restored};
use super::{Ledger, LedgerError};
use crate::order::OrderId;
use crate::user::UserId;

/// By project and order.
const ORDERS: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("orders.1");
/// A ledger has a few orders; the library's default is for bulk.
const CACHE_BYTES: usize = 256 * 1024;

/// A change that may not have reached the disk yet: `None` erases.
type Change = Option<Vec<u8>>;

pub(super) struct File {
    path: PathBuf,
    database: Option<Database>,
    /// Kept until they are committed, however often that fails. One for an order.
    changes: BTreeMap<(u64, u64), Change>,
    damage: Option<LedgerError>,
}

impl File {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            database: None,
            changes: BTreeMap::new(),
            damage: None,
        }
    }

    pub(super) fn set(&mut self, key: (u64, u64), record: &Record) {
        self.changes.insert(key, Some(record.write()));
    }

    pub(super) fn erase(&mut self, key: (u64, u64)) {
        self.changes.insert(key, None);
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// That the file was damaged, if it was: it is said for as long as the game runs.
    pub(super) fn damage(&self) -> Option<&LedgerError> {
        self.damage.as_ref()
    }

    /// Writes all changes in one transaction, durably.
    pub(super) fn commit(&mut self) -> Result<(), LedgerError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let changes = std::mem::take(&mut self.changes);
        let written = self.attempt(|database| {
            let transaction = database.begin_write()?;
            {
                let mut table = transaction.open_table(ORDERS)?;
                for (key, change) in &changes {
                    match change {
                        Some(record) => drop(table.insert(key, record.as_slice())?),
                        None => drop(table.remove(key)?),
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        });
        if written.is_err() {
            self.changes = changes;
        }
        written
    }

    /// A user's orders in a project. What was acknowledged longer ago than `keep` is erased instead.
    pub(super) fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
        keep: Duration,
    ) -> Result<Vec<Restored>, LedgerError> {
        let now = SystemTime::now();
        let restored = self.attempt(|database| {
            // The table is made where it is missing, because a read transaction cannot.
            let transaction = database.begin_write()?;
            drop(transaction.open_table(ORDERS)?);
            transaction.commit()?;
            let table = database.begin_read()?.open_table(ORDERS)?;
            let mut restored = Vec::new();
            for row in table.range((project_id, 0)..=(project_id, u64::MAX))? {
                let (key, value) = row?;
                let (_, order_id) = key.value();
                match Record::read(value.value()) {
                    Some(record) if record.is_of(user) => {
                        restored.push(record.restore(OrderId(order_id), now));
                    }
                    Some(_) => {}
                    // Of a newer version, perhaps: left where it is.
                    None => log::warn!("the ledger's entry of order {order_id} cannot be read"),
                }
            }
            Ok(restored)
        })?;
        let (kept, old) = restored
            .into_iter()
            .partition(|order| order.entry != Entry::Acknowledged || order.age < keep);
        for Restored { order_id, .. } in Vec::<Restored>::from(old) {
            self.erase((project_id, order_id.0));
        }
        Ok(kept)
    }

    /// Does the work on the open database. A file that turns out to be damaged is put aside, and the
    /// work done on a new one.
    fn attempt<T>(
        &mut self,
        work: impl Fn(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, LedgerError> {
        let failure = match self.attempt_once(&work) {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        // A database that has failed once answers everything with that failure.
        self.database = None;
        match failure {
            Failure::Locked => Err(LedgerError::Locked {
                path: self.path.clone(),
            }),
            Failure::Other(message) => Err(self.unavailable(message)),
            Failure::Damaged(message) => {
                log::error!("the ledger {} is damaged: {message}", self.path.display());
                let kept_as = put_aside(&self.path).map_err(|e| self.unavailable(e.to_string()))?;
                self.damage = Some(LedgerError::Damaged { kept_as });
                self.attempt_once(&work)
                    .map_err(|failure| self.unavailable(failure.to_string()))
            }
        }
    }

    fn attempt_once<T>(
        &mut self,
        work: &impl Fn(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, Failure> {
        let path = &self.path;
        let database = self.database.take();
        // The library may panic on a file that was altered while it was open.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let database = match database {
                Some(database) => database,
                None => open(path)?,
            };
            let done = work(&database).map_err(Failure::from)?;
            Ok((database, done))
        }));
        match result {
            Ok(Ok((database, done))) => {
                self.database = Some(database);
                Ok(done)
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::Damaged("it cannot be made sense of".to_owned())),
        }
    }

    fn unavailable(&self, message: String) -> LedgerError {
        LedgerError::Unavailable {
            path: self.path.clone(),
            message,
        }
    }
}

/// The file of a user's orders, if they are to be kept.
pub(super) fn path(
    ledger: &Ledger,
    project_id: u64,
    user: &UserId,
) -> Result<Option<PathBuf>, LedgerError> {
    match ledger {
        Ledger::Disabled => Ok(None),
        Ledger::At(path) => Ok(Some(path.clone())),
        Ledger::UserData => {
            let mut path = dirs::data_dir().ok_or(LedgerError::NoPlace)?;
            path.push("bevy_xsolla");
            path.push(project_id.to_string());
            path.push(format!("{}.redb", file_name(user)));
            Ok(Some(path))
        }
    }
}

/// The id in letters that every file system takes, and no separator among them. What of a long one is
/// cut off does not matter: entries name their user.
fn file_name(user: &UserId) -> String {
    let mut name = String::new();
    for byte in user.as_str().bytes().take(60) {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            // In hexadecimal, because some file systems take capitals and small letters for the same.
            _ => name.push_str(&format!("_{byte:02x}")),
        }
    }
    name
}

fn open(path: &Path) -> Result<Database, Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::Other(error.to_string()))?;
    }
    let database = Database::builder()
        .set_cache_size(CACHE_BYTES)
        // Without it the library trusts a file that was closed cleanly, and may panic.
        .set_check_integrity_on_open(true)
        .create(path)?;
    Ok(database)
}

/// Renames the file to one that does not exist yet.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    for n in 1..1_000_u32 {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{n}"));
        let aside = PathBuf::from(name);
        if !aside.exists() {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::Error::other(
        "there are too many damaged ledgers beside it",
    ))
}

enum Failure {
    Locked,
    Damaged(String),
    Other(String),
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
                // What the library says of a file that is none of its own.
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    Self::Damaged(error.to_string())
                }
                _ => Self::Other(error.to_string()),
            },
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<redb::Error> for Failure {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::Locked,
            redb::Error::Corrupted(message) => StorageError::Corrupted(message).into(),
            redb::Error::Io(error) => StorageError::Io(error).into(),
            redb::Error::TableTypeMismatch { .. } | redb::Error::UpgradeRequired(_) => {
                Self::Damaged(error.to_string())
            }
            error => Self::Other(error.to_string()),
        }
    }
}
