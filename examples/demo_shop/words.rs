//! What went wrong, in words for players: each text is short and says what they can do. The causes are in
//! the log.

use bevy::prelude::*;
use bevy_xsolla::inventory::InventoryError;
use bevy_xsolla::prelude::*;
use bevy_xsolla::{PaymentPageError, RequestError, TrackingError};

const NO_CONNECTION: &str = "No connection to the shop.";

pub fn request(error: &RequestError) -> &'static str {
    match error {
        RequestError::Network(_) | RequestError::TimedOut => NO_CONNECTION,
        error if error.is_unauthorized() => "The shop wants you to log in again.",
        error if error.is_refusal() => "The shop refused it.",
        _ => "The shop has trouble at the moment.",
    }
}

pub fn purchase(error: &PurchaseError) -> String {
    match error {
        PurchaseError::NotLoggedIn => "Please log in first.".to_owned(),
        PurchaseError::NotEnoughCurrency(_) => "You do not have enough for it.".to_owned(),
        PurchaseError::LimitReached(_) => "It is sold out.".to_owned(),
        PurchaseError::NoSuchItem(_) => "It is not for sale any more.".to_owned(),
        // The demo does not try again by itself: nobody wants to find out later that they bought something.
        PurchaseError::Request(error) => format!("{} Please try again.", request(error)),
        _ => "This cannot be bought.".to_owned(),
    }
}

pub fn inventory(error: &InventoryError) -> String {
    match error {
        InventoryError::NotLoggedIn => "Please log in first.".to_owned(),
        InventoryError::Request(error) => format!("{} Please try again.", request(error)),
        _ => "Please start the game again.".to_owned(),
    }
}

pub fn page(error: &PaymentPageError) -> &'static str {
    match error {
        PaymentPageError::NoPage => "It is from an earlier run. Cancel it and buy again.",
        PaymentPageError::Blocked => "Your browser has blocked it. Press \u{201c}Pay page\u{201d}.",
        _ => "No browser could be opened.",
    }
}

pub fn tracking(error: &TrackingError) -> &'static str {
    match error {
        TrackingError::Refused(_) => "The shop does not know this order.",
        _ => "There was no news of it for too long.",
    }
}

/// A word for how tracking is doing, and a line that explains it.
pub fn state(tracker: &TrackerState, ledger: &LedgerState) -> (&'static str, &'static str) {
    let (word, line) = match tracker {
        TrackerState::Idle => ("Idle", "No order is open, so nothing is connected."),
        TrackerState::Connecting => ("Connecting", "Opening the order socket."),
        TrackerState::Live => ("Live", "News comes by socket, at once."),
        TrackerState::Reconnecting { .. } => (
            "Reconnecting",
            "No connection to the shop. Trying again\u{2026}",
        ),
        // Neither the socket nor the requests bring news.
        TrackerState::Polling {
            requests: Some(error),
            ..
        } => ("Polling", request(error)),
        TrackerState::Polling { reason: None, .. } => {
            ("Polling", "The socket is slow: asking every few seconds.")
        }
        TrackerState::Polling { .. } => {
            ("Polling", "The socket is down: asking every few seconds.")
        }
        TrackerState::NoConfig | TrackerState::InvalidConfig(_) => {
            ("Not set up", "The shop is not set up. The log says why.")
        }
        TrackerState::NoUser => ("Logged out", "Nobody is logged in."),
        TrackerState::Unauthorized { .. } => {
            ("Log in again", "The shop wants you to log in again.")
        }
        TrackerState::Failed { .. } => ("Failed", "Orders cannot be followed. The log says why."),
        // A later version may have more states.
        _ => ("Unknown", "The log says more."),
    };
    match ledger.trouble() {
        None => (word, line),
        Some(_) => (word, "Orders may be forgotten when the game ends."),
    }
}

/// Whether the plugin took a purchase for the second click of a double click. The player sees the first.
pub fn is_repeated(purchase: &PurchaseFailed) -> bool {
    matches!(purchase.error, PurchaseError::Repeated(_))
}

/// Logs the causes, which the words for players leave out.
pub fn log_causes(
    (tracker, ledger): (Res<TrackerState>, Res<LedgerState>),
    catalog: Res<Catalog>,
    mut refused: MessageReader<PurchaseFailed>,
    mut pages: MessageReader<PaymentPageFailed>,
    mut failed: MessageReader<OrderTrackingFailed>,
    mut logins: MessageReader<AuthorizationRequired>,
) {
    if tracker.is_changed() {
        match &*tracker {
            TrackerState::Idle | TrackerState::Connecting | TrackerState::Live => {}
            trouble => warn!("tracking: {trouble:?}"),
        }
    }
    if ledger.is_changed()
        && let Some(error) = ledger.trouble()
    {
        warn!("orders are not kept: {error}");
    }
    if let CatalogState::Failed(error) = catalog.state()
        && catalog.is_changed()
    {
        warn!("the catalogue: {error}");
    }
    for purchase in refused.read().filter(|failed| !is_repeated(failed)) {
        warn!("{} was not bought: {}", purchase.sku, purchase.error);
    }
    for page in pages.read() {
        warn!(
            "the payment page of order {}: {}",
            page.order_id, page.error
        );
    }
    for order in failed.read() {
        warn!("order {} is not followed: {}", order.order_id, order.error);
    }
    for login in logins.read() {
        warn!("a new token is needed: {}", login.error);
    }
}
