//! The order-status socket: the server's half of the Centrifuge client protocol v2 in JSON.

mod commands;
pub(crate) mod connection;
mod frames;
mod pings;
mod session;
