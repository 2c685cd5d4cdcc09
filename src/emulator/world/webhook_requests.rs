//! The webhooks that a test or the payment page asks for.

use std::task::Waker;

use serde_json::Value;

use super::accounts::AccountId;
use super::error::EmulatorError;
use super::payment::{Action, Attempt};
use super::state::State;
use super::webhook::{Origin, is_success};
use super::webhook_bodies::{Kind, user_validation};
use super::webhook_records::WebhookId;
use super::webhooks::Asked;
use crate::model::order::OrderId;

impl State {
    /// Sends a webhook about an order, whatever its status.
    pub(crate) fn request_webhook(
        &mut self,
        order_id: OrderId,
        notification_type: &str,
    ) -> Result<WebhookId, EmulatorError> {
        let Some(kind) = Kind::parse(notification_type) else {
            let notification_type = notification_type.to_owned();
            return Err(EmulatorError::UnknownNotification(notification_type));
        };
        if !self.orders.contains_key(&order_id) {
            return Err(EmulatorError::UnknownOrder(order_id));
        }
        let sent = self.send_webhook(Origin::Request, order_id, kind);
        sent.ok_or(EmulatorError::NoWebhooks)
    }

    /// Asks the webhook whether the game has a player.
    pub(crate) fn request_user_validation(
        &mut self,
        account: AccountId,
    ) -> Result<WebhookId, EmulatorError> {
        let player = self.accounts.get(account);
        let body = user_validation(player.ok_or(EmulatorError::UnknownUser)?);
        self.request_webhook_body(&body)
    }

    /// Sends a body as it is.
    pub(crate) fn request_webhook_body(
        &mut self,
        body: &Value,
    ) -> Result<WebhookId, EmulatorError> {
        let notification_type = body.get("notification_type").and_then(Value::as_str);
        let notification_type = notification_type.unwrap_or_default();
        let faults = self.faults().webhooks;
        let sent = self.webhooks.add(
            Origin::Request,
            Kind::parse(notification_type),
            notification_type,
            None,
            body.to_string(),
            faults,
        );
        sent.ok_or(EmulatorError::NoWebhooks)
    }

    /// Asks the webhook for its leave before a player begins to pay. `None` where it is not asked.
    pub(crate) fn validate(&mut self, order_id: OrderId, action: Action) -> Option<WebhookId> {
        let order = self.orders.get(&order_id)?;
        // A payment that is under way has been validated.
        let begins = matches!(action, Action::Pay | Action::PaySlowly)
            && order.actions().contains(&action)
            && order.payment.attempt != Attempt::UnderWay;
        let account = order.account;
        begins.then(|| self.request_user_validation(account).ok())?
    }

    /// Whether the webhook lets the player pay who has asked for this validation. `None` until that is known; the waker
    /// is for then.
    pub(crate) fn is_valid(&mut self, validation: WebhookId, waker: &Waker) -> Option<bool> {
        match self.webhooks.asked(validation) {
            Asked::Answered(answer) => Some(answer.is_ok_and(|answer| is_success(answer.status))),
            // Nobody wants to be asked any more.
            Asked::Dropped => Some(true),
            Asked::Waiting => {
                self.webhooks.wake_when_they_change(waker);
                None
            }
        }
    }
}
