//! Opens tabs, which browsers allow after a click.
//!
//! Chromium and Firefox allow it for some seconds. WebKit allows it in what listens to the click, and for a second in the
//! frames that this requests. A game's frame is requested by the frame before it, so its systems open nothing there.
//! Therefore each click requests frames of its own, and these open the tabs that the game wants meanwhile.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::sync::oneshot;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Window;

use crate::model::purchase::PaymentPageError;
use crate::platform::web::listener::Listener;
use crate::platform::web::time::Instant;

/// What WebKit takes for the player's hand. (A touch may be the beginning of a scroll until it ends.)
const CLICKS: [&str; 5] = ["pointerdown", "pointerup", "touchend", "click", "keydown"];

/// The time for which WebKit lets frames act for a click.
const CLICK_LASTS: Duration = Duration::from_secs(1);

type Opened = Result<Window, PaymentPageError>;

thread_local! {
    static LISTENERS: RefCell<Vec<Listener>> = const { RefCell::new(Vec::new()) };
    /// The end of the last click, while its frames come.
    static CLICK: Cell<Option<Instant>> = const { Cell::new(None) };
    /// The tabs that the next frame of a click opens.
    static WANTED: RefCell<Vec<(String, oneshot::Sender<Opened>)>> = const { RefCell::new(Vec::new()) };
}

/// A tab that is open, or that the next frame of a click opens unless this is dropped.
#[derive(Debug)]
pub(super) struct Tab(oneshot::Receiver<Opened>);

impl Tab {
    pub(super) fn open(window: &Window, url: &str) -> Self {
        let (sender, opened) = oneshot::channel();
        if CLICK.get().is_some() {
            WANTED.with_borrow_mut(|wanted| wanted.push((url.to_owned(), sender)));
        } else {
            let _ = sender.send(open(window, url));
        }
        Self(opened)
    }

    pub(super) async fn opened(self) -> Opened {
        self.0.await.unwrap_or(Err(PaymentPageError::Blocked))
    }

    pub(super) fn close(mut self) {
        if let Ok(Ok(tab)) = self.0.try_recv() {
            let _ = tab.close();
        }
    }
}

/// Takes note of the player's clicks from now on.
pub(super) fn watch_clicks(window: &Window) {
    let listener = |kind| {
        let of = window.clone();
        Listener::new(window, kind, move |_| {
            let end = Instant::now() + CLICK_LASTS;
            CLICK.set(Some(end));
            request_frame(&of, end);
        })
    };
    LISTENERS.set(CLICKS.map(listener).into());
}

/// Requests the next frame of the click that ends then.
fn request_frame(window: &Window, end: Instant) {
    let of = window.clone();
    let handler = Closure::once_into_js(move || {
        // A later click has frames of its own.
        if CLICK.get() != Some(end) {
            return;
        }
        for (url, sender) in WANTED.take() {
            if !sender.is_closed() {
                let _ = sender.send(open(&of, &url));
            }
        }
        if Instant::now() < end {
            request_frame(&of, end);
        } else {
            CLICK.set(None);
        }
    });
    let _ = window.request_animation_frame(handler.unchecked_ref());
}

fn open(window: &Window, url: &str) -> Opened {
    let tab = window
        .open_with_url_and_target(url, "_blank")
        // The browser's own error would repeat the address, and anybody who has the address can pay.
        .map_err(|_| {
            PaymentPageError::NoBrowser("the browser does not take the address".to_owned())
        })?
        .ok_or(PaymentPageError::Blocked)?;
    // Without an opener, the payment page cannot navigate the game's page. (The option `noopener` would do the
    // same, but it would hide whether the tab was blocked.)
    let _ = tab.set_opener(&JsValue::NULL);
    Ok(tab)
}
