//! One ledger file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ::redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition,
};

use super::record::Record;
use crate::model::ledger::{Ledger, LedgerError, Restored};
use crate::model::order::OrderId;
use crate::model::user::UserId;

/// By project, user and order.
const ORDERS: TableDefinition<(u64, &str, u64), &[u8]> = TableDefinition::new("orders.1");
/// A ledger has a few orders; the library's default is for bulk.
const CACHE_BYTES: usize = 256 * 1024;

/// What an entry is found by.
pub(super) type Key = (u64, UserId, OrderId);
/// A change that may not have reached the disk yet.
#[derive(Clone, Copy, Default)]
struct Change {
    /// Whether what the file has is to be forgotten first.
    erases: bool,
    record: Option<Record>,
}

pub(super) struct File {
    path: PathBuf,
    database: Option<Database>,
    /// Kept until they are committed, however often that fails. One for an order.
    changes: BTreeMap<Key, Change>,
    damage: Option<LedgerError>,
    /// What went wrong the last time.
    error: Option<LedgerError>,
}

impl File {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            database: None,
            changes: BTreeMap::new(),
            damage: None,
            error: None,
        }
    }

    pub(super) fn set(&mut self, key: Key, record: &Record) {
        let change = self.changes.entry(key).or_default();
        change.record = Some(match change.record {
            Some(waiting) => waiting.raised(*record),
            None => *record,
        });
    }

    pub(super) fn erase(&mut self, key: Key) {
        let change = Change {
            erases: true,
            record: None,
        };
        self.changes.insert(key, change);
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What is wrong with it now; that it was damaged is worth knowing for as long as the game runs.
    pub(super) fn trouble(&self) -> Option<&LedgerError> {
        self.error.as_ref().or(self.damage.as_ref())
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
                for ((project_id, user, order_id), change) in &changes {
                    let key = (*project_id, user.as_str(), order_id.0);
                    if change.erases {
                        drop(table.remove(key)?);
                    }
                    if let Some(record) = change.record {
                        let known = table.get(key)?.and_then(|row| Record::read(row.value()));
                        let record = known.map_or(record, |known| known.raised(record));
                        drop(table.insert(key, record.write().as_slice())?);
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

    /// A user's orders in a project.
    pub(super) fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<Restored>, LedgerError> {
        let now = SystemTime::now();
        self.attempt(|database| {
            // The table is made where it is missing, because a read transaction cannot.
            let transaction = database.begin_write()?;
            drop(transaction.open_table(ORDERS)?);
            transaction.commit()?;
            let table = database.begin_read()?.open_table(ORDERS)?;
            let mut restored = Vec::new();
            let first = (project_id, user.as_str(), 0);
            let last = (project_id, user.as_str(), u64::MAX);
            for row in table.range(first..=last)? {
                let (key, value) = row?;
                let (_, _, order_id) = key.value();
                match Record::read(value.value()) {
                    Some(record) => restored.push(record.restore(OrderId(order_id), now)),
                    // Of a newer version, perhaps: left where it is.
                    None => log::warn!("the ledger's entry of order {order_id} cannot be read"),
                }
            }
            Ok(restored)
        })
    }

    /// Does the work, and remembers how that went.
    fn attempt<T>(
        &mut self,
        work: impl Fn(&Database) -> Result<T, ::redb::Error>,
    ) -> Result<T, LedgerError> {
        let result = self.attempt_twice(work);
        self.error = result.as_ref().err().cloned();
        result
    }

    /// Does the work on the open database. A file that turns out to be damaged is put aside, and the
    /// work done on a new one.
    fn attempt_twice<T>(
        &mut self,
        work: impl Fn(&Database) -> Result<T, ::redb::Error>,
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
            // Once is bad luck. A second time in a run something else is wrong with the place.
            Failure::Damaged(message) if self.damage.is_some() => Err(self.unavailable(message)),
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
        work: &impl Fn(&Database) -> Result<T, ::redb::Error>,
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
/// cut off does not matter: entries are found by their user.
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
    let is_there = path.try_exists().map_err(Failure::io)?;
    if !is_there {
        create(path)?;
    }
    if fs::metadata(path).map_err(Failure::io)?.len() == 0 {
        // The library would begin anew in it, and nobody would know that there had been something.
        return Err(Failure::Damaged("it is empty".to_owned()));
    }
    Ok(builder().open(path)?)
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(CACHE_BYTES)
        // Without it the library trusts a file that was closed cleanly, and may panic.
        .set_check_integrity_on_open(true);
    builder
}

/// Makes a new file under another name first: what a full disk leaves half made is no damaged ledger.
fn create(path: &Path) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Failure::io)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let new = PathBuf::from(name);
    let made = builder().create(&new).map(drop).map_err(Failure::from);
    let linked = made.and_then(|()| {
        // Unlike a rename, a link does not replace what another instance has made meanwhile.
        match fs::hard_link(&new, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // A file system without links.
            Err(_) => fs::rename(&new, path).map_err(Failure::io),
            Ok(()) => Ok(()),
        }
    });
    let _ = fs::remove_file(&new);
    linked.map_err(|failure| Failure::Other(failure.to_string()))
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

impl Failure {
    fn io(error: io::Error) -> Self {
        Self::Other(error.to_string())
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
