//! Opens pages in the player's browser.

use crate::model::page::PageRequest;
use crate::model::purchase::PaymentPageError;
use crate::platform::launch;
use crate::platform::native::thread::run_on_thread;
use crate::platform::no_pages::Messages;

pub(crate) use crate::platform::no_pages::{
    address, close_page, release_tab, reserve_tab, send_to_page, watch_clicks,
};

/// Opens a page, of which nothing is heard, because the browser is another program. It uses a thread of its own,
/// because finding the browser takes time.
pub(crate) async fn open(request: PageRequest) -> Result<Option<Messages>, PaymentPageError> {
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
