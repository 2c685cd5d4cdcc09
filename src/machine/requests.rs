//! Decides when an order is asked for, and handles the answers of the store.

use std::sync::Arc;
use std::time::Duration;

use crate::machine::backoff::backoff;
use crate::machine::input::{Answer, RequestId};
use crate::machine::order::{Inquiry, Order, Phase};
use crate::machine::output::{Call, Notice, Output};
use crate::machine::player::{Authorization, Socket};
use crate::machine::queue::Purpose;
use crate::machine::{Machine, Timer};
use crate::model::config::XsollaConfig;
use crate::model::error::{AuthorizationError, RequestError, TrackingError};
use crate::model::message::NewsSource;
use crate::model::order::{OrderId, OrderStatus, Report};
use crate::model::user::{UserId, XsollaUser};

/// The time beyond its own timeout after which a request is given up. A request may have to load the system's
/// certificates first, and its task may have ended without an answer.
const ANSWER_GRACE: Duration = Duration::from_secs(60);
/// The time for which the store's refusals do not count, because a new order may not be visible yet.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(60);
/// The interval between those requests of one player that no news has caused: at most two a second, whatever
/// the servers do.
const PACE: Duration = Duration::from_millis(500);
/// The time that the catalogue may take, which needs many requests.
const CATALOG_PATIENCE: Duration = Duration::from_secs(600);

impl Machine {
    pub(super) fn send(
        &mut self,
        user: Option<XsollaUser>,
        call: Call,
        purpose: Purpose,
        config: &Arc<XsollaConfig>,
        now: Duration,
    ) -> RequestId {
        let request = RequestId(self.next_number());
        self.queue.begin(request, purpose);
        let patience = match purpose {
            Purpose::Catalog => CATALOG_PATIENCE,
            Purpose::Order(_) | Purpose::Purchase => config.request_timeout + ANSWER_GRACE,
        };
        self.timers.set(Timer::Answer(request), now + patience);
        self.outputs.push_back(Output::Request {
            request,
            user,
            call,
            config: config.clone(),
        });
        request
    }

    /// Handles the end of a request.
    pub(super) fn answered(&mut self, request: RequestId, answer: Answer, now: Duration) {
        self.timers.clear(&Timer::Answer(request));
        let Some(purpose) = self.queue.end(request) else {
            return;
        };
        match (purpose, answer) {
            (Purpose::Order(order_id), Answer::Order(answer)) => {
                self.take_answer(order_id, request, answer, now);
            }
            (_, Answer::Created(answer)) => self.take_created(request, answer, now),
            (_, Answer::Catalog(answer)) => self.take_catalog(answer),
            (_, Answer::Order(_)) => {}
        }
    }

    /// Ends a request that was not answered in time.
    pub(super) fn answer_is_missing(&mut self, request: RequestId, now: Duration) {
        let error = RequestError::TimedOut;
        let answer = match self.queue.purpose(request) {
            Some(Purpose::Order(_)) => Answer::Order(Err(error)),
            Some(Purpose::Purchase) => Answer::Created(Err(error)),
            Some(Purpose::Catalog) => Answer::Catalog(Err(error)),
            None => return,
        };
        self.outputs.push_back(Output::CancelRequest(request));
        self.answered(request, answer, now);
    }

    /// Ends a request without waiting for its answer.
    pub(super) fn cancel(&mut self, request: RequestId) {
        self.timers.clear(&Timer::Answer(request));
        if self.queue.end(request).is_some() {
            self.outputs.push_back(Output::CancelRequest(request));
        }
    }

