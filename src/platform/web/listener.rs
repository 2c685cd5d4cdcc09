//! Listens to events of the page.

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Event, EventTarget};

/// Calls a function at each event of one kind, until this is dropped. It comes before the page's own listeners, which
/// may stop the event.
#[derive(Debug)]
pub(super) struct Listener {
    target: EventTarget,
    kind: &'static str,
    handler: Closure<dyn FnMut(Event)>,
}

impl Listener {
    pub(super) fn new(
        target: &EventTarget,
        kind: &'static str,
        handler: impl FnMut(Event) + 'static,
    ) -> Self {
        let listener = Self {
            target: target.clone(),
            kind,
            handler: Closure::new(handler),
        };
        let function = listener.handler.as_ref().unchecked_ref();
        // This fails for no target and no kind that exists.
        let _ = target.add_event_listener_with_callback_and_bool(kind, function, true);
        listener
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let function = self.handler.as_ref().unchecked_ref();
        let _ = self
            .target
            .remove_event_listener_with_callback_and_bool(self.kind, function, true);
    }
}
