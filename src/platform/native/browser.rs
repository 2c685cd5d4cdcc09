//! Opens pages in the player's browser.

use crate::model::purchase::PaymentPageError;

/// Opens a page. It uses a thread of its own, because finding the browser takes time.
#[cfg(feature = "browser")]
pub(crate) async fn open(page: String) -> Result<(), PaymentPageError> {
    use crate::platform::native::thread::run_on_thread;

    let opened = run_on_thread("xsolla-browser", move || {
        webbrowser::open(&page).map_err(|error| {
            // Anybody who has the address can pay.
            error.to_string().replace(&page, "the page")
        })
    });
    match opened.await {
        Ok(opened) => opened.map_err(PaymentPageError::NoBrowser),
        Err(error) => Err(PaymentPageError::NoBrowser(error.to_string())),
    }
}

/// The feature `browser` is off, so the game opens the page.
#[cfg(not(feature = "browser"))]
pub(crate) async fn open(_page: String) -> Result<(), PaymentPageError> {
    Ok(())
}
