//! The work of the writer: it batches changes, retries failures and reports results.

use std::time::Duration;

use crossbeam_channel::Sender;
use litemap::LiteMap;
#[cfg(feature = "webhook")]
use tokio::sync::oneshot;

use crate::ledger::kinds::sound_state;
use crate::ledger::shelf::Shelf;
use crate::model::ledger::{Ledger, LedgerError, LedgerReport, LedgerState, LoadOutcome};
use crate::model::maps::HashSet;
use crate::model::order::OrderId;
use crate::model::record::{LedgerEntry, LedgerRecord};
use crate::model::user::UserId;
use crate::platform::time::{Instant, calendar};

/// The interval between retries of reads and writes that failed.
const RETRY: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
/// The interval between retries at first, while a game that is just ending, or a virus scanner, may hold the ledger.
const QUICK_RETRY: Duration = Duration::from_millis(50);
/// The time after which tracking begins without the entries of a ledger that cannot be read, and after which retries
/// become rare.
const PATIENCE: Duration = Duration::from_secs(2);
/// The interval at which an idle ledger is checked for losses.
const LOOK: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 5 });

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
        /// Whether the order becomes this server's, where servers share the ledger.
        claims: bool,
    },
    Erase {
        user: UserId,
        order_id: OrderId,
    },
    /// Release what is held for this player, who has no open order any more.
    Release(UserId),
    /// Say what the ledger has of these orders.
    #[cfg(feature = "webhook")]
    Find {
        project_id: u64,
        orders: Vec<OrderId>,
        answer: oneshot::Sender<Result<Vec<Option<LedgerEntry>>, LedgerError>>,
    },
    /// Answer once all earlier jobs have been handled.
    Flush(Sender<()>),
}

/// All ledgers that are in use.
pub(super) struct Shelves<R> {
    report: R,
    project_id: u64,
    current: Shelf,
    /// The ledgers of earlier settings that do not have all of their changes yet.
    earlier: Vec<Shelf>,
    /// The state that was last reported.
    state: LedgerState,
    /// The entries to report once the current ledger has them.
    waiting: Vec<Waiting>,
    flushes: Vec<Sender<()>>,
    /// Players whose orders could not be read yet.
    pending_loads: LiteMap<UserId, PendingLoad>,
    /// The time since which changes could not be written.
    failing_since: Option<Instant>,
    pub(super) next_try: Instant,
    next_look: Instant,
}

struct Waiting {
    order_id: OrderId,
    entry: LedgerEntry,
    claims: bool,
    /// Whether it was reported because tracking does not wait for a disk that fails.
    is_reported: bool,
}

struct PendingLoad {
    since: Instant,
    /// Whether tracking has begun without these orders.
    is_given_up: bool,
}

impl<R: FnMut(LedgerReport)> Shelves<R> {
    pub(super) fn new(report: R) -> Self {
        let now = Instant::now();
        Self {
            report,
            project_id: 0,
            current: Shelf::open(Ledger::disabled()),
            earlier: Vec::new(),
            state: LedgerState::Kept,
            waiting: Vec::new(),
            flushes: Vec::new(),
            pending_loads: LiteMap::new(),
            failing_since: None,
            next_try: now,
            next_look: now,
        }
    }

