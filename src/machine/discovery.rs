//! Handles news of orders that nobody has tracked. The socket's channel is the player's, so it also names orders that were
//! made elsewhere, in its history too.

use std::time::Duration;

use crate::machine::Machine;
use crate::machine::output::{Notice, Output};
use crate::machine::player::Reading;
use crate::model::config::{GrantAt, Listen, XsollaConfig};
use crate::model::maps::HashSet;
use crate::model::message::OrderDiscovered;
use crate::model::order::{OrderId, OrderStatus};
use crate::model::record::{LedgerEntry, past_mark};
use crate::model::user::UserId;

/// The number of a player's untracked orders of which news is kept. It is more than what the history of a channel may
/// name, so that none of the past is missed.
const MAX_ORDERS: usize = 8_192;
/// The number of statuses of one order that are kept.
const MAX_STATUSES: usize = 40;

/// News of a player's orders that are not tracked, because the game may be about to track them.
#[derive(Debug, Default)]
pub(super) struct EarlyNews {
    /// By their ids.
    orders: Vec<EarlyOrder>,
}

#[derive(Debug)]
struct EarlyOrder {
    order_id: OrderId,
    /// The statuses, oldest first. A history repeats them, and each is kept once.
    statuses: Vec<OrderStatus>,
    /// How many of them were looked at.
    seen: usize,
    /// How many of them are older than the first socket.
    past: usize,
    /// Whether the game was told of it.
    is_told: bool,
}

impl EarlyNews {
    pub(super) fn keep(&mut self, order_id: OrderId, status: OrderStatus) {
        let place = match self.place(order_id) {
            Ok(place) => place,
            Err(_) if self.orders.len() >= MAX_ORDERS => return,
            Err(place) => {
                let order = EarlyOrder {
                    order_id,
                    statuses: Vec::new(),
                    seen: 0,
                    past: 0,
                    is_told: false,
                };
                self.orders.insert(place, order);
                place
            }
        };
        if let Some(order) = self.orders.get_mut(place)
            && order.statuses.len() < MAX_STATUSES
            && !order.statuses.contains(&status)
        {
            order.statuses.push(status);
        }
    }

    /// Takes out the news that was kept for an order, oldest first.
    pub(super) fn take(&mut self, order_id: OrderId) -> Vec<OrderStatus> {
        match self.place(order_id) {
            Ok(place) => self.orders.remove(place).statuses,
            Err(_) => Vec::new(),
        }
    }

    fn place(&self, order_id: OrderId) -> Result<usize, usize> {
        self.orders
            .binary_search_by_key(&order_id, |order| order.order_id)
    }
}

/// What is known of a player's orders that were made elsewhere.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Whether `orders` has all that were over before this ledger was first used.
    is_known: bool,
    /// Whether a socket has told all that the server keeps of earlier publications.
    is_heard: bool,
    /// The orders that are not discovered.
    orders: HashSet<OrderId>,
}

impl Past {
    /// Notes that the early news is dropped. The next socket tells everything anew.
    pub(super) fn forget_history(&mut self) {
        self.is_heard = false;
    }

    /// Adds an entry of the ledger.
    fn load(&mut self, user: &UserId, order_id: OrderId) {
        self.is_known |= order_id == past_mark(user);
        self.orders.insert(order_id);
    }
}

/// Whether an order is over, as far as its statuses tell, so that it may have been granted elsewhere.
fn is_over<'a>(mut statuses: impl Iterator<Item = &'a OrderStatus>, grant_at: GrantAt) -> bool {
    let is_paid = |status| grant_at == GrantAt::Paid && status == &OrderStatus::Paid;
    statuses.any(|status| status.is_final() || is_paid(status))
}

/// Whether the ledger keeps the orders of the past. A game that neither adopts nor listens hears of them by chance.
fn keeps_past(config: &XsollaConfig) -> bool {
    config.adopt_orders || config.listen == Listen::WhileLoggedIn
}

impl Machine {
    /// Whether a player has a socket while none of their orders is open.
    pub(super) fn update_listening(&mut self, user: &UserId) {
        if let (Some(config), Some(player)) = (&self.config, self.players.get_mut(user)) {
            player.listens = player.is_resident && config.listen == Listen::WhileLoggedIn;
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
        let mut is_past_new = false;
        if !past.is_known && past.is_heard && !config.discover_past_orders {
            past.is_known = true;
            is_past_new = true;
            for order in &news.orders {
                let told = order.statuses.iter().take(order.past);
                if is_over(told, config.grant_at) {
                    past.orders.insert(order.order_id);
                }
            }
        }
        let mut discovered = Vec::new();
        for order in &mut news.orders {
            let is_news = order.seen < order.statuses.len();
            order.seen = order.statuses.len();
            let is_past = past.orders.contains(&order.order_id)
                || !past.is_known && is_over(order.statuses.iter(), config.grant_at);
            let Some(status) = order.statuses.last() else {
                continue;
            };
            let has_ended = matches!(status, OrderStatus::Canceled | OrderStatus::Expired);
            let is_wanted = !is_past || config.discover_past_orders;
            // An order that is being recorded is tracked.
            let is_tracked = self.orders.contains_key(&order.order_id);
            if is_news && is_wanted && !is_tracked && (!has_ended || order.is_told) {
                order.is_told = true;
                discovered.push((order.order_id, status.clone()));
            }
        }
        if is_past_new {
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

    /// Has the ledger record which of a player's orders were over before it was first used.
    pub(super) fn record_past(&mut self, user: &UserId) {
        let (Some(config), Some(player)) = (&self.config, self.players.get(user)) else {
            return;
        };
        if !player.past.is_known || !keeps_past(config) {
            return;
        }
        let mut orders = crate::machine::sorted(&player.past.orders);
        orders.push(past_mark(user));
        for order_id in orders {
            self.outputs.push_back(Output::Record {
                user: user.clone(),
                order_id,
                entry: LedgerEntry::Past,
                claims: true,
            });
        }
    }

    /// Keeps an order that the game has forgotten from being discovered again.
    pub(super) fn forget_for_good(&mut self, user: &UserId, order_id: OrderId) {
        if let Some(player) = self.players.get_mut(user) {
            player.past.orders.insert(order_id);
            let config = self.config.as_ref();
            if config.is_some_and(|config| keeps_past(config)) && !self.is_shared() {
                self.outputs.push_back(Output::Record {
                    user: user.clone(),
                    order_id,
                    entry: LedgerEntry::Past,
                    claims: true,
                });
            }
        }
    }
}
