//! The player's presence.

use std::rc::Rc;

use tokio::sync::Notify;
use web_sys::VisibilityState;

use crate::platform::web::listener::Listener;

/// The times at which the player returns to the tab, or the network returns. While the tab is hidden the game has no
/// frames, and the browser runs the task's timers once a minute.
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

    pub(crate) async fn next(&mut self) {
        self.returned.notified().await;
    }
}
