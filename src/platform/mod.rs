//! The differences between a desktop and a browser. `native` and `web` have files of the same names with the same
//! functions, so a function that one of them lacks is a compile error.

#[cfg(target_os = "android")]
mod android;
pub(crate) mod clock;
#[cfg(all(
    feature = "browser",
    unix,
    not(any(target_os = "android", target_os = "ios"))
))]
mod desktop;
// Elsewhere than on phones for its test.
#[cfg(all(
    feature = "browser",
    not(target_family = "wasm"),
    any(test, target_os = "android", target_os = "ios")
))]
mod main_thread;
#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(not(all(target_family = "wasm", feature = "browser")))]
pub(crate) mod no_pages;
#[cfg(all(
    feature = "browser",
    not(any(target_family = "wasm", target_os = "android", target_os = "ios"))
))]
mod own_thread;
#[cfg(all(feature = "browser", any(target_os = "android", target_os = "ios")))]
mod phone;
#[cfg(not(any(target_family = "wasm", target_os = "android")))]
mod system;
#[cfg(target_family = "wasm")]
mod web;
#[cfg(all(feature = "browser", windows))]
mod windows;

#[cfg(target_os = "android")]
pub(crate) use android::{certificates, folder};
#[cfg(all(
    feature = "browser",
    unix,
    not(any(target_os = "android", target_os = "ios"))
))]
use desktop::launch;
#[cfg(all(feature = "browser", any(target_os = "android", target_os = "ios")))]
use main_thread as launcher;
#[cfg(all(not(target_family = "wasm"), feature = "webhook"))]
pub(crate) use native::http_server;
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{browser, http, presence, runtime, thread, time, websocket};
#[cfg(all(not(target_family = "wasm"), feature = "postgres"))]
pub(crate) use native::{errors, tls};
#[cfg(all(
    feature = "browser",
    not(any(target_family = "wasm", target_os = "android", target_os = "ios"))
))]
use own_thread as launcher;
#[cfg(all(feature = "browser", any(target_os = "android", target_os = "ios")))]
use phone::launch;
#[cfg(not(any(target_family = "wasm", target_os = "android")))]
pub(crate) use system::{certificates, folder};
#[cfg(target_family = "wasm")]
pub(crate) use web::{browser, http, presence, runtime, thread, time, websocket};
#[cfg(all(feature = "browser", windows))]
use windows::launch;

#[cfg(all(
    target_family = "wasm",
    any(feature = "postgres", feature = "token_verifier", feature = "webhook")
))]
compile_error!(
    "`emulator`, `postgres`, `token_verifier` and `webhook` are for desktops and servers"
);
