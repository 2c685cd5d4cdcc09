//! The sending of webhooks over HTTP.

mod body;
mod client;
pub(crate) mod sender;
