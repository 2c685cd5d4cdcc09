//! Sockets: when they are opened, closed and opened again, and what they say.

use super::*;

impl Machine {
    /// The socket brought a publication. Any connection's is welcome.
    pub(crate) fn publication(&mut self, user: &UserId, news: OrderNews, now: Duration) {
        let is_logged_in = self
            .users
            .get(user)
            .is_some_and(|record| record.authorization != Authorization::Absent);
        if !is_logged_in {
            // Left over from before the log-out. At the next log-in it is asked for.
            return;
        }
        match self.orders.get(&news.order_id) {
            // What the game hears of an order, a restart must know of too.
            Some(order) if order.user == *user && order.phase == Phase::Recording => {
                if let Some(record) = self.users.get_mut(user) {
                    record.keep_stray(news.order_id, news.status);
                }
            }
            // Given up too early: it is there. What is known of it already, which a history repeats, is no
            // news.
            Some(order)
                if order.user == *user
                    && order.phase == Phase::Failed
                    && order.status.as_ref() != Some(&news.status) =>
            {
                if let Some(record) = self.users.get_mut(user) {
                    record.keep_stray(news.order_id, news.status);
                }
                self.track(user, news.order_id, now);
            }
            Some(order) if order.user == *user => {
                self.hear(news.order_id, &news.status, NewsSource::Socket, now);
                self.update_state(user);
                self.forget_user_if_unused(user);
            }
            // Another player's socket has no say in it.
            Some(_) => {}
            None => {
                if let Some(record) = self.users.get_mut(user) {
                    record.keep_stray(news.order_id, news.status);
                }
            }
        }
    }

    /// The socket is subscribed and has told its past; with `gapless`, all that was missed.
    pub(crate) fn socket_caught_up(
        &mut self,
        user: &UserId,
        connection: u64,
        gapless: bool,
        now: Duration,
    ) {
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.connection() != Some(connection) {
            return;
        }
        if !record.is_live() {
            record.socket = Socket::Live {
                connection,
                since: now,
            };
        }
        record.trouble = None;
        record.refusals = 0;
        // After polling, one last look: the socket tells what comes, not what was.
        let asks_again = !gapless || std::mem::take(&mut record.is_polling);
        for order_id in record.awaiting.clone() {
            if asks_again {
                self.want(order_id, now);
            } else if self
                .orders
                .get(&order_id)
                .is_some_and(|order| !order.is_wanted)
            {
                self.timers.clear(&Timer::Ask(order_id));
            }
        }
        self.update_state(user);
    }

    /// A socket could not be opened, or ended.
    pub(crate) fn socket_ended(
        &mut self,
        user: &UserId,
        connection: u64,
        reason: SocketError,
        now: Duration,
    ) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.connection() != Some(connection) {
            return;
        }
        let was_live = record.is_live();
        let was_stable = matches!(
            record.socket,
            Socket::Live { since, .. } if now.saturating_sub(since) >= STABLE_AFTER
        );
        record.failures = if was_stable { 1 } else { record.failures + 1 };
        record.trouble = Some(reason.clone());
        self.timers.clear(&Timer::Renew(user.clone()));
        let is_outdated = record.connection_token != record.token;
        if reason.is_unauthorized() && !is_outdated {
            record.socket = Socket::Refused;
            record.refusals += 1;
            if record.refusals <= MAX_TOKEN_REPORTS {
                self.report_token(user, reason.into());
            } else {
                let at = now + config.socket_lifetime;
                self.timers.set(Timer::Reopen(user.clone()), at);
            }
        } else {
            record.socket = Socket::Waiting;
            let delay = if reason.is_terminal() && !is_outdated {
                // The server asks not to come back. It may have meant this one connection.
                config.socket_lifetime
            } else {
                let failures = record.failures;
                backoff(
                    failures,
                    config.retry_min,
                    config.retry_max,
                    &mut self.random,
                )
            };
            self.timers.set(Timer::Reopen(user.clone()), now + delay);
        }
        self.poll_instead(user, was_live, now);
        self.update_state(user);
    }

    pub(super) fn open_socket_if_wanted(&mut self, user: &UserId, now: Duration) {
        let Some(config) = self.config.clone() else {
            return;
        };
        let connection = self.next_number();
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        let is_wanted = !record.awaiting.is_empty()
            && record.authorization == Authorization::Valid
            && record.socket == Socket::Closed;
        if !is_wanted {
            return;
        }
        record.socket = Socket::Opening { connection };
        record.connection_token = record.token;
        if record.trouble.is_none() {
            record.grace_until = now + config.socket_grace;
        }
        self.outputs.push_back(Output::OpenSocket {
            user: user.clone(),
            connection,
        });
        self.timers
            .set(Timer::Renew(user.clone()), now + config.socket_lifetime);
        self.update_state(user);
    }

    pub(super) fn close_socket_if_unused(&mut self, user: &UserId) {
        if let Some(record) = self.users.get(user)
            && record.awaiting.is_empty()
        {
            self.close_socket(user);
        }
    }

    pub(super) fn close_socket(&mut self, user: &UserId) {
        self.timers.clear(&Timer::Reopen(user.clone()));
        self.timers.clear(&Timer::Renew(user.clone()));
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.socket != Socket::Closed {
            self.outputs
                .push_back(Output::CloseSocket { user: user.clone() });
        }
        if record.socket != Socket::Refused {
            record.socket = Socket::Closed;
            record.failures = 0;
            record.trouble = None;
        }
    }

    pub(super) fn reopen_socket(&mut self, user: &UserId, now: Duration) {
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.authorization == Authorization::Valid {
            record.socket = Socket::Closed;
            self.open_socket_if_wanted(user, now);
        } else {
            self.close_socket(user);
        }
    }

    /// No final status for as long as a socket is good for: ask, and begin a new one.
    pub(super) fn renew(&mut self, user: &UserId, now: Duration) {
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.connection().is_none() {
            return;
        }
        let orders = record.awaiting.clone();
        self.reopen_socket(user, now);
        for order_id in orders {
            self.want(order_id, now);
        }
        self.update_state(user);
    }
}
