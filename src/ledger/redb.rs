//! The ledgers in files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::ledger::file::File;
use crate::ledger::file::tables::Found;
use crate::ledger::store::{Blocking, Store};
use crate::model::ledger::{LedgerError, LedgerStore};
use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord};
use crate::model::user::UserId;
use crate::platform::folder::data_dir;
use crate::platform::time::Instant;

/// The number of players' files that are open at a time.
const MAX_OPEN: usize = 8;
/// The number of other players' files in which an order is looked for that a player's file does not have. A
/// player whose token cannot be read has a new file with each token, so there can be many.
const MAX_SEARCHED: usize = 32;
/// The time after which no further file is searched.
const SEARCH_PATIENCE: Duration = Duration::from_millis(500);

/// Makes a ledger in this file.
pub(super) fn open(path: PathBuf) -> Result<Box<dyn Store>, LedgerError> {
    Ok(Box::new(Blocking(OneFile(File::new(path)))))
}

/// Makes a ledger in the user's data directory.
pub(super) fn open_user_data() -> Result<Box<dyn Store>, LedgerError> {
    let folder = data_dir().ok_or(LedgerError::NoPlace)?;
    Ok(Box::new(Blocking(Folder::new(folder.join("bevy_xsolla")))))
}

/// One file for all projects and players.
struct OneFile(File);

impl LedgerStore for OneFile {
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        self.0.load(project_id, user)
    }

    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        self.0.commit(changes, &Found::new())
    }

    fn find(
        &mut self,
        project_id: u64,
        orders: &[OrderId],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let found = self
            .0
            .known(project_id, &orders.iter().copied().collect())?;
        let entry = |order_id: &OrderId| found.get(order_id).map(LedgerRecord::entry);
        Ok(orders.iter().map(entry).collect())
    }

    fn trouble(&self) -> Option<LedgerError> {
        self.0.trouble().cloned()
    }

    fn has_lost(&mut self) -> bool {
        self.0.has_lost()
    }
}

/// A folder for each project, with a file for each player.
pub(super) struct Folder {
    root: PathBuf,
    /// The files of players with open orders, and those that were lost in this run.
    files: BTreeMap<PathBuf, File>,
    /// The files that may be open. The one that was used last is last.
    recent: Vec<PathBuf>,
}

