//! Handles purchases. Each is answered exactly once, as started or as failed.

use std::time::Duration;

use crate::machine::input::RequestId;
use crate::machine::order::{Bought, Phase};
use crate::machine::output::{Call, Notice, Output};
use crate::machine::pending::Pending;
use crate::machine::player::Reading;
use crate::machine::queue::Purpose;
use crate::machine::{Machine, Timer, sorted};
use crate::model::catalog::{CatalogItem, CatalogRequest};
use crate::model::error::RequestError;
use crate::model::order::OrderId;
use crate::model::page::{PageRequest, PaymentPageChanged, PaymentPageStatus};
use crate::model::purchase::{
    CreatedOrder, PageUrl, PaymentPageError, PaymentPageFailed, Purchase, PurchaseError,
    PurchaseFailed, PurchaseId, PurchaseStarted,
};
use crate::model::user::UserId;

/// The open order of a player that has an item.
enum OpenOrder {
    None,
    Is(OrderId),
    /// It is not known what is in one of them.
    Unknown,
}

impl Machine {
    /// Asks the store to create an order.
    pub(super) fn purchase(
        &mut self,
        id: PurchaseId,
        user: &UserId,
        purchase: Box<Purchase>,
        now: Duration,
    ) {
        let credentials = self
            .players
            .get(user)
            .and_then(|player| player.credentials());
        let repeated = self.pending.repeated(user, &purchase, now);
        let problem = match (purchase.validate(), &self.config, credentials, repeated) {
            (Err(problem), ..) => problem,
            (_, None, ..) => PurchaseError::NoConfig,
            (_, _, None, _) => PurchaseError::NotLoggedIn,
            (.., Some(first)) => PurchaseError::Repeated(first),
            (Ok(()), Some(config), Some(_), None) => {
                if purchase.unless_open {
                    let at = now + config.request_timeout;
                    self.timers.set(Timer::Purchase(id), at);
                }
                let pending = Pending {
                    id,
                    user: user.clone(),
                    purchase,
                    config: config.clone(),
                    page: None,
                };
                if let Some(player) = self.players.get_mut(user) {
                    player.purchases += 1;
                }
                return self.create_order(pending, now);
            }
        };
        self.tell_purchase_failed(id, user, *purchase, problem);
        self.forget_player_if_unused(user);
    }

    /// Asks the store to create an order, unless an open order has the same item. The purchase waits if that is not
    /// known.
    fn create_order(&mut self, pending: Pending, now: Duration) {
        let player = self.players.get(&pending.user);
        let Some(credentials) = player.and_then(|player| player.credentials()).cloned() else {
            return self.fail_purchase(pending, PurchaseError::NotLoggedIn);
        };
        if pending.purchase.unless_open {
            match self.open_order_of(&pending.user, &pending.purchase) {
                OpenOrder::Unknown => return self.pending.hold(pending),
                OpenOrder::Is(order_id) => {
                    self.timers.clear(&Timer::Purchase(pending.id));
                    return self.fail_purchase(pending, PurchaseError::AlreadyOpen(order_id));
                }
                OpenOrder::None => self.timers.clear(&Timer::Purchase(pending.id)),
            }
        }
        let call = Call::CreateOrder(pending.purchase.clone());
        let config = pending.config.clone();
        let request = self.send(Some(credentials), call, Purpose::Purchase, &config, now);
        self.pending.create(request, pending);
    }

    /// Looks again at the purchases that wait for what is in their players' open orders.
    pub(super) fn create_held_orders(&mut self, now: Duration) {
        for pending in self.pending.take_held() {
            self.create_order(pending, now);
        }
    }

    /// Ends a purchase for which nothing could be known of its player's open orders.
    pub(super) fn hold_is_over(&mut self, id: PurchaseId) {
        if let Some(pending) = self.pending.take_held_one(id) {
            self.fail_purchase(pending, RequestError::TimedOut.into());
        }
    }

