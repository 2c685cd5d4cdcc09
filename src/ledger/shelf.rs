//! A ledger's store with the changes that it does not have yet.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::ledger::kinds::{has_a_file_for_each_player, open_store};
use crate::ledger::memory::Memory;
use crate::model::ledger::{
    Ledger, LedgerChange, LedgerEntry, LedgerError, LedgerRecord, LedgerStore, Restored,
};
use crate::model::order::OrderId;
use crate::model::user::UserId;
use crate::platform::time::calendar;

/// Names what fails as one: the file of a player of a project, or the whole store.
type Part = Option<(u64, UserId)>;

pub(super) struct Shelf {
    pub(super) ledger: Ledger,
    store: Box<dyn LedgerStore>,
    /// The pending changes of each order of a project, in the order in which they are to be made. They are kept
    /// until they are committed, however often that fails. One of them at most records an entry, because an order
    /// has one owner.
    changes: BTreeMap<(u64, OrderId), Vec<LedgerChange>>,
    /// The errors of the last attempts.
    errors: BTreeMap<Part, LedgerError>,
    /// The reason why the store is lost when the game ends, if it is.
    not_kept: Option<LedgerError>,
}

impl Shelf {
    pub(super) fn open(ledger: Ledger) -> Self {
        let (store, not_kept) = match open_store(&ledger) {
            Ok(store) => (store, None),
            // A store in memory at least keeps the orders for a player who logs out and in again.
            Err(error) => (
                Box::<Memory>::default() as Box<dyn LedgerStore>,
                Some(error),
            ),
        };
        Self {
            ledger,
            store,
            changes: BTreeMap::new(),
            errors: BTreeMap::new(),
            not_kept,
        }
    }

    /// Whether the orders are there at the next start.
    pub(super) fn is_kept(&self) -> bool {
        self.not_kept.is_none()
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Whether an entry of the order is not written yet.
    pub(super) fn waits_for(&self, project_id: u64, order_id: OrderId) -> bool {
        let mut changes = self
            .changes
            .get(&(project_id, order_id))
            .into_iter()
            .flatten();
        changes.any(|change| change.record.is_some())
    }

    pub(super) fn record(
        &mut self,
        project_id: u64,
        user: UserId,
        order_id: OrderId,
        mut record: LedgerRecord,
    ) {
        // What was to be recorded for an earlier owner is recorded for this one.
        for change in self.changes.entry((project_id, order_id)).or_default() {
            if let Some(earlier) = change.record.take() {
                record = earlier.raised(record);
            }
        }
        self.change(project_id, user, order_id, |change| {
            change.record = Some(record);
        });
        if let Some(changes) = self.changes.get_mut(&(project_id, order_id)) {
            changes.retain(|change| change.erases || change.record.is_some());
        }
    }

    pub(super) fn erase(&mut self, project_id: u64, user: UserId, order_id: OrderId) {
        self.change(project_id, user, order_id, |change| {
            (change.erases, change.record) = (true, None);
        });
    }

    /// Alters the change that is to be made last of this order, or adds one if that is another player's.
    fn change(
        &mut self,
        project_id: u64,
        user: UserId,
        order_id: OrderId,
        alter: impl FnOnce(&mut LedgerChange),
    ) {
        let changes = self.changes.entry((project_id, order_id)).or_default();
        let last = changes.pop_if(|last| last.user == user);
        let mut change = last.unwrap_or(LedgerChange {
            project_id,
            user,
            order_id,
            erases: false,
            record: None,
        });
        alter(&mut change);
        changes.push(change);
    }

    /// Makes the pending changes, and returns what each order that was recorded had before.
    pub(super) fn commit(&mut self) -> BTreeMap<(u64, OrderId), Option<LedgerEntry>> {
        let mut recorded = BTreeMap::new();
        let mut failed = BTreeSet::new();
        // Most often this takes one round: an order that was given to another player takes more.
        loop {
            let mut batches: BTreeMap<Part, Vec<LedgerChange>> = BTreeMap::new();
            for changes in self.changes.values() {
                if let Some(change) = self.next(changes, &failed) {
                    let part = self.part(change.project_id, &change.user);
                    batches.entry(part).or_default().push(change.clone());
                }
            }
            if batches.is_empty() {
                return recorded;
            }
            for (part, batch) in batches {
                let Ok(before) = self.attempt(&part, |store| store.commit(&batch)) else {
                    failed.insert(part);
                    continue;
                };
                let before = before.into_iter().chain(std::iter::repeat(None));
                for (change, before) in batch.into_iter().zip(before) {
                    let key = (change.project_id, change.order_id);
                    if let Some(changes) = self.changes.get_mut(&key) {
                        changes.retain(|waiting| *waiting != change);
                        if changes.is_empty() {
                            self.changes.remove(&key);
                        }
                    }
                    if change.record.is_some() {
                        recorded.insert(key, before);
                    }
                }
            }
        }
    }

    /// Returns the change to make next. A file that fails does not hold up those of other players, but nobody's
    /// entry is erased before the one that takes its place is written.
    fn next<'a>(
        &self,
        changes: &'a [LedgerChange],
        failed: &BTreeSet<Part>,
    ) -> Option<&'a LedgerChange> {
        for change in changes {
            if !failed.contains(&self.part(change.project_id, &change.user)) {
                return Some(change);
            }
            if change.record.is_some() {
                return None;
            }
        }
        None
    }

    fn part(&self, project_id: u64, user: &UserId) -> Part {
        has_a_file_for_each_player(&self.ledger).then(|| (project_id, user.clone()))
    }

    pub(super) fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<Restored>, LedgerError> {
        let now = calendar();
        let part = self.part(project_id, user);
        let records = self.attempt(&part, |store| store.load(project_id, user))?;
        let restore = |(order_id, record): (OrderId, LedgerRecord)| record.restore(order_id, now);
        Ok(records.into_iter().map(restore).collect())
    }

    /// Releases what is held for a player whose changes were committed.
    pub(super) fn release(&mut self, project_id: u64, user: &UserId) {
        let part = self.part(project_id, user);
        if part.is_some() {
            self.errors.remove(&part);
        }
        self.call((), |store| store.release(project_id, user));
    }

    pub(super) fn has_lost(&mut self) -> bool {
        self.call(false, |store| store.has_lost())
    }

    /// Does the work, and keeps its error.
    fn attempt<T>(
        &mut self,
        part: &Part,
        work: impl FnOnce(&mut dyn LedgerStore) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let panicked = Err(LedgerError::Custom("it has panicked".to_owned()));
        let result = self.call(panicked, work);
        match &result {
            Ok(_) => drop(self.errors.remove(part)),
            Err(error) => drop(self.errors.insert(part.clone(), error.clone())),
        }
        result
    }

    /// Calls the store. A panic in the game's own store must not lose the orders of others.
    fn call<T>(&mut self, panicked: T, work: impl FnOnce(&mut dyn LedgerStore) -> T) -> T {
        let store = self.store.as_mut();
        catch_unwind(AssertUnwindSafe(|| work(store))).unwrap_or(panicked)
    }

    pub(super) fn trouble(&self) -> Option<LedgerError> {
        let error = self.errors.values().next().or(self.not_kept.as_ref());
        let of_store = || catch_unwind(AssertUnwindSafe(|| self.store.trouble()));
        error.cloned().or_else(|| of_store().ok().flatten())
    }
}
