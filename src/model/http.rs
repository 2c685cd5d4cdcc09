//! Requests and answers, as the store's JSON is written for and read from.

use std::time::Duration;

use url::Url;

use crate::model::user::XsollaUser;

/// The largest answer that is read. An order is a few kilobytes.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The largest message that is read from a socket: room for some ten thousand publications.
pub(crate) const MAX_MESSAGE_BYTES: usize = 2 * 1024 * 1024;

/// A request, which is a `POST` where it has a body.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) url: Url,
    /// Whose token it carries.
    pub(crate) user: Option<XsollaUser>,
    /// JSON.
    pub(crate) body: Option<String>,
    pub(crate) timeout: Duration,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The header as it came.
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
}
