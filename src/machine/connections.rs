//! Decides when sockets are opened, closed and reopened.

use std::time::Duration;

use crate::machine::authorization::MAX_TOKEN_REPORTS;
use crate::machine::backoff::backoff;
use crate::machine::input::ConnectionId;
use crate::machine::output::Output;
use crate::machine::player::Socket;
use crate::machine::{Machine, Timer, sorted};
use crate::model::error::SocketError;
use crate::model::message::NewsSource;
use crate::model::user::UserId;

/// A socket that lasted this long counts as stable, and the reconnect delays start over.
const STABLE_AFTER: Duration = Duration::from_secs(30);

impl Machine {
    /// Handles a socket that is subscribed and has delivered its history.
    pub(super) fn subscribed(
        &mut self,
        user: &UserId,
        connection: ConnectionId,
        recovered: bool,
        heard_all: bool,
        now: Duration,
    ) {
        let (Some(config), Some(player)) = (self.config.clone(), self.players.get_mut(user)) else {
            return;
        };
        if player.connection() != Some(connection) {
            return;
        }
        let mut asks_given_up = Vec::new();
        if !player.is_live() {
            player.socket = Socket::Live {
                connection,
                since: now,
            };
            // These orders may have been paid in the meantime.
            asks_given_up = sorted(&player.given_up);
        }
        player.trouble = None;
        player.refusals = 0;
        // After polling, each order is asked for once more, because the socket reports only what comes from
        // now on.
        let was_polling = std::mem::take(&mut player.is_polling);
        let asks_again = was_polling || !recovered;
        for order_id in sorted(&player.awaiting) {
            if asks_again {
                self.request_soon(order_id, now);
            } else if self
                .orders
                .get(&order_id)
                .is_some_and(|o| !o.inquiry.is_wanted() && !o.needs_answer(config.grant_at))
            {
                self.timers.clear(&Timer::Request(order_id));
            }
        }
        for order_id in asks_given_up {
            self.request_soon(order_id, now);
        }
        if heard_all {
            self.history_is_heard(user);
        }
        self.look_for_discoveries(user);
        self.update_state(user);
    }

    /// Handles a socket that could not be opened or that has ended.
    pub(super) fn connection_ended(
        &mut self,
        user: &UserId,
        connection: ConnectionId,
        reason: SocketError,
        now: Duration,
    ) {
        let (Some(config), Some(player)) = (self.config.clone(), self.players.get_mut(user)) else {
            return;
        };
        if player.connection() != Some(connection) {
            return;
        }
        let was_live = player.is_live();
        let was_stable = matches!(
            player.socket,
            Socket::Live { since, .. } if now.saturating_sub(since) >= STABLE_AFTER
        );
        player.failures = if was_stable { 1 } else { player.failures + 1 };
        player.trouble = Some(reason.clone());
        self.timers.clear(&Timer::Renew(user.clone()));
        let is_outdated = player.connection_token != player.token;
        if reason.is_unauthorized() && !is_outdated {
            player.socket = Socket::Refused;
            player.refusals += 1;
            if player.refusals <= MAX_TOKEN_REPORTS {
                self.report_token(user, reason.into());
            } else {
                let at = now + config.socket_lifetime;
                self.timers.set(Timer::Reopen(user.clone()), at);
            }
        } else {
            player.socket = Socket::Waiting;
            let delay = if reason.is_terminal() && !is_outdated {
                // The server asks the client not to reconnect. It may have meant only this connection, so the
                // next attempt comes much later.
                config.socket_lifetime
            } else {
                let delay = backoff(
                    player.failures,
                    config.retry_min,
                    config.retry_max,
                    &mut self.random,
                );
                delay.max(reason.pause().unwrap_or_default())
            };
            self.timers.set(Timer::Reopen(user.clone()), now + delay);
        }
        self.poll_instead(user, was_live, now);
        self.update_state(user);
    }

