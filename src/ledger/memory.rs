//! A ledger in memory, for games that want none on the disk.

use std::collections::BTreeMap;

use crate::model::ledger::{LedgerChange, LedgerEntry, LedgerError, LedgerRecord, LedgerStore};
use crate::model::order::OrderId;
use crate::model::user::UserId;

#[derive(Debug, Default)]
pub(super) struct Memory {
    records: BTreeMap<(u64, UserId, OrderId), LedgerRecord>,
}

impl LedgerStore for Memory {
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        let first = (project_id, user.clone(), OrderId(0));
        let last = (project_id, user.clone(), OrderId(u64::MAX));
        let records = self.records.range(first..=last);
        Ok(records
            .map(|((_, _, order_id), record)| (*order_id, *record))
            .collect())
    }

    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let mut before = Vec::new();
        for change in changes {
            let key = (change.project_id, change.user.clone(), change.order_id);
            let known = self.records.remove(&key);
            before.push(known.map(|record| record.entry()));
            if let Some(record) = change.apply(known) {
                self.records.insert(key, record);
            }
        }
        Ok(before)
    }
}
