//! The differences between a desktop and a browser. `native` and `web` have files of the same names with the same
//! functions, so a function that one of them lacks is a compile error.

pub(crate) mod clock;
#[cfg(not(target_family = "wasm"))]
mod native;
mod request;
#[cfg(target_family = "wasm")]
mod web;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{browser, folder, http, presence, runtime, thread, time, websocket};
#[cfg(target_family = "wasm")]
pub(crate) use web::{browser, folder, http, presence, runtime, thread, time, websocket};

#[cfg(all(target_family = "wasm", feature = "emulator"))]
compile_error!("the feature `emulator` is for desktops: a browser listens on no socket");