    /// Looks for an open order of a player that has one of a purchase's items.
    fn open_order_of(&self, user: &UserId, purchase: &Purchase) -> OpenOrder {
        let Some(player) = self.players.get(user) else {
            return OpenOrder::None;
        };
        let is_unread = matches!(player.reading, Reading::NotBegun | Reading::UnderWay);
        let mut is_unknown = is_unread || self.pending.is_creating(user, purchase);
        let mut orders = sorted(player.open.iter().chain(&player.recording));
        // The payment page of the newest one works for the longest time.
        orders.reverse();
        for order_id in orders {
            let Some(order) = self.orders.get(&order_id) else {
                continue;
            };
            let has_item = |sku: &String| purchase.items.iter().any(|(wanted, _)| wanted == sku);
            let is_same = match (&order.details, &order.bought) {
                (Some(details), _) => details.items.iter().any(|item| has_item(&item.sku)),
                (None, Some(bought)) => bought.skus.iter().any(has_item),
                (None, None) => {
                    is_unknown = true;
                    false
                }
            };
            if is_same {
                return OpenOrder::Is(order_id);
            }
        }
        match is_unknown {
            true => OpenOrder::Unknown,
            false => OpenOrder::None,
        }
    }

    /// Handles the store's answer. A created order is tracked first, and its payment page opens only after
    /// that.
    pub(super) fn take_created(
        &mut self,
        request: RequestId,
        answer: Result<CreatedOrder, RequestError>,
        now: Duration,
    ) {
        let Some(mut pending) = self.pending.take_created(request) else {
            return;
        };
        let CreatedOrder { order_id, token } = match answer {
            Ok(created) => created,
            Err(error) => return self.fail_purchase(pending, error.into()),
        };
        let project = self.config.as_ref().map(|config| config.project_id);
        if project.is_some_and(|project| project != pending.config.project_id) {
            return self.fail_purchase(pending, PurchaseError::ProjectChanged);
        }
        pending.page = token.and_then(|token| {
            let url = pending
                .config
                .payment_page_url(&token, pending.purchase.sandbox)?;
            Some(PageUrl(url))
        });
        let user = pending.user.clone();
        self.pending.record(order_id, pending);
        self.track(&user, order_id, now);
        // An order that is tracked already does not change its phase, so its purchase is settled here.
        self.settle_purchases(order_id, now);
    }

    /// Answers the purchases of an order, unless the order still waits for the ledger. It is called whenever
    /// an order's phase changes, so no purchase can miss its answer.
    pub(super) fn settle_purchases(&mut self, order_id: OrderId, now: Duration) {
        if !self.pending.has_recording(order_id) || self.is_queued(order_id) {
            return;
        }
        let error = match self.orders.get(&order_id).map(|order| order.phase) {
            Some(Phase::Recording) => return,
            Some(Phase::Open) => None,
            Some(
                Phase::Granted | Phase::Acknowledged { .. } | Phase::Ended | Phase::Failed { .. },
            ) => Some(PurchaseError::OrderIsOver(order_id)),
            Some(Phase::Abandoned) => Some(PurchaseError::Untracked(order_id)),
            None => Some(PurchaseError::Untracked(order_id)),
        };
        for pending in self.pending.take_recording(order_id) {
            match &error {
                None => self.start_purchase(order_id, pending, now),
                Some(error) => self.fail_purchase(pending, error.clone()),
            }
        }
    }

    /// Whether an order waits for its player's ledger to be read.
    fn is_queued(&self, order_id: OrderId) -> bool {
        let mut players = self.players.values();
        players.any(|player| player.queued.contains(&order_id))
    }

    /// Answers the purchases of an order with this error.
    pub(super) fn fail_purchases_of(&mut self, order_id: OrderId, error: &PurchaseError) {
        for pending in self.pending.take_recording(order_id) {
            self.fail_purchase(pending, error.clone());
        }
    }

