//! The platform of browsers, with one thread and the objects of the page.

#[cfg(feature = "browser")]
pub(crate) mod browser;
#[cfg(feature = "browser")]
mod frame;
pub(crate) mod http;
mod listener;
pub(crate) mod presence;
pub(crate) mod runtime;
#[cfg(feature = "browser")]
mod tab;
pub(crate) mod thread;
pub(crate) mod time;
pub(crate) mod websocket;

#[cfg(not(feature = "browser"))]
pub(crate) use crate::platform::no_pages as browser;
