//! What a player's channel has told of orders that nobody has tracked.

use crate::machine::progress::Progress;
use crate::model::maps::HashSet;
use crate::model::order::{OrderId, OrderStatus};
use crate::model::record::past_mark;
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
    pub(super) orders: Vec<EarlyOrder>,
    /// The orders of which there is news that was not looked at, each once.
    unseen: Vec<OrderId>,
}

#[derive(Debug)]
pub(super) struct EarlyOrder {
    pub(super) order_id: OrderId,
    /// The statuses, oldest first. A history repeats them, and each is kept once.
    pub(super) statuses: Vec<OrderStatus>,
    /// Whether all of them were looked at.
    is_seen: bool,
    /// How many of them are older than the first socket.
    pub(super) past: usize,
    /// The status that the game was told last.
    pub(super) told: Option<OrderStatus>,
}

impl EarlyOrder {
    /// How far it has come. Live news may overtake the history.
    pub(super) fn status(&self) -> Option<OrderStatus> {
        let mut progress = Progress::default();
        for status in &self.statuses {
            progress.advance(status);
        }
        progress.status().cloned()
    }
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
                    is_seen: true,
                    past: 0,
                    told: None,
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
            if std::mem::replace(&mut order.is_seen, false) {
                self.unseen.push(order_id);
            }
        }
    }

    /// Takes the next order of which there is news.
    pub(super) fn next_unseen(&mut self) -> Option<&mut EarlyOrder> {
        loop {
            let order_id = self.unseen.pop()?;
            // An order that is tracked by now is not here any more.
            if let Ok(place) = self.place(order_id) {
                let order = self.orders.get_mut(place)?;
                order.is_seen = true;
                return Some(order);
            }
        }
    }

    /// Takes out the news that was kept for an order, oldest first.
    pub(super) fn take(&mut self, order_id: OrderId) -> Vec<OrderStatus> {
        match self.place(order_id) {
            Ok(place) => self.orders.remove(place).statuses,
            Err(_) => Vec::new(),
        }
    }

    pub(super) fn has(&self, order_id: OrderId) -> bool {
        self.place(order_id).is_ok()
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
    pub(super) is_known: bool,
    /// Whether the ledger is told so.
    pub(super) is_recorded: bool,
    /// Whether a socket has told all that the server keeps of earlier publications.
    pub(super) is_heard: bool,
    /// The orders that are not discovered.
    pub(super) orders: HashSet<OrderId>,
}

impl Past {
    /// Notes that the early news is dropped. The next socket tells everything anew.
    pub(super) fn forget_history(&mut self) {
        self.is_heard = false;
    }

    /// Adds an entry of the ledger.
    pub(super) fn load(&mut self, user: &UserId, order_id: OrderId) {
        if order_id == past_mark(user) {
            self.is_known = true;
            self.is_recorded = true;
        }
        self.orders.insert(order_id);
    }
}
