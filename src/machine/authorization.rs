//! Handles log-in, log-out and the tokens of players.

use std::time::Duration;

use crate::machine::early_news::EarlyNews;
use crate::machine::input::RequestId;
use crate::machine::output::{Notice, Output};
use crate::machine::player::{Authorization, Player, Socket};
use crate::machine::{Machine, Timer, sorted};
use crate::model::error::AuthorizationError;
use crate::model::message::AuthorizationRequired;
use crate::model::user::{UserId, XsollaUser};

/// The number of tokens in a row that the socket may refuse before a new token no longer reopens it at once.
/// While Get Order accepts the tokens, they are not the cause.
pub(super) const MAX_TOKEN_REPORTS: u32 = 2;

impl Machine {
    /// Handles a log-in or a new token, which expires after `expires_in`.
    pub(super) fn log_in(&mut self, user: XsollaUser, expires_in: Option<Duration>, now: Duration) {
        let id = user.id().clone();
        let player = self.players.entry(id.clone()).or_insert_with(Player::new);
        if player.credentials() == Some(&user) {
            // The game inserted the same token again, which asks to retry it where it was refused.
            if let Authorization::Refused(..) = player.authorization {
                player.authorization = Authorization::Valid(user);
                self.resume(&id, now);
            }
            return;
        }
        // A server's pause was for the old token.
        let was_paused = std::mem::replace(&mut player.paused_until, now) > now;
        let returns = player.authorization == Authorization::Absent;
        player.token += 1;
        player.is_token_reported = false;
        player.token_expires = expires_in.map(|left| now.saturating_add(left));
        let is_stuck = player.authorized().is_none() || player.socket == Socket::Refused;
        player.authorization = Authorization::Valid(user);
        let may_reopen = player.socket == Socket::Refused && player.refusals <= MAX_TOKEN_REPORTS;
        if is_stuck && may_reopen {
            player.socket = Socket::Closed;
        }
        if returns {
            self.read_anew(&id);
        }
        if is_stuck || was_paused {
            self.resume(&id, now);
        }
        self.watch_token(&id, now);
        self.update_state(&id);
    }

    /// Keeps a player known while none of their orders is open.
    pub(super) fn stay(&mut self, user: &UserId, now: Duration) {
        if let Some(player) = self.players.get_mut(user) {
            player.is_resident = true;
        }
        self.connect_if_wanted(user, now);
    }

    /// Handles a log-out: everything that runs for the player stops, and their orders stay known.
    pub(super) fn log_out(&mut self, user: &UserId) {
        if let Some(player) = self.players.get_mut(user) {
            player.authorization = Authorization::Absent;
            player.is_resident = false;
            player.listens = false;
            player.early_news = EarlyNews::default();
            player.past.forget_history();
            self.timers.clear(&Timer::Token(user.clone()));
            self.stop(user);
            self.update_state(user);
            self.forget_player_if_unused(user);
        }
    }

    pub(super) fn forget_player_if_unused(&mut self, user: &UserId) {
        let player = self.players.get(user);
        let is_unused = player.is_some_and(|player| player.is_unused());
        if is_unused && self.players.remove(user).is_some() {
            self.timers.clear(&Timer::Token(user.clone()));
            self.timers.clear(&Timer::Read(user.clone()));
            self.outputs.push_back(Output::Release(user.clone()));
            self.tell_state();
        }
    }

    /// Stops everything that runs for a player except their purchases, which always get an answer.
    pub(super) fn stop(&mut self, user: &UserId) {
        self.disconnect(user);
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        player.socket = Socket::Closed;
        player.is_polling = false;
        let mut stopped: Vec<RequestId> = Vec::new();
        let orders = player.open.iter().chain(&player.checking);
        for order_id in orders.chain(&player.given_up) {
            self.timers.clear(&Timer::Request(*order_id));
            if let Some(order) = self.orders.get_mut(order_id) {
                stopped.extend(order.inquiry.stop());
            }
        }
        for request in stopped {
            self.cancel(request);
        }
    }

    /// Discards what servers said under earlier settings. `is_moved` says that the ledger is a different one.
    pub(super) fn begin_anew(&mut self, user: &UserId, is_moved: bool, now: Duration) {
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        player.paused_until = now;
        if let Authorization::Refused(credentials, _) = &player.authorization {
            player.authorization = Authorization::Valid(credentials.clone());
        }
        if is_moved {
            self.read_anew(user);
        }
    }

    /// Starts everything that an authorized player's orders need.
    pub(super) fn resume(&mut self, user: &UserId, now: Duration) {
        let Some(player) = self.players.get(user) else {
            return;
        };
        for order_id in sorted(&player.open) {
            self.schedule_give_up(order_id, now);
            if let Some(order) = self.orders.get_mut(&order_id) {
                order.attempts.failures = 0;
                order.attempts.refusals = 0;
                self.request_soon(order_id, now);
            }
        }
        self.watch_token(user, now);
        self.load(user, now);
        self.check_acknowledged(user, now);
        self.connect_if_wanted(user, now);
        self.update_state(user);
    }

    /// Sets a timer to tell the game before the token expires.
    pub(super) fn watch_token(&mut self, user: &UserId, now: Duration) {
        let timer = Timer::Token(user.clone());
        self.timers.clear(&timer);
        let (Some(config), Some(player)) = (&self.config, self.players.get(user)) else {
            return;
        };
        if let Some(expires) = player.token_expires
            && player.credentials().is_some()
        {
            // A token that looks expired may be good, because this machine's calendar may be wrong: it is
            // used until a server refuses it. The notice is at most half of the remaining time, so that a
            // token that lives for minutes is not reported at once.
            let left = expires.saturating_sub(now);
            if !left.is_zero() {
                let notice = config.token_notice.min(left / 2);
                self.timers.set(timer, expires.saturating_sub(notice));
            }
        }
    }

    pub(super) fn token_expires(&mut self, user: &UserId, now: Duration) {
        let expires = self
            .players
            .get(user)
            .and_then(|player| player.token_expires);
        let error = match expires {
            Some(expires) if expires > now => AuthorizationError::ExpiresSoon(expires - now),
            _ => AuthorizationError::Expired,
        };
        self.report_token(user, error);
    }

    pub(super) fn report_token(&mut self, user: &UserId, error: AuthorizationError) {
        if let Some(player) = self.players.get_mut(user)
            && !std::mem::replace(&mut player.is_token_reported, true)
        {
            self.tell(Notice::AuthorizationRequired(AuthorizationRequired {
                user: user.clone(),
                error,
            }));
        }
    }
}
