//! A webhook, what its answer means, and its retries.

use std::sync::Arc;
use std::time::Duration;

use super::webhook_bodies::Kind;
use super::webhook_records::WebhookId;
use crate::model::order::OrderId;

/// The statuses by which a server refuses a webhook, which is not sent again then.
const REFUSALS: [u16; 8] = [400, 401, 402, 403, 404, 409, 415, 422];

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// The retries of webhooks about orders: their number, and the time before each of them.
const ORDER_RETRIES: &[(usize, Duration)] = &[
    (2, MINUTE.saturating_mul(5)),
    (7, MINUTE.saturating_mul(15)),
    (10, MINUTE.saturating_mul(60)),
];

/// The retries of webhooks about payments. Xsolla says that there are 12 within 48 hours.
const PAYMENT_RETRIES: &[(usize, Duration)] = &[(12, MINUTE.saturating_mul(4 * 60))];

/// What brought a webhook about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Something that happened to an order. It is sent again if need be, and a refusal has consequences.
    Event,
    /// A test or the payment page asked for it, and waits for its answer. It is sent once, before the others.
    Request,
    /// A copy of one that was sent. It is sent once, and its answer has no consequences.
    Duplicate,
}

/// A webhook.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(super) id: WebhookId,
    pub(super) origin: Origin,
    pub(crate) notification_type: String,
    /// `None` for a type that the emulator makes none of.
    pub(crate) kind: Option<Kind>,
    pub(crate) order_id: Option<OrderId>,
    pub(crate) body: Arc<str>,
    pub(super) attempts: usize,
    /// When its last attempt was due.
    pub(super) due: Duration,
}

impl Webhook {
    fn retries(&self) -> &'static [(usize, Duration)] {
        match (self.origin, self.kind) {
            (Origin::Event, Some(Kind::OrderPaid | Kind::OrderCanceled)) => ORDER_RETRIES,
            (Origin::Event, Some(Kind::Payment | Kind::Refund)) => PAYMENT_RETRIES,
            _ => &[],
        }
    }

    /// When the next attempt is due; `None` after the last. The times between attempts do not depend on how long each
    /// takes.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let retries = self.retries().iter();
        let mut waits = retries.flat_map(|&(times, wait)| std::iter::repeat_n(wait, times));
        let wait = waits.nth(self.attempts.checked_sub(1)?)?;
        Some(self.due.saturating_add(wait))
    }

    /// What this status says of it. `None` where it is to be sent again, as far as it may be.
    pub(super) fn end_by(&self, status: u16) -> Option<End> {
        let is_accepted = match self.kind {
            Some(Kind::UserValidation) => is_success(status),
            _ => matches!(status, 200 | 201 | 204),
        };
        if is_accepted {
            Some(End::Accepted)
        } else {
            REFUSALS.contains(&status).then_some(End::Refused)
        }
    }
}

/// What has become of a webhook of an [event](Origin::Event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Accepted,
    Refused,
    GivenUp,
}

/// Whether a status lets a player pay.
pub(crate) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}
