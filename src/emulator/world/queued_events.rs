//! What is put into the queues of players.

use serde_json::Value;

use super::accounts::AccountId;
use super::events::Event;
use super::state::State;
use super::webhook_bodies::{Kind, Subject};
use crate::model::order::OrderId;

impl State {
    /// Puts the events of a change of an order into the queue of its player.
    pub(crate) fn queue_events_of_order(&mut self, order_id: OrderId, kinds: &[Kind]) {
        if !self.settings.queues_events {
            return;
        }
        for kind in kinds {
            let Some(order) = self.orders.get(&order_id) else {
                return;
            };
            let account = order.account;
            let Some(player) = self.accounts.get(account) else {
                return;
            };
            let subject = Subject {
                order_id,
                order,
                player,
            };
            let data = subject.body(*kind, self.settings.webhook_shape);
            self.queue_event(account, Some(order_id), data);
        }
    }

    /// Puts an event into the queue of a player, and returns its id.
    pub(crate) fn queue_event(
        &mut self,
        account: AccountId,
        order_id: Option<OrderId>,
        data: Value,
    ) -> u64 {
        self.last_event_id += 1;
        let event = Event {
            id: self.last_event_id,
            order_id,
            data,
            is_processed: false,
        };
        let faults = self.faults().events;
        if let Some(account) = self.accounts.get_mut(account) {
            account.events.add(event, faults);
        }
        self.last_event_id
    }
}
