//! A payment page. It is a source of what the page says until it is closed.

use tokio::sync::mpsc;

use crate::machine::input::Input;
use crate::model::page::{PageRequest, PaymentPageStatus};
use crate::platform::browser;
use crate::tracker::source::inbox::put;
use crate::wire::page::{DETECTED, PageMessage, read_page_message};

/// Opens a page. What the platform can do only at once is done before this returns.
pub(in crate::tracker) fn open(
    request: PageRequest,
    inbox: mpsc::Sender<Input>,
) -> impl Future<Output = ()> {
    let order_id = request.order_id;
    let opening = browser::open(request);
    async move {
        let messages = match opening.await {
            Ok(messages) => messages,
            Err(error) => {
                put(&inbox, Input::PageFailed { order_id, error }).await;
                return;
            }
        };
        let Some(mut messages) = messages else {
            return;
        };
        loop {
            let status = match messages.recv().await {
                None => PaymentPageStatus::Closed,
                Some(text) => match read_page_message(&text) {
                    Some(PageMessage::Status(status)) => status,
                    Some(PageMessage::Close) => {
                        browser::close_page(Some(order_id));
                        continue;
                    }
                    Some(PageMessage::Detection) => {
                        browser::send_to_page(order_id, DETECTED);
                        continue;
                    }
                    None => continue,
                },
            };
            put(&inbox, Input::PageChanged { order_id, status }).await;
            if status == PaymentPageStatus::Closed {
                return;
            }
        }
    }
}
