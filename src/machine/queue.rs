//! The requests that wait for a free place, and those that are under way.

use std::collections::VecDeque;

use litemap::LiteMap;

use crate::machine::input::RequestId;
use crate::model::order::OrderId;

/// The number of Get Order requests that may be under way at a time, for all players together.
const MAX_UNDER_WAY: usize = 32;

/// Get Order requests wait here. Requests of other kinds are rare, and are sent at once.
#[derive(Debug, Default)]
pub(super) struct RequestQueue {
    waiting: VecDeque<OrderId>,
    under_way: LiteMap<RequestId, Purpose>,
    /// The number of requests under way that are for orders.
    for_orders: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Order(OrderId),
    Purchase,
    Catalog,
}

impl RequestQueue {
    pub(super) fn push(&mut self, order_id: OrderId) {
        self.waiting.push_back(order_id);
    }

    /// Takes the next order, if another request may be under way.
    pub(super) fn pop(&mut self) -> Option<OrderId> {
        if self.for_orders >= MAX_UNDER_WAY {
            return None;
        }
        let next = self.waiting.pop_front();
        if next.is_none() {
            // This frees the memory that a burst has taken.
            self.waiting = VecDeque::new();
        }
        next
    }

    pub(super) fn begin(&mut self, request: RequestId, purpose: Purpose) {
        self.for_orders += usize::from(matches!(purpose, Purpose::Order(_)));
        self.under_way.insert(request, purpose);
    }

    pub(super) fn purpose(&self, request: RequestId) -> Option<Purpose> {
        self.under_way.get(&request).copied()
    }

    /// Ends a request and returns its purpose; `None` if it has already ended.
    pub(super) fn end(&mut self, request: RequestId) -> Option<Purpose> {
        let purpose = self.under_way.remove(&request)?;
        self.for_orders -= usize::from(matches!(purpose, Purpose::Order(_)));
        Some(purpose)
    }
}
