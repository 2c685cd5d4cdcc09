//! The feature `browser` is off, so the game opens payment pages itself.

use tokio::sync::mpsc;

use crate::model::order::OrderId;
use crate::model::page::PageRequest;
use crate::model::purchase::{PaymentPageError, PurchaseId};

type Messages = mpsc::Receiver<String>;

pub(crate) fn reserve_tab(_purchase: PurchaseId) {}

pub(crate) fn release_tab(_purchase: PurchaseId) {}

pub(crate) fn close_page(_order_id: Option<OrderId>) {}

pub(crate) fn send_to_page(_order_id: OrderId, _text: &str) {}

pub(crate) fn address() -> Option<String> {
    None
}

pub(crate) async fn open(_request: PageRequest) -> Result<Option<Messages>, PaymentPageError> {
    Ok(None)
}
