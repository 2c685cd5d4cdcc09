//! Desktops, phones and servers: Tokio, threads, files.

pub(crate) mod clock;
pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod thread;
pub(crate) mod tls;
pub(crate) mod websocket;
