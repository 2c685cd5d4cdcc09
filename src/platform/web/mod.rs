//! The platform of browsers, with one thread and the objects of the page.

pub(crate) mod browser;
mod frame;
pub(crate) mod http;
mod listener;
pub(crate) mod presence;
mod request;
pub(crate) mod runtime;
pub(crate) mod thread;
pub(crate) mod time;
pub(crate) mod websocket;
