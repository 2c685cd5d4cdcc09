//! Handles what a webhook tells of an order.
//!
//! The store's server has signed it, so it needs no token, and its player may never have been here. It comes again
//! until it is confirmed, and it is confirmed once the ledger has what the game did with it.

use std::time::Duration;

use crate::machine::Machine;
use crate::machine::input::Receipt;
use crate::machine::order::{Details, Order, Phase, Pushed};
use crate::machine::output::Notice;
use crate::model::message::NewsSource;
use crate::model::order::{OrderId, OrderStatus, Report};
use crate::model::user::UserId;

/// How many receipts of one order are kept. Nobody waits for the earlier ones any more.
const MAX_RECEIPTS: usize = 64;

impl Machine {
    /// Whether webhooks of this project are taken now.
    pub(super) fn takes_webhook_of(&self, project_id: Option<u64>) -> bool {
        let Some(config) = &self.config else {
            return false;
        };
        let is_own = project_id.is_none_or(|project_id| project_id == config.project_id);
        if !is_own {
            log::error!("a webhook is of another project than the game is set to");
        }
        is_own
    }

    /// Handles a webhook or a comparison that says that an order is done or canceled. The order is that of the player who
    /// is known to track it, or else of the one who is named.
    pub(super) fn pushed(
        &mut self,
        user: UserId,
        report: Report,
        source: NewsSource,
        receipt: Option<Receipt>,
        now: Duration,
    ) {
        let order_id = report.order_id;
        let pushed = match report.status {
            Some(OrderStatus::Done) => Pushed::Done,
            Some(OrderStatus::Canceled) => Pushed::Canceled,
            _ => return,
        };
        // The game wanted to forget it before this was known.
        self.track_anew(order_id);
        if !self.orders.contains_key(&order_id) {
            // The ledger need not be read before: it says what it had of the order, and the player may never log in here.
            self.record(order_id, Order::new(user, false, now), now);
        } else if self.goes_on_after_its_end(order_id, pushed) {
            self.follow_again(order_id, now);
        } else {
            self.ask_the_ledger(order_id, pushed);
        }
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if let Some(receipt) = receipt {
            if order.receipts.len() >= MAX_RECEIPTS {
                order.receipts.remove(0);
            }
            order.receipts.push(receipt);
        }
        let user = order.user.clone();
        order.is_pushed = true;
        // Of an order that was granted, the items stay what the game was told.
        let is_granted = order.was_granted && order.final_details().is_some();
        if let Some(items) = report.items
            && !is_granted
        {
            let details = Details {
                items,
                price: report.price,
                is_final: true,
            };
            order.details = Some(Box::new(details.clone()));
            self.tell(Notice::Details {
                order_id,
                user: user.clone(),
                items: details.items,
                price: details.price,
            });
        }
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.push(pushed, source);
        }
        self.apply_pushed(order_id, now);
        // The game may have been told its end before the webhook came.
        self.record_end(order_id);
        self.confirm(order_id);
        self.update_state(&user);
        self.forget_player_if_unused(&user);
    }

    /// Whether a webhook says that an order is paid which was given up, or says anything of one that has expired: it was
    /// paid after that.
    fn goes_on_after_its_end(&self, order_id: OrderId, pushed: Pushed) -> bool {
        self.orders.get(&order_id).is_some_and(|order| {
            pushed == Pushed::Done && order.is_given_up() || order.has_expired()
        })
    }

    /// Has the ledger say what it has of an order, where this run does not know that. Another server may have taken the
    /// order since this one knew it, and then this one takes it back: it knows the news.
    fn ask_the_ledger(&mut self, order_id: OrderId, pushed: Pushed) {
        let is_shared = self.is_shared();
        if let Some(order) = self.orders.get(&order_id)
            && let Some(entry) = order.entry()
        {
            let is_over = order.phase == Phase::Acknowledged { is_recorded: true };
            let is_known = order.is_vouched && (!is_shared || is_over && pushed == Pushed::Done);
            if !is_known && !order.phase.is_recording() {
                self.record_entry(order_id, entry, true);
            }
        }
    }
}
