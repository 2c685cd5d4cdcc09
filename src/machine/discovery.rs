//! Handles news of orders that nobody has tracked. The socket's channel is the player's, so it also names orders that were
//! made elsewhere, in its history too.

use std::time::Duration;

use crate::machine::output::{Notice, Output};
use crate::machine::player::Reading;
use crate::machine::{Machine, sorted};
use crate::model::config::{GrantAt, Listen, XsollaConfig};
use crate::model::message::OrderDiscovered;
use crate::model::order::{OrderId, OrderStatus};
use crate::model::record::{LedgerEntry, past_mark};
use crate::model::user::UserId;

/// Whether an order is over, as far as its statuses tell, so that it may have been granted elsewhere.
fn is_over<'a>(mut statuses: impl Iterator<Item = &'a OrderStatus>, grant_at: GrantAt) -> bool {
    let is_paid = |status| grant_at == GrantAt::Paid && status == &OrderStatus::Paid;
    statuses.any(|status| status.is_final() || is_paid(status))
}

impl Machine {
    /// Whether a player has a socket while none of their orders is open.
    pub(super) fn update_listening(&mut self, user: &UserId) {
        if let (Some(config), Some(player)) = (&self.config, self.players.get_mut(user)) {
            // A queue keeps what was bought at any time.
            let listens = config.listen == Listen::WhileLoggedIn || config.source.is_event_queue();
            player.listens = player.is_resident && listens;
        }
    }

    /// Notes that a socket has told all that the server keeps. What comes from now on is not of the past, though the ledger
    /// may not have been read yet.
    pub(super) fn history_is_heard(&mut self, user: &UserId) {
        if let Some(player) = self.players.get_mut(user)
            && !std::mem::replace(&mut player.past.is_heard, true)
        {
            for order in &mut player.early_news.orders {
                order.past = order.statuses.len();
            }
        }
    }

    /// Keeps news of an order that is not tracked.
    pub(super) fn keep_early_news(
        &mut self,
        user: &UserId,
        order_id: OrderId,
        status: OrderStatus,
    ) {
        if let Some(player) = self.players.get_mut(user) {
            player.early_news.keep(order_id, status);
            self.look_for_discoveries(user);
        }
    }

    /// Has a player's early news looked at, once the input is handled.
    pub(super) fn look_for_discoveries(&mut self, user: &UserId) {
        if !self.undiscovered.contains(user) {
            self.undiscovered.push(user.clone());
        }
    }

    pub(super) fn discover_all(&mut self, now: Duration) {
        for user in std::mem::take(&mut self.undiscovered) {
            self.discover(&user, now);
        }
    }

    /// Tells the game of the orders that nobody has tracked.
    fn discover(&mut self, user: &UserId, now: Duration) {
        let (Some(config), Some(player)) = (self.config.clone(), self.players.get_mut(user)) else {
            return;
        };
        // What was granted before is known only once the ledger was read, and how far an order has come is known once
        // the history was heard. Then it is looked at again.
        if player.reading != Reading::Done || !player.is_live() {
            return;
        }
        if player.purchases > 0 {
            // The store may have told of the order of a purchase before it has answered.
            return self.look_for_discoveries(user);
        }
        let (past, news) = (&mut player.past, &mut player.early_news);
        // A queue has what no game has processed, and not the past.
        let discovers_past = config.discover_past_orders || config.source.is_event_queue();
        if !past.is_known && past.is_heard && !discovers_past {
            past.is_known = true;
            for order in &news.orders {
                let told = order.statuses.iter().take(order.past);
                if order.told.is_none() && is_over(told, config.grant_at) {
                    past.orders.insert(order.order_id);
                }
            }
        }
        let is_unrecorded = past.is_known && !past.is_recorded;
        let untracked = self.untracked.get(&self.project);
        let mut discovered = Vec::new();
        while let Some(order) = news.next_unseen() {
            let is_doubtful = !past.is_known
                && !discovers_past
                && order.told.is_none()
                && is_over(order.statuses.iter(), config.grant_at);
            let order_id = order.order_id;
            let is_left_out = past.orders.contains(&order_id)
                || is_doubtful
                // An order that is being recorded is tracked.
                || self.orders.contains_key(&order_id)
                || untracked.is_some_and(|untracked| untracked.contains(&order_id));
            let status = order.status();
            if is_left_out || order.told == status {
                continue;
            }
            let has_ended = matches!(status, Some(OrderStatus::Canceled | OrderStatus::Expired));
            if let Some(status) = &status
                && (!has_ended || order.told.is_some())
            {
                discovered.push((order_id, status.clone()));
                order.told = Some(status.clone());
            }
        }
        // In the sequence in which they were heard of.
        discovered.reverse();
        if is_unrecorded {
            self.record_past(user);
        }
        for (order_id, status) in discovered {
            self.tell(Notice::Discovered(OrderDiscovered {
                order_id,
                user: user.clone(),
                status,
            }));
            if config.adopt_orders {
                self.track(user, order_id, now);
            }
        }
    }

    /// Takes an entry of the past that the ledger has.
    pub(super) fn load_past(&mut self, user: &UserId, order_id: OrderId) {
        if let Some(player) = self.players.get_mut(user) {
            player.past.load(user, order_id);
        }
    }

    /// Whether the ledger keeps the orders of the past. A game that neither adopts nor listens hears of them by chance, and
    /// servers that share a ledger have webhooks: what one of them calls past may just have been bought on another.
    fn keeps_past(&self) -> bool {
        let config = self.config.as_ref();
        let is_used = |config: &XsollaConfig| {
            config.adopt_orders
                || config.listen == Listen::WhileLoggedIn
                || config.source.is_event_queue()
        };
        config.is_some_and(|config| is_used(config)) && !self.is_shared()
    }

    /// Has the ledger record which of a player's orders were over before it was first used.
    pub(super) fn record_past(&mut self, user: &UserId) {
        let keeps_past = self.keeps_past();
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        if !player.past.is_known || !keeps_past {
            return;
        }
        player.past.is_recorded = true;
        let mut orders = sorted(&player.past.orders);
        orders.push(past_mark(user));
        for order_id in orders {
            self.record_as_past(user, order_id);
        }
    }

    fn record_as_past(&mut self, user: &UserId, order_id: OrderId) {
        self.outputs.push_back(Output::Record {
            user: user.clone(),
            order_id,
            entry: LedgerEntry::Past,
            claims: false,
        });
    }

    /// Keeps an order that the game has forgotten, or that has ended, from being discovered again.
    pub(super) fn forget_for_good(&mut self, user: &UserId, order_id: OrderId) {
        if let Some(player) = self.players.get_mut(user) {
            player.past.orders.insert(order_id);
        }
        if self.keeps_past() {
            self.record_as_past(user, order_id);
        }
    }

    /// Does that for whoever has heard of an order that this run does not know.
    pub(super) fn forget_early_news(&mut self, order_id: OrderId) {
        let users: Vec<UserId> = self.players.keys().cloned().collect();
        for user in users {
            let player = self.players.get(&user);
            if player.is_some_and(|player| player.early_news.has(order_id)) {
                self.forget_for_good(&user, order_id);
            }
        }
    }
}
