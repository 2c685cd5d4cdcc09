//! News of an order's status, from whatever source, and what follows from it.

use std::time::Duration;

use crate::machine::Machine;
use crate::machine::input::ConnectionId;
use crate::machine::order::{Details, Phase};
use crate::machine::output::{Notice, Output};
use crate::model::ledger::LedgerEntry;
use crate::model::message::{
    NewsSource, OrderCanceled, OrderDone, OrderExpired, OrderStatusChanged,
};
use crate::model::order::{OrderId, OrderStatus, Report};
use crate::model::user::UserId;

impl Machine {
    /// A player's socket brought a publication. It counts whichever of their connections brought it, as
    /// long as the connection was opened with these settings.
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
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        if connection.0 <= self.outdated_connections || player.credentials().is_none() {
            // It is left over from before the log-out or the change of settings. It is asked for anew.
            return;
        }
        let order = self.orders.get(&order_id);
        match order {
            // Another player's socket has no say in it.
            Some(order) if order.user != *user => {}
            // What the game hears of an order, a restart must know of too.
            None => player.keep_early_news(order_id, status),
            Some(order) if order.phase.is_recording() => player.keep_early_news(order_id, status),
            // It was given up too early: it is there. What is known of it already, which a history
            // repeats, is no news.
            Some(order) if order.is_given_up() && order.status() != Some(&status) => {
                player.keep_early_news(order_id, status);
                self.track(user, order_id, now);
            }
            Some(_) => {
                self.hear(order_id, &status, NewsSource::Socket, now);
                self.update_state(user);
                self.forget_player_if_unused(user);
            }
        }
    }

    /// Takes what a server said of an order's status.
    pub(super) fn hear(
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
        let is_end = matches!(status, OrderStatus::Canceled | OrderStatus::Expired);
        if is_doubtful && is_end {
            // Whether that is a refund, the ledger knows. It is asked for again once that was read.
            return;
        }
        let previous = order.status().cloned();
        if !order.advance(status, now) {
            return self.grant_if_ready(order_id, now);
        }
        let user = order.user.clone();
        let was_granted = order.phase.was_granted();
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
                    was_done: was_granted,
                    items: items.unwrap_or_default(),
                }));
                self.change_phase(order_id, Phase::Ended { was_granted }, now);
            }
            OrderStatus::Expired => {
                self.tell(Notice::Expired(OrderExpired { order_id, user }));
                self.change_phase(order_id, Phase::Ended { was_granted }, now);
            }
            OrderStatus::Done => {
                self.enlist(order_id);
                self.grant_if_ready(order_id, now);
                self.disconnect_if_unused(&user);
                // What to grant may be unknown still: then nothing but an answer can tell.
                self.schedule_give_up(order_id, now);
                self.request_if_open(order_id, now);
            }
            // That an order is there hurries nothing.
            OrderStatus::New => {}
            OrderStatus::Paid => {
                // What is granted is what an answer lists that itself says so.
                let order = self.orders.get(&order_id);
                if order.is_some_and(|order| order.final_details().is_none()) {
                    self.request_if_open(order_id, now);
                }
                self.schedule_give_up(order_id, now);
            }
            OrderStatus::Other(_) => self.schedule_give_up(order_id, now),
        }
    }

    /// Whether an earlier run or another instance of the game may have been granted an order, for all that
    /// is known: the ledger has not been read.
    fn is_doubtful(&self, order_id: OrderId) -> bool {
        self.orders.get(&order_id).is_some_and(|order| {
            let player = self.players.get(&order.user);
            !order.is_vouched && player.is_some_and(|player| !player.reading.is_done())
        })
    }

    /// Tells the game once more of each order that was granted and is not acknowledged, where its player
    /// is logged in.
    pub(super) fn deliver_again(&mut self) {
        for (order_id, order) in &self.orders {
            let player = self.players.get(&order.user);
            let is_here = player.is_some_and(|player| player.credentials().is_some());
            if order.phase == Phase::Granted
                && is_here
                && let Some(details) = order.final_details()
            {
                let done = OrderDone {
                    order_id: *order_id,
                    user: order.user.clone(),
                    items: details.items.clone(),
                    price: details.price.clone(),
                };
                self.outputs.push_back(Output::Notice(Notice::Done(done)));
            }
        }
    }

    pub(super) fn request_if_open(&mut self, order_id: OrderId, now: Duration) {
        let order = self.orders.get(&order_id);
        if order.is_some_and(|order| order.phase.is_open()) {
            self.request_soon(order_id, now);
        }
    }

    /// Tells the game to grant an order that is done, once it is known what it is for.
    pub(super) fn grant_if_ready(&mut self, order_id: OrderId, now: Duration) {
        let Some(order) = self.orders.get(&order_id) else {
            return;
        };
        let is_done = order.status() == Some(&OrderStatus::Done);
        if !order.phase.is_open() || !is_done || self.is_doubtful(order_id) {
            return;
        }
        let Some(Details { items, price, .. }) = order.final_details().cloned() else {
            return;
        };
        if items.is_empty() {
            log::error!("order {order_id} is done, and the store lists no items of it");
        }
        let user = order.user.clone();
        self.outputs.push_back(Output::Record {
            user: user.clone(),
            order_id,
            entry: LedgerEntry::Granted,
        });
        self.tell(Notice::Done(OrderDone {
            order_id,
            user,
            items,
            price,
        }));
        self.change_phase(order_id, Phase::Granted, now);
    }
}
