//! What differs between a desktop and a browser.

mod native;

pub(crate) use native::{clock, dns, http, thread, tls, websocket};
