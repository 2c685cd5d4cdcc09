//! Selling: the catalogue, and purchases in one call.

use crate::model::catalog::Catalog;
use crate::model::purchase::{PaymentPageFailed, Purchase, PurchaseFailed, PurchaseStarted};

use bevy::prelude::{App, Resource};

use crate::model::user::UserId;

/// What the store's part of the plugin adds to the app.
pub(crate) fn build(app: &mut App) {
    app.init_resource::<Catalog>()
        .init_resource::<Checkout>()
        .add_message::<PurchaseStarted>()
        .add_message::<PurchaseFailed>()
        .add_message::<PaymentPageFailed>()
        .register_type::<Catalog>()
        .register_type::<PurchaseStarted>()
        .register_type::<PurchaseFailed>()
        .register_type::<PaymentPageFailed>();
}

/// Purchases that are being made, so that a double click does not make two orders.
#[derive(Default, Resource)]
pub(crate) struct Checkout {
    pub(crate) under_way: Vec<(UserId, Purchase)>,
    last: Option<(UserId, Purchase, std::time::Instant)>,
}

/// The second click of a double click comes within this time of the page's opening.
const DOUBLE_CLICK: std::time::Duration = std::time::Duration::from_secs(1);

impl Checkout {
    /// Whether this purchase is to be made: not if it is being made, or was just now.
    pub(crate) fn admits(&mut self, user: &UserId, purchase: &Purchase) -> bool {
        let is_this = |(other, last): (&UserId, &Purchase)| other == user && last == purchase;
        let is_repeated = self.under_way.iter().any(|(u, p)| is_this((u, p)))
            || self
                .last
                .as_ref()
                .is_some_and(|(u, p, at)| is_this((u, p)) && at.elapsed() < DOUBLE_CLICK);
        if !is_repeated {
            self.under_way.push((user.clone(), purchase.clone()));
        }
        !is_repeated
    }

    pub(crate) fn is_made(&mut self, user: &UserId, purchase: &Purchase) {
        self.has_failed(user, purchase);
        self.last = Some((user.clone(), purchase.clone(), std::time::Instant::now()));
    }

    pub(crate) fn forget_last(&mut self) {
        self.last = None;
    }

    pub(crate) fn has_failed(&mut self, user: &UserId, purchase: &Purchase) {
        self.under_way.retain(|(u, p)| u != user || p != purchase);
    }
}
