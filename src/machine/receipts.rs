//! Confirms news that comes again until it is confirmed.

use std::time::Duration;

use crate::machine::Machine;
use crate::machine::order::{End, Phase};
use crate::machine::output::Output;
use crate::model::order::{OrderId, OrderStatus};

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

    /// Confirms what was told of an order, if the ledger has what became of it.
    pub(super) fn confirm(&mut self, order_id: OrderId) {
        let has_queue = self.has_queue();
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        let (is_done_with, status) = match order.phase {
            Phase::Acknowledged { is_recorded } => (is_recorded, OrderStatus::Done),
            Phase::Ended => {
                let least = match order.keeps_end() {
                    true => End::Recorded,
                    false => End::Told,
                };
                (order.end >= least, OrderStatus::Canceled)
            }
            _ => return,
        };
        if !is_done_with || order.pushed.is_some() {
            return;
        }
        let receipts = std::mem::take(&mut order.receipts).into_iter();
        self.outputs.extend(receipts.map(Output::Confirm));
        if has_queue {
            self.outputs.push_back(Output::Settled {
                user: order.user.clone(),
                order_id,
                status,
            });
        }
    }
}
