//! All that differs between a desktop and a browser. The two siblings have files of the same names with
//! the same functions, so whatever one of them lacks does not compile.

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod web;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{browser, clock, folder, http, runtime, thread, websocket};
#[cfg(target_family = "wasm")]
pub(crate) use web::{browser, clock, folder, http, runtime, thread, websocket};
