//! Handles news of an order's status, which comes from sockets and requests.

use std::time::Duration;

use crate::machine::input::ConnectionId;
use crate::machine::order::{Details, Hold, Phase, Pushed};
use crate::machine::output::Notice;
use crate::machine::player::Reading;
use crate::machine::{Machine, sorted};
use crate::model::message::{
    NewsSource, OrderCanceled, OrderDone, OrderExpired, OrderStatusChanged,
};
use crate::model::order::{OrderId, OrderStatus, Report};
use crate::model::record::LedgerEntry;
use crate::model::user::UserId;

impl Machine {
    /// Handles a publication from a player's socket. It counts from any of their connections that was opened
    /// with the current settings.
    pub(super) fn news(
        &mut self,
        user: &UserId,
        connection: ConnectionId,
        report: Report,
        now: Duration,
    ) {
        let (order_id, Some(status)) = (report.order_id, report.status) else {
            return;
        };
        let (Some(config), Some(player)) = (&self.config, self.players.get(user)) else {
            return;
        };
        if connection.0 <= self.outdated_connections || player.credentials().is_none() {
            // The publication is from before the log-out or the change of settings. The order is asked for
            // again.
            return;
        }
        let is_queue = config.source.is_event_queue();
        let order = self.orders.get(&order_id);
        match order {
            // A socket of another player does not count.
            Some(order) if order.user != *user => {}
            // The game must not hear of an order before the ledger has it, or a restart would not know the
            // order.
            None => self.keep_early_news(user, order_id, status),
            Some(order) if order.phase.is_recording() => {
                self.keep_early_news(user, order_id, status);
            }
            // The order was given up too early, so it is followed again. A status that is already known is no
            // news, because a history repeats it.
            Some(order) if order.is_given_up() && order.status() != Some(&status) => {
                self.keep_early_news(user, order_id, status);
                self.track(user, order_id, now);
            }
            // An event of the queue is told of a payment, and not of what a history repeats.
            Some(order) if is_queue && order.has_expired() => {
                self.keep_early_news(user, order_id, status);
                self.follow_again(order_id, now);
            }
            Some(_) => {
                let source = self.news_source();
                self.apply_status(order_id, &status, source, now);
                self.confirm(order_id);
                self.update_state(user);
                self.forget_player_if_unused(user);
            }
        }
    }

    /// Applies a status that a server reported for an order.
    pub(super) fn apply_status(
        &mut self,
        order_id: OrderId,
        status: &OrderStatus,
        source: NewsSource,
        now: Duration,
    ) {
        let is_doubtful = self.is_doubtful(order_id);
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if *status == OrderStatus::Expired && order.was_granted {
            // It was paid, so its time to pay is over without a meaning.
            return;
        }
        let is_end = matches!(status, OrderStatus::Canceled | OrderStatus::Expired);
        if is_doubtful && is_end {
            // Only the ledger knows whether this is a refund. The order is asked for again once the ledger
            // has been read.
            return;
        }
        // Only what the ledger has can be a refund.
        if *status == OrderStatus::Canceled
            && order.status() != Some(status)
            && let Some(entry) = order.entry()
            && !self.is_held(order_id, entry)
        {
            if let Some(order) = self.orders.get_mut(&order_id) {
                order.push(Pushed::Canceled, source);
            }
            return;
        }
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        let previous = order.status().cloned();
        if !order.advance(status, now) {
            return self.grant_if_ready(order_id, now);
        }
        let user = order.user.clone();
        let was_done = order.was_granted;
        let details = order.details.as_deref();
        let items = details.map(|details| details.items.clone());
        self.tell(Notice::StatusChanged(OrderStatusChanged {
            order_id,
            user: user.clone(),
            previous,
            status: status.clone(),
            source,
        }));
        match status {
            OrderStatus::Canceled => {
                self.tell(Notice::Canceled(OrderCanceled {
                    order_id,
                    user,
                    was_done,
                    items: items.unwrap_or_default(),
                }));
                self.change_phase(order_id, Phase::Ended, now);
            }
            OrderStatus::Expired => {
                self.tell(Notice::Expired(OrderExpired { order_id, user }));
                self.change_phase(order_id, Phase::Ended, now);
            }
            OrderStatus::Done => {
                self.enlist(order_id);
                self.grant_if_ready(order_id, now);
                self.disconnect_if_unused(&user);
                // The items may still be unknown, and only an answer lists them.
                self.schedule_give_up(order_id, now);
                self.request_if_open(order_id, now);
            }
            // `New` says only that the order exists, so nothing follows from it.
            OrderStatus::New => {}
            OrderStatus::Paid => {
                self.grant_if_ready(order_id, now);
                // Only the items of an answer that itself says paid are granted, so the order is asked for.
                let order = self.orders.get(&order_id);
                if order.is_some_and(|order| order.final_details().is_none()) {
                    self.request_if_open(order_id, now);
                }
                self.schedule_give_up(order_id, now);
            }
            OrderStatus::Other(_) => self.schedule_give_up(order_id, now),
        }
    }

