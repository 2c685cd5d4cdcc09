//! What became of webhooks, for tests to assert on.

use std::sync::Arc;

use thiserror::Error;

use crate::model::order::OrderId;
use crate::model::webhook::WebhookAnswer;

/// A webhook of an emulator. All attempts to send it have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookId(pub(crate) u64);

/// An attempt to send a webhook, after it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookAttempt {
    /// The webhook.
    pub id: WebhookId,
    /// The `notification_type` of the body; empty where a test has sent a body without one.
    pub notification_type: String,
    /// The order that it is about. `user_validation` and bodies that a test made up have none.
    pub order_id: Option<OrderId>,
    /// The number of the attempt: 1, and from 2 on for retries.
    pub attempt: usize,
    /// Whether it was a [duplicate](crate::emulator::XsollaEmulator::duplicate_webhooks).
    pub is_duplicate: bool,
    /// The body that was sent.
    pub body: Arc<str>,
    /// The answer, or the reason that there was none.
    pub answer: Result<WebhookAnswer, WebhookFailure>,
}

impl WebhookAttempt {
    /// The HTTP status of the answer; `None` where there was no answer.
    pub fn status(&self) -> Option<u16> {
        Some(self.answer.as_ref().ok()?.status)
    }
}

/// The reason that an attempt to send a webhook got no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookFailure {
    /// The server could not be connected to.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// There was no whole answer within three seconds.
    #[error("the server did not answer within 3 s")]
    TimedOut,
    /// The server ended the connection, or its answer was no HTTP.
    #[error("the server gave no whole answer: {0}")]
    Broken(String),
    /// The emulator [cut the connection](crate::emulator::XsollaEmulator::cut_webhooks).
    #[error("the emulator cut the connection")]
    Cut,
}

/// Counts of webhooks since the start of the emulator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookCounts {
    /// The attempts that have ended, those of duplicates among them.
    pub attempts: usize,
    /// The webhooks that were answered with success.
    pub accepted: usize,
    /// The webhooks whose answer was a refusal, after which they are not sent again.
    pub refused: usize,
    /// The webhooks that were given up after their last attempt.
    pub given_up: usize,
    /// The webhooks that are to be sent, for the first time or again, duplicates among them.
    pub pending: usize,
}
