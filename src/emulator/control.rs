//! Orders and publications, moved by code instead of by players.

use serde_json::Value;
use thiserror::Error;

use super::XsollaEmulator;
use super::catalog::{Catalog, Offer};
use super::order::Line;
use super::state::State;
use crate::model::order::{OrderId, OrderStatus};
use crate::model::user::XsollaUser;

/// Why the emulator cannot do what it was asked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The user was not made by this emulator.
    #[error("the user is not one of this emulator's: make users with `XsollaEmulator::user`")]
    UnknownUser,
    /// An order is for one item at least, and each at least once.
    #[error("an order needs items, and of each at least one")]
    NoItems,
}

/// # Orders
///
/// What is told to the socket is on the player's channel before these return.
impl XsollaEmulator {
    /// Creates an order of this player: SKUs, and how many of each. It is
    /// [new](OrderStatus::New): [`pay`](Self::pay) it, [`deliver`](Self::deliver) it, or leave that to a
    /// browser at its [`payment_url`](Self::payment_url).
    ///
    /// The game can create orders too, at Xsolla's usual address. There, items have to be for sale;
    /// here, what is not costs 1 USD.
    ///
    /// # Panics
    ///
    /// Where [`try_create_order`](Self::try_create_order) fails.
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
        let account = account_of(&state, user)?;
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
        let id = state.create_order(account, lines);
        state.issue_payment_token(account, id);
        Ok(OrderId(id))
    }

    /// Gives the next order this id, and those after it the ids that follow: for tests that need an
    /// id they know.
    ///
    /// Otherwise the first id is made from the time of the start, so that it is another with every
    /// emulator, as it would be at Xsolla, where no id comes twice. Do not set the same one where a
    /// [ledger](crate::Ledger) is kept between runs: it would take the new order for one that was
    /// granted before.
    ///
    /// # Panics
    ///
    /// There is an order with this id or a higher one, or the id is higher than a signed 64-bit
    /// number can be.
    #[track_caller]
    pub fn set_next_order_id(&self, order_id: OrderId) {
        let mut state = self.shared.lock();
        let newest = state.orders.last_key_value().map(|(&id, _)| id);
        let is_next = newest.is_none_or(|newest| newest < order_id.0);
        let is_possible = is_next && i64::try_from(order_id.0).is_ok();
        if is_possible {
            state.next_order_id = order_id.0;
        }
        drop(state);
        if !is_possible {
            misused(&format!(
                "no order of the emulator can come next as {order_id}"
            ));
        }
    }

    /// Every order so far, the oldest first, whoever created it.
    pub fn orders(&self) -> Vec<OrderId> {
        let state = self.shared.lock();
        state.orders.keys().map(|&id| OrderId(id)).collect()
    }

    /// The player pays: the order is [paid](OrderStatus::Paid).
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn pay(&self, order_id: OrderId) {
        self.set_status(order_id, OrderStatus::Paid.as_str());
    }

    /// Xsolla delivers: the order is [done](OrderStatus::Done), paid before or not.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn deliver(&self, order_id: OrderId) {
        self.set_status(order_id, OrderStatus::Done.as_str());
    }

    /// The order is [canceled](OrderStatus::Canceled): a refund, where it was paid.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn cancel(&self, order_id: OrderId) {
        self.set_status(order_id, OrderStatus::Canceled.as_str());
    }

    /// The time to pay has passed: the order is [expired](OrderStatus::Expired).
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn expire(&self, order_id: OrderId) {
        self.set_status(order_id, OrderStatus::Expired.as_str());
    }

    /// The order has this status now, whatever it had before and whatever the word.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn set_status(&self, order_id: OrderId, status: &str) {
        let is_known = self.shared.lock().set_status(order_id.0, status);
        assert_known(is_known, order_id);
    }

    /// Get Order knows this status, and the socket is not told.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn set_status_silently(&self, order_id: OrderId, status: &str) {
        let mut state = self.shared.lock();
        let order = state.orders.get_mut(&order_id.0);
        let is_known = order.map(|order| order.set_status(status)).is_some();
        drop(state);
        assert_known(is_known, order_id);
    }

    /// The socket is told this status, and Get Order does not know it.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn announce(&self, order_id: OrderId, status: &str) {
        let is_known = self.shared.lock().announce(order_id.0, status);
        assert_known(is_known, order_id);
    }

    /// The order's status, as the servers have it.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn status(&self, order_id: OrderId) -> OrderStatus {
        let state = self.shared.lock();
        let order = state.orders.get(&order_id.0);
        let status = order.map(|order| OrderStatus::parse(order.status()));
        drop(state);
        assert_known(status.is_some(), order_id);
        status.unwrap_or_default()
    }

    /// Get Order answers with this body for this order, whatever its status; `None` ends it.
    ///
    /// For the shapes in which fields come: nulls, numbers as text, missing fields.
    ///
    /// # Panics
    ///
    /// There is no such order.
    #[track_caller]
    pub fn set_order_body(&self, order_id: OrderId, body: impl Into<Option<Value>>) {
        let mut state = self.shared.lock();
        let order = state.orders.get_mut(&order_id.0);
        let is_known = order.map(|order| order.body = body.into()).is_some();
        drop(state);
        assert_known(is_known, order_id);
    }

    /// What is for sale from now on: a list of items in the shape of Xsolla's catalogue, or a whole
    /// answer of `…/items/virtual_items`, such as one that was saved from the real project. Orders
    /// that exist stay as they are.
    pub fn set_items(&self, items: Value) {
        self.shared.lock().catalog = Catalog::from_value(items);
    }

    /// Publishes anything at all on a player's channel, where it gets an offset and a place in the
    /// history as any publication: news of a foreign order, another format, nonsense.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn publish(&self, user: &XsollaUser, data: Value) {
        self.publish_many(user, [data]);
    }

    /// Publishes several at once, which travel in one frame.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn publish_many(&self, user: &XsollaUser, data: impl IntoIterator<Item = Value>) {
        // Before the lock: the caller's iterator may ask the emulator something.
        let data: Vec<Value> = data.into_iter().collect();
        let mut state = self.shared.lock();
        let account = account_of(&state, user);
        if let Ok(account) = account {
            state.publish(account, data);
        }
        drop(state);
        assert_user(account.map(drop));
    }

    /// The name of a player's channel, to make up frames with.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn channel(&self, user: &XsollaUser) -> String {
        let state = self.shared.lock();
        let account = account_of(&state, user);
        let channel = account
            .as_ref()
            .ok()
            .and_then(|&account| state.accounts.get(account))
            .map(|account| account.channel.clone());
        drop(state);
        assert_user(account.map(drop));
        channel.unwrap_or_default()
    }

    /// Sends a text frame as it is to a player's connected sockets: no publication, no history, not
    /// even JSON if it is none.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn send_frame(&self, user: &XsollaUser, text: impl Into<String>) {
        let text = text.into();
        let state = self.shared.lock();
        let account = account_of(&state, user);
        if let Ok(account) = account {
            for socket in state.sockets.values() {
                let subscription = socket.subscription.as_ref();
                if subscription.is_some_and(|s| s.account == account) {
                    socket.send_frame(text.clone());
                }
            }
        }
        drop(state);
        assert_user(account.map(drop));
    }
}

/// By the token's subject, so that a token which expired or was revoked names its player too.
pub(super) fn account_of(state: &State, user: &XsollaUser) -> Result<usize, EmulatorError> {
    let subject = user.id().as_str().strip_prefix("s:");
    subject
        .and_then(|subject| state.account_of_subject(subject))
        .ok_or(EmulatorError::UnknownUser)
}

#[track_caller]
fn assert_known(is_known: bool, order_id: OrderId) {
    if !is_known {
        misused(&format!("the emulator has no order {order_id}"));
    }
}

#[track_caller]
pub(super) fn assert_user(user: Result<(), EmulatorError>) {
    if let Err(error) = user {
        misused(&error.to_string());
    }
}

#[track_caller]
#[expect(
    clippy::panic,
    reason = "a test that names orders or users which do not exist is wrong, and should say where"
)]
fn misused(message: &str) -> ! {
    panic!("{message}")
}
