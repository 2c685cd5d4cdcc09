//! A ledger's store with what it does not have yet.

use crate::model::maps::{HashMap, HashSet};
use litemap::LiteMap;

use crate::ledger::kinds::{has_a_file_for_each_player, open_store};
use crate::ledger::memory::Memory;
use crate::ledger::store::{Blocking, Store};
use crate::model::ledger::{Ledger, LedgerError, TakenOrder};
use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord, Restored};
use crate::model::user::UserId;
use crate::platform::time::calendar;

/// Names what fails as one: the file of a player of a project, or the whole store.
type Part = Option<(u64, UserId)>;

/// The number of changes that a store which is shared makes at a time.
const SHARED_BATCH: usize = 1_000;
/// The number of times that it may fail in one commit. One may be due to an order that another server holds up; more mean that
/// the store is away, which takes its time to be found out each time.
const MOST_FAILURES: u32 = 2;

pub(super) struct Shelf {
    pub(super) ledger: Ledger,
    store: Box<dyn Store>,
    /// What is pending for each order of a project. It is kept until it is committed, however often that fails.
    pending: HashMap<(u64, OrderId), Pending>,
    /// The players of projects for whom the store may hold something.
    held: HashSet<(u64, UserId)>,
    /// Those of them for whom it is released once nothing is pending.
    released: HashSet<(u64, UserId)>,
    /// The errors of the last attempts.
    errors: LiteMap<Part, LedgerError>,
    /// The orders that other servers have taken, which are not reported yet.
    taken: Vec<TakenOrder>,
    /// The reason why the store does not say which orders other servers have taken.
    silent: Option<LedgerError>,
    /// The reason why the store is lost when the game ends, if it is.
    not_kept: Option<LedgerError>,
}

/// What is to be done about an order, which has one owner.
#[derive(Default)]
struct Pending {
    /// The players whose entries are erased first.
    erased: Vec<UserId>,
    /// The entry to record for this player.
    record: Option<(UserId, LedgerRecord)>,
    /// Whether the order is claimed with it.
    claims: bool,
    /// The entry that was to be recorded for an earlier owner.
    before: Option<LedgerEntry>,
    /// The players whose entries are erased once the new owner's is recorded.
    left: Vec<UserId>,
}

impl Pending {
    fn record(&mut self, user: UserId, mut record: LedgerRecord, claims: bool) {
        // What was to be recorded for an earlier owner is recorded for this one.
        if let Some((owner, earlier)) = self.record.take() {
            if owner != user {
                self.before = self.before.max(Some(earlier.entry()));
            }
            record = earlier.raised(record);
        }
        self.left.retain(|left| *left != user);
        self.record = Some((user, record));
        self.claims |= claims;
    }

    fn erase(&mut self, user: UserId) {
        if self
            .record
            .as_ref()
            .is_some_and(|(owner, _)| *owner != user)
        {
            add(&mut self.left, user);
            return;
        }
        self.record = None;
        self.claims = false;
        self.before = None;
        self.erase_left();
        add(&mut self.erased, user);
    }

    /// Returns the change to make next: the player, whether their entry is erased, and the record. A part of the
    /// ledger that fails does not hold up the others, but no entry is erased before the one that takes its place
    /// is written.
    fn next(
        &self,
        has_failed: impl Fn(&UserId) -> bool,
    ) -> Option<(&UserId, bool, Option<LedgerRecord>)> {
        let owner = self.record.as_ref().map(|(owner, _)| owner);
        let mut erased = self.erased.iter();
        if let Some(user) = erased.find(|user| Some(*user) != owner && !has_failed(user)) {
            return Some((user, true, None));
        }
        let (user, record) = self.record.as_ref()?;
        (!has_failed(user)).then(|| (user, self.erased.contains(user), Some(*record)))
    }

    fn made(&mut self, change: &LedgerChange) {
        self.erased.retain(|user| *user != change.user);
        if change.record.is_some() {
            self.record = None;
            self.claims = false;
            self.before = None;
            self.erase_left();
        }
    }

    fn erase_left(&mut self) {
        for user in std::mem::take(&mut self.left) {
            add(&mut self.erased, user);
        }
    }

    fn is_empty(&self) -> bool {
        self.erased.is_empty() && self.record.is_none()
    }

    fn concerns(&self, user: &UserId) -> bool {
        let owner = self.record.as_ref().map(|(owner, _)| owner);
        owner == Some(user) || self.erased.contains(user) || self.left.contains(user)
    }

    /// What a player has of the order once this is committed, if they have this record now.
    fn after(&self, user: &UserId, stored: Option<LedgerRecord>) -> Option<LedgerRecord> {
        let stored = stored.filter(|_| !self.erased.contains(user));
        match &self.record {
            Some((owner, record)) if owner == user => {
                Some(stored.map_or(*record, |stored| stored.raised(*record)))
            }
            // It is another player's then.
            Some(_) => None,
            None => stored,
        }
    }
}

