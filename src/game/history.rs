//! What a support report says of the past: the last errors, and when the statuses of orders last changed.

use std::collections::VecDeque;
use std::time::SystemTime;

use crate::machine::output::Notice;
use crate::model::ledger::LedgerState;
use crate::model::order::OrderId;
use crate::model::purchase::PurchaseError;
use crate::model::state::TrackerState;

/// The numbers of entries that are kept. Troubled states come again and again while a connection is bad, so they have a
/// list of their own, and push nothing else out.
const ERRORS_MAX: usize = 16;
const STATES_MAX: usize = 8;
const CHANGES_MAX: usize = 64;

/// An entry, and the calendar's time of it: support compares it with the servers' logs.
type Entry<T> = (SystemTime, T);

/// The last of each kind; the newest stand at the end. It is filled from what is delivered anyway, and made into text only
/// for a report.
#[derive(Debug, Default)]
pub(super) struct History {
    errors: VecDeque<Entry<Notice>>,
    states: VecDeque<Entry<Notice>>,
    /// The orders whose status changed.
    changes: VecDeque<Entry<OrderId>>,
}

impl History {
    /// Notes down what a report tells of a notice that was delivered at this time.
    pub(super) fn note(&mut self, notice: &Notice, at: SystemTime) {
        match notice {
            Notice::StatusChanged(changed) => {
                push(&mut self.changes, CHANGES_MAX, (at, changed.order_id));
            }
            Notice::State(state) if has_reason(state) => {
                push(&mut self.states, STATES_MAX, (at, notice.clone()));
            }
            Notice::Ledger(LedgerState::Trouble(_)) => {
                push(&mut self.states, STATES_MAX, (at, notice.clone()));
            }
            // The second click of a double click is nobody's trouble.
            Notice::PurchaseFailed(failed)
                if matches!(failed.error, PurchaseError::Repeated(_)) => {}
            Notice::Catalog(Err(_))
            | Notice::Failed(_)
            | Notice::AuthorizationRequired(_)
            | Notice::PurchaseFailed(_)
            | Notice::PageFailed(_) => push(&mut self.errors, ERRORS_MAX, (at, notice.clone())),
            _ => {}
        }
    }

    /// The last errors, the newest first.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Entry<Notice>> {
        self.errors.iter().rev()
    }

    /// The last troubled states, the newest first.
    pub(super) fn states(&self) -> impl Iterator<Item = &Entry<Notice>> {
        self.states.iter().rev()
    }

    /// When the order's status last changed; `None` if that was in an earlier run or before many other changes.
    pub(super) fn changed_at(&self, order_id: OrderId) -> Option<SystemTime> {
        let mut newest_first = self.changes.iter().rev();
        let (at, _) = newest_first.find(|(_, changed)| *changed == order_id)?;
        Some(*at)
    }
}

fn push<T>(list: &mut VecDeque<Entry<T>>, max: usize, entry: Entry<T>) {
    if list.len() >= max {
        list.pop_front();
    }
    list.push_back(entry);
}

fn has_reason(state: &TrackerState) -> bool {
    match state {
        TrackerState::Polling { reason, requests } => reason.is_some() || requests.is_some(),
        TrackerState::Reconnecting { .. }
        | TrackerState::Unauthorized { .. }
        | TrackerState::Failed { .. } => true,
        _ => false,
    }
}
