//! One file of a ledger: an embedded, transactional database.

mod failure;
pub(super) mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ::redb::{Builder, Database, ReadableDatabase, ReadableTable};
use same_file::Handle;

use self::failure::Failure;
use self::tables::{Found, ORDERS, OWNERS, Rows, complete, find, make, read_all, write_all};
use crate::model::ledger::LedgerError;
use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord};
use crate::model::user::UserId;

/// The size of the cache. The library's default is for far more data than the few orders of a ledger.
const CACHE_BYTES: usize = 256 * 1024;

/// What follows the name of a file that is being created.
const UNFINISHED: &str = ".new-";

/// A file, which is opened when it is first needed.
pub(super) struct File {
    path: PathBuf,
    open: Option<Open>,
    /// Whether the file was there earlier in this run.
    was_there: bool,
    /// The damage or loss that was found. It is reported for as long as the game runs.
    trouble: Option<LedgerError>,
    is_damaged: bool,
    /// Whether entries were lost that this run may know.
    has_lost: bool,
    /// What a file had that was deleted while it was open, until a new file has it.
    rescued: Rows,
}

struct Open {
    database: Database,
    /// Tells the open file from another one that has taken its place.
    identity: Option<Handle>,
    /// The length after the last use. Nobody else writes into the file, so another length means that somebody has
    /// cut it off.
    length: Option<u64>,
}

impl File {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            open: None,
            was_there: false,
            trouble: None,
            is_damaged: false,
            has_lost: false,
            rescued: Rows::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Whether something was lost of which the game is not told yet, or which is not written anew yet.
    pub(super) fn has_trouble(&self) -> bool {
        self.trouble.is_some() || self.has_lost || !self.rescued.is_empty()
    }

    pub(super) fn trouble(&self) -> Option<&LedgerError> {
        self.trouble.as_ref()
    }

    /// Whether entries were lost since the last call.
    pub(super) fn has_lost(&mut self) -> bool {
        self.notice_loss();
        std::mem::take(&mut self.has_lost)
    }

