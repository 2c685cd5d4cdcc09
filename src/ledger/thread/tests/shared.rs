//! A store that servers share, as the shelf uses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bevy::tasks::block_on;

use crate::ledger::shelf::Shelf;
use crate::ledger::store::Blocking;
use crate::ledger::tests::{GRANTED, OPEN, ORDER, alice};
use crate::model::ledger::{Ledger, LedgerError, LedgerStore, TakenOrder};
use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord};
use crate::model::user::UserId;
use crate::platform::time::calendar;

/// Makes no change, because all orders are another server's, and fails to say so at first.
#[derive(Default)]
struct Elsewhere {
    silences: u32,
    refused: Vec<TakenOrder>,
}

impl LedgerStore for Elsewhere {
    fn load(&mut self, _: u64, _: &UserId) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        Ok(Vec::new())
    }

    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let refused = changes.iter().filter(|change| !change.claims);
        self.refused = refused
            .map(|change| TakenOrder {
                project_id: change.project_id,
                order_id: change.order_id,
                entry: Some(OPEN),
            })
            .collect();
        Ok(vec![None; changes.len()])
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn taken(&mut self) -> Result<Vec<TakenOrder>, LedgerError> {
        if self.silences > 0 {
            self.silences -= 1;
            return Err(LedgerError::Database("away".to_owned()));
        }
        Ok(std::mem::take(&mut self.refused))
    }
}

fn shelf(silences: u32) -> Shelf {
    let store = Elsewhere {
        silences,
        ..Elsewhere::default()
    };
    let ledger = Ledger::custom(Elsewhere::default());
    Shelf::new(ledger, Ok(Box::new(Blocking(store))))
}

fn record(shelf: &mut Shelf, entry: LedgerEntry, claims: bool) {
    let record = LedgerRecord::new(entry, calendar());
    shelf.record(1, alice(), ORDER, record, claims);
}

#[test]
fn a_change_that_was_refused_is_not_reported_as_written_though_the_store_is_silent_for_a_while() {
    let mut shelf = shelf(2);
    record(&mut shelf, GRANTED, false);
    for _ in 0..2 {
        assert!(block_on(shelf.commit()).is_empty());
        assert!(shelf.has_changes() && shelf.take_taken().is_empty());
        assert!(shelf.trouble().is_some());
    }
    assert!(block_on(shelf.commit()).is_empty());
    assert_eq!(shelf.take_taken().len(), 1);
    assert_eq!((shelf.trouble(), shelf.has_changes()), (None, false));
}

#[test]
fn a_claim_is_written_whatever_was_refused_before_it() {
    let mut shelf = shelf(0);
    record(&mut shelf, GRANTED, false);
    record(&mut shelf, OPEN, true);
    assert_eq!(block_on(shelf.commit()).len(), 1);
    assert!(shelf.take_taken().is_empty());
}

#[test]
fn many_changes_are_made_in_parts() {
    let mut shelf = shelf(0);
    for number in 0..3_500 {
        let record = LedgerRecord::new(OPEN, calendar());
        shelf.record(1, alice(), OrderId(number), record, true);
    }
    assert_eq!(block_on(shelf.commit()).len(), 3_500);
}

/// Fails where a change is of an order that another server holds up, and counts how often it is asked.
struct HeldUp {
    orders: Vec<OrderId>,
    commits: Arc<AtomicUsize>,
}

impl LedgerStore for HeldUp {
    fn load(&mut self, _: u64, _: &UserId) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        Ok(Vec::new())
    }

    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let mut changes_made = changes.iter().map(|change| change.order_id);
        match changes_made.any(|order_id| self.orders.contains(&order_id)) {
            true => Err(LedgerError::Database("it takes too long".to_owned())),
            false => Ok(vec![None; changes.len()]),
        }
    }

    fn is_shared(&self) -> bool {
        true
    }
}

fn shelf_held_up_by(orders: Vec<OrderId>) -> (Shelf, Arc<AtomicUsize>) {
    let commits = Arc::<AtomicUsize>::default();
    let store = HeldUp {
        orders,
        commits: commits.clone(),
    };
    let ledger = Ledger::custom(Elsewhere::default());
    let mut shelf = Shelf::new(ledger, Ok(Box::new(Blocking(store))));
    for number in 0..5_000 {
        let record = LedgerRecord::new(OPEN, calendar());
        shelf.record(1, alice(), OrderId(number), record, true);
    }
    (shelf, commits)
}

#[test]
fn an_order_that_another_server_holds_up_leaves_others_written_and_is_told() {
    // Whichever part it is in.
    for number in 0..20 {
        let (mut shelf, _) = shelf_held_up_by(vec![OrderId(number)]);
        assert_eq!(block_on(shelf.commit()).len(), 4_000);
        assert!(shelf.has_changes() && shelf.trouble().is_some());
    }
}

#[test]
fn a_store_that_is_away_is_not_asked_for_each_part() {
    let all = (0..5_000).map(OrderId).collect();
    let (mut shelf, commits) = shelf_held_up_by(all);
    assert!(block_on(shelf.commit()).is_empty());
    assert_eq!(commits.load(Ordering::Relaxed), 2);
}
