//! The differences between a desktop and a browser. `native` and `web` have files of the same names with the same
//! functions, so a function that one of them lacks is a compile error.

pub(crate) mod clock;
#[cfg(all(
    feature = "browser",
    unix,
    not(any(target_os = "android", target_os = "ios"))
))]
mod desktop;
#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(not(all(target_family = "wasm", feature = "browser")))]
pub(crate) mod no_pages;
#[cfg(all(feature = "browser", any(target_os = "android", target_os = "ios")))]
mod phone;
#[cfg(target_family = "wasm")]
mod web;
#[cfg(all(feature = "browser", windows))]
mod windows;

#[cfg(all(
    feature = "browser",
    unix,
    not(any(target_os = "android", target_os = "ios"))
))]
use desktop::launch;
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{browser, folder, http, presence, runtime, thread, time, websocket};
#[cfg(all(feature = "browser", any(target_os = "android", target_os = "ios")))]
use phone::launch;
#[cfg(target_family = "wasm")]
pub(crate) use web::{browser, http, presence, runtime, thread, time, websocket};
#[cfg(all(feature = "browser", windows))]
use windows::launch;

#[cfg(all(target_family = "wasm", feature = "emulator"))]
compile_error!("the feature `emulator` is for desktops: a browser listens on no socket");
