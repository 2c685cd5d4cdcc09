//! The refresh tokens of Xsolla Login. Each is used once.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::accounts::AccountId;
use super::tokens::noise;

#[derive(Default)]
pub(crate) struct RefreshTokens(HashMap<String, AccountId>);

impl RefreshTokens {
    pub(crate) fn issue(&mut self, account: AccountId) -> String {
        let token = URL_SAFE_NO_PAD.encode(noise::<32>());
        self.0.insert(token.clone(), account);
        token
    }

    /// Uses a token up. Returns whose it was.
    pub(crate) fn use_up(&mut self, token: &str) -> Option<AccountId> {
        self.0.remove(token)
    }

    pub(crate) fn revoke(&mut self, account: AccountId) {
        self.0.retain(|_, owner| *owner != account);
    }
}
