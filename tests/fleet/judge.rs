//! What the game's tables have to be like in the end.

use super::*;

impl Fleet {
    pub fn judge(mut self) {
        assert!(self.faults().is_empty(), "{}", self.report());
        for server in self.servers.drain(..) {
            server.end();
        }
        assert!(self.faults().is_empty(), "{}", self.report());
        let counts = self.emulator.webhook_counts();
        let (grants, refunds) = (self.table("grants").len(), self.table("refunds").len());
        assert!(
            grants > self.size / 3 && refunds > 0,
            "there is nothing to judge"
        );
        println!(
            "{} players, {} orders, {} paid, {} refunded; {grants} grants, {refunds} taken back; \
             {} grants that were told again; {} webhooks passed on, {} accepted; {:?}; {} s",
            self.players.len(),
            self.orders.len(),
            self.orders.values().filter(|order| order.is_paid).count(),
            self.orders
                .values()
                .filter(|order| order.is_refunded)
                .count(),
            self.said().told_again,
            self.front.routes().passed,
            counts.accepted,
            self.figures,
            self.started_at.elapsed().as_secs(),
        );
    }

    /// The orders that a table of the game's has.
    pub fn table(&self, name: &str) -> BTreeSet<OrderId> {
        let ids = self.postgres.query(&format!("SELECT order_id FROM {name}"));
        ids.lines().map(|id| id.parse().unwrap()).collect()
    }

    /// What is not as it should be.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.said().wrong.clone();
        let counts = self.emulator.webhook_counts();
        if !self.is_over && counts.given_up > 0 || counts.refused > 0 {
            faults.push(format!("webhooks were refused or given up: {counts:?}"));
        }
        let (grants, refunds) = (self.table("grants"), self.table("refunds"));
        // The ids are primary keys, so the sets have as many entries as the tables.
        for (order_id, order) in &self.orders {
            let (is_granted, is_taken_back) =
                (grants.contains(order_id), refunds.contains(order_id));
            let fault = match (order.is_paid, order.is_refunded) {
                (false, _) if is_granted => "was not paid, and is granted",
                (true, false) if !is_granted => "was paid, and is not granted",
                (_, false) if is_taken_back => "was not refunded, and is taken back",
                (true, true) if is_granted && !is_taken_back => {
                    "was refunded, and is not taken back"
                }
                (true, true) if !is_granted && order.is_refunded_late => {
                    "was granted before it was refunded, and has no grant"
                }
                _ => continue,
            };
            faults.push(format!("order {order_id} ({:?}) {fault}", order.way));
        }
        let items = "SELECT count(*) FROM (SELECT order_id FROM grants LEFT JOIN granted_items USING (order_id) \
            GROUP BY order_id HAVING count(*) <> 2) AS broken";
        if self.postgres.query(items) != "0" {
            faults.push("an order is granted in part, or twice".to_owned());
        }
        faults
    }

    pub fn report(&self) -> String {
        let faults = self.faults();
        let mut report = format!("{} faults:\n{}\n", faults.len(), faults.join("\n"));
        // What the servers said of the first of them.
        let order = faults.iter().find_map(|fault| fault.split(' ').nth(1));
        let order = order.and_then(|id| id.parse().ok()).map(OrderId);
        if let Some(order_id) = order {
            let id = order_id.to_string();
            let said = self.said();
            for line in said.lines.iter().filter(|line| line.contains(&id)) {
                report += &format!("{line}\n");
            }
            for attempt in self.emulator.webhook_attempts_for(order_id) {
                report += &format!(
                    "webhook {} {}: {:?}\n",
                    attempt.notification_type, attempt.attempt, attempt.answer
                );
            }
            let row = format!("SELECT * FROM bevy_xsolla.orders WHERE order_id = {id}");
            report += &format!("ledger: {}\n", self.postgres.query(&row));
        }
        let said = self.said();
        let last = said.lines.len().saturating_sub(60);
        report + &said.lines[last..].join("\n")
    }
}
