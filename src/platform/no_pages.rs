//! What is to be done for payment pages that are in no window of the game's own: nothing. They are in another program,
//! or the feature `browser` is off and the game opens them.

#[cfg(not(feature = "browser"))]
use bevy::prelude::App;
use tokio::sync::mpsc;

use crate::model::order::OrderId;
#[cfg(not(feature = "browser"))]
use crate::model::page::PageRequest;
#[cfg(not(feature = "browser"))]
use crate::model::purchase::PaymentPageError;
use crate::model::purchase::PurchaseId;

/// The messages of a page, which end when the page is closed.
pub(crate) type Messages = mpsc::Receiver<String>;

#[cfg(not(feature = "browser"))]
pub(crate) fn prepare(_app: &mut App) {}

pub(crate) fn reserve_tab(_purchase: PurchaseId) {}

pub(crate) fn release_tab(_purchase: PurchaseId) {}

pub(crate) fn close_page(_order_id: Option<OrderId>) {}

pub(crate) fn send_to_page(_order_id: OrderId, _text: &str) {}

pub(crate) fn address() -> Option<String> {
    None
}

#[cfg(not(feature = "browser"))]
pub(crate) async fn open(_request: PageRequest) -> Result<Option<Messages>, PaymentPageError> {
    Ok(None)
}
