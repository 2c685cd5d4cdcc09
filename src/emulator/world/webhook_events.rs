//! The webhooks that follow from what happens to orders, and what follows from their answers.

use std::task::Waker;
use std::time::Duration;

use super::state::State;
use super::webhook::{End, Origin, Webhook};
use super::webhook_bodies::{Kind, Subject};
use super::webhook_records::{WebhookFailure, WebhookId};
use super::webhooks::Next;
use crate::model::order::OrderId;
use crate::model::webhook::WebhookAnswer;

impl State {
    /// Sends the webhooks of an order that was or was not bought before a change, and is or is not after it, and puts the
    /// same into the queue of its player.
    pub(crate) fn tell_change(&mut self, order_id: OrderId, was_bought: bool, is_bought: bool) {
        let Some(order) = self.orders.get(&order_id) else {
            return;
        };
        // What costs no money has no payment.
        let has_payment_webhook =
            self.settings.webhook_shape.is_separate && order.real_price().is_some();
        let kinds: &[Kind] = match (was_bought, is_bought) {
            (false, true) if has_payment_webhook => &[Kind::Payment, Kind::OrderPaid],
            (false, true) => &[Kind::OrderPaid],
            (true, false) if order.status() != "canceled" => &[],
            (true, false) if has_payment_webhook => &[Kind::Refund, Kind::OrderCanceled],
            (true, false) => &[Kind::OrderCanceled],
            _ => &[],
        };
        self.queue_events_of_order(order_id, kinds);
        // `order_paid` follows when `payment` was answered.
        let kinds = match kinds {
            [Kind::Payment, ..] => &[Kind::Payment],
            kinds => kinds,
        };
        for &kind in kinds {
            self.send_webhook(Origin::Event, order_id, kind);
        }
    }

    /// Sends a webhook about an order. `None` where there is no such order, or webhooks are not sent.
    pub(crate) fn send_webhook(
        &mut self,
        origin: Origin,
        order_id: OrderId,
        kind: Kind,
    ) -> Option<WebhookId> {
        if !self.webhooks.is_on() {
            return None;
        }
        let order = self.orders.get(&order_id)?;
        let subject = Subject {
            order_id,
            order,
            player: self.accounts.get(order.account)?,
        };
        let body = subject.body(kind, self.settings.webhook_shape).to_string();
        let order_id = (kind != Kind::UserValidation).then_some(order_id);
        let faults = self.faults().webhooks;
        let webhooks = &mut self.webhooks;
        webhooks.add(origin, Some(kind), kind.name(), order_id, body, faults)
    }

    /// Decides which webhook is sent next, and leaves the waker for when that changes.
    pub(crate) fn next_webhook(&mut self, now: Duration, waker: &Waker) -> Next {
        self.webhooks.wake_when_they_change(waker);
        let faults = self.faults().webhooks;
        self.webhooks.next(now, faults)
    }

