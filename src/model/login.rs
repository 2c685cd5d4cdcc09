//! Xsolla Login: the settings of a client, and refresh tokens.

use std::fmt;

use bevy::prelude::{Event, Message};

use crate::model::address::Address;
use crate::model::config::{ConfigError, endpoint};
use crate::model::secret::Secret;
use crate::model::user::UserId;

/// A refresh token of Xsolla Login, which is exchanged for a player's next token.
///
/// Whoever has it can act for the player until it is used or revoked. It is not shown in `Debug`, logs, errors or
/// reflection; [`secret`](Self::secret) is the text to keep.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(Secret);

impl RefreshToken {
    /// Creates a refresh token from the `refresh_token` of Xsolla Login's answer, or from what the game has kept. White
    /// space around it is removed.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Secret::new(text.as_ref().trim()))
    }

    /// The text, for the place in which the game keeps it: a keychain or a file that only the player can read.
    pub fn secret(&self) -> &str {
        self.0.text()
    }

    /// Removes the token from a text that comes from outside.
    pub(crate) fn redact(&self, text: String) -> String {
        self.0.redact(text)
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken({:?})", self.0)
    }
}

/// Xsolla Login has given a new refresh token in place of the last one. Keep it in place of that one, for the next start
/// of the game: the last one is used up.
///
/// It is sent by a [`TokenProvider::xsolla_login`](crate::TokenProvider::xsolla_login), also if the player has logged out
/// meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct RefreshTokenChanged {
    /// The player whose it is.
    pub user: UserId,
    /// The new refresh token. [`secret`](RefreshToken::secret) is its text.
    pub refresh_token: RefreshToken,
}

/// A client of Xsolla Login, and the player's refresh token, for
/// [`TokenProvider::xsolla_login`](crate::TokenProvider::xsolla_login).
///
/// Publisher Account shows the client's id under Login project > Security > OAuth 2.0. Xsolla gives a refresh token with
/// the player's first token if `scope=offline` is passed when they log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XsollaLogin {
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<Secret>,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) refresh_token: Option<RefreshToken>,
    api: String,
}

impl XsollaLogin {
    /// The client with this id, and no refresh token.
    pub fn new(client_id: impl fmt::Display) -> Self {
        Self {
            client_id: client_id.to_string(),
            client_secret: None,
            redirect_uri: None,
            refresh_token: None,
            api: "https://login.xsolla.com/api".to_owned(),
        }
    }

    /// Sets the player's refresh token. Without one, the player has to log in.
    #[must_use]
    pub fn with_refresh_token(self, token: RefreshToken) -> Self {
        let token = Some(token).filter(|token| !token.secret().is_empty());
        Self {
            refresh_token: token,
            ..self
        }
    }

    /// Sets the redirect URI that the player's first token was asked for with. Xsolla compares the two, and Xsolla's own
    /// SDKs always send it.
    #[must_use]
    pub fn with_redirect_uri(self, uri: impl Into<String>) -> Self {
        Self {
            redirect_uri: Some(uri.into()),
            ..self
        }
    }

    /// Sets the secret of a confidential client. A game that players have cannot keep one: its client is a public one,
    /// which has none.
    #[must_use]
    pub fn with_client_secret(self, secret: impl AsRef<str>) -> Self {
        Self {
            client_secret: Some(Secret::new(secret.as_ref())),
            ..self
        }
    }

    /// Sets the address of the Login API, such as that of a proxy. It is encrypted, or on this machine's loopback. The
    /// default is `https://login.xsolla.com/api`.
    #[must_use]
    pub fn with_api(self, api: impl Into<String>) -> Self {
        Self {
            api: api.into(),
            ..self
        }
    }

    /// Checks that the address of the Login API can be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.endpoint().map(drop)
    }

    pub(crate) fn endpoint(&self) -> Result<Address, ConfigError> {
        endpoint("api", &self.api, ["https", "http"])
    }

    /// Removes the client's secret from a text that comes from outside.
    pub(crate) fn redact(&self, text: String) -> String {
        match &self.client_secret {
            Some(secret) => secret.redact(text),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_nowhere() {
        let token = RefreshToken::new(" geheim-1 ");
        assert_eq!(token.secret(), "geheim-1");
        let login = XsollaLogin::new(57)
            .with_refresh_token(token.clone())
            .with_client_secret("geheim-2");
        let changed = RefreshTokenChanged {
            user: UserId::from_subject("alice"),
            refresh_token: token,
        };
        let shown = format!("{login:?} {login:#?} {changed:?}");
        assert!(!shown.contains("geheim"), "{shown}");
    }

    #[test]
    fn a_refresh_token_goes_only_to_an_encrypted_address_or_to_this_machine() {
        let login = XsollaLogin::new("57");
        assert_eq!(login.validate(), Ok(()));
        let at = |api: &str| login.clone().with_api(api).validate();
        assert_eq!(at("http://127.0.0.1:1/api"), Ok(()));
        let error = ConfigError::NotEncrypted { field: "api" };
        assert_eq!(at("http://login.xsolla.com/api"), Err(error));
        assert!(at("nonsense").is_err());
    }

    #[test]
    fn an_empty_refresh_token_is_none() {
        let login = XsollaLogin::new(57).with_refresh_token(RefreshToken::new("\n"));
        assert_eq!(login.refresh_token, None);
    }
}