    fn start_purchase(&mut self, order_id: OrderId, pending: Pending, now: Duration) {
        let page = pending.page.clone();
        if let Some(order) = self.orders.get_mut(&order_id) {
            let skus = pending.purchase.items.iter().map(|(sku, _)| sku.clone());
            order.bought = Some(Box::new(Bought {
                page: page.clone(),
                skus: skus.collect(),
            }));
        }
        // Another player must not see the page of one who has logged out in the meantime.
        let player = self.players.get(&pending.user);
        let is_here = player.is_some_and(|player| player.credentials().is_some());
        if let Some(url) = page.clone()
            && is_here
            && pending.config.open_payment_page
        {
            self.outputs.push_back(Output::OpenPage(PageRequest {
                order_id,
                purchase: Some(pending.id),
                url,
                kind: pending.config.payment_page,
            }));
        }
        self.tell(Notice::PurchaseStarted(Box::new(PurchaseStarted {
            purchase_id: pending.id,
            order_id,
            user: pending.user.clone(),
            purchase: (*pending.purchase).clone(),
            payment_url: page.map(|page| page.0),
        })));
        self.end_purchase(&pending.user.clone());
        self.pending.started(order_id, pending, now);
    }

    pub(super) fn remove_bought(&mut self, order_id: OrderId) -> Option<Box<Bought>> {
        self.orders.get_mut(&order_id)?.bought.take()
    }

    pub(super) fn fail_purchase(&mut self, pending: Pending, error: PurchaseError) {
        self.tell_purchase_failed(pending.id, &pending.user, *pending.purchase, error);
        self.end_purchase(&pending.user);
    }

    fn end_purchase(&mut self, user: &UserId) {
        if let Some(player) = self.players.get_mut(user) {
            player.purchases = player.purchases.saturating_sub(1);
        }
        self.forget_player_if_unused(user);
    }

    fn tell_purchase_failed(
        &mut self,
        purchase_id: PurchaseId,
        user: &UserId,
        purchase: Purchase,
        error: PurchaseError,
    ) {
        self.tell(Notice::PurchaseFailed(Box::new(PurchaseFailed {
            purchase_id,
            user: Some(user.clone()),
            sku: purchase.sku().to_owned(),
            purchase,
            error,
        })));
    }

    pub(super) fn resume_payment(&mut self, order_id: OrderId) {
        let bought = self.orders.get(&order_id).and_then(|o| o.bought.as_deref());
        let Some(url) = bought.and_then(|bought| bought.page.clone()) else {
            return self.page_failed(order_id, PaymentPageError::NoPage);
        };
        if let Some(config) = &self.config
            && config.open_payment_page
        {
            self.outputs.push_back(Output::OpenPage(PageRequest {
                order_id,
                purchase: None,
                url,
                kind: config.payment_page,
            }));
        }
    }

    pub(super) fn page_failed(&mut self, order_id: OrderId, error: PaymentPageError) {
        log::warn!("the payment page of order {order_id}: {error}");
        let user = self.orders.get(&order_id).map(|order| order.user.clone());
        self.tell(Notice::PageFailed(PaymentPageFailed {
            order_id,
            user,
            error,
        }));
    }

    /// Handles what a payment page says: the game is told, and the order is asked for.
    pub(super) fn page_changed(
        &mut self,
        order_id: OrderId,
        status: PaymentPageStatus,
        now: Duration,
    ) {
        let Some(order) = self.orders.get(&order_id) else {
            return;
        };
        let user = order.user.clone();
        self.tell(Notice::PageChanged(PaymentPageChanged {
            order_id,
            user,
            status,
        }));
        self.request_soon(order_id, now);
    }

    pub(super) fn fetch_catalog(
        &mut self,
        user: Option<UserId>,
        request: CatalogRequest,
        now: Duration,
    ) {
        let Some(config) = self.config.clone() else {
            return self.take_catalog(Err(RequestError::NotConfigured));
        };
        let player = user.and_then(|user| self.players.get(&user));
        let credentials = player.and_then(|player| player.credentials()).cloned();
        let call = Call::FetchCatalog(request);
        if let Some(earlier) = self.catalog_request.take() {
            // The game wants the catalogue that it asked for last, whichever is answered first.
            self.cancel(earlier);
        }
        let request = self.send(credentials, call, Purpose::Catalog, &config, now);
        self.catalog_request = Some(request);
    }

    pub(super) fn take_catalog(&mut self, answer: Result<Vec<CatalogItem>, RequestError>) {
        self.tell(Notice::Catalog(answer));
    }
}
