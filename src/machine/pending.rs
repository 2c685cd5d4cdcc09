//! Purchases that are not answered yet, and the payment pages of this run's orders.

use std::sync::Arc;
use std::time::Duration;

use crate::machine::input::RequestId;
use crate::model::config::XsollaConfig;
use crate::model::order::OrderId;
use crate::model::purchase::{PageUrl, Purchase, PurchaseId};
use crate::model::user::UserId;

/// The second click of a double click comes within this time of the first one's answer.
const DOUBLE_CLICK: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct PendingPurchases {
    /// The purchases with what they wait for. An order has several if the store gave it to several purchases.
    waiting: Vec<(Wait, Pending)>,
    /// The purchase that was started last, with its order and the time.
    last: Option<(Pending, OrderId, Duration)>,
}

/// What a purchase waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// What is in the player's open orders is not known.
    Known,
    /// The store is creating its order.
    Created(RequestId),
    /// The order is being written to the ledger.
    Recorded(OrderId),
}

/// A purchase that the game waits for an answer to.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) id: PurchaseId,
    pub(super) user: UserId,
    pub(super) purchase: Box<Purchase>,
    /// The settings with which the store was asked.
    pub(super) config: Arc<XsollaConfig>,
    /// The payment page of the order that the store has made.
    pub(super) page: Option<PageUrl>,
}

impl PendingPurchases {
    /// Returns the purchase that this one repeats, which is under way or was started just now.
    pub(super) fn repeated(
        &self,
        user: &UserId,
        purchase: &Purchase,
        now: Duration,
    ) -> Option<PurchaseId> {
        let last = self.last.as_ref();
        let last = last.filter(|(_, _, at)| now.saturating_sub(*at) < DOUBLE_CLICK);
        let waiting = self.waiting.iter().map(|(_, pending)| pending);
        waiting
            .chain(last.map(|(pending, _, _)| pending))
            .find(|pending| pending.user == *user && *pending.purchase == *purchase)
            .map(|pending| pending.id)
    }

    /// Keeps a purchase until it is known what is in the player's open orders.
    pub(super) fn hold(&mut self, pending: Pending) {
        self.waiting.push((Wait::Known, pending));
    }

    pub(super) fn take_held(&mut self) -> Vec<Pending> {
        self.take(|wait| wait == Wait::Known)
    }

    pub(super) fn take_held_one(&mut self, id: PurchaseId) -> Option<Pending> {
        let is_it =
            |(wait, pending): &mut (Wait, Pending)| *wait == Wait::Known && pending.id == id;
        self.waiting
            .extract_if(.., is_it)
            .next()
            .map(|(_, pending)| pending)
    }

    /// Whether the store is creating an order of a player that has one of these items.
    pub(super) fn is_creating(&self, user: &UserId, purchase: &Purchase) -> bool {
        self.waiting.iter().any(|(wait, pending)| {
            *wait != Wait::Known && pending.user == *user && purchase.shares_item(&pending.purchase)
        })
    }

    pub(super) fn create(&mut self, request: RequestId, pending: Pending) {
        self.waiting.push((Wait::Created(request), pending));
    }

    pub(super) fn take_created(&mut self, request: RequestId) -> Option<Pending> {
        self.take(|wait| wait == Wait::Created(request)).pop()
    }

    /// Keeps a purchase until its order is in the ledger.
    pub(super) fn record(&mut self, order_id: OrderId, pending: Pending) {
        self.waiting.push((Wait::Recorded(order_id), pending));
    }

    pub(super) fn has_recording(&self, order_id: OrderId) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|(wait, _)| *wait == Wait::Recorded(order_id))
    }

    pub(super) fn take_recording(&mut self, order_id: OrderId) -> Vec<Pending> {
        self.take(|wait| wait == Wait::Recorded(order_id))
    }

    fn take(&mut self, is_over: impl Fn(Wait) -> bool) -> Vec<Pending> {
        let over = self.waiting.extract_if(.., |(wait, _)| is_over(*wait));
        over.map(|(_, pending)| pending).collect()
    }

    pub(super) fn started(&mut self, order_id: OrderId, pending: Pending, now: Duration) {
        self.last = Some((pending, order_id, now));
    }

    /// Notes that an order is no longer followed, so that buying the same again is no double click.
    pub(super) fn order_ended(&mut self, order_id: OrderId) {
        if self
            .last
            .as_ref()
            .is_some_and(|(_, last, _)| *last == order_id)
        {
            self.last = None;
        }
    }

    /// Takes out the purchases that wait for something other than the store.
    pub(super) fn change_project(&mut self) -> Vec<Pending> {
        self.take(|wait| !matches!(wait, Wait::Created(_)))
    }
}
