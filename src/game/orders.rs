//! The orders that the game knows of.

use std::collections::BTreeMap;
use std::collections::btree_map;

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
#[reflect(Resource, Debug, Default)]
pub struct Orders {
    orders: BTreeMap<OrderId, Order>,
}

impl Orders {
    /// The order, if it is known.
    pub fn get(&self, order_id: OrderId) -> Option<&Order> {
        self.orders.get(&order_id)
    }

    /// All orders in the sequence of their ids, so the oldest come first.
    pub fn iter(&self) -> OrdersIter<'_> {
        OrdersIter(self.orders.values())
    }

    /// The number of orders that are known.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether no order is known.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    pub(super) fn entry(&mut self, order_id: OrderId) -> &mut Order {
        self.orders
            .entry(order_id)
            .or_insert_with(|| Order::new(order_id))
    }

    pub(super) fn remove(&mut self, order_id: OrderId) {
        self.orders.remove(&order_id);
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Order> {
        self.orders.values_mut()
    }

    /// Updates an order from a notice.
    pub(super) fn apply(&mut self, notice: &Notice) {
        let (Some(order_id), Some(user)) = (notice.order_id(), notice.user()) else {
            return;
        };
        if let Notice::PageFailed(_) = notice {
            return;
        }
        let order = self.entry(order_id);
        // An order has one owner, who may change when another player tracks it.
        if order.user.as_ref() != Some(user) {
            order.user = Some(user.clone());
        }
        match notice {
            Notice::Phase { phase, .. } => {
                order.phase = phase.clone();
                if phase.is_acknowledged() && order.source.is_none() {
                    // No server has reported a status in this run, and an acknowledged order is done.
                    order.status = OrderStatus::Done;
                }
            }
            Notice::Details { items, price, .. } => {
                order.items = Some(items.clone());
                order.price.clone_from(price);
            }
            Notice::StatusChanged(changed) => {
                order.status = changed.status.clone();
                order.source = Some(changed.source);
                // News of such an order makes it followed again.
                if matches!(order.phase, OrderPhase::Failed(_) | OrderPhase::Abandoned) {
                    order.phase = OrderPhase::Open;
                }
            }
            Notice::Done(_) => order.phase = OrderPhase::Granted,
            Notice::Canceled(_) | Notice::Expired(_) => order.phase = OrderPhase::Ended,
            Notice::Failed(failed) => order.phase = OrderPhase::Failed(failed.error.clone()),
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
pub struct OrdersIter<'a>(btree_map::Values<'a, OrderId, Order>);

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
#[reflect(Clone, Debug, PartialEq)]
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
