//! The state of the emulated servers, and the basic changes to it.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::accounts::{Account, AccountId, Accounts};
use super::catalog::Catalog;
use super::counters::Counters;
use super::faults::{Fault, Faults};
use super::ids;
use super::order::{Line, Order};
use super::settings::Settings;
use super::sockets::{Channel, Outgoing, SocketId, Sockets};
use super::tokens::Tokens;
use super::webhooks::Webhooks;
use crate::model::order::OrderId;

pub(crate) struct State {
    pub(crate) accounts: Accounts,
    pub(crate) tokens: Tokens,
    pub(crate) catalog: Catalog,
    pub(crate) orders: BTreeMap<OrderId, Order>,
    pub(crate) sockets: Sockets,
    pub(crate) settings: Settings,
    pub(crate) counters: Counters,
    pub(crate) webhooks: Webhooks,
    /// The begin of the time that webhooks are counted in.
    pub(crate) started_at: Instant,
    pub(super) last_event_id: u64,
    /// It is above the id of every order.
    next_order_id: OrderId,
    faults: Faults,
    /// Requests that wait for a fault to end.
    waiting: Vec<Waker>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            accounts: Accounts::default(),
            tokens: Tokens::default(),
            catalog: Catalog::included(),
            orders: BTreeMap::new(),
            sockets: Sockets::default(),
            settings: Settings::default(),
            counters: Counters::default(),
            webhooks: Webhooks::default(),
            started_at: Instant::now(),
            last_event_id: 0,
            next_order_id: ids::first_order_id(SystemTime::now()),
            faults: Faults::default(),
            waiting: Vec::new(),
        }
    }
}

/// Players and their channels.
impl State {
    /// Issues a token to the player with this name, who is new if nobody has it.
    pub(crate) fn log_in(&mut self, name: &str, lifetime: Duration) -> String {
        let id = self.accounts.find_or_create(name);
        let account = self.accounts.get(id);
        let subject = account.map_or("", |account| account.subject.as_str());
        self.tokens.issue_to_user(id, subject, lifetime)
    }

    pub(crate) fn set_history_limit(&mut self, publications: usize) {
        self.settings.history_limit = publications;
        for account in self.accounts.iter_mut() {
            account.stream.trim(publications);
        }
    }

    /// Publishes on the channel of an account, all of it at once.
    pub(crate) fn publish(&mut self, id: AccountId, data: impl IntoIterator<Item = Value>) {
        let Some(account) = self.accounts.get_mut(id) else {
            return;
        };
        let limit = self.settings.history_limit;
        let stream = &mut account.stream;
        let publications: Vec<_> = data
            .into_iter()
            .map(|data| stream.publish(data, limit))
            .collect();
        self.sockets
            .publish(id, &account.channel, stream.epoch(), &publications);
    }

    /// Subscribes a socket to the channel of an account, which it hears from now on. While channels are
    /// withheld it only notes that, and returns `None`.
    pub(crate) fn subscribe(&mut self, socket: SocketId, id: AccountId) -> Option<&Account> {
        let account = self.accounts.get(id)?;
        let socket = self.sockets.get_mut(socket)?;
        if self.faults.channel_withhold {
            socket.channel = Channel::Withheld(id);
            return None;
        }
        socket.channel = Channel::Subscribed {
            account: id,
            epoch: account.stream.epoch().to_owned(),
        };
        Some(account)
    }

    /// The account to whose channel a socket is subscribed.
    pub(crate) fn subscribed_account(&self, socket: SocketId) -> Option<&Account> {
        match self.sockets.get(socket)?.channel {
            Channel::Subscribed { account, .. } => self.accounts.get(account),
            Channel::None | Channel::Withheld(_) | Channel::Unsubscribed(_) => None,
        }
    }

    /// The account that a socket is connected for, subscribed or not.
    pub(crate) fn account_of(&self, socket: SocketId) -> Option<&Account> {
        match self.sockets.get(socket)?.channel {
            Channel::Subscribed { account, .. }
            | Channel::Withheld(account)
            | Channel::Unsubscribed(account) => self.accounts.get(account),
            Channel::None => None,
        }
    }

    /// Ends the subscription of a socket at its client's wish.
    pub(crate) fn unsubscribe(&mut self, socket: SocketId) {
        if let Some(socket) = self.sockets.get_mut(socket)
            && let Channel::Subscribed { account, .. } = socket.channel
        {
            socket.channel = Channel::Unsubscribed(account);
        }
    }
}

