//! The ledger in a file: an embedded, transactional database.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ::redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition,
};

use crate::model::ledger::{LedgerChange, LedgerEntry, LedgerError, LedgerRecord, LedgerStore};
use crate::model::order::OrderId;
use crate::model::user::UserId;

/// The entries by project, user and order.
const ORDERS: TableDefinition<(u64, &str, u64), &[u8]> = TableDefinition::new("orders.1");
/// The size of the cache. The library's default is for far more data than the few orders of a ledger.
const CACHE_BYTES: usize = 256 * 1024;

struct Redb {
    path: PathBuf,
    database: Option<Database>,
    /// The damage that was found in the file. It is reported for as long as the game runs.
    damage: Option<LedgerError>,
}

/// Makes a ledger in this file, which is opened when it is first needed.
pub(super) fn open(path: PathBuf) -> Result<Box<dyn LedgerStore>, LedgerError> {
    Ok(Box::new(Redb {
        path,
        database: None,
        damage: None,
    }))
}

impl LedgerStore for Redb {
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        self.attempt(|database| {
            // A missing table is created here, because a read transaction cannot create it.
            let transaction = database.begin_write()?;
            drop(transaction.open_table(ORDERS)?);
            transaction.commit()?;
            let table = database.begin_read()?.open_table(ORDERS)?;
            let mut records = Vec::new();
            let first = (project_id, user.as_str(), 0);
            let last = (project_id, user.as_str(), u64::MAX);
            for row in table.range(first..=last)? {
                let (key, value) = row?;
                let (_, _, order_id) = key.value();
                match LedgerRecord::from_json(value.value()) {
                    Some(record) => records.push((OrderId(order_id), record)),
                    // The entry may come from a newer version, so it stays in the file.
                    None => log::warn!("the ledger's entry of order {order_id} cannot be read"),
                }
            }
            Ok(records)
        })
    }

    /// Commits all changes in one transaction.
    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        self.attempt(|database| {
            let mut before = Vec::new();
            let transaction = database.begin_write()?;
            {
                let mut table = transaction.open_table(ORDERS)?;
                for change in changes {
                    let key = (change.project_id, change.user.as_str(), change.order_id.0);
                    let known = table.get(key)?;
                    let known = known.and_then(|row| LedgerRecord::from_json(row.value()));
                    before.push(known.map(|record| record.entry()));
                    match change.apply(known) {
                        Some(record) => drop(table.insert(key, record.to_json().as_bytes())?),
                        None => drop(table.remove(key)?),
                    }
                }
            }
            transaction.commit()?;
            Ok(before)
        })
    }

    fn trouble(&self) -> Option<LedgerError> {
        self.damage.clone()
    }
}

impl Redb {
    /// Does the work on the open database. A file that turns out to be damaged is put aside, and the work is
    /// done on a new one.
    fn attempt<T>(
        &mut self,
        work: impl Fn(&Database) -> Result<T, ::redb::Error>,
    ) -> Result<T, LedgerError> {
        let failure = match self.attempt_once(&work) {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        // After a failure, a database answers every call with that failure.
        self.database = None;
        match failure {
            Failure::Locked => Err(LedgerError::Locked {
                path: self.path.clone(),
            }),
            Failure::Other(message) => Err(self.unavailable(message)),
            // Damage for a second time in one run has another cause, so the file is not put aside again.
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
                None => open_database(path)?,
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

fn open_database(path: &Path) -> Result<Database, Failure> {
    let is_there = path.try_exists().map_err(Failure::io)?;
    if !is_there {
        create(path)?;
    }
    if fs::metadata(path).map_err(Failure::io)?.len() == 0 {
        // The library would start a new database in the empty file, and the loss would go unnoticed.
        return Err(Failure::Damaged("it is empty".to_owned()));
    }
    Ok(builder().open(path)?)
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(CACHE_BYTES)
        // Without this check the library trusts a file that was closed cleanly, and may panic.
        .set_check_integrity_on_open(true);
    builder
}

/// Creates the file under another name first, so that a full disk cannot leave an incomplete file that counts
/// as damaged.
fn create(path: &Path) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Failure::io)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let new = PathBuf::from(name);
    let made = builder().create(&new).map(drop).map_err(Failure::from);
    let linked = made.and_then(|()| {
        // Unlike a rename, a link does not replace a file that another instance has created in the meantime.
        match fs::hard_link(&new, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // The file system may not support links.
            Err(_) => fs::rename(&new, path).map_err(Failure::io),
            Ok(()) => Ok(()),
        }
    });
    let _ = fs::remove_file(&new);
    linked.map_err(|failure| Failure::Other(failure.to_string()))
}

/// Renames the file to a name that is not in use.
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
                // The library reports these kinds for a file that is not a database.
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
