//! A store that servers share, as the shelf uses it.

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
