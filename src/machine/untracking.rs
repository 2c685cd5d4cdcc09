//! Handles orders that the game forgets.

use std::time::Duration;

use crate::machine::Machine;
use crate::machine::output::{Notice, Output};
use crate::machine::player::Reading;
use crate::model::order::OrderId;

impl Machine {
    /// Forgets an order, also in the ledger.
    pub(super) fn untrack(&mut self, order_id: OrderId, now: Duration) {
        self.leave_earlier_owner(order_id);
        // A ledger may have the order that is being read, is read late, or is read once its player logs in.
        // What servers share is not this one's to erase then.
        let is_shared = self.is_shared();
        let mut may_be_read = !is_shared && !self.orders.contains_key(&order_id);
        for (_, player) in self.players.iter_mut() {
            player.queued.remove(&order_id);
            may_be_read |= match is_shared {
                true => player.reading == Reading::UnderWay,
                false => player.reading != Reading::Done,
            };
        }
        if may_be_read {
            let untracked = self.untracked.entry(self.project);
            untracked.or_default().insert(order_id);
        }
        match self.orders.get(&order_id).map(|order| order.user.clone()) {
            Some(user) => {
                self.forget(order_id);
                self.outputs.push_back(Output::Erase {
                    user: user.clone(),
                    order_id,
                });
                self.forget_for_good(&user, order_id);
                self.settle_purchases(order_id, now);
                self.forget_player_if_unused(&user);
            }
            None => {
                for user in self.players.keys().filter(|_| !is_shared) {
                    self.outputs.push_back(Output::Erase {
                        user: user.clone(),
                        order_id,
                    });
                }
                self.forget_early_news(order_id);
                self.settle_purchases(order_id, now);
            }
        }
        // Notices about the order that came before this one are outdated.
        self.tell(Notice::Untracked(order_id));
    }

    /// Notes that the game wants to have an order again, if it had untracked it.
    pub(super) fn track_anew(&mut self, order_id: OrderId) {
        if let Some(untracked) = self.untracked.get_mut(&self.project) {
            untracked.remove(&order_id);
        }
    }
}