/// Orders.
impl State {
    pub(crate) fn create_order(&mut self, account: AccountId, lines: Vec<Line>) -> OrderId {
        let order_id = self.next_order_id;
        self.next_order_id = OrderId(order_id.0 + 1);
        self.orders.insert(order_id, Order::new(account, lines));
        self.announce(order_id, "new");
        order_id
    }

    /// Sets the id of the next order. Returns whether it can be the next: ids only grow, and are positive
    /// signed 64-bit numbers at Xsolla.
    pub(crate) fn set_next_order_id(&mut self, order_id: OrderId) -> bool {
        let newest = self.orders.last_key_value();
        let is_next = newest.is_none_or(|(&newest, _)| newest < order_id);
        let is_possible = is_next && i64::try_from(order_id.0).is_ok();
        if is_possible {
            self.next_order_id = order_id;
        }
        is_possible
    }

    /// Issues the token that opens an order's payment page.
    pub(crate) fn issue_payment_token(&mut self, order_id: OrderId) -> String {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return String::new();
        };
        let lifetime = self.settings.payment_token_lifetime;
        let token = self
            .tokens
            .issue_for_payment(order.account, order_id, lifetime);
        order.payment.token = Some(token.clone());
        token
    }

    /// Moves an order to another status, and tells the socket and the webhook. `None` where there is no such order.
    pub(crate) fn set_status(&mut self, order_id: OrderId, status: &str) -> Option<()> {
        let is_new_payment = self.change_status(order_id, status)?;
        self.announce(order_id, status);
        if is_new_payment {
            self.cancel_unfillable(order_id);
        }
        Some(())
    }

    /// Moves an order to another status without telling the socket. `None` where there is no such order.
    pub(crate) fn set_status_silently(&mut self, order_id: OrderId, status: &str) -> Option<()> {
        if self.change_status(order_id, status)? {
            self.cancel_unfillable(order_id);
        }
        Some(())
    }

    /// Returns whether the order was paid for by this.
    fn change_status(&mut self, order_id: OrderId, status: &str) -> Option<bool> {
        let order = self.orders.get_mut(&order_id)?;
        let was_bought = order.is_bought();
        order.set_status(status);
        let is_bought = order.is_bought();
        if was_bought != is_bought {
            self.move_goods(order_id, is_bought);
        }
        self.tell_change(order_id, was_bought, is_bought);
        Some(is_bought && !was_bought)
    }

    /// Tells the socket of a status, whether or not the order has it. `None` where there is no such order.
    pub(crate) fn announce(&mut self, order_id: OrderId, status: &str) -> Option<()> {
        let account = self.orders.get(&order_id)?.account;
        self.publish(account, [json!({"order_id": order_id, "status": status})]);
        Some(())
    }
}

/// Faults.
impl State {
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Changes the faults, and wakes the tasks that may have waited for one to end.
    pub(crate) fn set_faults(&mut self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.faults);
        if !self.faults.channel_withhold {
            self.subscribe_withheld();
        }
        if !self.faults.webhooks.reorder {
            self.webhooks.release_kept();
        }
        if !self.faults.events.reorder {
            for account in self.accounts.iter_mut() {
                account.events.release_kept();
            }
        }
        self.webhooks.wake();
        self.waiting.drain(..).for_each(Waker::wake);
        for socket in self.sockets.iter_mut() {
            socket.wake();
        }
    }

    pub(crate) fn take_request_fault(&mut self, changes: bool) -> Option<Fault> {
        self.faults.take_request_fault(changes)
    }

    pub(crate) fn wake_when_faults_change(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|known| known.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    /// The status of an order as Get Order answers it, which may lag behind.
    pub(crate) fn status_seen<'a>(&self, order: &'a Order) -> &'a str {
        order.status_at(self.faults.lag.seen_at())
    }

    fn subscribe_withheld(&mut self) {
        for socket in self.sockets.iter_mut() {
            let Channel::Withheld(id) = socket.channel else {
                continue;
            };
            let Some(account) = self.accounts.get(id) else {
                continue;
            };
            let position = account.stream.position();
            socket.channel = Channel::Subscribed {
                account: id,
                epoch: position.epoch.clone(),
            };
            socket.send(Outgoing::Subscription {
                channel: account.channel.clone(),
                position,
            });
        }
    }
}