/// Adds a player to a list that names each once. Most often it has none or one.
fn add(users: &mut Vec<UserId>, user: UserId) {
    if !users.contains(&user) {
        users.push(user);
    }
}

impl Shelf {
    pub(super) fn open(ledger: Ledger) -> Self {
        let opened = open_store(&ledger);
        Self::new(ledger, opened)
    }

    pub(super) fn new(ledger: Ledger, opened: Result<Box<dyn Store>, LedgerError>) -> Self {
        let (store, not_kept) = match opened {
            Ok(store) => (store, None),
            // A store in memory at least keeps the orders for a player who logs out and in again.
            Err(error) => (
                Box::new(Blocking(Memory::default())) as Box<dyn Store>,
                Some(error),
            ),
        };
        Self {
            ledger,
            store,
            pending: HashMap::default(),
            held: HashSet::default(),
            released: HashSet::default(),
            errors: LiteMap::new(),
            taken: Vec::new(),
            silent: None,
            not_kept,
        }
    }

    /// Whether the orders are there at the next start.
    pub(super) fn is_kept(&self) -> bool {
        self.not_kept.is_none()
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether an entry of the order is not written yet.
    pub(super) fn waits_for(&self, project_id: u64, order_id: OrderId) -> bool {
        let pending = self.pending.get(&(project_id, order_id));
        pending.is_some_and(|pending| pending.record.is_some())
    }

    pub(super) fn record(
        &mut self,
        project_id: u64,
        user: UserId,
        order_id: OrderId,
        record: LedgerRecord,
        claims: bool,
    ) {
        self.hold(project_id, &user);
        let pending = self.pending.entry((project_id, order_id));
        pending.or_default().record(user, record, claims);
    }

    pub(super) fn erase(&mut self, project_id: u64, user: UserId, order_id: OrderId) {
        let pending = self.pending.entry((project_id, order_id));
        pending.or_default().erase(user);
    }

    /// Makes the pending changes, and returns what each order that was recorded had before.
    pub(super) async fn commit(&mut self) -> HashMap<(u64, OrderId), Option<LedgerEntry>> {
        let mut recorded = HashMap::default();
        let mut failed: Vec<Part> = Vec::new();
        // Most often this takes one round: an order that has moved takes more.
        loop {
            let mut batches: LiteMap<Part, Vec<LedgerChange>> = LiteMap::new();
            for ((project_id, order_id), pending) in &self.pending {
                let has_failed = |user: &UserId| failed.contains(&self.part(*project_id, user));
                if let Some((user, erases, record)) = pending.next(has_failed) {
                    let batch = batches.entry(self.part(*project_id, user)).or_default();
                    batch.push(LedgerChange {
                        project_id: *project_id,
                        user: user.clone(),
                        order_id: *order_id,
                        erases,
                        claims: record.is_some() && pending.claims,
                        record,
                    });
                }
            }
            if batches.is_empty() {
                self.release_what_is_done();
                return recorded;
            }
            let mut failures = 0;
            for (part, batch) in self.parted(batches) {
                if failures >= MOST_FAILURES && self.ledger.is_shared() {
                    break;
                }
                let before = match self.store.commit(&batch).await {
                    Ok(before) => before,
                    Err(error) => {
                        self.errors.insert(part.clone(), error);
                        failed.push(part);
                        failures += 1;
                        continue;
                    }
                };
                if !failed.contains(&part) {
                    self.errors.remove(&part);
                }
                let Some(taken) = self.look_for_taken() else {
                    // It does not say which of them it has made. To make one again does no harm.
                    failed.push(part);
                    continue;
                };
                let before = before.into_iter().chain(std::iter::repeat(None));
                for (change, mut before) in batch.into_iter().zip(before) {
                    let key = (change.project_id, change.order_id);
                    if taken.contains(&key) {
                        continue;
                    }
                    if let Some(pending) = self.pending.get_mut(&key) {
                        before = before.max(pending.before);
                        pending.made(&change);
                        if pending.is_empty() {
                            self.pending.remove(&key);
                        }
                    }
                    if change.record.is_some() {
                        recorded.insert(key, before);
                    }
                }
            }
        }
    }

    /// Parts the batches for a store that is shared, so that an order which another server holds up does not hold up all.
    fn parted(&self, batches: LiteMap<Part, Vec<LedgerChange>>) -> Vec<(Part, Vec<LedgerChange>)> {
        let batches = batches.into_tuple_vec();
        if !self.ledger.is_shared() {
            return batches;
        }
        let changes: Vec<LedgerChange> = batches.into_iter().flat_map(|(_, batch)| batch).collect();
        let chunks = changes.chunks(SHARED_BATCH);
        chunks.map(|changes| (None, changes.to_vec())).collect()
    }

    /// Has a store that is shared say which orders other servers have taken, and returns them, or `None` where it does
    /// not say. What is pending of them is not written, unless they are claimed with it.
    fn look_for_taken(&mut self) -> Option<Vec<(u64, OrderId)>> {
        let mut found = Vec::new();
        if !self.ledger.is_shared() {
            return Some(found);
        }
        match self.store.taken() {
            Ok(taken) => {
                self.silent = None;
                for order in taken {
                    let key = (order.project_id, order.order_id);
                    if self.pending.get(&key).is_none_or(|pending| !pending.claims) {
                        self.pending.remove(&key);
                        self.taken.push(order);
                        found.push(key);
                    }
                }
            }
            Err(error) => {
                self.silent = Some(error);
                return None;
            }
        }
        Some(found)
    }

    /// Takes out the orders that other servers have taken.
    pub(super) fn take_taken(&mut self) -> Vec<TakenOrder> {
        std::mem::take(&mut self.taken)
    }

    fn part(&self, project_id: u64, user: &UserId) -> Part {
        has_a_file_for_each_player(&self.ledger).then(|| (project_id, user.clone()))
    }

    pub(super) async fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<Restored>, LedgerError> {
        self.hold(project_id, user);
        let part = self.part(project_id, user);
        let result = self.store.load(project_id, user).await;
        let mut records: LiteMap<OrderId, LedgerRecord> = LiteMap::new();
        for (order_id, record) in self.keep_error(&part, result)? {
            records.insert(order_id, record);
        }
        // A disk that is full can be read while changes wait for it.
        let pending = self.pending.iter();
        for ((_, order_id), pending) in pending.filter(|((of, _), _)| *of == project_id) {
            let stored = records.remove(order_id);
            if let Some(record) = pending.after(user, stored) {
                records.insert(*order_id, record);
            }
        }
        let now = calendar();
        let records = records.iter();
        Ok(records
            .map(|(order_id, record)| record.restore(*order_id, now))
            .collect())
    }

    /// What the ledger has of orders, or will have.
    #[cfg(feature = "webhook")]
    pub(super) fn find(
        &mut self,
        project_id: u64,
        orders: &[OrderId],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let mut entries = self.store.find(project_id, orders)?;
        for (order_id, entry) in orders.iter().zip(&mut entries) {
            if let Some(pending) = self.pending.get(&(project_id, *order_id)) {
                let record = pending.record.as_ref().map(|(_, record)| record.entry());
                *entry = (*entry).max(record);
            }
        }
        Ok(entries)
    }

    /// Keeps what is held for a player.
    pub(super) fn hold(&mut self, project_id: u64, user: &UserId) {
        let player = (project_id, user.clone());
        self.released.remove(&player);
        self.held.insert(player);
    }

    /// Releases what is held for a player at the end of the next commit that leaves nothing of theirs pending.
    pub(super) fn release(&mut self, project_id: u64, user: &UserId) {
        self.released.insert((project_id, user.clone()));
    }

    /// Releases what is held for all players, in the same way.
    pub(super) fn release_all(&mut self) {
        self.released.clone_from(&self.held);
    }

    fn release_what_is_done(&mut self) {
        for (project_id, user) in std::mem::take(&mut self.released) {
            let mut pending = self.pending.iter();
            if pending.any(|((of, _), pending)| *of == project_id && pending.concerns(&user)) {
                self.released.insert((project_id, user));
                continue;
            }
            let part = self.part(project_id, &user);
            if part.is_some() {
                self.errors.remove(&part);
            }
            self.store.release(project_id, &user);
            self.held.remove(&(project_id, user));
        }
    }

    /// Forgets the errors of players who are not asked for any more. Those of pending changes come again.
    pub(super) fn forget_errors(&mut self) {
        self.errors.clear();
    }

    pub(super) fn has_lost(&mut self) -> bool {
        self.look_for_taken();
        self.store.has_lost()
    }

    fn keep_error<T>(
        &mut self,
        part: &Part,
        result: Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        match &result {
            Ok(_) => drop(self.errors.remove(part)),
            Err(error) => drop(self.errors.insert(part.clone(), error.clone())),
        }
        result
    }

    pub(super) fn trouble(&self) -> Option<LedgerError> {
        // The first of several, so that the state does not change from one to another.
        let first = self.errors.iter().min_by_key(|(part, _)| *part);
        let error = first.map(|(_, error)| error).or(self.not_kept.as_ref());
        let error = error.or(self.silent.as_ref());
        error.cloned().or_else(|| self.store.trouble())
    }
}
