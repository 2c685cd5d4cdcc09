//! The queues of events: a test switches them on, and sees what is in them.

use serde_json::Value;

use super::emulator::XsollaEmulator;
use super::error::misused;
use super::users::find_account;
use crate::model::order::OrderId;
use crate::model::user::XsollaUser;

/// # Queues of events
///
/// Xsolla keeps one for each player, for projects that have no webhooks. What happens to an order is put into it in the
/// form of the [webhooks](crate::emulator#webhooks), until a game has processed it. The emulator may have both.
impl XsollaEmulator {
    /// Whether what happens from now on is put into the queues of players. At the start it is not, and the queues are
    /// empty.
    pub fn queue_events(&self, queue: bool) {
        self.shared.lock().settings.queues_events = queue;
    }

    /// The types of the events about this order that its player's queue still has, such as `order_paid`.
    pub fn queued_events_for(&self, order_id: OrderId) -> Vec<String> {
        let state = self.shared.lock();
        let account = state.orders.get(&order_id).map(|order| order.account);
        let account = account.and_then(|account| state.accounts.get(account));
        account.map_or_else(Vec::new, |account| account.events.types_of(order_id))
    }

    /// The number of events that the queue of a player still has.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn queued_events(&self, user: &XsollaUser) -> usize {
        let state = self.shared.lock();
        let account = find_account(&state, user);
        match account.map(|account| state.accounts.get(account)) {
            Ok(account) => account.map_or(0, |account| account.events.count()),
            Err(error) => {
                drop(state);
                misused(&error.to_string())
            }
        }
    }

    /// Puts any event at all into the queue of a player, and returns its id.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn queue_event(&self, user: &XsollaUser, data: Value) -> u64 {
        let mut state = self.shared.lock();
        match find_account(&state, user) {
            Ok(account) => state.queue_event(account, None, data),
            Err(error) => {
                // A test that goes on sees the reason, and not a poisoned lock.
                drop(state);
                misused(&error.to_string())
            }
        }
    }

    /// Lists each event twice while it is on.
    pub fn duplicate_events(&self, duplicate: bool) {
        self.set_faults(|faults| faults.events.duplicate = duplicate);
    }

    /// Puts each event into the queue after the next one while it is on.
    pub fn reorder_events(&self, reorder: bool) {
        self.set_faults(|faults| faults.events.reorder = reorder);
    }

    /// Lists events that were processed, too, while it is on.
    pub fn repeat_events(&self, repeat: bool) {
        self.set_faults(|faults| faults.events.repeat = repeat);
    }
}
