//! Orders: a test creates them and changes their statuses.

use serde_json::Value;

use super::emulator::XsollaEmulator;
use super::error::{known, misused};
use super::users::find_account;
use crate::emulator::world::catalog::{Catalog, Offer};
use crate::emulator::world::error::EmulatorError;
use crate::emulator::world::ids::store_key;
use crate::emulator::world::order::Line;
use crate::emulator::world::payment::Action;
use crate::model::order::{OrderId, OrderStatus};
use crate::model::reconciliation::StoreKey;
use crate::model::user::XsollaUser;

/// # Orders
///
/// The news of a status is on the player's channel before these methods return.
impl XsollaEmulator {
    /// The key with which a studio's server [compares](crate::reconciliation) its orders with those of the emulator.
    pub fn store_key(&self) -> StoreKey {
        store_key()
    }

    /// Creates an order of this player for SKUs, each with a quantity. It is [new](OrderStatus::New):
    /// [`pay`](Self::pay) it, [`deliver`](Self::deliver) it, or leave that to a browser at its
    /// [`payment_url`](Self::payment_url).
    ///
    /// The game can create orders too, at Xsolla's usual address, for items that are for sale. Here an item that
    /// is not for sale costs 1 USD, and limits are not looked at.
    ///
    /// # Panics
    ///
    /// [`try_create_order`](Self::try_create_order) fails.
    #[track_caller]
    pub fn create_order(&self, user: &XsollaUser, items: &[(&str, u64)]) -> OrderId {
        match self.try_create_order(user, items) {
            Ok(order_id) => order_id,
            Err(error) => misused(&error.to_string()),
        }
    }

    /// Creates an order, as [`create_order`](Self::create_order) does.
    ///
    /// # Errors
    ///
    /// The user is not one of this emulator's, or there is nothing in the order.
    pub fn try_create_order(
        &self,
        user: &XsollaUser,
        items: &[(&str, u64)],
    ) -> Result<OrderId, EmulatorError> {
        let mut state = self.shared.lock();
        let account = find_account(&state, user)?;
        if items.is_empty() || items.iter().any(|&(_, quantity)| quantity == 0) {
            return Err(EmulatorError::NoItems);
        }
        let lines = items
            .iter()
            .map(|&(sku, quantity)| Line {
                sku: sku.to_owned(),
                quantity,
                offer: state.catalog.offer(sku).unwrap_or_else(Offer::unlisted),
            })
            .collect();
        let order_id = state.create_order(account, lines);
        state.issue_payment_token(order_id);
        Ok(order_id)
    }

    /// Gives the next order this id, and those after it the ids that follow, for tests that need to know an id in
    /// advance.
    ///
    /// Without it the first id is made from the time of the start, so that every emulator has others, as at
    /// Xsolla no id comes twice. Do not set the same id where a [ledger](crate::Ledger) is kept between
    /// runs: it would take the new order for one that was granted before.
    ///
    /// # Panics
    ///
    /// There is an order with this id or a higher one, or the id is higher than a signed 64-bit
    /// number can be.
    #[track_caller]
    pub fn set_next_order_id(&self, order_id: OrderId) {
        if !self.shared.lock().set_next_order_id(order_id) {
            misused(&format!(
                "no order of the emulator can come next as {order_id}"
            ));
        }
    }

    /// The ids of all orders so far, whoever created them, the oldest first.
    pub fn orders(&self) -> Vec<OrderId> {
        self.shared.lock().orders.keys().copied().collect()
    }

    /// The player pays, and the order becomes [paid](OrderStatus::Paid).
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn pay(&self, order_id: OrderId) {
        self.set_status(order_id, OrderStatus::Paid.as_str());
    }

    /// Xsolla delivers, and the order becomes [done](OrderStatus::Done), whether or not it was paid before.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn deliver(&self, order_id: OrderId) {
        self.set_status(order_id, OrderStatus::Done.as_str());
    }

    /// The order becomes [canceled](OrderStatus::Canceled), whatever its status was.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn cancel(&self, order_id: OrderId) {
        self.set_status(order_id, OrderStatus::Canceled.as_str());
    }

    /// The player gets the money back for a [paid](OrderStatus::Paid) or [done](OrderStatus::Done) order, which
    /// becomes [canceled](OrderStatus::Canceled).
    ///
    /// # Panics
    ///
    /// There is no such order, or nobody has paid for it.
    #[track_caller]
    pub fn refund(&self, order_id: OrderId) {
        let mut state = self.shared.lock();
        let order = known(order_id, state.orders.get(&order_id));
        if !order.actions().contains(&Action::Refund) {
            misused(&format!(
                "the emulator cannot refund order {order_id}, whose status is `{}`",
                order.status()
            ));
        }
        state.set_status(order_id, OrderStatus::Canceled.as_str());
    }

    /// The time to pay has passed, and the order becomes [expired](OrderStatus::Expired).
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn expire(&self, order_id: OrderId) {
        self.set_status(order_id, OrderStatus::Expired.as_str());
    }

    /// Gives the order this status, whatever it was before and whether or not Xsolla has such a status.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn set_status(&self, order_id: OrderId, status: &str) {
        known(order_id, self.shared.lock().set_status(order_id, status));
    }

    /// Gives the order this status without telling the socket. [Webhooks](Self::webhooks_to) are sent all the same.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn set_status_silently(&self, order_id: OrderId, status: &str) {
        let mut state = self.shared.lock();
        known(order_id, state.set_status_silently(order_id, status));
    }

    /// Tells the socket this status without giving it to the order.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn announce(&self, order_id: OrderId, status: &str) {
        known(order_id, self.shared.lock().announce(order_id, status));
    }

    /// The status that the order has on the servers.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn status(&self, order_id: OrderId) -> OrderStatus {
        let state = self.shared.lock();
        OrderStatus::parse(known(order_id, state.orders.get(&order_id)).status())
    }

    /// Get Order answers with this body for this order, whatever its status; `None` ends it.
    ///
    /// A test can use it for the shapes in which fields come: nulls, numbers as text, missing fields.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn set_order_body(&self, order_id: OrderId, body: impl Into<Option<Value>>) {
        let body = body.into();
        let mut state = self.shared.lock();
        known(order_id, state.orders.get_mut(&order_id)).body = body;
    }

    /// Sets the items that are for sale from now on. They are a list in the shape of Xsolla's catalogue, or a
    /// whole answer of `…/items/virtual_items`, such as one that was saved from the real project. Bundles, virtual
    /// currencies and packages of them may be among them: each is answered at the address of its kind, which is read
    /// from `type` and `bundle_type`. Orders that exist stay as they are.
    ///
    /// `limits.per_user` and `limits.per_item` are what is available at first; what was paid is taken off, and a
    /// refund gives nothing back.
    pub fn set_items(&self, items: Value) {
        self.shared.lock().catalog = Catalog::from_value(items);
    }
}
