//! All that differs between a desktop and a browser. The two siblings have files of the same names with
//! the same functions, so whatever one of them lacks does not compile.

pub(crate) mod clock;
#[cfg(not(target_family = "wasm"))]
mod native;
mod request;
#[cfg(target_family = "wasm")]
mod web;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{browser, folder, http, runtime, thread, time, websocket};
#[cfg(target_family = "wasm")]
pub(crate) use web::{browser, folder, http, runtime, thread, time, websocket};

#[cfg(all(target_family = "wasm", feature = "emulator"))]
compile_error!("the feature `emulator` is for desktops: a browser listens on no socket");
