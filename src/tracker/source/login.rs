//! Exchanges a player's refresh token for their next token, at Xsolla Login.

use std::sync::{Mutex, PoisonError};

use crate::model::config::ConfigError;
use crate::model::error::RequestError;
use crate::model::login::{RefreshToken, RefreshTokenChanged, XsollaLogin};
use crate::model::renewal::TokenFailure;
use crate::model::user::XsollaUser;
use crate::platform::http::Network;
use crate::platform::time::calendar;
use crate::wire::login::{Tokens, is_final, read_tokens, refresh};

/// A client of Xsolla Login with the refresh token of today.
#[derive(Debug)]
pub(crate) struct Login {
    settings: XsollaLogin,
    /// `None` if the player has to log in.
    token: Mutex<Option<RefreshToken>>,
}

/// What came of an exchange.
#[derive(Debug)]
pub(crate) struct Exchanged {
    pub(crate) user: Result<XsollaUser, TokenFailure>,
    pub(crate) changed: Option<RefreshTokenChanged>,
}

impl Login {
    pub(crate) fn new(mut settings: XsollaLogin) -> Self {
        let token = Mutex::new(settings.refresh_token.take());
        Self { settings, token }
    }

    /// Exchanges the refresh token, once. Two exchanges at a time would each use up the other's token.
    pub(crate) async fn exchange(&self, network: &Network) -> Exchanged {
        let failed = |failure| Exchanged {
            user: Err(failure),
            changed: None,
        };
        if let Err(error) = self.settings.validate() {
            return failed(unusable(&error));
        }
        let Some(token) = self.token() else {
            return failed(TokenFailure::log_in_again("there is no refresh token"));
        };
        match self.ask(network, &token).await {
            Ok(tokens) => self.take(tokens, &token),
            Err(error) => {
                if is_final(&error) {
                    self.set_token(None);
                }
                failed(describe(&error))
            }
        }
    }

    async fn ask(&self, network: &Network, token: &RefreshToken) -> Result<Tokens, RequestError> {
        let answer = network.send(refresh(&self.settings, token)?).await;
        let tokens = answer.and_then(|response| read_tokens(response, calendar()));
        tokens.map_err(|error| error.map_text(|text| self.settings.redact(token.redact(text))))
    }

    fn take(&self, tokens: Tokens, sent: &RefreshToken) -> Exchanged {
        let next = tokens.refresh.filter(|next| next != sent);
        if let Some(next) = &next {
            self.set_token(Some(next.clone()));
        }
        let Some(user) = tokens.user else {
            let error = RequestError::Malformed("it has no token".to_owned());
            return Exchanged {
                user: Err(describe(&error)),
                changed: None,
            };
        };
        let changed = next.map(|refresh_token| RefreshTokenChanged {
            user: user.id().clone(),
            refresh_token,
        });
        Exchanged {
            user: Ok(user),
            changed,
        }
    }

    fn token(&self) -> Option<RefreshToken> {
        let token = self.token.lock();
        token.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_token(&self, next: Option<RefreshToken>) {
        let token = self.token.lock();
        *token.unwrap_or_else(PoisonError::into_inner) = next;
    }
}

fn unusable(error: &ConfigError) -> TokenFailure {
    TokenFailure::log_in_again(format_args!("the XsollaLogin cannot be used: {error}"))
}

/// The errors are worded for the store.
fn describe(error: &RequestError) -> TokenFailure {
    let failure = match error {
        RequestError::Network(text) => {
            TokenFailure::new(format_args!("Xsolla Login was not reached: {text}"))
        }
        RequestError::TimedOut => TokenFailure::new("Xsolla Login did not answer in time"),
        RequestError::Malformed(text) => TokenFailure::new(format_args!(
            "the answer of Xsolla Login cannot be read: {text}"
        )),
        RequestError::Status {
            status,
            code,
            message,
            ..
        } => {
            let (code, message) = (code.as_deref(), message.as_deref());
            TokenFailure {
                needs_login: is_final(error),
                ..TokenFailure::new(format_args!(
                    "Xsolla Login answered HTTP {status}: [{}] {}",
                    code.unwrap_or("no code"),
                    message.unwrap_or("no text"),
                ))
            }
        }
        RequestError::NotConfigured | RequestError::BadToken => TokenFailure::new(error),
    };
    match error.retry_after() {
        Some(wait) => failure.with_retry_after(wait),
        None => failure,
    }
}