    pub(super) fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        self.attempt(|database| {
            let table = database.begin_read()?.open_table(ORDERS)?;
            let mut records = Vec::new();
            let first = (project_id, user.as_str(), 0);
            let last = (project_id, user.as_str(), u64::MAX);
            for row in table.range(first..=last)? {
                let (key, value) = row?;
                let (_, _, order_id) = key.value();
                records.push((OrderId(order_id), LedgerRecord::of_stored(value.value())));
            }
            Ok(records)
        })
    }

    /// Returns those of the orders of a project that have no entry in this file.
    pub(super) fn missing(
        &mut self,
        project_id: u64,
        mut orders: BTreeSet<OrderId>,
    ) -> Result<BTreeSet<OrderId>, LedgerError> {
        let found = self.known(project_id, &orders)?;
        orders.retain(|order_id| !found.contains_key(order_id));
        Ok(orders)
    }

    /// What the file has of these orders, whoever's they are.
    pub(super) fn known(
        &mut self,
        project_id: u64,
        orders: &BTreeSet<OrderId>,
    ) -> Result<Found, LedgerError> {
        self.attempt(|database| find(database, project_id, orders, None))
    }

    /// Commits all changes in one transaction. `elsewhere` has records of the same orders that move here.
    pub(super) fn commit(
        &mut self,
        changes: &[LedgerChange],
        elsewhere: &Found,
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        self.attempt(|database| {
            let mut before = Vec::new();
            let transaction = database.begin_write()?;
            {
                let mut orders = transaction.open_table(ORDERS)?;
                let mut owners = transaction.open_table(OWNERS)?;
                for change in changes {
                    let elsewhere = elsewhere.get(&change.order_id).copied();
                    before.push(make(change, &mut orders, &mut owners, elsewhere)?);
                }
            }
            transaction.commit()?;
            Ok(before)
        })
    }

    /// Looks for orders in the file of other players. It is not changed.
    pub(super) fn find(
        &mut self,
        project_id: u64,
        orders: &BTreeSet<OrderId>,
        not_of: &UserId,
    ) -> Result<Found, LedgerError> {
        if self.open.is_none()
            && let Some(found) = find_read_only(&self.path, project_id, orders, not_of)
        {
            return Ok(found);
        }
        self.attempt_on_others(|database| find(database, project_id, orders, Some(not_of)))
    }

    /// Removes orders that have moved from here to another file.
    pub(super) fn remove(
        &mut self,
        project_id: u64,
        moved: &BTreeSet<OrderId>,
        to: &UserId,
    ) -> Result<(), LedgerError> {
        self.attempt_on_others(|database| {
            let transaction = database.begin_write()?;
            {
                let mut orders = transaction.open_table(ORDERS)?;
                let mut owners = transaction.open_table(OWNERS)?;
                for OrderId(order) in moved {
                    let owner = owners.get((project_id, *order))?;
                    let owner = owner.map(|owner| owner.value().to_owned());
                    if let Some(owner) = owner.filter(|owner| owner != to.as_str()) {
                        orders.remove((project_id, owner.as_str(), *order))?;
                        owners.remove((project_id, *order))?;
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }

    /// Does the work on the open database. A file that turns out to be damaged is put aside, and the work is
    /// done on a new one.
    fn attempt<T>(
        &mut self,
        work: impl Fn(&Database) -> Result<T, ::redb::Error>,
    ) -> Result<T, LedgerError> {
        self.notice_loss();
        match self.attempt_once(true, &work) {
            // Damage for a second time in one run has another cause, so the file is not put aside again.
            Err(Failure::Damaged(message)) if !self.is_damaged => {
                log::error!("the ledger {} is damaged: {message}", self.path.display());
                let kept_as = put_aside(&self.path).map_err(|e| self.error(Failure::io(e)))?;
                self.trouble = Some(LedgerError::Damaged { kept_as });
                self.is_damaged = true;
                self.has_lost |= std::mem::take(&mut self.was_there);
                self.attempt_once(true, &work)
                    .map_err(|failure| self.error(failure))
            }
            result => result.map_err(|failure| self.error(failure)),
        }
    }

    /// Does the work on the file of other players, which is left alone if it cannot be used.
    fn attempt_on_others<T>(
        &mut self,
        work: impl Fn(&Database) -> Result<T, ::redb::Error>,
    ) -> Result<T, LedgerError> {
        self.notice_loss();
        self.attempt_once(false, &work)
            .map_err(|failure| self.error(failure))
    }

    fn attempt_once<T>(
        &mut self,
        creates: bool,
        work: &impl Fn(&Database) -> Result<T, ::redb::Error>,
    ) -> Result<T, Failure> {
        let (path, rescued) = (&self.path, &self.rescued);
        // After a failure, a database answers every call with that failure, so it is dropped.
        let open = self.open.take();
        // The library may panic on a file that was altered while it was open.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let open = match open {
                Some(open) => open,
                None => Open::new(path, creates, rescued)?,
            };
            let done = work(&open.database).map_err(Failure::from)?;
            Ok((open, done))
        }));
        match result {
            Ok(Ok((mut open, done))) => {
                open.length = open.identity.as_ref().and_then(length);
                self.open = Some(open);
                self.was_there = true;
                self.rescued = Rows::new();
                Ok(done)
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::Damaged("it cannot be made sense of".to_owned())),
        }
    }

    /// Notices that the file was deleted, replaced or cut off. The database would go on writing into the file that has
    /// lost its name.
    fn notice_loss(&mut self) {
        let is_there = match &self.open {
            Some(open) => open.is_intact(&self.path),
            // A file counts as there when the system cannot tell, for example because a disk is not ready.
            None => !self.was_there || self.path.try_exists().unwrap_or(true),
        };
        if !is_there {
            if let Some(open) = self.open.take() {
                // The file is there without its name for as long as it is open.
                let rows = catch_unwind(AssertUnwindSafe(|| read_all(&open.database)));
                self.rescued
                    .extend(rows.ok().and_then(Result::ok).unwrap_or_default());
            }
            self.was_there = false;
            self.has_lost = true;
            self.trouble = Some(LedgerError::Lost {
                path: self.path.clone(),
            });
        }
    }

    fn error(&self, failure: Failure) -> LedgerError {
        match failure {
            Failure::Locked => LedgerError::Locked {
                path: self.path.clone(),
            },
            Failure::Damaged(message) | Failure::Other(message) => self.unavailable(message),
        }
    }

    fn unavailable(&self, message: String) -> LedgerError {
        LedgerError::Unavailable {
            path: self.path.clone(),
            message,
        }
    }
}

