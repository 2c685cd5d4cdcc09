//! What the game keeps in the browser's storage, under the names of the files that it has on a desktop.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use web_sys::Storage;

pub const BAG: &str = "bag.json";

/// Reads an entry; `None` where there is no such entry yet.
pub fn read<T: DeserializeOwned>(file: &Path) -> io::Result<Option<T>> {
    let text = storage()?.get_item(&name(file)).map_err(failed)?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

pub fn write<T: Serialize>(file: &Path, value: &T) -> io::Result<()> {
    let text = serde_json::to_string(value)?;
    storage()?.set_item(&name(file), &text).map_err(failed)
}

fn storage() -> io::Result<Storage> {
    let window = web_sys::window().ok_or_else(|| io::Error::other("there is no page"))?;
    let storage = window.local_storage().map_err(failed)?;
    storage.ok_or_else(|| io::Error::other("the browser has no storage"))
}

fn name(file: &Path) -> String {
    format!("bevy_xsolla_demo_shop/{}", file.display())
}

fn failed(_: JsValue) -> io::Error {
    io::Error::other("the browser refuses its storage")
}
