#![doc = include_str!("../README.md")]
#![warn(missing_debug_implementations, unreachable_pub)]
// docs.rs builds with a nightly compiler and sets `docsrs`, to show which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

// In a browser, `#[test]` is an attribute whose tests run in a page. No module has to import it.
#[cfg(all(test, target_family = "wasm"))]
#[macro_use]
extern crate web_test as wasm_bindgen_test;

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
#[cfg(all(fuzzing, feature = "event_queue", feature = "webhook"))]
#[doc(hidden)]
#[path = "../fuzz/harness/mod.rs"]
pub mod fuzzing;
#[cfg(instruction_counts)]
#[doc(hidden)]
pub use tracker::instructions;
// The guide holds documentation only.
#[cfg(any(doc, doctest))]
#[doc = include_str!("game/guide/index.md")]
pub mod guide {
    #[doc = include_str!("game/guide/browser.md")]
    pub mod browser {}
    #[doc = include_str!("game/guide/elsewhere.md")]
    pub mod elsewhere {}
    #[doc = include_str!("game/guide/features.md")]
    pub mod features {}
    #[doc = include_str!("game/guide/going_live.md")]
    pub mod going_live {}
    #[doc = include_str!("game/guide/ledger.md")]
    pub mod ledger {}
    #[doc = include_str!("game/guide/messages.md")]
    pub mod messages {}
    #[doc = include_str!("game/guide/owned.md")]
    pub mod owned {}
    #[doc = include_str!("game/guide/phones.md")]
    pub mod phones {}
    #[doc = include_str!("game/guide/server.md")]
    pub mod server {}
    #[doc = include_str!("game/guide/support.md")]
    pub mod support {}
    #[doc = include_str!("game/guide/systems.md")]
    pub mod systems {}
    #[doc = include_str!("game/guide/testing.md")]
    pub mod testing {}
    #[doc = include_str!("game/guide/tokens.md")]
    pub mod tokens {}
    #[doc = include_str!("game/guide/tracking.md")]
    pub mod tracking {}
    #[doc = include_str!("game/guide/trust.md")]
    pub mod trust {}
}
#[cfg(feature = "test_util")]
pub use game::test_util;

pub use game::commands::{OrderCommands, StoreCommands};
pub use game::conditions::{order_is, tracker_is_live};
#[cfg(feature = "debug_panel")]
pub use game::debug_panel::XsollaDebugPanel;
pub use game::diagnostics::XsollaDiagnosticsPlugin;
pub use game::orders::{Order, Orders, OrdersIter};
pub use game::plugin::{XsollaOrderPlugin, XsollaOrderSystems};
pub use game::support::{SupportReport, support_report};
pub use game::token_plugin::TokenCommands;
pub use game::token_provider::TokenProvider;
pub use model::catalog::{
    Catalog, CatalogItem, CatalogRequest, CatalogState, Discount, ExpirationPeriod, IncludedItem,
    ItemAttribute, ItemGroup, ItemKind, ItemLimit, Promotion, VirtualPrice,
};
pub use model::config::{ConfigError, GrantAt, Listen, XsollaConfig};
pub use model::error::{AuthorizationError, ConnectStep, RequestError, SocketError, TrackingError};
pub use model::ledger::{Ledger, LedgerError, LedgerState, LedgerStore, TakenOrder};
pub use model::login::{RefreshToken, RefreshTokenChanged, XsollaLogin};
pub use model::message::{
    AuthorizationRequired, NewsSource, OrderCanceled, OrderDiscovered, OrderDone, OrderExpired,
    OrderStatusChanged, OrderTrackingFailed,
};
pub use model::order::{OrderId, OrderItem, OrderPhase, OrderStatus, Price};
pub use model::page::{PaymentPage, PaymentPageChanged, PaymentPageStatus, PaymentReturn};
pub use model::purchase::{
    Payment, PaymentPageError, PaymentPageFailed, Purchase, PurchaseError, PurchaseFailed,
    PurchaseId, PurchaseStarted,
};
pub use model::record::{LedgerChange, LedgerEntry, LedgerRecord};
pub use model::renewal::{LoginRequired, TokenFailure, TokenReason, TokenRequest};
pub use model::source::OrderSource;
pub use model::state::TrackerState;
pub use model::user::{UserId, XsollaUser};
pub use rust_decimal::Decimal;
pub use wire::page::payment_return;

/// What a player owns: see [the chapter of the guide](guide::owned).
///
/// The names are not in the [`prelude`], because many games have an `Inventory` of their own.
pub mod inventory {
    pub use crate::game::inventory::{InventoryCommands, XsollaInventoryPlugin};
    pub use crate::model::inventory::{
        ConsumeError, ConsumeFailed, ConsumptionId, Inventory, InventoryError, InventoryItem,
        InventoryItemKind, InventoryState, ItemConsumed, Subscription, SubscriptionStatus,
    };
}

/// Tokens of Xsolla Login that players bring to a server.
#[cfg(feature = "token_verifier")]
pub mod token {
    pub use crate::model::token::{TokenError, VerifiedUser};
    pub use crate::tracker::token_verifier::TokenVerifier;
}

/// A comparison of the orders that Xsolla knows with those that the ledger has, for a studio's server.
#[cfg(feature = "webhook")]
pub mod reconciliation {
    pub use crate::game::reconciliation::ReconciliationCommands;
    pub use crate::model::reconciliation::{
        Difference, Finding, Reconciled, Reconciliation, ReconciliationError, StoreKey,
    };
}

/// Webhooks: what Xsolla tells a studio's server of its players' orders, whether or not a game runs.
///
/// [`verify`](webhook::verify) checks and reads one, for a server in any web framework.
#[cfg(feature = "webhook")]
pub mod webhook {
    pub use crate::game::webhook::{WebhookReceived, WebhookState, XsollaWebhookPlugin};
    pub use crate::model::webhook::{
        Notification, WebhookAnswer, WebhookError, WebhookOrder, WebhookPayment, WebhookRefusal,
        WebhookSecrets, WebhookUser, signature,
    };
    pub use crate::tracker::source::webhook::senders::{InvalidNetwork, WebhookSenders};
    pub use crate::wire::webhook::verify;
}

/// The names that most games need: `use bevy_xsolla::prelude::*`.
pub mod prelude {
    pub use crate::{
        AuthorizationRequired, Catalog, CatalogRequest, CatalogState, Decimal, GrantAt, Ledger,
        LedgerState, Listen, LoginRequired, Order, OrderCanceled, OrderCommands, OrderDiscovered,
        OrderDone, OrderExpired, OrderId, OrderItem, OrderPhase, OrderSource, OrderStatus,
        OrderStatusChanged, OrderTrackingFailed, Orders, PaymentPage, PaymentPageChanged,
        PaymentPageError, PaymentPageFailed, PaymentPageStatus, PaymentReturn, Price, Purchase,
        PurchaseError, PurchaseFailed, PurchaseId, PurchaseStarted, StoreCommands, TokenCommands,
        TokenFailure, TokenProvider, TokenRequest, TrackerState, UserId, XsollaConfig,
        XsollaOrderPlugin, XsollaOrderSystems, XsollaUser, order_is, payment_return,
        tracker_is_live,
    };
}
