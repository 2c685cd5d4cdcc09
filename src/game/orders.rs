//! The orders that the game knows of.

use std::slice;

use bevy::prelude::{Reflect, ReflectDefault, ReflectResource, Resource};

use crate::machine::output::Notice;
use crate::model::message::NewsSource;
use crate::model::order::{OrderId, OrderItem, OrderPhase, OrderStatus, Price};
use crate::model::user::UserId;

/// Every order that was tracked and not [untracked](crate::OrderCommands::untrack_order), with what
/// is known of it: for the user interface, and for systems that missed a message.
///
/// It is updated before the messages are sent.
#[derive(Debug, Default, Resource, Reflect)]
#[reflect(no_auto_register, Resource, Debug, Default)]
pub struct Orders {
    /// By their ids. New orders have the highest, so they are added at the end. A map would keep room to
    /// spare for each order.
    orders: Vec<Order>,
    /// The ids of the orders, in the same sequence. A search among thousands of orders would miss the processor's cache at
    /// each step.
    ids: Vec<OrderId>,
}

impl Orders {
    /// The order, if it is known.
    pub fn get(&self, order_id: OrderId) -> Option<&Order> {
        self.orders.get(self.place(order_id).ok()?)
    }

    /// All orders in the sequence of their ids, so the oldest come first.
    pub fn iter(&self) -> OrdersIter<'_> {
        OrdersIter(self.orders.iter())
    }

    /// The number of orders that are known.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether no order is known.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Changes an order, which is known from now on if it was not before.
    pub(super) fn change(&mut self, order_id: OrderId, change: impl FnOnce(&mut Order)) {
        let place = self.place(order_id).unwrap_or_else(|place| {
            if self.orders.len() == self.orders.capacity() {
                // Doubling would leave room for as many again.
                let more = self.orders.len() / 8 + 8;
                self.orders.reserve_exact(more);
                self.ids.reserve_exact(more);
            }
            self.orders.insert(place, Order::new(order_id));
            self.ids.insert(place, order_id);
            place
        });
        if let Some(order) = self.orders.get_mut(place) {
            change(order);
        }
    }

    /// Where the order is in the list, or where it belongs.
    fn place(&self, order_id: OrderId) -> Result<usize, usize> {
        self.ids.binary_search(&order_id)
    }

    pub(super) fn remove(&mut self, order_id: OrderId) {
        if let Ok(place) = self.place(order_id) {
            self.orders.remove(place);
            self.ids.remove(place);
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Order> {
        self.orders.iter_mut()
    }

    /// Updates an order from a notice.
    pub(super) fn apply(&mut self, notice: &Notice) {
        let (Some(order_id), Some(user)) = (notice.order_id(), notice.user()) else {
            return;
        };
        if let Notice::PageFailed(_) | Notice::PageChanged(_) | Notice::Discovered(_) = notice {
            return;
        }
        self.change(order_id, |order| order.apply(user, notice));
    }
}

impl Order {
    fn apply(&mut self, user: &UserId, notice: &Notice) {
        // An order has one owner, who may change when another player tracks it.
        if self.user.as_ref() != Some(user) {
            self.user = Some(user.clone());
        }
        match notice {
            Notice::Phase { phase, .. } => {
                self.phase = phase.clone();
                if phase.is_acknowledged() && self.source.is_none() {
                    // No server has reported a status in this run, and an acknowledged order is done.
                    self.status = OrderStatus::Done;
                }
            }
            Notice::Details { items, price, .. } => {
                self.items = Some(items.clone());
                self.price.clone_from(price);
            }
            Notice::StatusChanged(changed) => {
                self.status = changed.status.clone();
                self.source = Some(changed.source);
                // News of such an order makes it followed again.
                if matches!(self.phase, OrderPhase::Failed(_) | OrderPhase::Abandoned) {
                    self.phase = OrderPhase::Open;
                }
            }
            Notice::Done(_) => self.phase = OrderPhase::Granted,
            Notice::Canceled(_) | Notice::Expired(_) => self.phase = OrderPhase::Ended,
            Notice::Failed(failed) => self.phase = OrderPhase::Failed(failed.error.clone()),
            _ => {}
        }
    }
}

impl<'a> IntoIterator for &'a Orders {
    type Item = &'a Order;
    type IntoIter = OrdersIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// An iterator over [`Orders`].
#[derive(Clone, Debug)]
pub struct OrdersIter<'a>(slice::Iter<'a, Order>);

impl<'a> Iterator for OrdersIter<'a> {
    type Item = &'a Order;

    fn next(&mut self) -> Option<&'a Order> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for OrdersIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back()
    }
}

impl ExactSizeIterator for OrdersIter<'_> {}

/// An order that the game knows.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Order {
    /// The id of the order.
    pub order_id: OrderId,
    /// The owner; `None` while the order waits for a player to log in.
    pub user: Option<UserId>,
    /// The status at Xsolla; [`New`](OrderStatus::New) until a server has reported one.
    pub status: OrderStatus,
    /// The state of the order in the game.
    pub phase: OrderPhase,
    /// The source of the last status; `None` until a server has reported one.
    pub source: Option<NewsSource>,
    /// The items of the order; `None` until Get Order was answered.
    pub items: Option<Vec<OrderItem>>,
    /// The price in real money, if the server has reported one.
    pub price: Option<Price>,
}

impl Order {
    pub(super) fn new(order_id: OrderId) -> Self {
        Self {
            order_id,
            user: None,
            status: OrderStatus::New,
            phase: OrderPhase::Open,
            source: None,
            items: None,
            price: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn whatever_is_changed_and_removed_the_orders_stay_sorted_and_are_found() {
        let (mut orders, mut expected) = (Orders::default(), BTreeMap::new());
        let mut random = fastrand::Rng::with_seed(1);
        for count in 0..20_000 {
            let order_id = OrderId(random.u64(..300));
            if random.u8(..4) == 0 {
                orders.remove(order_id);
                expected.remove(&order_id);
            } else {
                let status = OrderStatus::Other(count.to_string());
                orders.change(order_id, |order| order.status = status.clone());
                expected.insert(order_id, status);
            }
            let status = orders.get(order_id).map(|order| &order.status);
            assert_eq!(status, expected.get(&order_id));
        }
        let orders = orders.iter().map(|order| (order.order_id, &order.status));
        assert!(orders.eq(expected.iter().map(|(id, status)| (*id, status))));
    }
}
