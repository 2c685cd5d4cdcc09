//! The rules of the payment page: each action of a player, and the events that follow it by themselves.

use std::time::Duration;

use super::payment::{Action, Attempt};
use super::state::State;
use crate::model::order::OrderId;

/// An event that happens to an order by itself after a delay, unless the status changes before.
#[derive(Debug)]
pub(crate) struct Later {
    pub(crate) delay: Duration,
    order_id: OrderId,
    revision: usize,
    event: Event,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Payment,
    Delivery,
}

impl State {
    /// Carries out an action of the player. One that the order does not allow, such as the second half of a
    /// double click, changes nothing. Returns the event that follows it.
    pub(crate) fn act(&mut self, order_id: OrderId, action: Action) -> Option<Later> {
        let order = self.orders.get_mut(&order_id)?;
        if !order.actions().contains(&action) {
            return None;
        }
        match action {
            Action::Pay => self.receive_payment(order_id),
            Action::PaySlowly => {
                order.payment.attempt = Attempt::UnderWay;
                self.schedule(order_id, self.settings.slow_payment, Event::Payment)
            }
            Action::Decline => {
                order.payment.attempt = Attempt::Declined;
                None
            }
            Action::Cancel | Action::Refund => {
                self.set_status(order_id, "canceled");
                None
            }
        }
    }

    /// Carries out an event whose delay is over. Returns the event that follows it.
    pub(crate) fn resume(&mut self, later: &Later) -> Option<Later> {
        let order = self.orders.get(&later.order_id)?;
        if order.revision() != later.revision {
            return None;
        }
        match later.event {
            Event::Payment => self.receive_payment(later.order_id),
            Event::Delivery => {
                self.set_status(later.order_id, "done");
                None
            }
        }
    }

    fn receive_payment(&mut self, order_id: OrderId) -> Option<Later> {
        self.set_status(order_id, "paid");
        self.schedule(order_id, self.settings.delivery_delay, Event::Delivery)
    }

    fn schedule(&self, order_id: OrderId, delay: Duration, event: Event) -> Option<Later> {
        Some(Later {
            delay,
            order_id,
            revision: self.orders.get(&order_id)?.revision(),
            event,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::world::catalog::Offer;
    use crate::emulator::world::order::Line;

    fn order() -> (State, OrderId) {
        let mut state = State::default();
        let account = state.accounts.find_or_create("alice");
        let line = Line {
            sku: "sword".to_owned(),
            quantity: 1,
            offer: Offer::unlisted(),
        };
        let order_id = state.create_order(account, vec![line]);
        (state, order_id)
    }

    fn status(state: &State, order_id: OrderId) -> &str {
        state.orders.get(&order_id).unwrap().status()
    }

    #[test]
    fn a_slow_payment_is_paid_and_delivered_in_its_time() {
        let (mut state, order_id) = order();
        let payment = state.act(order_id, Action::PaySlowly).unwrap();
        assert_eq!(payment.delay, state.settings.slow_payment);
        assert_eq!(status(&state, order_id), "new");
        let delivery = state.resume(&payment).unwrap();
        assert_eq!(delivery.delay, state.settings.delivery_delay);
        assert_eq!(status(&state, order_id), "paid");
        assert!(state.resume(&delivery).is_none());
        assert_eq!(status(&state, order_id), "done");
    }

    #[test]
    fn an_event_does_not_happen_after_another_change() {
        let (mut state, order_id) = order();
        let payment = state.act(order_id, Action::PaySlowly).unwrap();
        let delivery = state.act(order_id, Action::Pay).unwrap();
        assert!(state.resume(&payment).is_none());
        assert_eq!(status(&state, order_id), "paid");
        state.act(order_id, Action::Refund);
        assert!(state.resume(&delivery).is_none());
        assert_eq!(status(&state, order_id), "canceled");
    }
}
