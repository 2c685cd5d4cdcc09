//! What has to be true of a fleet.

use super::*;

impl Fleet {
    /// A server is not told to grant what was another's or granted when the ledger confirmed that it was its own. What
    /// came after that, it could not know.
    pub(super) fn judge_telling(&self, server: usize, order_id: OrderId) {
        let context = format!("seed {}, order {order_id}, server {server}", self.seed);
        assert!(self.orders[&order_id].was_done, "{context}: never paid");
        let (of, row) = (&self.servers[server], &self.ledger[&order_id]);
        let is_own = row.process == of.process && !row.is_granted;
        let on_its_way = Duration::from_millis(100);
        let is_new = row.changed + on_its_way >= self.now;
        let was_stopped = of.stopped_until + on_its_way >= self.now;
        assert!(is_own || is_new || was_stopped, "{context}: another's");
    }

    pub(super) fn judge(&self) {
        for (order_id, truth) in &self.orders {
            let context = format!("seed {}, order {order_id}: {:?}", self.seed, truth.status);
            let granted = self.grants.get(order_id).copied().unwrap_or_default();
            let taken_back = self.taken_back.get(order_id).copied().unwrap_or_default();
            match truth.status {
                "done" => assert_eq!((granted, taken_back), (1, 0), "{context}"),
                _ if truth.was_done => {
                    assert!(granted <= 1, "{context}: granted {granted} times");
                    // Without webhooks, a server asks for an order that is acknowledged when its player comes.
                    match self.has_webhooks {
                        true => assert_eq!(taken_back, granted, "{context}"),
                        false => assert!(taken_back <= granted, "{context}"),
                    }
                }
                _ => assert_eq!((granted, taken_back), (0, 0), "{context}"),
            }
            if truth.status == "done" {
                let entry = self.ledger.get(order_id).map(|row| row.entry);
                assert_eq!(entry, Some(LedgerEntry::Acknowledged), "{context}");
            }
        }
    }
}
