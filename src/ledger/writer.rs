//! The work of the writer: it batches changes, retries failures and reports results.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crossbeam_channel::Sender;

use crate::ledger::kinds::{StoreKey, open_store, sound_state, store_key};
use crate::ledger::memory::Memory;
use crate::model::ledger::{
    Ledger, LedgerChange, LedgerEntry, LedgerError, LedgerRecord, LedgerReport, LedgerState,
    LedgerStore, Restored,
};
use crate::model::order::OrderId;
use crate::model::user::UserId;
use crate::platform::time::{Instant, calendar};

/// The interval between retries of reads and writes that failed.
const RETRY: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
/// The interval between retries at first, while a game that is just ending may still hold the ledger.
const QUICK_RETRY: Duration = Duration::from_millis(50);
/// The time after which tracking begins without the entries of a ledger that cannot be read.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) enum Job {
    /// Use this ledger and project for the jobs that follow.
    Configure {
        ledger: Ledger,
        project_id: u64,
    },
    Load(UserId),
    Record {
        user: UserId,
        order_id: OrderId,
        entry: LedgerEntry,
    },
    Erase {
        user: UserId,
        order_id: OrderId,
    },
    /// Release what is held for this player, who has no open order any more.
    Release(UserId),
    /// Answer once all earlier jobs have been handled.
    Flush(Sender<()>),
}

/// All stores that are in use.
pub(super) struct Shelves<R> {
    report: R,
    ledger: Ledger,
    project_id: u64,
    shelves: BTreeMap<StoreKey, Shelf>,
    /// The state that was last reported.
    state: LedgerState,
    /// The entries to report once their store has them.
    recorded: Vec<(StoreKey, OrderId, LedgerEntry)>,
    flushes: Vec<Sender<()>>,
    /// Players whose orders could not be read yet.
    pending_loads: BTreeMap<UserId, PendingLoad>,
    next_try: Instant,
}

/// A store with its pending changes.
struct Shelf {
    store: Box<dyn LedgerStore>,
    /// The pending changes, one for each order. They are kept until they are committed, however often that
    /// fails.
    changes: BTreeMap<(u64, UserId, OrderId), LedgerChange>,
    /// The error of the last attempt.
    error: Option<LedgerError>,
    /// The reason why the store is lost when the game ends, if it is.
    not_kept: Option<LedgerError>,
}

struct PendingLoad {
    since: Instant,
    /// Whether tracking has begun without these orders.
    is_given_up: bool,
}

impl Shelf {
    fn new(opened: Result<Box<dyn LedgerStore>, LedgerError>) -> Self {
        let (store, not_kept) = match opened {
            Ok(store) => (store, None),
            // A store in memory at least keeps the orders for a player who logs out and in again.
            Err(error) => (
                Box::<Memory>::default() as Box<dyn LedgerStore>,
                Some(error),
            ),
        };
        Self {
            store,
            changes: BTreeMap::new(),
            error: None,
            not_kept,
        }
    }

    fn change(&mut self, project_id: u64, user: UserId, order_id: OrderId) -> &mut LedgerChange {
        self.changes
            .entry((project_id, user.clone(), order_id))
            .or_insert_with(|| LedgerChange {
                project_id,
                user,
                order_id,
                erases: false,
                record: None,
            })
    }

    fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    fn commit(&mut self) {
        if self.changes.is_empty() {
            return;
        }
        let changes: Vec<LedgerChange> = self.changes.values().cloned().collect();
        if self.attempt(|store| store.commit(&changes)).is_ok() {
            self.changes.clear();
        }
    }

    fn load(&mut self, project_id: u64, user: &UserId) -> Result<Vec<Restored>, LedgerError> {
        let now = calendar();
        let records = self.attempt(|store| store.load(project_id, user))?;
        let restore = |(order_id, record): (OrderId, LedgerRecord)| record.restore(order_id, now);
        Ok(records.into_iter().map(restore).collect())
    }

    /// Does the work, and keeps its error.
    fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut dyn LedgerStore) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let store = self.store.as_mut();
        // A panic in the game's own store must not lose the orders of other stores.
        let result = catch_unwind(AssertUnwindSafe(|| work(store)))
            .unwrap_or_else(|_| Err(LedgerError::Custom("it has panicked".to_owned())));
        self.error = result.as_ref().err().cloned();
        result
    }

    fn trouble(&self) -> Option<LedgerError> {
        let error = self.error.as_ref().or(self.not_kept.as_ref());
        error.cloned().or_else(|| self.store.trouble())
    }
}

impl<R: FnMut(LedgerReport)> Shelves<R> {
    pub(super) fn new(report: R) -> Self {
        Self {
            report,
            ledger: Ledger::disabled(),
            project_id: 0,
            shelves: BTreeMap::new(),
            state: LedgerState::Kept,
            recorded: Vec::new(),
            flushes: Vec::new(),
            pending_loads: BTreeMap::new(),
            next_try: Instant::now(),
        }
    }