    fn take_answer(
        &mut self,
        order_id: OrderId,
        request: RequestId,
        answer: Result<Report, RequestError>,
        now: Duration,
    ) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if let Err(error) = &answer
            && let Some(wait) = error.pause()
            && let Some(player) = self.players.get_mut(&order.user)
        {
            // The pause applies to all requests of the player, so it counts even if this order has changed in
            // the meantime.
            player.paused_until = player.paused_until.max(now.saturating_add(wait));
        }
        let Inquiry::UnderWay {
            request: of, token, ..
        } = order.inquiry
        else {
            return;
        };
        if of != request {
            return;
        }
        order.attempts.answered_at = Some(now);
        let user = order.user.clone();
        match answer {
            Ok(report) => self.take_report(order_id, report, now),
            Err(error) => self.take_failure(order_id, token, error, now),
        }
        self.update_state(&user);
        self.forget_player_if_unused(&user);
    }

    fn take_report(&mut self, order_id: OrderId, report: Report, now: Duration) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        order.inquiry.settle();
        let is_last_chance = order.patience.is_overdue && !order.inquiry.is_wanted();
        order.attempts.failures = 0;
        order.attempts.refusals = 0;
        let (status, items) = (report.status.as_ref(), report.items);
        // An acknowledged order needs its items too, because a refund is told with them after a restart.
        let is_of_use = order.phase.is_open() || order.phase.is_acknowledged();
        if is_of_use
            && let Some(items) = items
            && order.accept_items(items, report.price, status, now)
            && let Some(details) = order.details.as_deref().cloned()
        {
            let user = order.user.clone();
            self.tell(Notice::Details {
                order_id,
                user,
                items: details.items,
                price: details.price,
            });
        }
        if status == Some(&OrderStatus::New)
            && let Some(order) = self.orders.get_mut(&order_id)
        {
            // An unpaid order cannot have been granted.
            order.is_vouched = true;
        }
        self.clear_request_trouble(order_id);
        self.revive_if_paid(order_id, status, now);
        self.enlist(order_id);
        match &report.status {
            Some(status) => self.apply_status(order_id, status, NewsSource::Request, now),
            None => self.grant_if_ready(order_id, now),
        }
        if is_last_chance
            && let Some(order) = self.orders.get(&order_id)
            && order.phase.is_open()
            && order.patience.is_overdue
            // A publication may have told of the payment meanwhile.
            && !order.is_paid()
        {
            return self.time_out(order_id, now);
        }
        self.schedule_next(order_id, now);
    }

    fn take_failure(&mut self, order_id: OrderId, token: u32, error: RequestError, now: Duration) {
        let (Some(config), Some(order)) = (self.config.clone(), self.orders.get_mut(&order_id))
        else {
            return;
        };
        log::debug!("the request for order {order_id} failed: {error}");
        order.inquiry.stop();
        let user = order.user.clone();
        if error.is_unauthorized() {
            return self.take_refused_token(order_id, &user, token, error, now);
        }
        if error.is_refusal() {
            order.attempts.refusals = order.attempts.refusals.saturating_add(1);
            if order.phase.is_acknowledged() {
                // The store does not know the order, so the check for a refund ends.
                order.inquiry = Inquiry::Quiet { is_wanted: false };
                return self.enlist(order_id);
            }
            if matches!(order.phase, Phase::Failed { .. }) {
                // The order is asked for again when the player's socket opens the next time.
                order.inquiry = Inquiry::Quiet { is_wanted: false };
                return;
            }
            // An order whose status a server has reported exists, so refusals do not end it.
            let has_waited = now.saturating_sub(order.patience.begun) >= REFUSAL_PATIENCE;
            if u32::from(order.attempts.refusals) >= config.refusals_max
                && has_waited
                && order.status().is_none()
            {
                return self.fail(order_id, TrackingError::Refused(error), now);
            }
        }
        order.attempts.failures = order.attempts.failures.saturating_add(1);
        let mut delay = backoff(
            order.attempts.failures.into(),
            config.retry_min,
            config.retry_max,
            &mut self.random,
        );
        if error.is_refusal() || error.is_foreign() || !order.phase.is_open() {
            // Fast retries do not help a new order that is not visible yet, nor a proxy that answers in the
            // store's place.
            delay = delay.max(config.poll_interval);
        }
        if let Some(wait) = error.pause() {
            delay = delay.max(wait);
        }
        self.note_request_trouble(&user, error);
        self.schedule_request(order_id, now + delay);
    }

    /// Keeps the error of a player's requests for the tracker state, and logs the first one.
    fn note_request_trouble(&mut self, user: &UserId, error: RequestError) {
        if let Some(player) = self.players.get_mut(user)
            && player.request_trouble.as_ref() != Some(&error)
        {
            if player.request_trouble.is_none() {
                log::warn!("requests for orders fail: {error}");
            }
            player.request_trouble = Some(error);
        }
    }

    fn clear_request_trouble(&mut self, order_id: OrderId) {
        if let Some(order) = self.orders.get(&order_id)
            && let Some(player) = self.players.get_mut(&order.user)
        {
            player.request_trouble = None;
        }
    }

    /// Follows an order again that was given up and was paid after all.
    fn revive_if_paid(&mut self, order_id: OrderId, status: Option<&OrderStatus>, now: Duration) {
        let (Some(order), Some(status)) = (self.orders.get(&order_id), status) else {
            return;
        };
        if order.is_given_up() && *status != OrderStatus::New && order.status() != Some(status) {
            let user = order.user.clone();
            self.track(&user, order_id, now);
        }
    }

    fn take_refused_token(
        &mut self,
        order_id: OrderId,
        user: &UserId,
        token: u32,
        error: RequestError,
        now: Duration,
    ) {
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        if player.token != token {
            // The player has a newer token by now.
            return self.request_soon(order_id, now);
        }
        if player.socket == Socket::Waiting {
            // The next token opens it.
            player.socket = Socket::Closed;
        }
        let error = AuthorizationError::from(error);
        if let Authorization::Valid(credentials) = &player.authorization {
            player.authorization = Authorization::Refused(credentials.clone(), error.clone());
        }
        for order_id in player.open.iter().chain(&player.checking) {
            self.timers.clear(&Timer::Request(*order_id));
        }
        // A live socket may go on, but no new one is opened.
        self.timers.clear(&Timer::Reopen(user.clone()));
        self.report_token(user, error);
    }

    /// Schedules the next request for an order that is still followed, if it needs one.
    fn schedule_next(&mut self, order_id: OrderId, now: Duration) {
        let (Some(config), Some(order)) = (self.config.clone(), self.orders.get(&order_id)) else {
            return;
        };
        if !order.phase.is_open() || order.inquiry.is_under_way() {
            return;
        }
        if order.inquiry.is_wanted() {
            return self.schedule_request(order_id, now);
        }
        let needs_answer = order.needs_answer(config.grant_at);
        let Some(player) = self.players.get(&order.user) else {
            return;
        };
        if player.is_live() && !needs_answer {
            if config.source.is_event_queue() {
                // Another device of the player may have processed the event.
                return self.schedule_request(order_id, now + config.poll_interval_max);
            }
            return self.timers.clear(&Timer::Request(order_id));
        }
        let mut at = now + poll_delay(order, &config, now);
        if player.trouble.is_none() && !needs_answer {
            at = at.max(player.grace_until);
        }
        self.schedule_request(order_id, at);
    }

    /// Falls back on polling. The first poll comes one interval after the order's last answer. If the socket
    /// was live, it comes one interval from now, so that the next socket has as long to come back.
    pub(super) fn poll_instead(&mut self, user: &UserId, was_live: bool, now: Duration) {
        let (Some(config), Some(player)) = (self.config.clone(), self.players.get(user)) else {
            return;
        };
        for order_id in player.awaiting.clone() {
            let Some(order) = self.orders.get(&order_id) else {
                continue;
            };
            if order.inquiry.is_under_way() {
                continue;
            }
            let since = order
                .attempts
                .answered_at
                .filter(|_| !was_live)
                .unwrap_or(now);
            let at = since + poll_delay(order, &config, now);
            // A failed request already has the time of its retry.
            let is_sooner = |set| order.attempts.failures == 0 && at < set;
            if self
                .timers
                .get(&Timer::Request(order_id))
                .is_none_or(is_sooner)
            {
                self.schedule_request(order_id, at);
            }
        }
    }

    /// Asks for an order even while a socket is live. If a request is under way, another one follows it,
    /// because its answer may be older than the reason to ask.
    pub(super) fn request_soon(&mut self, order_id: OrderId, now: Duration) {
        if let Some(order) = self.orders.get_mut(&order_id)
            && order.inquiry.want()
        {
            self.schedule_request(order_id, now);
        }
    }

    pub(super) fn schedule_request(&mut self, order_id: OrderId, at: Duration) {
        let (Some(config), Some(order)) = (&self.config, self.orders.get(&order_id)) else {
            return;
        };
        let Some(player) = self.players.get(&order.user) else {
            return;
        };
        if player.authorized().is_none() || !order.may_be_asked_for() {
            return;
        }
        // Requests for one order keep a minimum distance, no matter how much news comes.
        let soonest = order
            .attempts
            .answered_at
            .map_or(Duration::ZERO, |answered| answered + config.retry_min);
        let at = at.max(soonest).max(player.paused_until);
        self.timers.set(Timer::Request(order_id), at);
    }

    /// Queues the request for an order that is due.
    pub(super) fn queue_request(&mut self, order_id: OrderId, now: Duration) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        let (is_free, user) = (order.attempts.is_free, order.user.clone());
        let is_wanted = match order.inquiry {
            Inquiry::Quiet { is_wanted } => is_wanted,
            // News of it came meanwhile.
            Inquiry::Paced { is_wanted } if is_free => is_wanted,
            Inquiry::Paced { .. } | Inquiry::Queued { .. } | Inquiry::UnderWay { .. } => return,
        };
        if !is_free
            && let Some(player) = self.players.get_mut(&user)
            && (player.next_request > now || !player.paced.is_empty())
        {
            order.inquiry = Inquiry::Paced { is_wanted };
            player.paced.push_back(order_id);
            let at = player.next_request.max(now);
            return self.timers.set(Timer::Pace(user), at);
        }
        order.inquiry = Inquiry::Queued { is_wanted };
        self.queue.push(order_id);
        self.send_waiting(now);
    }

    /// Queues the next of a player's paced requests.
    pub(super) fn queue_paced_request(&mut self, user: &UserId, now: Duration) {
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        // An order that does not wait for its turn any more is passed over.
        while let Some(order_id) = player.paced.pop_front() {
            if let Some(order) = self.orders.get_mut(&order_id)
                && let Inquiry::Paced { is_wanted } = order.inquiry
            {
                order.inquiry = Inquiry::Queued { is_wanted };
                self.queue.push(order_id);
                break;
            }
        }
        if !player.paced.is_empty() {
            self.timers.set(Timer::Pace(user.clone()), now + PACE);
        }
        self.send_waiting(now);
    }

    /// Sends waiting requests as long as places are free.
    pub(super) fn send_waiting(&mut self, now: Duration) {
        while let Some(order_id) = self.queue.pop() {
            self.send_request(order_id, now);
        }
    }

    /// Asks for an order. If the server has asked for a pause or refused the token while the order waited,
    /// the request is put off.
    fn send_request(&mut self, order_id: OrderId, now: Duration) {
        let (Some(config), Some(order)) = (self.config.clone(), self.orders.get_mut(&order_id))
        else {
            return;
        };
        let Inquiry::Queued { is_wanted } = order.inquiry else {
            return;
        };
        let may_be_asked_for = order.may_be_asked_for();
        order.inquiry = Inquiry::Quiet { is_wanted };
        let Some(player) = self.players.get_mut(&order.user) else {
            return;
        };
        if !may_be_asked_for {
            return;
        }
        let Some(credentials) = player
            .authorized()
            .cloned()
            .filter(|_| player.paused_until <= now)
        else {
            return self.schedule_request(order_id, now);
        };
        // A socket that is being opened for the first time does not count as missing yet.
        let lacks_socket =
            !player.is_live() && (player.trouble.is_some() || now >= player.grace_until);
        if lacks_socket && order.awaits_news() {
            player.is_polling = true;
        }
        if !std::mem::take(&mut order.attempts.is_free) {
            player.next_request = now + PACE;
        }
        let (user, token) = (order.user.clone(), player.token);
        let call = Call::GetOrder(order_id);
        let purpose = Purpose::Order(order_id);
        let request = self.send(Some(credentials), call, purpose, &config, now);
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.inquiry = Inquiry::UnderWay {
                request,
                token,
                is_wanted,
                again: false,
            };
        }
        self.update_state(&user);
    }
}

/// The time until the next poll: a few seconds at first, and more when there has been no news for long.
fn poll_delay(order: &Order, config: &XsollaConfig, now: Duration) -> Duration {
    let quiet = now.saturating_sub(order.patience.last_news);
    let beyond = quiet.saturating_sub(config.poll_slow_after);
    (config.poll_interval + beyond / 10).clamp(config.poll_interval, config.poll_interval_max)
}