    /// The time of the next retry or look. It is fixed, so that a stream of jobs does not put it off.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let next_try =
            (!self.pending_loads.is_empty() || self.has_changes()).then_some(self.next_try);
        let can_lose = self.current.is_kept() && self.current.ledger != Ledger::disabled();
        let next_look = can_lose.then_some(self.next_look);
        next_try.into_iter().chain(next_look).min()
    }

    fn has_changes(&self) -> bool {
        self.current.has_changes() || self.earlier.iter().any(Shelf::has_changes)
    }

    /// Writes the changes of all jobs that were taken in one transaction, and retries what is due.
    pub(super) async fn settle(&mut self) {
        if Instant::now() >= self.next_try {
            self.commit_earlier().await;
            let users: Vec<UserId> = self.pending_loads.keys().cloned().collect();
            for user in users {
                self.load(user).await;
            }
            self.next_try = Instant::now() + self.retry();
        }
        self.commit().await;
        if Instant::now() >= self.next_look {
            self.look_for_losses();
        }
        self.tell_state();
    }

    /// Asks for everything anew if the ledger has lost something.
    fn look_for_losses(&mut self) {
        self.next_look = Instant::now() + LOOK;
        let has_lost = self.current.has_lost();
        self.tell_taken();
        if has_lost {
            self.tell_state();
            (self.report)(LedgerReport::Lost);
        }
    }

    fn retry(&self) -> Duration {
        let mut loads = self.pending_loads.values();
        let has_just_failed = |since: Instant| since.elapsed() < PATIENCE;
        match loads.any(|load| !load.is_given_up) || self.failing_since.is_some_and(has_just_failed)
        {
            true => QUICK_RETRY,
            false => RETRY,
        }
    }

    pub(super) async fn take(&mut self, job: Job) {
        match job {
            Job::Configure { ledger, project_id } => self.configure(ledger, project_id).await,
            Job::Load(user) => {
                let pending = PendingLoad {
                    since: Instant::now(),
                    is_given_up: false,
                };
                self.pending_loads.insert(user.clone(), pending);
                self.load(user).await;
            }
            Job::Release(user) => {
                self.pending_loads.remove(&user);
                self.current.release(self.project_id, &user);
            }
            Job::Record {
                user,
                order_id,
                entry,
                claims,
            } => {
                let record = LedgerRecord::new(entry, calendar());
                self.current
                    .record(self.project_id, user, order_id, record, claims);
                // A ledger that is lost at the end reports only open orders, because tracking waits for those.
                if entry == LedgerEntry::Open || self.current.is_kept() {
                    self.waiting.push(Waiting {
                        order_id,
                        entry,
                        claims,
                        is_reported: false,
                    });
                }
            }
            Job::Erase { user, order_id } => self.current.erase(self.project_id, user, order_id),
            #[cfg(feature = "webhook")]
            Job::Find {
                project_id,
                orders,
                answer,
            } => {
                self.commit().await;
                // Who has asked may be gone.
                let _ = answer.send(self.current.find(project_id, &orders));
            }
            Job::Flush(done) => self.flushes.push(done),
        }
    }

    async fn configure(&mut self, ledger: Ledger, project_id: u64) {
        if (&ledger, project_id) == (&self.current.ledger, self.project_id) {
            return;
        }
        // Earlier changes belong to the earlier ledger and project.
        self.current.release_all();
        self.commit().await;
        self.waiting.clear();
        self.pending_loads.clear();
        self.current.forget_errors();
        self.project_id = project_id;
        if ledger != self.current.ledger {
            let known = self.earlier.iter().position(|shelf| shelf.ledger == ledger);
            let next = match known {
                Some(index) => self.earlier.remove(index),
                None => Shelf::open(ledger),
            };
            self.earlier
                .push(std::mem::replace(&mut self.current, next));
            self.earlier.retain(Shelf::has_changes);
        }
    }

    /// Reads the orders of a pending load.
    async fn load(&mut self, user: UserId) {
        self.current.hold(self.project_id, &user);
        // Pending changes are written first, so that an erased order does not come back.
        self.commit().await;
        let loaded = self.current.load(self.project_id, &user).await;
        let is_read = loaded.is_ok();
        let Some(pending) = self.pending_loads.get_mut(&user) else {
            return;
        };
        let is_late = !pending.is_given_up && pending.since.elapsed() >= PATIENCE;
        pending.is_given_up |= is_late;
        if is_read {
            self.pending_loads.remove(&user);
        } else {
            self.next_try = self.next_try.min(Instant::now() + self.retry());
        }
        if !is_read && !is_late {
            return;
        }
        let (orders, outcome) = match loaded {
            // What stands in for a ledger that has no place knows nothing.
            Ok(orders) if !self.current.is_kept() => (orders, LoadOutcome::Failed),
            Ok(orders) => (orders, LoadOutcome::Read),
            Err(LedgerError::Locked { .. }) => (Vec::new(), LoadOutcome::Locked),
            Err(_) => (Vec::new(), LoadOutcome::Failed),
        };
        self.tell_state();
        (self.report)(LedgerReport::Loaded {
            project_id: self.project_id,
            user,
            orders,
            outcome,
        });
    }

    /// Writes what is pending for the ledgers of earlier settings. One that hangs would hold up the others, so this is
    /// for retries, and for the end.
    pub(super) async fn commit_earlier(&mut self) {
        for shelf in &mut self.earlier {
            shelf.commit().await;
        }
        self.earlier.retain(Shelf::has_changes);
    }

    /// Writes the pending changes, and reports them.
    pub(super) async fn commit(&mut self) {
        let written = self.current.commit().await;
        self.tell_taken();
        if self.has_changes() {
            self.failing_since.get_or_insert_with(Instant::now);
            self.next_try = self.next_try.min(Instant::now() + self.retry());
        } else {
            self.failing_since = None;
        }
        if self.has_changes() || !self.waiting.is_empty() {
            self.tell_state();
        }
        for mut waiting in std::mem::take(&mut self.waiting) {
            let Waiting {
                order_id,
                entry,
                claims,
                ..
            } = waiting;
            let is_written = !self.current.waits_for(self.project_id, order_id);
            let is_open = entry == LedgerEntry::Open;
            if is_written || (is_open && !waiting.is_reported) {
                waiting.is_reported = true;
                let before = written.get(&(self.project_id, order_id)).copied().flatten();
                (self.report)(LedgerReport::Recorded {
                    project_id: self.project_id,
                    order_id,
                    entry,
                    before,
                    is_written: is_written && self.current.is_kept(),
                    claims,
                });
            }
            if !is_written {
                self.waiting.push(waiting);
            }
        }
        for done in self.flushes.drain(..) {
            let _ = done.send(());
        }
    }

    /// Reports the orders that other servers have taken.
    fn tell_taken(&mut self) {
        let taken = self.current.take_taken();
        if taken.is_empty() {
            return;
        }
        let here = taken
            .iter()
            .filter(|order| order.project_id == self.project_id);
        let orders: HashSet<OrderId> = here.map(|order| order.order_id).collect();
        // A claim is written after that.
        self.waiting
            .retain(|waiting| waiting.claims || !orders.contains(&waiting.order_id));
        for order in taken {
            (self.report)(LedgerReport::Taken(order));
        }
    }

    /// Reports the state of the ledger if it has changed. This comes before what was read or written is reported, so
    /// that no order is granted before the game knows what is wrong. A read that is about to be retried does not
    /// count as trouble yet.
    fn tell_state(&mut self) {
        let is_waiting = self.pending_loads.values().any(|load| !load.is_given_up);
        if is_waiting && !self.has_changes() {
            return;
        }
        let mut earlier = self.earlier.iter();
        let trouble = self.current.trouble();
        let state = match trouble.or_else(|| earlier.find_map(Shelf::trouble)) {
            Some(error) => LedgerState::Trouble(error),
            None => sound_state(&self.current.ledger),
        };
        if self.state != state {
            if let LedgerState::Trouble(error) = &state {
                log::warn!("{error}; tracking goes on");
            }
            self.state.clone_from(&state);
            (self.report)(LedgerReport::State(state));
        }
    }
}
