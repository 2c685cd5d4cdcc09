#![doc = include_str!("../README.md")]

mod centrifuge;
mod game;
mod ledger;
mod machine;
mod model;
mod platform;
mod tracker;
mod wire;

#[cfg(feature = "emulator")]
pub mod emulator;
#[cfg(fuzzing)]
#[doc(hidden)]
#[path = "../fuzz/harness.rs"]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
#[doc = include_str!("game/guide.md")]
pub mod guide {}
#[cfg(feature = "test_util")]
pub use game::test_util;

pub use game::commands::OrderCommands;
pub use game::conditions::{order_is, tracker_is_live};
pub use game::diagnostics::XsollaDiagnosticsPlugin;
pub use game::orders::{Order, Orders, OrdersIter, Tracking};
pub use game::plugin::{XsollaOrderPlugin, XsollaOrderSystems};
pub use game::store_commands::StoreCommands;
pub use model::catalog::{
    Catalog, CatalogItem, CatalogRequest, CatalogState, ItemAttribute, VirtualPrice,
};
pub use model::config::{ConfigError, XsollaConfig};
pub use model::error::{AuthorizationError, ConnectStep, RequestError, SocketError, TrackingError};
pub use model::ledger::{Ledger, LedgerError};
pub use model::message::{
    AuthorizationRequired, NewsSource, OrderCanceled, OrderDone, OrderExpired, OrderStatusChanged,
    OrderTrackingFailed,
};
pub use model::order::{OrderId, OrderItem, OrderStatus, Price};
pub use model::purchase::{
    Payment, PaymentPageError, PaymentPageFailed, Purchase, PurchaseError, PurchaseFailed,
    PurchaseStarted,
};
pub use model::state::TrackerState;
pub use model::user::{UserId, XsollaUser};

/// Everything a game needs: `use bevy_xsolla::prelude::*`.
pub mod prelude {
    pub use crate::{
        AuthorizationRequired, Catalog, Ledger, OrderCanceled, OrderCommands, OrderDone,
        OrderExpired, OrderId, OrderItem, OrderStatus, OrderStatusChanged, OrderTrackingFailed,
        Orders, PaymentPageFailed, Purchase, PurchaseFailed, PurchaseStarted, StoreCommands,
        TrackerState, XsollaConfig, XsollaOrderPlugin, XsollaOrderSystems, XsollaUser, order_is,
        tracker_is_live,
    };
}
