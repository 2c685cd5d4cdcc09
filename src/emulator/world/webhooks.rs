//! The webhooks on their way: which is sent next, what its answer means, and when it is sent again.
//!
//! Times are counted from the start of the emulator, and come in from outside. To them is added what a test lets pass.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::faults::WebhookFaults;
use super::webhook::{End, Origin, Webhook};
use super::webhook_bodies::Kind;
use super::webhook_records::{WebhookAttempt, WebhookCounts, WebhookFailure, WebhookId};
use crate::model::address::Address;
use crate::model::order::OrderId;
use crate::model::webhook::{WebhookAnswer, signature};

#[derive(Clone)]
struct Target {
    address: Arc<Address>,
    secret: Arc<str>,
}

/// A webhook that is to be sent now.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) webhook: Webhook,
    pub(crate) address: Arc<Address>,
    /// The `Authorization` header.
    pub(crate) authorization: String,
    pub(crate) is_cut: bool,
    pub(crate) slowness: Duration,
}

#[derive(Debug)]
pub(crate) enum Next {
    Send(Sending),
    /// Nothing is to be sent until this time, unless something is changed.
    NotBefore(Duration),
    Nothing,
}

/// The answer to a webhook that somebody waits for.
pub(crate) enum Asked {
    Waiting,
    Answered(Result<WebhookAnswer, WebhookFailure>),
    /// It will never be sent.
    Dropped,
}

#[derive(Default)]
pub(crate) struct Webhooks {
    target: Option<Target>,
    last_id: u64,
    /// Those that somebody waits for.
    asked: VecDeque<Webhook>,
    queue: VecDeque<Webhook>,
    /// The one that waits for another to be sent before it.
    kept: Option<Webhook>,
    /// Those that are sent again, by the time at which that is due.
    retries: BTreeMap<(Duration, WebhookId), Webhook>,
    in_flight: Option<WebhookId>,
    /// The time that a test has let pass.
    passed: Duration,
    attempts: Vec<WebhookAttempt>,
    counts: WebhookCounts,
    /// Tasks that wait for one to send, or for an answer.
    waiting: Vec<Waker>,
}

impl Webhooks {
    pub(crate) fn set_target(&mut self, address: Address, secret: &str) {
        self.target = Some(Target {
            address: Arc::new(address),
            secret: secret.into(),
        });
        self.wake();
    }

    /// Sends no more, and forgets those that were to be sent.
    pub(crate) fn stop(&mut self) {
        self.target = None;
        self.asked.clear();
        self.queue.clear();
        self.kept = None;
        self.retries.clear();
        self.wake();
    }

    pub(crate) fn is_on(&self) -> bool {
        self.target.is_some()
    }

    /// Adds a webhook to those that are to be sent. `None` where none are sent.
    pub(crate) fn add(
        &mut self,
        origin: Origin,
        kind: Option<Kind>,
        notification_type: &str,
        order_id: Option<OrderId>,
        body: String,
        faults: WebhookFaults,
    ) -> Option<WebhookId> {
        self.target.as_ref()?;
        self.last_id += 1;
        let id = WebhookId(self.last_id);
        let webhook = Webhook {
            id,
            origin,
            notification_type: notification_type.to_owned(),
            kind,
            order_id,
            body: body.into(),
            attempts: 0,
            due: Duration::ZERO,
        };
        if origin == Origin::Request {
            self.asked.push_back(webhook);
        } else if !faults.reorder {
            self.queue.push_back(webhook);
        } else if let Some(earlier) = self.kept.take() {
            self.queue.extend([webhook, earlier]);
        } else {
            self.kept = Some(webhook);
        }
        self.wake();
        Some(id)
    }

    /// Gives up the wait for another webhook to be sent before the one that waits.
    pub(crate) fn release_kept(&mut self) {
        self.queue.extend(self.kept.take());
    }

