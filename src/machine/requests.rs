//! Get Order: when an order is asked for, and what the answer means.

use super::*;

impl Machine {
    /// A request for an order has ended.
    pub(crate) fn answered(
        &mut self,
        order_id: OrderId,
        request: u64,
        answer: Result<OrderReport, RequestError>,
        now: Duration,
    ) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if let Err(error) = &answer
            && let Some(wait) = error.retry_after()
            && let Some(record) = self.users.get_mut(&order.user)
        {
            // The server means everybody, whatever has become of this order meanwhile.
            record.hold_until = record.hold_until.max(now.saturating_add(wait));
        }
        if order.request != Some(request) {
            return;
        }
        order.request = None;
        order.answered_at = Some(now);
        let user = order.user.clone();
        match answer {
            Ok(report) => self.take_report(order_id, report, now),
            Err(error) => self.take_failure(order_id, &user, error, now),
        }
        self.update_state(&user);
        self.forget_user_if_unused(&user);
    }

    /// Whether a request that has waited for its turn is still to be sent. While it waited the server may
    /// have asked for quiet, or refused the token: then it is asked for at its time.
    pub(crate) fn may_send(&mut self, order_id: OrderId, request: u64, now: Duration) -> bool {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return false;
        };
        if order.request != Some(request) {
            return false;
        }
        let may_send = self.users.get(&order.user).is_some_and(|record| {
            record.authorization == Authorization::Valid && record.hold_until <= now
        });
        if !may_send {
            order.request = None;
            order.is_wanted |= std::mem::take(&mut order.is_wanted_again);
            self.ask_at(order_id, now);
        }
        may_send
    }

    pub(super) fn take_report(&mut self, order_id: OrderId, report: OrderReport, now: Duration) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        order.is_wanted = std::mem::take(&mut order.is_wanted_again);
        let is_last_chance = order.is_overdue && !order.is_wanted;
        order.failures = 0;
        order.refusals = 0;
        if let Some(record) = self.users.get_mut(&order.user) {
            record.checking.remove(&order_id);
        }
        if order.phase == Phase::Open
            && let Some(items) = report.items
            && order.trusts(&items, report.status.as_ref())
        {
            let details = Details {
                items,
                price: report.price,
            };
            // Each poll says it again.
            if order.details.as_deref() != Some(&details) {
                order.details = Some(Box::new(details.clone()));
                self.outputs.push_back(Output::Notice(Notice::Details {
                    order_id,
                    items: details.items,
                    price: details.price,
                }));
            }
        }
        match report.status {
            Some(status) => self.hear(order_id, &status, NewsSource::Request, now),
            None => self.grant_if_ready(order_id),
        }
        if is_last_chance
            && let Some(order) = self.orders.get(&order_id)
            && order.phase == Phase::Open
            && order.is_overdue
        {
            return self.time_out(order_id, now);
        }
        self.schedule_next(order_id, now);
    }

    pub(super) fn take_failure(
        &mut self,
        order_id: OrderId,
        user: &UserId,
        error: RequestError,
        now: Duration,
    ) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        order.is_wanted |= std::mem::take(&mut order.is_wanted_again);
        if error.is_unauthorized() {
            let token = self.users.get(user).map(|record| record.token);
            if token != Some(order.asked_with) {
                // A newer token has come meanwhile.
                return self.want(order_id, now);
            }
            let error = AuthorizationError::from(error);
            if let Some(record) = self.users.get_mut(user) {
                record.authorization = Authorization::Refused(error.clone());
                for order_id in record.open.iter().chain(&record.checking) {
                    self.timers.clear(&Timer::Ask(*order_id));
                }
                // A socket that is live may go on, but none is opened.
                self.timers.clear(&Timer::Reopen(user.clone()));
            }
            self.report_token(user, error);
            return;
        }
        if error.is_refusal() {
            order.refusals += 1;
            if order.phase == Phase::Acknowledged {
                // There is nothing left to find out.
                order.is_wanted = false;
                if let Some(record) = self.users.get_mut(user) {
                    record.checking.remove(&order_id);
                }
                return;
            }
            // An order that the servers have told of exists, whatever this one says.
            if order.refusals >= config.refusals_max && order.status.is_none() {
                return self.fail(order_id, TrackingError::Refused(error), now);
            }
        }
        order.failures += 1;
        let mut delay = backoff(
            order.failures,
            config.retry_min,
            config.retry_max,
            &mut self.random,
        );
        if error.is_refusal() || order.phase == Phase::Acknowledged {
            // A fresh order needs time, not speed.
            delay = delay.max(config.poll_interval);
        }
        if let Some(wait) = error.retry_after() {
            delay = delay.max(wait);
        }
        self.ask_at(order_id, now + delay);
    }

    /// Sets the time of the next request for an order that is still followed, or none.
    pub(super) fn schedule_next(&mut self, order_id: OrderId, now: Duration) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if order.phase != Phase::Open || order.request.is_some() {
            return;
        }
        if order.is_wanted {
            return self.ask_at(order_id, now);
        }
        let lacks_items = !order.awaits_news();
        let Some(record) = self.users.get(&order.user) else {
            return;
        };
        if record.is_live() && !lacks_items {
            return self.timers.clear(&Timer::Ask(order_id));
        }
        let mut at = now + poll_delay(order, &config, now);
        if record.trouble.is_none() && !lacks_items {
            at = at.max(record.grace_until);
        }
        self.ask_at(order_id, at);
    }

    /// Falls back on polling, in the rhythm of the orders' last answers; after a socket that was live,
    /// the next one has as long to come back.
    pub(super) fn poll_instead(&mut self, user: &UserId, was_live: bool, now: Duration) {
        let (Some(config), Some(record)) = (self.config.clone(), self.users.get(user)) else {
            return;
        };
        for order_id in record.awaiting.clone() {
            let Some(order) = self.orders.get(&order_id) else {
                continue;
            };
            if order.request.is_some() {
                continue;
            }
            let since = order.answered_at.filter(|_| !was_live).unwrap_or(now);
            let at = since + poll_delay(order, &config, now);
            // What failed has a time of its own.
            let is_sooner = |set| order.failures == 0 && at < set;
            if self.timers.get(&Timer::Ask(order_id)).is_none_or(is_sooner) {
                self.ask_at(order_id, at);
            }
        }
    }

    /// Asks for an order whether or not there is a socket; once more, if a request is under way,
    /// because its answer may be older than the reason to ask.
    pub(super) fn want(&mut self, order_id: OrderId, now: Duration) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if order.request.is_some() {
            order.is_wanted_again = true;
        } else {
            order.is_wanted = true;
            self.ask_at(order_id, now);
        }
    }

    pub(super) fn ask_at(&mut self, order_id: OrderId, at: Duration) {
        let (Some(config), Some(order)) = (&self.config, self.orders.get(&order_id)) else {
            return;
        };
        let Some(record) = self.users.get(&order.user) else {
            return;
        };
        if record.authorization != Authorization::Valid || !order.may_be_asked_for() {
            return;
        }
        // However the news tumbles in, requests for one order keep a distance.
        let soonest = order
            .answered_at
            .map_or(Duration::ZERO, |answered| answered + config.retry_min);
        let at = at.max(soonest).max(record.hold_until);
        self.timers.set(Timer::Ask(order_id), at);
    }

    pub(super) fn ask(&mut self, order_id: OrderId, now: Duration) {
        let request = self.next_number();
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if !order.may_be_asked_for() || order.request.is_some() {
            return;
        }
        let Some(record) = self.users.get_mut(&order.user) else {
            return;
        };
        if record.hold_until > now {
            let at = record.hold_until;
            return self.ask_at(order_id, at);
        }
        order.request = Some(request);
        order.asked_with = record.token;
        let user = order.user.clone();
        // A socket that is on its way for the first time is not missed yet.
        let lacks_socket =
            !record.is_live() && (record.trouble.is_some() || now >= record.grace_until);
        if lacks_socket && order.awaits_news() {
            record.is_polling = true;
        }
        self.outputs.push_back(Output::GetOrder {
            user: user.clone(),
            order_id,
            request,
        });
        self.update_state(&user);
    }
}

/// Every few seconds at first; slower when there was no news for long.
fn poll_delay(order: &Order, config: &XsollaConfig, now: Duration) -> Duration {
    let quiet = now.saturating_sub(order.last_news);
    let beyond = quiet.saturating_sub(config.poll_slow_after);
    (config.poll_interval + beyond / 10).clamp(config.poll_interval, config.poll_interval_max)
}
