//! The player's presence.

use std::rc::Rc;

use tokio::sync::Notify;
use wasm_bindgen::JsCast;
use web_sys::{PageTransitionEvent, VisibilityState};

use crate::platform::web::listener::Listener;

/// Whether [`Returns`] tells of each stop. A machine may sleep while the tab is in view, of which no event tells.
pub(crate) const NOTICES_EACH_STOP: bool = false;

/// The times at which the player returns to the tab, or the network returns. While the tab is hidden the game has no
/// frames, and the browser runs the task's timers once a minute, or stops the tab altogether. A tab that the browser has
/// kept while the player was on another page has lost its connections.
#[derive(Debug)]
pub(crate) struct Returns {
    returned: Rc<Notify>,
    _listeners: Vec<Listener>,
}

impl Returns {
    pub(crate) fn new() -> Self {
        let returned = Rc::new(Notify::new());
        let mut listeners = Vec::new();
        if let Some(window) = web_sys::window() {
            if let Some(document) = window.document() {
                let (shown, of) = (returned.clone(), document.clone());
                listeners.push(Listener::new(&document, "visibilitychange", move |_| {
                    if of.visibility_state() == VisibilityState::Visible {
                        shown.notify_one();
                    }
                }));
            }
            let kept = returned.clone();
            listeners.push(Listener::new(&window, "pageshow", move |event| {
                let is_kept = event
                    .dyn_ref::<PageTransitionEvent>()
                    .is_some_and(PageTransitionEvent::persisted);
                if is_kept {
                    kept.notify_one();
                }
            }));
            let online = returned.clone();
            listeners.push(Listener::new(&window, "online", move |_| {
                online.notify_one()
            }));
        }
        Self {
            returned,
            _listeners: listeners,
        }
    }

    /// Waits for the next return, which costs nothing meanwhile.
    pub(crate) async fn next(&mut self, _is_awaited: bool) {
        self.returned.notified().await;
    }
}
