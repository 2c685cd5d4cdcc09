//! A ledger in memory, for games that want none on the disk.

use litemap::LiteMap;

use crate::model::maps::{HashMap, HashSet};

use crate::model::ledger::{LedgerError, LedgerStore};
use crate::model::order::OrderId;
use crate::model::record::{LedgerChange, LedgerEntry, LedgerRecord};
use crate::model::user::UserId;

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The owner and the record of each order of a project.
    records: HashMap<(u64, OrderId), (String, LedgerRecord)>,
    /// The orders of each player of a project.
    players: LiteMap<(u64, String), HashSet<OrderId>>,
}

impl LedgerStore for Memory {
    fn load(
        &mut self,
        project_id: u64,
        user: &UserId,
    ) -> Result<Vec<(OrderId, LedgerRecord)>, LedgerError> {
        let orders = self.players.get(&(project_id, user.as_str().to_owned()));
        let record = |order_id: &OrderId| {
            let (_, record) = self.records.get(&(project_id, *order_id))?;
            Some((*order_id, *record))
        };
        let mut orders: Vec<OrderId> = orders.into_iter().flatten().copied().collect();
        orders.sort_unstable();
        Ok(orders.iter().filter_map(record).collect())
    }

    fn commit(
        &mut self,
        changes: &[LedgerChange],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let mut before = Vec::new();
        for change in changes {
            let LedgerChange {
                project_id,
                order_id,
                ..
            } = *change;
            let stored = self.records.remove(&(project_id, order_id));
            let stored = stored
                .as_ref()
                .map(|(user, record)| (user.as_str(), *record));
            if let Some((user, _)) = stored {
                let player = (project_id, user.to_owned());
                if let Some(orders) = self.players.get_mut(&player) {
                    orders.remove(&order_id);
                    if orders.is_empty() {
                        self.players.remove(&player);
                    }
                }
            }
            before.push(change.before(stored));
            if let Some((user, record)) = change.apply(stored) {
                let user = user.to_owned();
                let orders = self.players.entry((project_id, user.clone())).or_default();
                orders.insert(order_id);
                self.records.insert((project_id, order_id), (user, record));
            }
        }
        Ok(before)
    }

    fn find(
        &mut self,
        project_id: u64,
        orders: &[OrderId],
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let entry = |order_id: &OrderId| {
            let (_, record) = self.records.get(&(project_id, *order_id))?;
            Some(record.entry())
        };
        Ok(orders.iter().map(entry).collect())
    }
}
