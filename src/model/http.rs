//! HTTP requests to the store, and their answers.

use std::time::Duration;

use crate::model::address::Address;
use crate::model::user::XsollaUser;

/// The size of the largest answer that is read. An order has a few kilobytes.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The size of the largest message that is read from a socket. It has room for about ten thousand publications.
pub(crate) const MAX_MESSAGE_BYTES: usize = 2 * 1024 * 1024;

/// A request. It is a `POST` if it has a body.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) address: Address,
    /// The user whose token the request carries.
    pub(crate) user: Option<XsollaUser>,
    /// The body, as JSON.
    pub(crate) body: Option<String>,
    pub(crate) timeout: Duration,
}

/// An answer of any status.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The header's text.
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
}