    /// Takes note of what a webhook was answered, and does what follows from it.
    pub(crate) fn webhook_answered(
        &mut self,
        webhook: Webhook,
        answer: Result<WebhookAnswer, WebhookFailure>,
    ) {
        let (kind, order_id) = (webhook.kind, webhook.order_id);
        let faults = self.faults().webhooks;
        let end = self.webhooks.answered(webhook, answer, faults);
        let (Some(end), Some(order_id)) = (end, order_id) else {
            return;
        };
        let order = self.orders.get(&order_id);
        if !order.is_some_and(|order| order.is_bought()) {
            return;
        }
        match (kind, end) {
            (Some(Kind::Payment), End::Accepted) => {
                self.send_webhook(Origin::Event, order_id, Kind::OrderPaid);
            }
            (Some(Kind::Payment | Kind::OrderPaid), End::Refused | End::GivenUp)
                if self.settings.refunds_automatically =>
            {
                self.set_status(order_id, "canceled");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::world::catalog::Offer;
    use crate::emulator::world::order::Line;
    use crate::model::address::Address;

    fn world() -> (State, OrderId) {
        let mut state = State::default();
        let address = Address::parse("http://server.test").unwrap();
        state.webhooks.set_target(address, "secret");
        let account = state.accounts.find_or_create("alice");
        let line = Line {
            sku: "sword".to_owned(),
            quantity: 1,
            offer: Offer::unlisted(),
        };
        let order_id = state.create_order(account, vec![line]);
        (state, order_id)
    }

    /// Answers each webhook that is sent with these statuses, one after the other, and then with 204, for this long.
    /// Returns their types.
    fn answer(state: &mut State, now: Duration, statuses: &[u16]) -> Vec<&'static str> {
        let mut statuses = statuses.iter();
        let mut types = Vec::new();
        while let Next::Send(sending) = state.next_webhook(now, Waker::noop()) {
            types.push(sending.webhook.kind.unwrap().name());
            let (status, body) = (*statuses.next().unwrap_or(&204), String::new());
            state.webhook_answered(sending.webhook, Ok(WebhookAnswer { status, body }));
        }
        types
    }

    const NOW: Duration = Duration::ZERO;
    const TWO_DAYS: Duration = Duration::from_secs(2 * 24 * 60 * 60);

    #[test]
    fn an_order_is_told_once_as_paid_and_once_as_refunded() {
        let (mut state, order_id) = world();
        for (status, types) in [
            ("paid", &["order_paid"][..]),
            ("done", &[]),
            ("on_hold", &[]),
            ("done", &[]),
            ("canceled", &["order_canceled"]),
            ("canceled", &[]),
            ("expired", &[]),
            ("done", &["order_paid"]),
        ] {
            state.set_status(order_id, status);
            assert_eq!(answer(&mut state, NOW, &[]), types, "{status}");
        }
    }

    #[test]
    fn an_order_that_nobody_has_paid_is_not_told() {
        for status in ["canceled", "expired", "on_hold", "new"] {
            let (mut state, order_id) = world();
            state.set_status(order_id, status);
            assert!(answer(&mut state, NOW, &[]).is_empty(), "{status}");
        }
    }

    #[test]
    fn with_separate_webhooks_the_order_follows_its_payment() {
        let (mut state, order_id) = world();
        state.settings.webhook_shape.is_separate = true;
        state.set_status(order_id, "paid");
        assert_eq!(answer(&mut state, NOW, &[500]), ["payment"]);
        let types = answer(&mut state, TWO_DAYS, &[]);
        assert_eq!(types, ["payment", "order_paid"]);
        state.set_status(order_id, "canceled");
        let types = answer(&mut state, NOW, &[]);
        assert_eq!(types, ["refund", "order_canceled"]);
    }

    #[test]
    fn an_order_whose_payment_is_refused_or_refunded_is_not_told_as_paid() {
        let (mut state, order_id) = world();
        state.settings.webhook_shape.is_separate = true;
        state.set_status(order_id, "paid");
        assert_eq!(answer(&mut state, TWO_DAYS, &[400]), ["payment"]);
        let (mut state, order_id) = world();
        state.settings.webhook_shape.is_separate = true;
        state.set_status(order_id, "paid");
        state.set_status(order_id, "canceled");
        let types = answer(&mut state, TWO_DAYS, &[]);
        assert_eq!(types, ["payment", "refund", "order_canceled"]);
    }

    #[test]
    fn a_refusal_refunds_only_where_that_is_automatic() {
        for (is_automatic, is_separate, status, types) in [
            (false, false, "paid", &["order_paid"][..]),
            (true, false, "canceled", &["order_paid", "order_canceled"]),
            (false, true, "paid", &["payment"]),
            (
                true,
                true,
                "canceled",
                &["payment", "refund", "order_canceled"],
            ),
        ] {
            let (mut state, order_id) = world();
            state.settings.refunds_automatically = is_automatic;
            state.settings.webhook_shape.is_separate = is_separate;
            state.set_status(order_id, "paid");
            assert_eq!(answer(&mut state, NOW, &[422]), types);
            assert_eq!(state.orders[&order_id].status(), status);
        }
    }

    #[test]
    fn the_end_of_the_retries_refunds_only_where_that_is_automatic() {
        for (is_automatic, status) in [(false, "done"), (true, "canceled")] {
            let (mut state, order_id) = world();
            state.settings.refunds_automatically = is_automatic;
            state.set_status(order_id, "done");
            assert_eq!(answer(&mut state, NOW, &[503]), ["order_paid"]);
            state.webhooks.pass(TWO_DAYS);
            let mut types = answer(&mut state, NOW, &[503; 19]);
            if is_automatic {
                assert_eq!(types.pop(), Some("order_canceled"));
            }
            assert_eq!(types, ["order_paid"; 19]);
            assert_eq!(state.orders[&order_id].status(), status);
        }
    }

    #[test]
    fn what_a_test_fires_has_no_consequences() {
        let (mut state, order_id) = world();
        state.set_status(order_id, "paid");
        assert_eq!(answer(&mut state, NOW, &[]), ["order_paid"]);
        state.settings.refunds_automatically = true;
        state.request_webhook(order_id, "order_paid").unwrap();
        assert_eq!(answer(&mut state, TWO_DAYS, &[400]), ["order_paid"]);
        state.request_webhook(order_id, "order_paid").unwrap();
        assert_eq!(answer(&mut state, TWO_DAYS, &[500]), ["order_paid"]);
        assert_eq!(state.webhooks.counts().pending, 0, "it is not sent again");
        assert_eq!(state.orders[&order_id].status(), "paid");
    }
}
