//! Desktops, phones and servers: Tokio, threads, files.

pub(crate) mod browser;
pub(crate) mod clock;
mod dns;
pub(crate) mod folder;
pub(crate) mod http;
pub(crate) mod runtime;
pub(crate) mod thread;
mod tls;
pub(crate) mod websocket;