    pub(super) fn connect_if_wanted(&mut self, user: &UserId, now: Duration) {
        self.update_listening(user);
        let connection = ConnectionId(self.next_number());
        let (Some(config), Some(player)) = (self.config.clone(), self.players.get_mut(user)) else {
            return;
        };
        if player.needs_no_socket() || player.socket != Socket::Closed {
            return;
        }
        let Some(credentials) = player.authorized().cloned() else {
            return;
        };
        player.socket = Socket::Opening { connection };
        player.connection_token = player.token;
        if player.trouble.is_none() {
            player.grace_until = now + config.socket_grace;
        }
        let renew_at = now + config.socket_lifetime;
        self.outputs.push_back(Output::Connect {
            connection,
            user: credentials,
            config,
        });
        self.timers.set(Timer::Renew(user.clone()), renew_at);
        self.hurry(user);
        self.update_state(user);
    }

    /// Whether a queue of events takes the place of the socket.
    pub(super) fn has_queue(&self) -> bool {
        let config = self.config.as_ref();
        config.is_some_and(|config| config.source.is_event_queue())
    }

    pub(super) fn news_source(&self) -> NewsSource {
        let config = self.config.as_ref();
        config.map_or(NewsSource::Socket, |config| config.source.news_source())
    }

    /// Has a player's queue of events read at once.
    pub(super) fn hurry(&mut self, user: &UserId) {
        if self.has_queue()
            && let Some(player) = self.players.get(user)
        {
            self.outputs.push_back(Output::Hurry {
                user: user.clone(),
                is_awaited: !player.awaiting.is_empty(),
            });
        }
    }

    pub(super) fn disconnect_if_unused(&mut self, user: &UserId) {
        if let Some(player) = self.players.get(user)
            && player.needs_no_socket()
        {
            self.disconnect(user);
        }
    }

    pub(super) fn disconnect(&mut self, user: &UserId) {
        self.timers.clear(&Timer::Reopen(user.clone()));
        self.timers.clear(&Timer::Renew(user.clone()));
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        if player.socket != Socket::Closed {
            self.outputs.push_back(Output::Disconnect(user.clone()));
        }
        if player.socket != Socket::Refused {
            player.socket = Socket::Closed;
            player.failures = 0;
            player.trouble = None;
        }
    }

    pub(super) fn reconnect(&mut self, user: &UserId, now: Duration) {
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        if player.authorized().is_some() {
            player.socket = Socket::Closed;
            self.connect_if_wanted(user, now);
        } else {
            self.disconnect(user);
        }
    }

    /// Handles the return of the player, who may have paid in the meantime: every open order is asked for, and a socket
    /// that waits for its next attempt is tried at once.
    pub(super) fn returned(&mut self, now: Duration) {
        let users: Vec<UserId> = self.players.keys().cloned().collect();
        for user in &users {
            self.hurry(user);
        }
        let mut open = Vec::new();
        for (user, player) in self.players.iter() {
            if player.socket == Socket::Waiting {
                self.timers.set(Timer::Reopen(user.clone()), now);
            }
            let orders = sorted(&player.open);
            // The player has most likely paid the newest order, which therefore waits for no other.
            if let Some(newest) = orders.last()
                && let Some(order) = self.orders.get_mut(newest)
            {
                order.attempts.is_free = true;
            }
            open.extend(orders);
        }
        for order_id in open {
            self.request_soon(order_id, now);
        }
    }

    /// Handles the return from a time in which nothing was heard, not even that a connection was lost. What is under way
    /// on an old connection may be answered never, so orders are asked for anew, and sockets are opened anew.
    pub(super) fn resumed(&mut self, now: Duration) {
        let mut stopped = Vec::new();
        for (user, player) in self.players.iter_mut() {
            // The failures were those of a network that may be another one by now.
            player.failures = 0;
            if player.connection().is_some() {
                self.timers.set(Timer::Renew(user.clone()), now);
            }
            for order_id in &player.open {
                if let Some(order) = self.orders.get_mut(order_id) {
                    stopped.extend(order.inquiry.stop());
                }
            }
        }
        for request in stopped {
            self.cancel(request);
        }
        self.returned(now);
    }

    /// Replaces a socket whose lifetime has passed without a final status, and asks for the orders.
    pub(super) fn renew(&mut self, user: &UserId, now: Duration) {
        let Some(player) = self.players.get(user) else {
            return;
        };
        if player.connection().is_none() {
            return;
        }
        let orders = sorted(&player.awaiting);
        self.reconnect(user, now);
        for order_id in orders {
            self.request_soon(order_id, now);
        }
        self.update_state(user);
    }
}
