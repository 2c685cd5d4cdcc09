//! HTTP requests to the store, and their answers.

use std::time::Duration;

use crate::model::address::Address;
#[cfg(feature = "webhook")]
use crate::model::reconciliation::StoreKey;
use crate::model::user::XsollaUser;

/// The size of the largest answer that is read. An order has a few kilobytes.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The size of the largest message that is read from a socket. It has room for about ten thousand publications.
pub(crate) const MAX_MESSAGE_BYTES: usize = 2 * 1024 * 1024;

/// A request. It is a `POST` if it has a body.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) address: Address,
    /// Who asks.
    pub(crate) credentials: Option<Credentials>,
    /// The body, as JSON.
    pub(crate) body: Option<String>,
    pub(crate) timeout: Duration,
}

/// What a request carries to be allowed.
#[derive(Clone, Debug)]
pub(crate) enum Credentials {
    Player(XsollaUser),
    #[cfg(feature = "webhook")]
    Project(StoreKey),
}

impl Credentials {
    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> String {
        match self {
            Self::Player(user) => format!("Bearer {}", user.token()),
            #[cfg(feature = "webhook")]
            Self::Project(key) => key.header(),
        }
    }

    /// Removes the secret from a text that comes from outside.
    pub(crate) fn redact(&self, text: String) -> String {
        match self {
            Self::Player(user) => user.redact(text),
            #[cfg(feature = "webhook")]
            Self::Project(key) => key.redact(text),
        }
    }
}

/// An answer of any status.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The header's text.
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
}
