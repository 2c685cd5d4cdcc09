//! Handles the receipts of news that comes again until it is confirmed.

use std::time::Duration;

use crate::machine::Machine;
use crate::machine::order::{End, Phase};
use crate::machine::output::Output;
use crate::model::order::OrderId;

impl Machine {
    /// Applies what a webhook has told of an order, once the ledger has said what earlier runs and other servers did with
    /// it. A socket's news does not wait for a ledger that fails, and a webhook can: it comes again.
    pub(super) fn apply_pushed(&mut self, order_id: OrderId, now: Duration) {
        if self.is_doubtful(order_id) {
            return;
        }
        if let Some(order) = self.orders.get_mut(&order_id)
            && order.is_vouched
            && !order.phase.is_recording()
            && let Some((pushed, source)) = order.pushed.take()
        {
            self.apply_status(order_id, &pushed.status(), source, now);
        }
    }

    /// Confirms the webhooks that told of an order, if the ledger has what became of it.
    pub(super) fn confirm_webhooks(&mut self, order_id: OrderId) {
        let is_settled = self.orders.get(&order_id).is_some_and(|order| {
            let is_done_with = match order.phase {
                Phase::Acknowledged { is_recorded } => is_recorded,
                Phase::Ended => order.end == End::Recorded || !order.keeps_end(),
                _ => false,
            };
            is_done_with && order.pushed.is_none()
        });
        if is_settled {
            let order = self.orders.get_mut(&order_id);
            let receipts = order.map(|order| std::mem::take(&mut order.receipts));
            let confirmed = receipts.unwrap_or_default().into_iter();
            self.outputs.extend(confirmed.map(Output::Confirm));
        }
    }
}
