//! The route by which programs in other languages send webhooks, and read what was answered.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, json, text};
use crate::emulator::world::error::EmulatorError;
use crate::emulator::world::shared::Shared;
use crate::emulator::world::state::State;
use crate::emulator::world::webhook_bodies::Kind;
use crate::emulator::world::webhook_records::{WebhookAttempt, WebhookId};
use crate::emulator::world::webhooks::Asked;
use crate::model::order::OrderId;

/// What is to be sent: a webhook about an order, about a player by their name, or any body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    notification_type: Option<String>,
    order_id: Option<u64>,
    user: Option<String>,
    body: Option<Value>,
}

/// Sends a webhook and tells its answer, or lists all attempts.
pub(crate) async fn answer(shared: &Shared, method: &Method, body: &[u8]) -> Answer {
    match *method {
        Method::GET => list(&shared.lock()),
        Method::POST => fire(shared, body).await,
        _ => text(StatusCode::METHOD_NOT_ALLOWED, "use GET or POST\n"),
    }
}

fn list(state: &State) -> Answer {
    let attempts = state.webhooks.attempts().iter().map(shown);
    let attempts: Vec<Value> = attempts.collect();
    line(StatusCode::OK, &json!({ "attempts": attempts }))
}

async fn fire(shared: &Shared, body: &[u8]) -> Answer {
    let wanted: Wanted = match serde_json::from_slice(body) {
        Ok(wanted) => wanted,
        Err(error) => return refusal(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
    };
    // The lock is not held while the answer is waited for.
    let sent = wanted.send(&mut shared.lock());
    let id = match sent {
        Ok(id) => id,
        Err(error) => return refusal(status_of(&error), &error.to_string()),
    };
    let attempt = shared.wait_for(|state, waker| match state.webhooks.asked(id) {
        Asked::Waiting => {
            state.webhooks.wake_when_they_change(waker);
            None
        }
        Asked::Answered(_) | Asked::Dropped => Some(state.webhooks.last_attempt(id).cloned()),
    });
    match attempt.await {
        Some(attempt) => line(StatusCode::OK, &shown(&attempt)),
        None => refusal(StatusCode::CONFLICT, &EmulatorError::NoWebhooks.to_string()),
    }
}

impl Wanted {
    fn send(&self, state: &mut State) -> Result<WebhookId, EmulatorError> {
        let kind = self.notification_type.as_deref();
        match (kind, self.order_id, &self.user, &self.body) {
            (Some(kind), Some(order_id), None, None) => {
                state.request_webhook(OrderId(order_id), kind)
            }
            (Some(kind), None, Some(name), None) if kind == Kind::UserValidation.name() => {
                let account = state.accounts.find_or_create(name);
                state.request_user_validation(account)
            }
            (None, None, None, Some(body)) => state.request_webhook_body(body),
            _ => Err(EmulatorError::UnknownNotification(
                kind.unwrap_or_default().to_owned(),
            )),
        }
    }
}

fn status_of(error: &EmulatorError) -> StatusCode {
    match error {
        EmulatorError::NoWebhooks => StatusCode::CONFLICT,
        EmulatorError::UnknownOrder(_) => StatusCode::NOT_FOUND,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn refusal(status: StatusCode, error: &str) -> Answer {
    line(status, &json!({ "error": error }))
}

/// JSON with a line break, for terminals.
fn line(status: StatusCode, body: &Value) -> Answer {
    json(status, format!("{body}\n"))
}

fn shown(attempt: &WebhookAttempt) -> Value {
    let (status, body, error) = match &attempt.answer {
        Ok(answer) => (Some(answer.status), Some(&answer.body), None),
        Err(failure) => (None, None, Some(failure.to_string())),
    };
    json!({
        "notification_type": attempt.notification_type,
        "order_id": attempt.order_id,
        "attempt": attempt.attempt,
        "is_duplicate": attempt.is_duplicate,
        "sent": *attempt.body,
        "status": status,
        "body": body,
        "error": error,
    })
}
