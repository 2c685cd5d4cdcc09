//! The orders that the game knows of.

mod reflect;

use std::collections::BTreeMap;
use std::collections::btree_map;

use bevy::prelude::{Reflect, Resource, TypePath};

use crate::model::error::TrackingError;
use crate::model::message::NewsSource;
use crate::model::order::{OrderId, OrderItem, OrderStatus, Price};
use crate::model::user::UserId;

/// Every order that was tracked and not [untracked](crate::OrderCommands::untrack_order), with what
/// is known of it: for the user interface, and for systems that missed a message.
///
/// It is updated before the messages are sent.
#[derive(Debug, Default, Resource, TypePath)]
pub struct Orders {
    /// Boxed, because a map keeps room to spare for each of its values.
    orders: BTreeMap<OrderId, Box<Order>>,
}

impl Orders {
    /// The order, if it is known.
    pub fn get(&self, order_id: OrderId) -> Option<&Order> {
        self.orders.get(&order_id).map(Box::as_ref)
    }

    /// All orders, by their ids, so the oldest first.
    pub fn iter(&self) -> OrdersIter<'_> {
        OrdersIter(self.orders.values())
    }

    /// How many orders are known.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether no order is known.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    pub(crate) fn get_mut(&mut self, order_id: OrderId) -> Option<&mut Order> {
        self.orders.get_mut(&order_id).map(Box::as_mut)
    }

    pub(crate) fn entry(&mut self, order_id: OrderId) -> &mut Order {
        self.orders
            .entry(order_id)
            .or_insert_with(|| Box::new(Order::new(order_id)))
    }

    pub(crate) fn remove(&mut self, order_id: OrderId) {
        self.orders.remove(&order_id);
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Order> {
        self.orders.values_mut().map(Box::as_mut)
    }
}

impl<'a> IntoIterator for &'a Orders {
    type Item = &'a Order;
    type IntoIter = OrdersIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The orders of [`Orders`].
#[derive(Clone, Debug)]
pub struct OrdersIter<'a>(btree_map::Values<'a, OrderId, Box<Order>>);

impl<'a> Iterator for OrdersIter<'a> {
    type Item = &'a Order;

    fn next(&mut self) -> Option<&'a Order> {
        self.0.next().map(Box::as_ref)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for OrdersIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(Box::as_ref)
    }
}

impl ExactSizeIterator for OrdersIter<'_> {}

/// What is known of an order.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Order {
    /// Its id.
    pub order_id: OrderId,
    /// Whose it is; `None` while it waits for a player to log in.
    pub user: Option<UserId>,
    /// Where it stands; [`New`](OrderStatus::New) until the servers have spoken.
    pub status: OrderStatus,
    /// How the last news came; `None` until the servers have spoken.
    pub source: Option<NewsSource>,
    /// What it is for; `None` until Get Order was answered.
    pub items: Option<Vec<OrderItem>>,
    /// What it costs in real money, where the server said it.
    pub price: Option<Price>,
    /// Whether it is being followed.
    pub tracking: Tracking,
    /// Whether [`OrderDone`](crate::OrderDone) was sent for it.
    pub is_granted: bool,
    /// Whether the game has [acknowledged](crate::OrderCommands::acknowledge_order) it, and the ledger
    /// (where there is one) has that: from now on it is never delivered again.
    pub is_acknowledged: bool,
}

impl Order {
    pub(crate) fn new(order_id: OrderId) -> Self {
        Self {
            order_id,
            user: None,
            status: OrderStatus::New,
            source: None,
            items: None,
            price: None,
            tracking: Tracking::Active,
            is_granted: false,
            is_acknowledged: false,
        }
    }
}

/// Whether an order is being followed.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Tracking {
    /// It is, or will be as soon as its player is logged in.
    Active,
    /// The order has a final status, and the game was told.
    Ended,
    /// The player did not want to pay it: it is not asked for in this run. If it is paid all the same,
    /// it is granted.
    Abandoned,
    /// It was given up.
    Failed(TrackingError),
}
