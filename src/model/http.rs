//! HTTP requests to Xsolla's servers, and their answers.

use std::fmt;
use std::time::Duration;

use form_urlencoded::Serializer;

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
    pub(crate) body: Option<Body>,
    pub(crate) timeout: Duration,
}

/// The body of a request.
pub(crate) struct Body {
    pub(crate) content_type: &'static str,
    pub(crate) text: String,
}

impl Body {
    pub(crate) fn json(text: String) -> Self {
        Self {
            content_type: "application/json",
            text,
        }
    }

    /// Names and values, as a web page sends those of a form.
    pub(crate) fn form<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            content_type: "application/x-www-form-urlencoded",
            text: Serializer::new(String::new()).extend_pairs(fields).finish(),
        }
    }
}

/// The text is not shown, because it may contain a secret.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.content_type, self.text.len())
    }
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
