//! The platform of desktops, phones and servers, with Tokio, threads and files.

#[cfg(feature = "browser")]
pub(crate) mod browser;
mod connect;
mod dns;
pub(crate) mod errors;
pub(crate) mod http;
#[cfg(feature = "webhook")]
pub(crate) mod http_server;
mod joint;
pub(crate) mod presence;
pub(crate) mod runtime;
pub(crate) mod thread;
mod throttle;
pub(crate) mod time;
pub(crate) mod tls;
pub(crate) mod websocket;

#[cfg(not(feature = "browser"))]
pub(crate) use crate::platform::no_pages as browser;
