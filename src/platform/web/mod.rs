//! Browsers: one thread, and whatever the page's own objects offer.

pub(crate) mod browser;
pub(crate) mod folder;
pub(crate) mod http;
pub(crate) mod runtime;
pub(crate) mod thread;
pub(crate) mod time;
pub(crate) mod websocket;
