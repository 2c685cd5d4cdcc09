//! An order, its way through the statuses, and its price.

use std::time::Instant;

use rust_decimal::Decimal;
use serde_json::Value;

use super::accounts::AccountId;
use super::catalog::{Offer, Price, VirtualPrice};
use super::payment::{Action, Attempt, Payment};

pub(crate) struct Order {
    pub(crate) account: AccountId,
    pub(crate) lines: Vec<Line>,
    /// The price of an order that is paid in virtual currency.
    pub(crate) virtual_price: Option<VirtualPrice>,
    pub(crate) payment: Payment,
    /// The body that a test has given Get Order to answer with.
    pub(crate) body: Option<Value>,
    /// Every status so far with the time of its begin, the oldest first. There is always one.
    statuses: Vec<(Instant, String)>,
}

pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) quantity: u64,
    pub(crate) offer: Offer,
}

impl Order {
    pub(crate) fn new(account: AccountId, lines: Vec<Line>) -> Self {
        Self {
            account,
            lines,
            virtual_price: None,
            payment: Payment::default(),
            body: None,
            statuses: vec![(Instant::now(), "new".to_owned())],
        }
    }

    pub(crate) fn created(&self) -> Instant {
        self.statuses
            .first()
            .map_or_else(Instant::now, |(at, _)| *at)
    }

    pub(crate) fn set_status(&mut self, status: &str) {
        self.statuses.push((Instant::now(), status.to_owned()));
        self.payment.attempt = Attempt::None;
    }

    pub(crate) fn status(&self) -> &str {
        self.statuses.last().map_or("new", |(_, status)| status)
    }

    /// A number that grows with every change of the status.
    pub(crate) fn revision(&self) -> usize {
        self.statuses.len()
    }

    pub(crate) fn has_been(&self, status: &str) -> bool {
        self.statuses.iter().any(|(_, past)| past == status)
    }

    /// Whether the player has paid at some time, whether or not the money was given back since.
    pub(crate) fn was_paid(&self) -> bool {
        self.has_been("paid") || self.has_been("done")
    }

    pub(crate) fn quantity_of(&self, sku: &str) -> u64 {
        let lines = self.lines.iter().filter(|line| line.sku == sku);
        lines.map(|line| line.quantity).sum()
    }

    /// Whether the player has got or will get the items, and has not got the money back.
    pub(crate) fn is_bought(&self) -> bool {
        let mut statuses = self
            .statuses
            .iter()
            .rev()
            .map(|(_, status)| status.as_str());
        let last = statuses.find_map(|status| match status {
            "paid" | "done" => Some(true),
            "new" | "canceled" | "expired" => Some(false),
            _ => None,
        });
        last.unwrap_or(false)
    }

    /// The status at this moment. A moment before the order was created gives its first status, because an order
    /// that is younger than the lag of Get Order has to be found all the same.
    pub(crate) fn status_at(&self, moment: Option<Instant>) -> &str {
        let past = |at: Instant| self.statuses.iter().rev().find(|(since, _)| *since <= at);
        let seen = moment.and_then(past).or_else(|| self.statuses.first());
        seen.map_or("new", |(_, status)| status)
    }

    pub(crate) fn is_free(&self) -> bool {
        self.lines.iter().all(|line| line.offer.is_free)
    }

    /// The actions that the status allows to the player.
    pub(crate) fn actions(&self) -> &'static [Action] {
        match (self.status(), self.payment.attempt) {
            ("new", Attempt::UnderWay) => &[Action::Pay, Action::Cancel],
            ("new", _) => &[
                Action::Pay,
                Action::PaySlowly,
                Action::Decline,
                Action::Cancel,
            ],
            ("paid" | "done", _) => &[Action::Refund],
            _ => &[],
        }
    }

    /// The status of the payment in Pay Station's words; `None` before the player has tried to pay, and where Pay
    /// Station has no word for it.
    pub(crate) fn payment_status(&self) -> Option<&'static str> {
        match (self.status(), self.payment.attempt) {
            ("new", Attempt::UnderWay) => Some("invoice"),
            ("new", Attempt::Declined) | ("canceled" | "expired", _) => Some("troubled"),
            ("paid", _) => Some("delivering"),
            ("done", _) => Some("done"),
            _ => None,
        }
    }

    /// What is paid for the order in real money; `None` where it is free or paid for in virtual currency.
    pub(crate) fn real_price(&self) -> Option<Price> {
        let is_real = self.virtual_price.is_none() && !self.is_free();
        self.total().filter(|_| is_real)
    }

    /// The price of all items together in real money.
    pub(crate) fn total(&self) -> Option<Price> {
        let mut total: Option<Price> = None;
        for line in &self.lines {
            let Some(price) = &line.offer.price else {
                continue;
            };
            let quantity = Decimal::from(line.quantity);
            let total = total.get_or_insert_with(|| Price {
                amount: Decimal::ZERO,
                amount_without_discount: Decimal::ZERO,
                currency: price.currency.clone(),
            });
            for (sum, amount) in [
                (&mut total.amount, price.amount),
                (
                    &mut total.amount_without_discount,
                    price.amount_without_discount,
                ),
            ] {
                *sum = sum.saturating_add(amount.saturating_mul(quantity));
            }
        }
        total
    }
}