impl LedgerStore for Folder {
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        let path = self.path(project_id, user);
        let mut records = self.file(&path).load(project_id, user)?;
        let open = records
            .iter()
            .filter(|(_, record)| !is_acknowledged(*record));
        let open: BTreeSet<OrderId> = open.map(|(order_id, _)| *order_id).collect();
        let mut gone = BTreeSet::new();
        for (_, found) in self.search(project_id, user, &open) {
            for (order_id, record) in &mut records {
                if let Some(other) = found.get(order_id) {
                    *record = record.raised(*other);
                    if is_acknowledged(*record) {
                        gone.insert(*order_id);
                    }
                }
            }
        }
        // An order has one entry, so where another player's run has acknowledged the order, this one goes.
        if !gone.is_empty() {
            let erase = |order_id: &OrderId| LedgerChange {
                project_id,
                user: user.clone(),
                order_id: *order_id,
                erases: true,
                claims: false,
                record: None,
            };
            let changes: Vec<LedgerChange> = gone.iter().map(erase).collect();
            if let Err(error) = self.file(&path).commit(&changes, &Found::new()) {
                log::debug!("orders of another player stay in the ledger: {error}");
            }
        }
        Ok(records)
    }

    /// Commits the changes of each player in one transaction. What other players' files have of these orders is
    /// removed after that, so that a crash in between loses nothing.
    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let mut before = Vec::new();
        let of_one =
            |a: &LedgerChange, b: &LedgerChange| (a.project_id, &a.user) == (b.project_id, &b.user);
        for changes in changes.chunk_by(of_one) {
            if let Some(LedgerChange {
                project_id, user, ..
            }) = changes.first()
            {
                before.extend(self.commit_of(*project_id, user, changes)?);
            }
        }
        Ok(before)
    }

    fn release(&mut self, project_id: u64, user: &UserId) {
        let path = self.path(project_id, user);
        self.recent.retain(|recent| *recent != path);
        if let Some(file) = self.files.get_mut(&path) {
            file.close();
            if !file.has_trouble() {
                self.files.remove(&path);
            }
        }
    }

    fn trouble(&self) -> Option<LedgerError> {
        self.files.values().find_map(File::trouble).cloned()
    }

    fn has_lost(&mut self) -> bool {
        let mut has_lost = false;
        for file in self.files.values_mut() {
            has_lost |= file.has_lost();
        }
        has_lost
    }
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            files: BTreeMap::new(),
            recent: Vec::new(),
        }
    }

    fn path(&self, project_id: u64, user: &UserId) -> PathBuf {
        let mut path = self.root.join(project_id.to_string());
        path.push(format!("{}.redb", file_name(user)));
        path
    }

    /// Returns a player's file, and closes the one that was not used for longest if too many are open.
    fn file(&mut self, path: &Path) -> &mut File {
        self.recent.retain(|recent| recent != path);
        self.recent.push(path.to_owned());
        if self.recent.len() > MAX_OPEN {
            let oldest = self.recent.remove(0);
            if let Some(file) = self.files.get_mut(&oldest) {
                file.close();
            }
        }
        let file = self.files.entry(path.to_owned());
        file.or_insert_with(|| File::new(path.to_owned()))
    }

    fn commit_of(
        &mut self,
        project_id: u64,
        user: &UserId,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let path = self.path(project_id, user);
        let recorded = changes.iter().filter(|change| change.record.is_some());
        let recorded: BTreeSet<OrderId> = recorded.map(|change| change.order_id).collect();
        let mut moving = Vec::new();
        if !recorded.is_empty() {
            let new = self.file(&path).missing(project_id, recorded)?;
            moving = self.search(project_id, user, &new);
        }
        let mut elsewhere = Found::new();
        for (order_id, record) in moving.iter().flat_map(|(_, found)| found) {
            let known = elsewhere.get(order_id).copied();
            let record = known.map_or(*record, |known: LedgerRecord| known.raised(*record));
            elsewhere.insert(*order_id, record);
        }
        let before = self.file(&path).commit(changes, &elsewhere)?;
        for (path, found) in moving {
            let moved = found.into_keys().collect();
            let result = self.other(&path, |file| file.remove(project_id, &moved, user));
            if let Err(error) = result {
                // When its player returns, their order is found to be acknowledged here.
                log::debug!("orders that have moved stay in another player's ledger: {error}");
            }
        }
        Ok(before)
    }

    /// Looks for orders of a project in the files of other players, and returns those that have some. A file that
    /// cannot be used is passed over.
    fn search(
        &mut self,
        project_id: u64,
        user: &UserId,
        orders: &BTreeSet<OrderId>,
    ) -> Vec<(PathBuf, Found)> {
        if orders.is_empty() {
            return Vec::new();
        }
        let start = Instant::now();
        let mut found = Vec::new();
        for path in self.others(project_id, user) {
            match self.other(&path, |file| file.find(project_id, orders, user)) {
                Ok(orders) if orders.is_empty() => {}
                Ok(orders) => found.push((path, orders)),
                Err(error) => log::debug!("another player's ledger is not searched: {error}"),
            }
            if start.elapsed() >= SEARCH_PATIENCE {
                break;
            }
        }
        found
    }

    /// The files of other players of a project: those that are open here, and the ones that were written last.
    fn others(&self, project_id: u64, user: &UserId) -> Vec<PathBuf> {
        let own = self.path(project_id, user);
        let is_open = |path: &PathBuf| self.files.get(path).is_some_and(File::is_open);
        let mut others: Vec<(bool, SystemTime, PathBuf)> = Vec::new();
        let folder = own.parent().map(fs::read_dir);
        for file in folder.into_iter().flatten().flatten().flatten() {
            let path = file.path();
            let is_ledger = path
                .extension()
                .is_some_and(|extension| extension == "redb");
            if is_ledger
                && path != own
                && let Ok(metadata) = file.metadata()
                && metadata.is_file()
            {
                let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                others.push((is_open(&path), written, path));
            }
        }
        others.sort_unstable_by(|a, b| b.cmp(a));
        others.truncate(MAX_SEARCHED);
        others.into_iter().map(|(_, _, path)| path).collect()
    }

    /// Does something with the file of another player, which is closed after that if it was.
    fn other<T>(&mut self, path: &Path, work: impl FnOnce(&mut File) -> T) -> T {
        match self.files.get_mut(path).filter(|file| file.is_open()) {
            Some(file) => work(file),
            None => work(&mut File::new(path.to_owned())),
        }
    }
}

fn is_acknowledged(record: LedgerRecord) -> bool {
    record.entry() >= LedgerEntry::Acknowledged
}

/// Encodes the id in characters that every file system accepts, without separators. A long id may be cut off,
/// because entries are found by their user.
fn file_name(user: &UserId) -> String {
    let mut name = String::new();
    for byte in user.as_str().bytes().take(60) {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            // Other bytes are written in hexadecimal, because some file systems do not distinguish capital
            // and small letters.
            _ => name.push_str(&format!("_{byte:02x}")),
        }
    }
    name
}
