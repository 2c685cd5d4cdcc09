//! A client of the Centrifuge protocol, version 2, in JSON. It has the parts that order tracking needs:
//! server-side subscriptions, history, recovery by epoch and offset, and pings.
//!
//! `protocol` has the messages, and `session` has the rules of the conversation. Both do no IO and read no clock;
//! `tracker::source::socket` connects a session to a WebSocket.
//!
//! The sources are the Centrifugo documentation ("Client protocol") and frames that were captured from real
//! servers.

mod protocol;
pub(crate) mod session;
#[cfg(test)]
mod tests;
