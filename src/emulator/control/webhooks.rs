//! Webhooks: a test says where they are sent and how, and sees what they were answered.

use std::time::Duration;

use serde_json::Value;

use super::emulator::XsollaEmulator;
use super::error::misused;
use super::users::find_account;
use crate::emulator::http::paths;
use crate::emulator::world::error::EmulatorError;
use crate::emulator::world::webhook_bodies::WebhookVersion;
use crate::emulator::world::webhook_records::{WebhookAttempt, WebhookCounts, WebhookId};
use crate::model::address::Address;
use crate::model::order::OrderId;
use crate::model::user::XsollaUser;

/// # Webhooks
///
/// The [module](crate::emulator#webhooks) tells what is sent when. Nothing here waits for an answer: a test asks for
/// [`webhook_attempts`](Self::webhook_attempts) until what it waits for is there.
impl XsollaEmulator {
    /// Sends webhooks to this `http://` address from now on, signed with this secret. They are those of what happens
    /// from now on. With another address, those that wait go there.
    ///
    /// # Panics
    ///
    /// [`try_webhooks_to`](Self::try_webhooks_to) fails.
    #[track_caller]
    pub fn webhooks_to(&self, address: &str, secret: &str) {
        unwrap(self.try_webhooks_to(address, secret));
    }

    /// Sends webhooks, as [`webhooks_to`](Self::webhooks_to) does.
    ///
    /// # Errors
    ///
    /// It is no address, or its scheme is not `http`.
    pub fn try_webhooks_to(&self, address: &str, secret: &str) -> Result<(), EmulatorError> {
        let wrong = |reason: String| EmulatorError::WebhookAddress(reason);
        let address = Address::parse(address).map_err(wrong)?;
        if address.scheme() != "http" {
            let scheme = address.scheme();
            return Err(wrong(format!("the emulator speaks no {scheme}, only http")));
        }
        self.shared.lock().webhooks.set_target(address, secret);
        Ok(())
    }

    /// Sends no webhooks any more, and forgets those that were to be sent.
    pub fn stop_webhooks(&self) {
        self.shared.lock().webhooks.stop();
    }

    /// Sets the version of the bodies, which is [`Two`](WebhookVersion::Two) at the start.
    pub fn set_webhook_version(&self, version: WebhookVersion) {
        self.shared.lock().settings.webhook_shape.version = version;
    }

    /// Whether payments and refunds have webhooks of their own, `payment` and `refund`, as in projects that were made
    /// before 2025-01-22. At the start they have none, and what they would say is in the `billing` of `order_paid` and
    /// `order_canceled`.
    pub fn separate_webhooks(&self, separate: bool) {
        self.shared.lock().settings.webhook_shape.is_separate = separate;
    }

    /// Whether an order is refunded whose `order_paid` or `payment` is refused, or was not answered with success by
    /// the last attempt. At the start it is not, and nothing more happens to such an order.
    pub fn refund_automatically(&self, refund: bool) {
        self.shared.lock().settings.refunds_automatically = refund;
    }

    /// Lets this time pass for the retries of webhooks, and for nothing else. A webhook that is never answered
    /// with success makes one attempt after the other until they have used the time up.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # let emulator = bevy_xsolla::emulator::XsollaEmulator::start();
    /// emulator.pass_webhook_time(Duration::from_secs(5 * 60));
    /// ```
    pub fn pass_webhook_time(&self, time: Duration) {
        self.shared.lock().webhooks.pass(time);
    }

    /// Sends a webhook about an order, whatever its status: `order_paid`, `order_canceled`, `payment`, `refund`, or
    /// `user_validation` of its player. It is sent once, before those that wait, and its answer changes nothing.
    /// [`webhook_answer`](Self::webhook_answer) has the answer.
    ///
    /// # Panics
    ///
    /// [`try_send_webhook`](Self::try_send_webhook) fails.
    #[track_caller]
    pub fn send_webhook(&self, order_id: OrderId, notification_type: &str) -> WebhookId {
        unwrap(self.try_send_webhook(order_id, notification_type))
    }

    /// Sends a webhook about an order, as [`send_webhook`](Self::send_webhook) does.
    ///
    /// # Errors
    ///
    /// There is no such order or no such notification, or it is not known where to send it.
    pub fn try_send_webhook(
        &self,
        order_id: OrderId,
        notification_type: &str,
    ) -> Result<WebhookId, EmulatorError> {
        let mut state = self.shared.lock();
        state.request_webhook(order_id, notification_type)
    }

    /// Sends `user_validation`, as the payment page does before a payment. It is sent once, before those that wait.
    /// [`webhook_answer`](Self::webhook_answer) has the answer.
    ///
    /// # Panics
    ///
    /// [`try_send_user_validation`](Self::try_send_user_validation) fails.
    #[track_caller]
    pub fn send_user_validation(&self, user: &XsollaUser) -> WebhookId {
        unwrap(self.try_send_user_validation(user))
    }

    /// Sends `user_validation`, as [`send_user_validation`](Self::send_user_validation) does.
    ///
    /// # Errors
    ///
    /// The user is not one of this emulator's, or it is not known where to send it.
    pub fn try_send_user_validation(&self, user: &XsollaUser) -> Result<WebhookId, EmulatorError> {
        let mut state = self.shared.lock();
        let account = find_account(&state, user)?;
        state.request_user_validation(account)
    }

    /// Sends any body at all, signed. It is sent once, before those that wait.
    /// [`webhook_answer`](Self::webhook_answer) has the answer.
    ///
    /// # Panics
    ///
    /// [`try_send_webhook_body`](Self::try_send_webhook_body) fails.
    #[track_caller]
    pub fn send_webhook_body(&self, body: Value) -> WebhookId {
        unwrap(self.try_send_webhook_body(body))
    }

    /// Sends any body, as [`send_webhook_body`](Self::send_webhook_body) does.
    ///
    /// # Errors
    ///
    /// It is not known where to send it.
    pub fn try_send_webhook_body(&self, body: Value) -> Result<WebhookId, EmulatorError> {
        self.shared.lock().request_webhook_body(&body)
    }

    /// The last attempt to send this webhook, duplicates aside; `None` before it has ended.
    pub fn webhook_answer(&self, webhook: WebhookId) -> Option<WebhookAttempt> {
        self.shared.lock().webhooks.last_attempt(webhook).cloned()
    }

    /// Every attempt to send a webhook that has ended, the oldest first.
    pub fn webhook_attempts(&self) -> Vec<WebhookAttempt> {
        self.shared.lock().webhooks.attempts().to_vec()
    }

    /// Every attempt to send a webhook about this order that has ended, the oldest first.
    pub fn webhook_attempts_for(&self, order_id: OrderId) -> Vec<WebhookAttempt> {
        let state = self.shared.lock();
        let attempts = state.webhooks.attempts().iter();
        let attempts = attempts.filter(|attempt| attempt.order_id == Some(order_id));
        attempts.cloned().collect()
    }

    /// How many webhooks were sent, accepted and refused, and how many are to be sent.
    pub fn webhook_counts(&self) -> WebhookCounts {
        self.shared.lock().webhooks.counts()
    }

    /// The address at which programs in other languages fire webhooks. The
    /// [module](crate::emulator#webhooks) tells how.
    pub fn webhook_control_url(&self) -> String {
        self.url("http", paths::WEBHOOKS)
    }
}

#[track_caller]
fn unwrap<T>(result: Result<T, EmulatorError>) -> T {
    match result {
        Ok(it) => it,
        Err(error) => misused(&error.to_string()),
    }
}
