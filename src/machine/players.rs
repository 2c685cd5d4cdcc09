//! Players: their tokens, their coming and going.

use super::*;

impl Machine {
    /// A player has logged in, or has a new token, which expires then.
    pub(crate) fn log_in(&mut self, user: &UserId, expires_in: Option<Duration>, now: Duration) {
        let record = self.users.entry(user.clone()).or_insert_with(User::new);
        record.token += 1;
        record.is_token_reported = false;
        record.token_expires = expires_in.map(|left| now.saturating_add(left));
        let is_stuck =
            record.authorization != Authorization::Valid || record.socket == Socket::Refused;
        if is_stuck {
            record.authorization = Authorization::Valid;
            if record.socket == Socket::Refused && record.refusals <= MAX_TOKEN_REPORTS {
                record.socket = Socket::Closed;
            }
            self.resume(user, now);
        }
        self.watch_token(user, now);
        self.update_state(user);
    }

    /// A player stays known while none of their orders is open: the logged-in one does, those of a
    /// server come and go with their orders.
    pub(crate) fn stay(&mut self, user: &UserId) {
        if let Some(record) = self.users.get_mut(user) {
            record.is_resident = true;
        }
    }

    /// A player has logged out: nothing of theirs goes on, and nothing of theirs is forgotten.
    pub(crate) fn log_out(&mut self, user: &UserId) {
        if let Some(record) = self.users.get_mut(user) {
            record.authorization = Authorization::Absent;
            record.is_resident = false;
            record.clear_strays();
            self.timers.clear(&Timer::Token(user.clone()));
            self.stop(user);
            self.update_state(user);
            self.forget_user_if_unused(user);
        }
    }

    pub(super) fn forget_user_if_unused(&mut self, user: &UserId) {
        let is_unused = self.users.get(user).is_some_and(|record| {
            !record.is_resident
                && record.ledger != LedgerState::Loading
                && record.open.is_empty()
                && record.recording.is_empty()
                && record.queued.is_empty()
                && record.checking.is_empty()
        });
        if is_unused && let Some(record) = self.users.remove(user) {
            self.timers.clear(&Timer::Token(user.clone()));
            self.timers.clear(&Timer::Read(user.clone()));
            self.standings.remove(&(record.severity, user.clone()));
            self.outputs
                .push_back(Output::Forget { user: user.clone() });
            self.tell_state();
        }
    }

    /// Stops what runs for a user.
    pub(super) fn stop(&mut self, user: &UserId) {
        self.close_socket(user);
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        record.socket = Socket::Closed;
        record.is_polling = false;
        for order_id in record.open.union(&record.checking).copied() {
            self.timers.clear(&Timer::Ask(order_id));
            if let Some(order) = self.orders.get_mut(&order_id) {
                order.request = None;
            }
        }
    }

    /// Starts everything that an authorized user's orders need.
    pub(super) fn resume(&mut self, user: &UserId, now: Duration) {
        let Some(record) = self.users.get(user) else {
            return;
        };
        for order_id in record.open.clone() {
            self.schedule_give_up(order_id, now);
            let Some(order) = self.orders.get_mut(&order_id) else {
                continue;
            };
            order.failures = 0;
            order.refusals = 0;
            self.want(order_id, now);
        }
        self.watch_token(user, now);
        self.load_ledger(user, now);
        self.check_acknowledged(user, now);
        self.open_socket_if_wanted(user, now);
        self.update_state(user);
    }

    /// Sees to it that the game hears of the token's end before it comes.
    pub(super) fn watch_token(&mut self, user: &UserId, now: Duration) {
        let timer = Timer::Token(user.clone());
        self.timers.clear(&timer);
        let (Some(config), Some(record)) = (&self.config, self.users.get(user)) else {
            return;
        };
        if let Some(expires) = record.token_expires
            && record.authorization != Authorization::Absent
        {
            let ahead = expires.saturating_sub(config.token_notice);
            self.timers.set(timer, ahead.max(now));
        }
    }

    pub(super) fn token_expires(&mut self, user: &UserId, now: Duration) {
        let expires = self.users.get(user).and_then(|record| record.token_expires);
        let error = match expires {
            Some(expires) if expires > now => AuthorizationError::ExpiresSoon(expires - now),
            _ => AuthorizationError::Expired,
        };
        self.report_token(user, error);
    }

    pub(super) fn report_token(&mut self, user: &UserId, error: AuthorizationError) {
        if let Some(record) = self.users.get_mut(user)
            && !std::mem::replace(&mut record.is_token_reported, true)
        {
            self.outputs
                .push_back(Output::Notice(Notice::AuthorizationRequired {
                    user: user.clone(),
                    error,
                }));
        }
    }
}
