//! Limits of how many pieces of an item can be bought.
//!
//! What was paid counts, and a refund gives nothing back. An unpaid order counts as nothing, so there may be more of them
//! than pieces: once the pieces are paid for, the orders that cannot be filled any more are canceled.

use super::accounts::AccountId;
use super::catalog::Limits;
use super::order::{Line, Order};
use super::purchase::Refused;
use super::state::State;
use crate::model::order::OrderId;

impl State {
    /// The pieces that this player may still buy. Nobody in particular has bought nothing.
    pub(crate) fn limits(&self, sku: &str, account: Option<AccountId>) -> Limits {
        let limits = self.catalog.limits(sku);
        if limits == Limits::default() {
            return limits;
        }
        let bought = |of: Option<AccountId>| {
            let orders = self.orders.values().filter(|order| order.was_paid());
            let orders = orders.filter(|order| of.is_none_or(|account| order.account == account));
            orders.map(|order| order.quantity_of(sku)).sum::<u64>()
        };
        let per_user = limits.per_user.map(|available| {
            let bought = account.map_or(0, |account| bought(Some(account)));
            available.saturating_sub(bought)
        });
        let per_item = limits.per_item;
        Limits {
            per_user,
            per_item: per_item.map(|available| available.saturating_sub(bought(None))),
        }
    }

    /// Refuses an order that exceeds a limit of one of its items.
    pub(crate) fn check_limits(&self, account: AccountId, lines: &[Line]) -> Result<(), Refused> {
        let fits = |line: &Line| {
            let same = lines.iter().filter(|other| other.sku == line.sku);
            self.is_available(&line.sku, account, same.map(|line| line.quantity).sum())
        };
        match lines.iter().all(fits) {
            true => Ok(()),
            false => Err(Refused::LimitReached),
        }
    }

    /// Cancels the unpaid orders that cannot be filled any more, now that this one is paid.
    pub(crate) fn cancel_unfillable(&mut self, paid: OrderId) {
        let Some(order) = self.orders.get(&paid) else {
            return;
        };
        let skus: Vec<String> = order.lines.iter().map(|line| line.sku.clone()).collect();
        for sku in skus {
            if self.catalog.limits(&sku) == Limits::default() {
                continue;
            }
            let is_unfillable = |order: &Order| {
                let quantity = order.quantity_of(&sku);
                order.status() == "new" && !self.is_available(&sku, order.account, quantity)
            };
            let orders = self.orders.iter();
            let unfillable: Vec<OrderId> = orders
                .filter(|(_, order)| is_unfillable(order))
                .map(|(id, _)| *id)
                .collect();
            for order_id in unfillable {
                self.set_status(order_id, "canceled");
            }
        }
    }

    fn is_available(&self, sku: &str, account: AccountId, quantity: u64) -> bool {
        let limits = self.limits(sku, Some(account));
        let limits = [limits.per_user, limits.per_item];
        quantity == 0 || limits.into_iter().flatten().all(|limit| quantity <= limit)
    }
}
