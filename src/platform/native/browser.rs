//! Opens pages in the player's browser.

use std::io;

use tokio::sync::oneshot;

use crate::model::page::PageRequest;
use crate::model::purchase::PaymentPageError;
use crate::platform::launch;
use crate::platform::native::thread::spawn_thread;
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

/// Runs the work on a new thread and waits for its result.
async fn run_on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    spawn_thread(name, move || {
        // Sending fails if nobody waits for the result any more.
        let _ = done.send(work());
    })?;
    result
        .await
        .map_err(|_| io::Error::other("the thread ended without a result"))
}