    /// The time of the next retry. It is fixed, so that a stream of jobs does not put it off.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let has_to_try_again =
            !self.pending_loads.is_empty() || self.shelves.values().any(Shelf::has_changes);
        has_to_try_again.then_some(self.next_try)
    }

    /// Writes the changes of all jobs that were taken in one transaction, and retries what is due.
    pub(super) fn settle(&mut self) {
        if Instant::now() >= self.next_try {
            for (user, pending) in std::mem::take(&mut self.pending_loads) {
                self.load(user, pending);
            }
            self.next_try = Instant::now() + self.retry();
        }
        self.commit();
        self.tell_state();
    }

    fn retry(&self) -> Duration {
        match self.pending_loads.values().any(|load| !load.is_given_up) {
            true => QUICK_RETRY,
            false => RETRY,
        }
    }

    pub(super) fn take(&mut self, job: Job) {
        match job {
            Job::Configure { ledger, project_id } => {
                if (&ledger, project_id) != (&self.ledger, self.project_id) {
                    // Earlier changes belong to the earlier stores.
                    self.commit();
                    self.shelves.retain(|_, shelf| shelf.has_changes());
                    self.pending_loads.clear();
                    (self.ledger, self.project_id) = (ledger, project_id);
                }
            }
            Job::Load(user) => {
                let pending = PendingLoad {
                    since: Instant::now(),
                    is_given_up: false,
                };
                self.load(user, pending);
            }
            Job::Release(user) => self.release(&user),
            Job::Record {
                user,
                order_id,
                entry,
            } => {
                let project_id = self.project_id;
                let record = LedgerRecord::new(entry, calendar());
                let (key, shelf) = self.shelf(&user);
                let change = shelf.change(project_id, user, order_id);
                change.record = Some(match change.record {
                    Some(waiting) => waiting.raised(record),
                    None => record,
                });
                // A store that is lost at the end reports only open orders, because tracking waits for those.
                if entry == LedgerEntry::Open || shelf.not_kept.is_none() {
                    self.recorded.push((key, order_id, entry));
                }
            }
            Job::Erase { user, order_id } => {
                let project_id = self.project_id;
                let (_, shelf) = self.shelf(&user);
                let change = shelf.change(project_id, user, order_id);
                (change.erases, change.record) = (true, None);
            }
            Job::Flush(done) => self.flushes.push(done),
        }
    }

    fn release(&mut self, user: &UserId) {
        self.commit();
        self.pending_loads.remove(user);
        let key = store_key(&self.ledger, self.project_id, user);
        if let Some(shelf) = self.shelves.get_mut(&key) {
            shelf.store.release(self.project_id, user);
            let is_of_one_player = self.ledger == Ledger::user_data() && shelf.not_kept.is_none();
            if is_of_one_player && !shelf.has_changes() {
                self.shelves.remove(&key);
            }
        }
    }

    fn load(&mut self, user: UserId, mut pending: PendingLoad) {
        // Pending changes are written first, so that an erased order does not come back.
        self.commit();
        let project_id = self.project_id;
        let (_, shelf) = self.shelf(&user);
        let is_locked = match shelf.load(project_id, &user) {
            Ok(orders) => {
                return (self.report)(LedgerReport::Loaded {
                    user,
                    orders,
                    is_locked: false,
                });
            }
            Err(error) => matches!(error, LedgerError::Locked { .. }),
        };
        if !pending.is_given_up && pending.since.elapsed() >= PATIENCE {
            pending.is_given_up = true;
            self.tell_state();
            (self.report)(LedgerReport::Loaded {
                user: user.clone(),
                orders: Vec::new(),
                is_locked,
            });
        }
        self.pending_loads.insert(user, pending);
        self.next_try = self.next_try.min(Instant::now() + self.retry());
    }

    /// Writes the pending changes, and reports them.
    pub(super) fn commit(&mut self) {
        for shelf in self.shelves.values_mut() {
            shelf.commit();
        }
        if self.shelves.values().any(Shelf::has_changes) {
            self.tell_state();
        }
        let shelves = &self.shelves;
        let has_it = |key: &StoreKey| shelves.get(key).is_none_or(|shelf| !shelf.has_changes());
        let (settled, open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.recorded)
            .into_iter()
            .partition(|(key, _, entry)| *entry == LedgerEntry::Open || has_it(key));
        self.recorded = open;
        for (_, order_id, entry) in settled {
            (self.report)(LedgerReport::Recorded { order_id, entry });
        }
        for done in self.flushes.drain(..) {
            let _ = done.send(());
        }
    }

    /// Reports the state of the ledger if it has changed. A read that is about to be retried does not count
    /// as trouble yet.
    fn tell_state(&mut self) {
        let is_waiting = self.pending_loads.values().any(|load| !load.is_given_up);
        if is_waiting && self.shelves.values().all(|shelf| !shelf.has_changes()) {
            return;
        }
        let trouble = self.shelves.values().find_map(Shelf::trouble);
        let state = match trouble {
            Some(error) => LedgerState::Trouble(error),
            None => sound_state(&self.ledger),
        };
        if self.state != state {
            if let LedgerState::Trouble(error) = &state {
                log::warn!("{error}; tracking goes on without it");
            }
            self.state.clone_from(&state);
            (self.report)(LedgerReport::State(state));
        }
    }

    fn shelf(&mut self, user: &UserId) -> (StoreKey, &mut Shelf) {
        let ledger = &self.ledger;
        let key = store_key(ledger, self.project_id, user);
        let shelf = self.shelves.entry(key.clone());
        let shelf = shelf.or_insert_with(|| Shelf::new(open_store(ledger, &key)));
        (key, shelf)
    }
}
