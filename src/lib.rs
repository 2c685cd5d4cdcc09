#![doc = include_str!("../README.md")]

mod api;
mod centrifuge;
mod clock;
mod commands;
mod conditions;
mod config;
mod deliver;
mod diagnostics;
mod error;
mod ledger;
mod link;
mod message;
mod net;
mod order;
mod orders;
mod plugin;
mod state;
#[cfg(feature = "store")]
mod store;
mod tracker;
mod user;
mod wake;

#[cfg(feature = "emulator")]
pub mod emulator;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
#[doc = include_str!("guide.md")]
pub mod guide {}
#[cfg(feature = "test_util")]
pub mod test_util;

pub use commands::OrderCommands;
pub use conditions::{order_is, tracker_is_live};
pub use config::{ConfigError, XsollaConfig};
pub use diagnostics::XsollaDiagnosticsPlugin;
pub use error::{AuthorizationError, ConnectStep, RequestError, SocketError, TrackingError};
pub use ledger::{Ledger, LedgerError};
pub use message::{
    AuthorizationRequired, NewsSource, OrderCanceled, OrderDone, OrderExpired, OrderStatusChanged,
    OrderTrackingFailed,
};
pub use order::{OrderId, OrderItem, OrderStatus, Price};
pub use orders::{Order, Orders, OrdersIter, Tracking};
pub use plugin::{XsollaOrderPlugin, XsollaOrderSystems};
pub use state::TrackerState;
#[cfg(feature = "store")]
pub use store::{
    Catalog, CatalogItem, CatalogRequest, CatalogState, ItemAttribute, Payment, PaymentPageError,
    PaymentPageFailed, Purchase, PurchaseError, PurchaseFailed, PurchaseStarted, StoreCommands,
    VirtualPrice,
};
pub use user::{UserId, XsollaUser};

/// Everything a game needs: `use bevy_xsolla::prelude::*`.
pub mod prelude {
    pub use crate::{
        AuthorizationRequired, Ledger, OrderCanceled, OrderCommands, OrderDone, OrderExpired,
        OrderId, OrderItem, OrderStatus, OrderStatusChanged, OrderTrackingFailed, Orders,
        TrackerState, XsollaConfig, XsollaOrderPlugin, XsollaOrderSystems, XsollaUser, order_is,
        tracker_is_live,
    };
    #[cfg(feature = "store")]
    pub use crate::{
        Catalog, PaymentPageFailed, Purchase, PurchaseFailed, PurchaseStarted, StoreCommands,
    };
}