    /// Whether an earlier run or another instance of the game may have granted an order, because the ledger
    /// has not been read, or has not recorded the order.
    pub(super) fn is_doubtful(&self, order_id: OrderId) -> bool {
        self.orders.get(&order_id).is_some_and(|order| {
            let player = self.players.get(&order.user);
            let is_unread = player.is_none_or(|player| !player.reading.is_over());
            order.unrecorded_until.is_some() || is_unread && !order.is_vouched
        })
    }

    /// Tells the game once more of each order that was granted and is not acknowledged, where its player
    /// is logged in, or a webhook told of it and its player is not here.
    pub(super) fn deliver_again(&mut self) {
        for order_id in sorted(self.orders.keys()) {
            let Some(order) = self.orders.get(&order_id) else {
                continue;
            };
            let player = self.players.get(&order.user);
            // What the ledger says of an order comes first.
            let is_here = player.is_some_and(|player| {
                let is_read = !matches!(player.reading, Reading::NotBegun | Reading::UnderWay);
                is_read && player.credentials().is_some()
            });
            // What a webhook told needs no player who is here.
            let is_nobody_here = player.is_none_or(|player| player.credentials().is_none());
            if order.phase == Phase::Granted
                && (is_here || order.is_pushed && is_nobody_here)
                && self.is_held(order_id, LedgerEntry::Granted)
            {
                self.tell_done(order_id);
            }
        }
    }

    /// Tells the game once more to grant an order of which the ledger has just confirmed that it is this server's.
    pub(super) fn tell_again_if_confirmed(&mut self, order_id: OrderId) {
        let order = self.orders.get(&order_id);
        if order.is_some_and(|o| o.phase == Phase::Granted && o.hold == Hold::Confirmed) {
            self.tell_done(order_id);
        }
    }

    fn tell_done(&mut self, order_id: OrderId) {
        let Some(order) = self.orders.get(&order_id) else {
            return;
        };
        let Some(Details { items, price, .. }) = order.final_details().cloned() else {
            return;
        };
        let user = order.user.clone();
        self.tell(Notice::Done(OrderDone {
            order_id,
            user,
            items,
            price,
        }));
    }

    pub(super) fn request_if_open(&mut self, order_id: OrderId, now: Duration) {
        let order = self.orders.get(&order_id);
        if order.is_some_and(|order| order.phase.is_open()) {
            self.request_soon(order_id, now);
        }
    }

    /// Tells the game to grant an order that is paid or done, as the game has chosen, and whose items are known.
    pub(super) fn grant_if_ready(&mut self, order_id: OrderId, now: Duration) {
        let (Some(config), Some(order)) = (&self.config, self.orders.get(&order_id)) else {
            return;
        };
        let is_due = order.is_due(config.grant_at);
        let is_refunded = matches!(order.pushed, Some((Pushed::Canceled, _)));
        if !order.phase.is_open() || !is_due || is_refunded || self.is_doubtful(order_id) {
            return;
        }
        let Some(details) = order.final_details() else {
            return;
        };
        let is_empty = details.items.is_empty();
        if !self.is_held(order_id, LedgerEntry::Granted) {
            return;
        }
        if is_empty {
            log::error!("order {order_id} is to be granted, and the store lists no items of it");
        }
        if !self.is_shared() {
            self.record_entry(order_id, LedgerEntry::Granted, false);
        }
        self.tell_done(order_id);
        self.change_phase(order_id, Phase::Granted, now);
    }
}
