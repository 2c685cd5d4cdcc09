//! A client of the Centrifuge protocol, version 2, in JSON: the part of it that order tracking needs.
//!
//! Server-side subscriptions, history, recovery by epoch and offset, pings. `protocol` (messages as
//! they are on the wire) and `session` (what to say and what it means) do no IO and read no clock;
//! `transport` owns the WebSocket.
//!
//! Source of the facts: the Centrifugo documentation ("Client protocol"), and frames captured from
//! real servers.

#[cfg(test)]
mod hard_cases;
mod protocol;
pub(crate) mod session;
#[cfg(test)]
mod tests;
