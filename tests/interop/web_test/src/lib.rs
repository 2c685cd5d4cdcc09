//! The attribute `#[test]` of a browser, and what it uses.

pub use wasm_bindgen_test::{wasm_bindgen_test as test, *};
