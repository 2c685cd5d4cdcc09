//! Opens pages in the player's browser.

use tokio::sync::mpsc;

use crate::model::order::OrderId;
use crate::model::page::PageRequest;
use crate::model::purchase::{PaymentPageError, PurchaseId};

/// The messages of a page, which end when the page is closed.
type Messages = mpsc::Receiver<String>;

/// The system needs no preparation to open a page.
pub(crate) fn reserve_tab(_purchase: PurchaseId) {}

pub(crate) fn release_tab(_purchase: PurchaseId) {}

/// The game closes no page in the player's browser.
pub(crate) fn close_page(_order_id: Option<OrderId>) {}

pub(crate) fn send_to_page(_order_id: OrderId, _text: &str) {}

/// The game runs at no address.
pub(crate) fn address() -> Option<String> {
    None
}

/// Opens a page, of which nothing is heard, because the browser is another program. It uses a thread of its own,
/// because finding the browser takes time.
#[cfg(feature = "browser")]
pub(crate) async fn open(request: PageRequest) -> Result<Option<Messages>, PaymentPageError> {
    use crate::platform::launch;
    use crate::platform::native::thread::run_on_thread;

    let url = request.url.0;
    let opened = run_on_thread("xsolla-browser", move || {
        // The library's own text would repeat the address, and anybody who has the address can pay.
        launch(&url).map_err(|error| error.kind().to_string())
    });
    match opened.await {
        Ok(Ok(())) => Ok(None),
        Ok(Err(error)) => Err(PaymentPageError::NoBrowser(error)),
        Err(error) => Err(PaymentPageError::NoBrowser(error.to_string())),
    }
}

/// The feature `browser` is off, so the game opens the page.
#[cfg(not(feature = "browser"))]
pub(crate) async fn open(_request: PageRequest) -> Result<Option<Messages>, PaymentPageError> {
    Ok(None)
}
