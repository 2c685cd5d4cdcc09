//! Opens pages in the player's browser.

use crate::model::page::PageRequest;
use crate::model::purchase::PaymentPageError;
use crate::platform::no_pages::Messages;
use crate::platform::{launch, launcher};

pub(crate) use crate::platform::launcher::prepare;
pub(crate) use crate::platform::no_pages::{
    address, close_page, release_tab, reserve_tab, send_to_page,
};

/// Opens a page, of which nothing is heard, because the browser is another program.
pub(crate) fn open(
    request: PageRequest,
) -> impl Future<Output = Result<Option<Messages>, PaymentPageError>> {
    let url = request.url.0;
    let opened = launcher::run(move || {
        // The library's own text would repeat the address, and anybody who has the address can pay.
        launch(&url).map_err(|error| error.kind().to_string())
    });
    async {
        match opened.await {
            Ok(Ok(())) => Ok(None),
            Ok(Err(error)) => Err(PaymentPageError::NoBrowser(error)),
            Err(error) => Err(PaymentPageError::NoBrowser(error.to_string())),
        }
    }
}
