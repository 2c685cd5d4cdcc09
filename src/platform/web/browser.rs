//! Opens pages in the player's browser.

use crate::model::purchase::PaymentPageError;

/// Opens a page in a new tab. The browser allows that for a few seconds after a click.
#[cfg(feature = "browser")]
pub(crate) async fn open(page: String) -> Result<(), PaymentPageError> {
    use wasm_bindgen::JsValue;

    let failed = |reason: &str| PaymentPageError::NoBrowser(reason.to_owned());
    let window = web_sys::window().ok_or_else(|| failed("the game does not run in a page"))?;
    // The browser's own error would repeat the address, and anybody who has the address can pay.
    let tab = window
        .open_with_url_and_target(&page, "_blank")
        .map_err(|_| failed("the browser does not take the address"))?
        .ok_or_else(|| failed("the browser has blocked the tab"))?;
    // Without an opener, the payment page cannot navigate the game's page. (The option `noopener` would do the
    // same, but it would hide whether the tab was blocked.)
    let _ = tab.set_opener(&JsValue::NULL);
    Ok(())
}

/// The feature `browser` is off, so the game opens the page.
#[cfg(not(feature = "browser"))]
pub(crate) async fn open(_page: String) -> Result<(), PaymentPageError> {
    Ok(())
}
