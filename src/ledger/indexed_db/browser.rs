//! What a browser may lack, and how it fails.

use std::time::Duration;

use js_sys::Reflect;
use wasm_bindgen::JsValue;

/// How long one use of the browser's storage may take. Browsers have had faults by which it never ends.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

pub(super) enum Failure {
    /// Another tab has the lock.
    Locked,
    Other(String),
}

impl From<JsValue> for Failure {
    /// Reads the browser's error. Its message says nothing of what is stored.
    fn from(error: JsValue) -> Self {
        let text = |name: &str| {
            let value = Reflect::get(&error, &name.into()).ok()?;
            value.as_string().filter(|text| !text.is_empty())
        };
        let parts: Vec<String> = ["name", "message"].into_iter().filter_map(text).collect();
        Self::Other(match parts.is_empty() {
            true => "the browser does not say why".to_owned(),
            false => parts.join(": "),
        })
    }
}

/// A property of the browser that it may lack.
pub(super) fn of_navigator(name: &str) -> Option<JsValue> {
    let navigator = web_sys::window()?.navigator();
    let value = Reflect::get(&navigator, &name.into()).ok()?;
    value.is_object().then_some(value)
}
