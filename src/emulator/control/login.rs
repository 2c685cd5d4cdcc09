//! Xsolla Login.

use std::time::Duration;

use super::emulator::XsollaEmulator;
use crate::emulator::http::paths;
use crate::model::login::{RefreshToken, XsollaLogin};

/// # Xsolla Login
///
/// A refresh token is exchanged for the player's next token, once: the answer has another. [Faults](Self::heal) of
/// requests concern the exchange, too.
impl XsollaEmulator {
    /// A client of Login with a fresh refresh token of this player, for
    /// [`TokenProvider::xsolla_login`](crate::TokenProvider::xsolla_login).
    pub fn xsolla_login(&self, name: &str) -> XsollaLogin {
        XsollaLogin::new(1)
            .with_api(self.login_url())
            .with_refresh_token(self.refresh_token(name))
    }

    /// The address for [`XsollaLogin::with_api`].
    pub fn login_url(&self) -> String {
        self.url("http", paths::LOGIN)
    }

    /// A fresh refresh token of this player.
    pub fn refresh_token(&self, name: &str) -> RefreshToken {
        let mut state = self.shared.lock();
        let account = state.accounts.find_or_create(name);
        RefreshToken::new(state.refresh_tokens.issue(account))
    }

    /// Takes back every refresh token of this player. Their other tokens stay good.
    pub fn revoke_refresh_tokens(&self, name: &str) {
        let mut state = self.shared.lock();
        if let Some(account) = state.accounts.find(|account| account.name == name) {
            state.refresh_tokens.revoke(account);
        }
    }

    /// Sets how long tokens are accepted that refresh tokens are exchanged for, which is an hour at the start.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.shared.lock().settings.token_lifetime = lifetime;
    }
}