    /// Lets time pass for retries.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.passed = self.passed.saturating_add(time);
        self.wake();
    }

    /// Decides what is sent next. What it gives out is to come back with [`answered`](Self::answered).
    pub(crate) fn next(&mut self, now: Duration, faults: WebhookFaults) -> Next {
        let Some(target) = self.target.clone() else {
            return Next::Nothing;
        };
        if self.in_flight.is_some() {
            return Next::Nothing;
        }
        let now = now.saturating_add(self.passed);
        let Some(mut webhook) = self.take(now, faults) else {
            return match self.retries.keys().next() {
                Some((due, _)) if !faults.hold => Next::NotBefore(due.saturating_sub(self.passed)),
                _ => Next::Nothing,
            };
        };
        if webhook.attempts == 0 {
            webhook.due = now;
        }
        if webhook.origin != Origin::Duplicate {
            webhook.attempts += 1;
        }
        self.in_flight = Some(webhook.id);
        let mut signed = signature(&*webhook.body, &target.secret);
        if faults.sign_wrongly {
            signed = signature(signed, &target.secret);
        }
        Next::Send(Sending {
            authorization: format!("Signature {signed}"),
            address: target.address,
            is_cut: faults.cut,
            slowness: faults.slowness,
            webhook,
        })
    }

    fn take(&mut self, now: Duration, faults: WebhookFaults) -> Option<Webhook> {
        if let Some(webhook) = self.asked.pop_front() {
            return Some(webhook);
        }
        if faults.hold {
            return None;
        }
        match self.retries.first_entry() {
            Some(retry) if retry.key().0 <= now => {
                let (due, _) = *retry.key();
                Some(Webhook {
                    due,
                    ..retry.remove()
                })
            }
            _ => self.queue.pop_front(),
        }
    }

    /// Takes note of what a webhook was answered. Returns its end, if it is one of an event and is not sent again.
    pub(crate) fn answered(
        &mut self,
        webhook: Webhook,
        answer: Result<WebhookAnswer, WebhookFailure>,
        faults: WebhookFaults,
    ) -> Option<End> {
        self.in_flight = None;
        let status = answer.as_ref().ok().map(|answer| answer.status);
        let is_duplicate = webhook.origin == Origin::Duplicate;
        self.counts.attempts += 1;
        self.attempts.push(WebhookAttempt {
            id: webhook.id,
            notification_type: webhook.notification_type.clone(),
            order_id: webhook.order_id,
            attempt: webhook.attempts,
            is_duplicate,
            body: webhook.body.clone(),
            answer,
        });
        self.wake();
        if is_duplicate {
            return None;
        }
        if faults.duplicate && self.is_on() && webhook.kind != Some(Kind::UserValidation) {
            self.queue.push_back(Webhook {
                origin: Origin::Duplicate,
                ..webhook.clone()
            });
        }
        let is_event = webhook.origin == Origin::Event;
        let end = match status.and_then(|status| webhook.end_by(status)) {
            Some(end) => end,
            None => match webhook.next_due() {
                Some(due) => {
                    if self.is_on() {
                        self.retries.insert((due, webhook.id), webhook);
                    }
                    return None;
                }
                None => End::GivenUp,
            },
        };
        *match end {
            End::Accepted => &mut self.counts.accepted,
            End::Refused => &mut self.counts.refused,
            End::GivenUp => &mut self.counts.given_up,
        } += 1;
        is_event.then_some(end)
    }

    /// What a webhook that was [asked for](Origin::Request) was answered.
    pub(crate) fn asked(&self, id: WebhookId) -> Asked {
        let is_open = self.in_flight == Some(id) || self.asked.iter().any(|open| open.id == id);
        match self.last_attempt(id) {
            Some(attempt) => Asked::Answered(attempt.answer.clone()),
            None if is_open => Asked::Waiting,
            None => Asked::Dropped,
        }
    }

    /// The last attempt to send a webhook, apart from duplicates.
    pub(crate) fn last_attempt(&self, id: WebhookId) -> Option<&WebhookAttempt> {
        let mut attempts = self.attempts.iter().rev();
        attempts.find(|attempt| attempt.id == id && !attempt.is_duplicate)
    }

    pub(crate) fn attempts(&self) -> &[WebhookAttempt] {
        &self.attempts
    }

    pub(crate) fn counts(&self) -> WebhookCounts {
        let pending = self.asked.len() + self.queue.len() + self.retries.len();
        let pending = pending + usize::from(self.kept.is_some());
        WebhookCounts {
            pending: pending + usize::from(self.in_flight.is_some()),
            ..self.counts
        }
    }

    pub(crate) fn wake_when_they_change(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|known| known.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    pub(crate) fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::world::webhook::MINUTE;

    const NO_FAULTS: WebhookFaults = WebhookFaults {
        hold: false,
        reorder: false,
        duplicate: false,
        sign_wrongly: false,
        cut: false,
        slowness: Duration::ZERO,
    };

    fn webhooks() -> Webhooks {
        let mut webhooks = Webhooks::default();
        webhooks.set_target(Address::parse("http://server.test").unwrap(), "secret");
        webhooks
    }

    fn add(webhooks: &mut Webhooks, kind: Kind, faults: WebhookFaults) -> WebhookId {
        let (name, body) = (kind.name(), format!("{} {}", kind.name(), webhooks.last_id));
        let added = webhooks.add(Origin::Event, Some(kind), name, None, body, faults);
        added.unwrap()
    }

    fn send(webhooks: &mut Webhooks, now: Duration, faults: WebhookFaults) -> Webhook {
        match webhooks.next(now, faults) {
            Next::Send(sending) => sending.webhook,
            other => panic!("{other:?}"),
        }
    }

    fn status(status: u16) -> Result<WebhookAnswer, WebhookFailure> {
        let body = String::new();
        Ok(WebhookAnswer { status, body })
    }

    /// Sends one webhook that is never answered with success. Returns the minutes at which it was sent, and its end.
    fn minutes_of(kind: Kind) -> (Vec<u64>, Option<End>) {
        let (mut webhooks, mut now, mut minutes) = (webhooks(), MINUTE, Vec::new());
        add(&mut webhooks, kind, NO_FAULTS);
        loop {
            match webhooks.next(now, NO_FAULTS) {
                Next::Send(sending) => {
                    minutes.push(now.as_secs() / 60 - 1);
                    let answer = Err(WebhookFailure::TimedOut);
                    if let Some(end) = webhooks.answered(sending.webhook, answer, NO_FAULTS) {
                        return (minutes, Some(end));
                    }
                }
                Next::NotBefore(due) => {
                    let early = due - Duration::from_nanos(1);
                    let next = webhooks.next(early, NO_FAULTS);
                    assert!(matches!(next, Next::NotBefore(same) if same == due));
                    now = due;
                }
                Next::Nothing => return (minutes, None),
            }
        }
    }

    #[test]
    fn an_order_is_told_again_by_xsollas_table() {
        let mut table = vec![0, 5, 10];
        table.extend((1..=7).map(|n| 10 + 15 * n));
        table.extend((1..=10).map(|n| 115 + 60 * n));
        assert_eq!(table.len(), 20);
        for kind in [Kind::OrderPaid, Kind::OrderCanceled] {
            assert_eq!(minutes_of(kind), (table.clone(), Some(End::GivenUp)));
        }
    }

    #[test]
    fn a_payment_is_told_again_within_48_hours_and_a_player_is_asked_for_once() {
        for kind in [Kind::Payment, Kind::Refund] {
            let (minutes, end) = minutes_of(kind);
            assert_eq!((minutes.len(), minutes[12]), (13, 48 * 60));
            assert_eq!(end, Some(End::GivenUp));
        }
        assert_eq!(minutes_of(Kind::UserValidation).0, [0]);
    }

    #[test]
    fn time_that_a_test_lets_pass_brings_every_retry_that_is_due() {
        let mut webhooks = webhooks();
        add(&mut webhooks, Kind::OrderPaid, NO_FAULTS);
        webhooks.pass(MINUTE * 3);
        let mut attempts = 0;
        let mut refuse_all = |webhooks: &mut Webhooks, now| {
            while let Next::Send(sending) = webhooks.next(now, NO_FAULTS) {
                attempts += 1;
                webhooks.answered(sending.webhook, status(503), NO_FAULTS);
            }
            attempts
        };
        assert_eq!(refuse_all(&mut webhooks, Duration::ZERO), 1);
        webhooks.pass(MINUTE * 4);
        assert_eq!(
            refuse_all(&mut webhooks, MINUTE - Duration::from_nanos(1)),
            1
        );
        // Four minutes of the test's, and one that has passed in fact.
        assert_eq!(refuse_all(&mut webhooks, MINUTE), 2);
        webhooks.pass(MINUTE * 20);
        assert_eq!(refuse_all(&mut webhooks, MINUTE), 4);
        webhooks.pass(Duration::MAX);
        assert_eq!(refuse_all(&mut webhooks, MINUTE), 20);
        assert_eq!(webhooks.counts().pending, 0);
    }

    #[test]
    fn each_status_has_its_documented_meaning() {
        for code in 100..600 {
            let mut webhooks = webhooks();
            add(&mut webhooks, Kind::OrderPaid, NO_FAULTS);
            let webhook = send(&mut webhooks, Duration::ZERO, NO_FAULTS);
            let end = webhooks.answered(webhook, status(code), NO_FAULTS);
            let expected = match code {
                200 | 201 | 204 => Some(End::Accepted),
                400..=404 | 409 | 415 | 422 => Some(End::Refused),
                _ => None,
            };
            assert_eq!(end, expected, "{code}");
            assert_eq!(webhooks.counts().pending, usize::from(end.is_none()));
        }
    }

    #[test]
    fn one_is_sent_after_the_other_and_a_retry_holds_up_none() {
        let mut webhooks = webhooks();
        let ids = [(); 2].map(|()| add(&mut webhooks, Kind::OrderPaid, NO_FAULTS));
        let first = send(&mut webhooks, Duration::ZERO, NO_FAULTS);
        let next = webhooks.next(MINUTE, NO_FAULTS);
        assert!(matches!(next, Next::Nothing), "{next:?}");
        webhooks.answered(first, status(500), NO_FAULTS);
        let second = send(&mut webhooks, MINUTE, NO_FAULTS);
        assert_eq!(second.id, ids[1]);
        webhooks.answered(second, status(204), NO_FAULTS);
        let again = send(&mut webhooks, MINUTE * 5, NO_FAULTS);
        assert_eq!((again.id, again.attempts), (ids[0], 2));
    }

    #[test]
    fn while_webhooks_wait_only_what_is_asked_for_is_sent() {
        let mut webhooks = webhooks();
        let hold = WebhookFaults {
            hold: true,
            ..NO_FAULTS
        };
        let paid = add(&mut webhooks, Kind::OrderPaid, hold);
        let body = String::new();
        let asked = webhooks.add(Origin::Request, None, "x", None, body, hold);
        assert_eq!(Some(send(&mut webhooks, MINUTE, hold).id), asked);
        webhooks.in_flight = None;
        assert!(matches!(webhooks.next(MINUTE, hold), Next::Nothing));
        assert_eq!(send(&mut webhooks, MINUTE, NO_FAULTS).id, paid);
    }

    #[test]
    fn a_webhook_overtakes_the_one_before_it() {
        let mut webhooks = webhooks();
        let reorder = WebhookFaults {
            reorder: true,
            ..NO_FAULTS
        };
        let [a, b, c] = [(); 3].map(|()| add(&mut webhooks, Kind::OrderPaid, reorder));
        assert_eq!(webhooks.counts().pending, 3);
        for id in [b, a] {
            let webhook = send(&mut webhooks, MINUTE, reorder);
            assert_eq!(webhook.id, id);
            webhooks.answered(webhook, status(204), reorder);
        }
        assert!(matches!(webhooks.next(MINUTE, reorder), Next::Nothing));
        webhooks.release_kept();
        assert_eq!(send(&mut webhooks, MINUTE, NO_FAULTS).id, c);
    }

    #[test]
    fn what_is_stopped_is_forgotten() {
        let mut webhooks = webhooks();
        add(&mut webhooks, Kind::OrderPaid, NO_FAULTS);
        let webhook = send(&mut webhooks, MINUTE, NO_FAULTS);
        add(&mut webhooks, Kind::OrderPaid, NO_FAULTS);
        webhooks.stop();
        webhooks.answered(webhook, status(500), NO_FAULTS);
        webhooks.set_target(Address::parse("http://other.test").unwrap(), "other");
        assert!(matches!(
            webhooks.next(MINUTE * 60, NO_FAULTS),
            Next::Nothing
        ));
        assert_eq!(webhooks.counts().pending, 0);
    }
}
