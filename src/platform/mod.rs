//! The differences between a desktop and a browser. `native` and `web` have files of the same names with the same
//! functions, so a function that one of them lacks is a compile error.

pub(crate) mod clock;
#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod web;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{browser, folder, http, presence, runtime, thread, time, websocket};
#[cfg(target_family = "wasm")]
pub(crate) use web::{browser, http, presence, runtime, thread, time, websocket};

#[cfg(all(feature = "browser", windows))]
use open::that_detached as launch;
/// Opens a page, as each system wants it. It may take seconds. None of these libraries logs the page's address there;
/// `webbrowser` does on a desktop.
#[cfg(all(feature = "browser", any(target_os = "android", target_os = "ios")))]
use webbrowser::open as launch;
#[cfg(all(
    feature = "browser",
    unix,
    not(any(target_os = "android", target_os = "ios"))
))]
fn launch(page: &str) -> std::io::Result<()> {
    /// How long a program may take to say that it cannot open the page. One that runs longer has opened it.
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
    let chosen = std::env::var("BROWSER").map(|browser| open::with_detached(page, browser));
    match chosen {
        Ok(Ok(())) => Ok(()),
        _ => open::that_detached_with_timeout(page, PATIENCE),
    }
}

#[cfg(all(target_family = "wasm", feature = "emulator"))]
compile_error!("the feature `emulator` is for desktops: a browser listens on no socket");