impl Open {
    fn new(path: &Path, creates: bool, rescued: &Rows) -> Result<Self, Failure> {
        let is_there = path.try_exists().map_err(Failure::io)?;
        if creates {
            remove_unfinished(path);
            if !is_there {
                create(path)?;
            }
        }
        if fs::metadata(path).map_err(Failure::io)?.len() == 0 {
            // The library would start a new database in the empty file, and the loss would go unnoticed.
            return Err(Failure::Damaged("it is empty".to_owned()));
        }
        let database = builder().open(path)?;
        if !rescued.is_empty() {
            write_all(&database, rescued)?;
        }
        complete(&database)?;
        Ok(Self {
            database,
            identity: Handle::from_path(path).ok(),
            length: None,
        })
    }

    /// Whether the file is whole and still has its name. It is taken to be when that cannot be found out.
    fn is_intact(&self, path: &Path) -> bool {
        let Some(identity) = &self.identity else {
            return path.try_exists().unwrap_or(true);
        };
        match Handle::from_path(path) {
            Ok(named) => named == *identity && length(&named) == self.length,
            Err(error) => !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ),
        }
    }
}

fn length(file: &Handle) -> Option<u64> {
    let metadata = file.as_file().metadata();
    metadata.ok().map(|metadata| metadata.len())
}

/// Looks into a file without writing to it. Returns `None` if it has to be opened for writing because it was not
/// closed properly.
fn find_read_only(
    path: &Path,
    project_id: u64,
    orders: &BTreeSet<OrderId>,
    not_of: &UserId,
) -> Option<Found> {
    let look = || {
        let database = builder().open_read_only(path).ok()?;
        find(&database, project_id, orders, Some(not_of)).ok()
    };
    // The library may panic on a damaged file.
    catch_unwind(AssertUnwindSafe(look)).ok().flatten()
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
    let new = beside(path, &format!("{UNFINISHED}{}", std::process::id()));
    // The file stays locked until it has its name, so that another instance does not take it for a left one.
    let made = builder().create(&new).map_err(Failure::from);
    let linked = made.and_then(|_database| {
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

/// Removes files that earlier runs began to create and did not finish, for example because the disk was full.
fn remove_unfinished(path: &Path) {
    let name = beside(path, UNFINISHED);
    let (Some(folder), Some(prefix)) = (path.parent(), name.file_name()) else {
        return;
    };
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let begins = file
            .file_name()
            .as_encoded_bytes()
            .starts_with(prefix.as_encoded_bytes());
        let is_file = file.file_type().is_ok_and(|kind| kind.is_file());
        if begins && is_file && !is_locked(&file.path()) {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// Whether another instance uses the file.
fn is_locked(path: &Path) -> bool {
    let opened = catch_unwind(AssertUnwindSafe(|| {
        builder().open(path).map_err(Failure::from)
    }));
    matches!(opened, Ok(Err(Failure::Locked)))
}

/// The path with this text after it.
fn beside(path: &Path, text: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(text);
    PathBuf::from(name)
}

/// Renames the file to a name that is not in use.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    for n in 1..1_000_u32 {
        let aside = beside(path, &format!(".damaged-{n}"));
        if !aside.exists() {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::Error::other(
        "there are too many damaged ledgers beside it",
    ))
}
