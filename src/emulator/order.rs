//! An order, its way through the statuses, and what Get Order says of it.

use std::time::{Duration, Instant, SystemTime};

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;

use super::catalog::{Offer, Price, VirtualPrice};
use super::faults::Lag;
use super::payment::Payment;

/// The start of 2020 in Unix time.
const YEAR_2020: Duration = Duration::from_secs(1_577_836_800);

/// The first order's id. Beyond 32 bits: clients that cut ids are found out. And from the clock, in
/// milliseconds: a ledger that outlives an emulator does not take the next one's orders for its own.
pub(super) fn first_id(started_at: SystemTime) -> u64 {
    let since = started_at.duration_since(SystemTime::UNIX_EPOCH + YEAR_2020);
    // A clock that is that wrong gives no better number.
    let millis = since.unwrap_or_default().as_millis();
    (1 << 32) + u64::try_from(millis).unwrap_or_default()
}

pub(super) struct Order {
    pub(super) account: usize,
    pub(super) lines: Vec<Line>,
    /// What the order is paid with, where that is virtual currency.
    pub(super) virtual_price: Option<VirtualPrice>,
    pub(super) is_free: bool,
    pub(super) payment: Payment,
    /// What Get Order is to answer, in place of the truth.
    pub(super) body: Option<Value>,
    /// Every status so far and when it came, the oldest first; never empty.
    statuses: Vec<(Instant, String)>,
}

pub(super) struct Line {
    pub(super) sku: String,
    pub(super) quantity: u64,
    pub(super) offer: Offer,
}

impl Order {
    pub(super) fn new(account: usize, lines: Vec<Line>) -> Self {
        Self {
            account,
            is_free: lines.iter().all(|line| line.offer.is_free),
            lines,
            virtual_price: None,
            payment: Payment::default(),
            body: None,
            statuses: vec![(Instant::now(), "new".to_owned())],
        }
    }

    pub(super) fn set_status(&mut self, status: &str) {
        self.statuses.push((Instant::now(), status.to_owned()));
    }

    pub(super) fn status(&self) -> &str {
        self.status_seen(Lag::None)
    }

    /// Another number after every change of the status.
    pub(super) fn revision(&self) -> usize {
        self.statuses.len()
    }

    pub(super) fn has_been(&self, status: &str) -> bool {
        self.statuses.iter().any(|(_, past)| past == status)
    }

    /// The status that a server sees which lags behind.
    fn status_seen(&self, lag: Lag) -> &str {
        let now = Instant::now();
        let seen_at = match lag {
            Lag::None => Some(now),
            Lag::Frozen(at) => Some(at),
            Lag::By(lag) => now.checked_sub(lag),
        };
        let seen = |at: Instant| self.statuses.iter().rev().find(|(since, _)| *since <= at);
        // An order that is younger than what is seen still has to be found: as it was created.
        let seen = seen_at.and_then(seen).or_else(|| self.statuses.first());
        seen.map_or("new", |(_, status)| status)
    }

    pub(super) fn body(&self, order_id: u64, lag: Lag) -> OrderBody<'_> {
        let is_virtual = self.virtual_price.is_some();
        OrderBody {
            order_id,
            status: self.status_seen(lag),
            content: ContentBody {
                is_free: self.is_free,
                price: if is_virtual { None } else { self.total() },
                virtual_price: self.virtual_price.as_ref().map(|price| VirtualPriceBody {
                    amount: price.amount.to_string(),
                    currency: &price.sku,
                }),
                items: self
                    .lines
                    .iter()
                    .map(|line| ItemBody {
                        sku: &line.sku,
                        quantity: line.quantity,
                        is_free: line.offer.is_free,
                        price: line.offer.price.as_ref().filter(|_| !is_virtual),
                    })
                    .collect(),
            },
        }
    }

    pub(super) fn total(&self) -> Option<Price> {
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

#[derive(Serialize)]
pub(super) struct OrderBody<'a> {
    order_id: u64,
    status: &'a str,
    content: ContentBody<'a>,
}

#[derive(Serialize)]
struct ContentBody<'a> {
    is_free: bool,
    price: Option<Price>,
    virtual_price: Option<VirtualPriceBody<'a>>,
    items: Vec<ItemBody<'a>>,
}

#[derive(Serialize)]
struct VirtualPriceBody<'a> {
    amount: String,
    currency: &'a str,
}

#[derive(Serialize)]
struct ItemBody<'a> {
    sku: &'a str,
    quantity: u64,
    is_free: bool,
    price: Option<&'a Price>,
}
