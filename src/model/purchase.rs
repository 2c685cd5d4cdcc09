//! Buying something.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use bevy::prelude::{Event, Message};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::model::error::{RequestError, TrackingError};
use crate::model::order::OrderId;
use crate::model::user::UserId;

/// What is to be bought, and how.
///
/// ```
/// use bevy_xsolla::Purchase;
///
/// let potions = Purchase::item("potion").quantity(3).currency("EUR").sandbox(true);
/// let cart = Purchase::cart([("sword", 1), ("potion", 2)]).promo_code("SUMMER");
/// let gems = Purchase::item("torch").with_virtual_currency("gem");
/// # let _ = (potions, cart, gems);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Purchase {
    pub(crate) items: Vec<(String, u64)>,
    pub(crate) is_cart: bool,
    pub(crate) payment: Payment,
    pub(crate) currency: Option<String>,
    pub(crate) locale: Option<String>,
    pub(crate) promo_code: Option<String>,
    pub(crate) sandbox: bool,
    pub(crate) external_id: Option<String>,
    pub(crate) return_url: Option<String>,
    pub(crate) theme: Option<String>,
    pub(crate) custom_parameters: Map<String, Value>,
}

/// Names a call of [`purchase`](crate::StoreCommands::purchase) in its answer. No two calls of a process have
/// the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PurchaseId(u64);

impl PurchaseId {
    /// One that no call has yet.
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// What is paid with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payment {
    /// Real money, on the payment page.
    #[default]
    Money,
    /// The virtual currency with this SKU. There is no payment page.
    VirtualCurrency(String),
    /// Nothing: the items are free. There is no payment page.
    Free,
}

impl Purchase {
    /// One of an item.
    pub fn item(sku: impl Into<String>) -> Self {
        Self {
            is_cart: false,
            ..Self::cart([(sku, 1)])
        }
    }

    /// Several items, each with how many of it, in one order.
    pub fn cart<S: Into<String>>(items: impl IntoIterator<Item = (S, u64)>) -> Self {
        let items = items.into_iter().map(|(sku, n)| (sku.into(), n));
        Self {
            items: items.collect(),
            is_cart: true,
            payment: Payment::Money,
            currency: None,
            locale: None,
            promo_code: None,
            sandbox: false,
            external_id: None,
            return_url: None,
            theme: None,
            custom_parameters: Map::new(),
        }
    }

    /// How many of the item; of a cart's items, each.
    #[must_use]
    pub fn quantity(mut self, quantity: u64) -> Self {
        for (_, of_item) in &mut self.items {
            *of_item = quantity;
        }
        self
    }

    /// Pays with the virtual currency that has this SKU. For a single item.
    #[must_use]
    pub fn with_virtual_currency(mut self, sku: impl Into<String>) -> Self {
        self.payment = Payment::VirtualCurrency(sku.into());
        self
    }

    /// Takes what costs nothing.
    #[must_use]
    pub fn free(mut self) -> Self {
        self.payment = Payment::Free;
        self
    }

    /// The currency to pay in: ISO 4217, such as `EUR`. Xsolla chooses by the player's country
    /// otherwise.
    #[must_use]
    pub fn currency(mut self, currency: impl Into<String>) -> Self {
        self.currency = Some(currency.into());
        self
    }

    /// The payment page's language: two letters of ISO 639-1, such as `de`.
    #[must_use]
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = Some(locale.into());
        self
    }

    /// A promo code.
    #[must_use]
    pub fn promo_code(mut self, code: impl Into<String>) -> Self {
        self.promo_code = Some(code.into());
        self
    }

    /// Makes it a test payment, in [Xsolla's
    /// sandbox](https://developers.xsolla.com/doc/pay-station/testing/general-info): no money moves, and test cards
    /// are taken.
    #[must_use]
    pub fn sandbox(mut self, sandbox: bool) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// The order's id in the game's own books.
    #[must_use]
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    /// Where the payment page leads when it is done.
    #[must_use]
    pub fn return_url(mut self, url: impl Into<String>) -> Self {
        self.return_url = Some(url.into());
        self
    }

    /// The payment page's theme, by its id in Publisher Account.
    #[must_use]
    pub fn theme(mut self, theme: impl Into<String>) -> Self {
        self.theme = Some(theme.into());
        self
    }

    /// Something of the game's own that Xsolla passes on in its webhooks.
    #[must_use]
    pub fn custom_parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.custom_parameters.insert(name.into(), value.into());
        self
    }

    /// The SKUs, and how many of each.
    pub fn items(&self) -> &[(String, u64)] {
        &self.items
    }

    /// The SKU of the first item.
    pub fn sku(&self) -> &str {
        self.items.first().map_or("", |(sku, _)| sku)
    }

    /// Whether it can be asked for.
    pub(crate) fn validate(&self) -> Result<(), PurchaseError> {
        let problem = match self.items.as_slice() {
            [] => "it has no items",
            items if items.iter().any(|(sku, _)| sku.is_empty()) => "an SKU is empty",
            items if items.iter().any(|(sku, _)| !is_sendable(sku)) => UNSENDABLE,
            items if items.iter().any(|(_, quantity)| *quantity == 0) => "a quantity is zero",
            _ => match &self.payment {
                Payment::VirtualCurrency(sku) if sku.is_empty() || !is_sendable(sku) => UNSENDABLE,
                _ => return Ok(()),
            },
        };
        Err(PurchaseError::Invalid(problem))
    }
}

const UNSENDABLE: &str = "an SKU cannot be part of an address";

/// Whether an SKU can be a segment of a URL's path: `.` and `..` would vanish from it, and another item be
/// asked for.
fn is_sendable(sku: &str) -> bool {
    !matches!(sku, "." | "..") && !sku.chars().any(char::is_control)
}

impl From<&str> for Purchase {
    fn from(sku: &str) -> Self {
        Self::item(sku)
    }
}

impl From<String> for Purchase {
    fn from(sku: String) -> Self {
        Self::item(sku)
    }
}

/// An order was created and is tracked. The payment page is being opened now, where there is one and
/// [`open_payment_page`](crate::XsollaConfig::open_payment_page) says so.
#[derive(Clone, PartialEq, Message, Event)]
#[non_exhaustive]
pub struct PurchaseStarted {
    /// Which call of [`purchase`](crate::StoreCommands::purchase) this answers.
    pub purchase_id: PurchaseId,
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub user: UserId,
    /// What is bought.
    pub purchase: Purchase,
    /// The payment page, for games that show it in an overlay of their own; `None` where nothing is to
    /// be paid there. Whoever has it can pay: keep it out of logs, as `Debug` and reflection do.
    pub payment_url: Option<String>,
}

impl fmt::Debug for PurchaseStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PurchaseStarted")
            .field("purchase_id", &self.purchase_id)
            .field("order_id", &self.order_id)
            .field("user", &self.user)
            .field("purchase", &self.purchase)
            .field(
                "payment_url",
                &self.payment_url.as_ref().map(|_| "[hidden]"),
            )
            .finish()
    }
}

/// A purchase has led to no order that can be paid.
#[derive(Clone, Debug, PartialEq, Message, Event)]
#[non_exhaustive]
pub struct PurchaseFailed {
    /// Which call of [`purchase`](crate::StoreCommands::purchase) this answers.
    pub purchase_id: PurchaseId,
    /// Whose purchase it was; `None` where nobody was logged in.
    pub user: Option<UserId>,
    /// The SKU of the first item.
    pub sku: String,
    /// What was to be bought.
    pub purchase: Purchase,
    /// Why it was not.
    pub error: PurchaseError,
}

/// An order's payment page was not opened. The order is followed all the same.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct PaymentPageFailed {
    /// The order.
    pub order_id: OrderId,
    /// Whose it is; `None` where the order is not known.
    pub user: Option<UserId>,
    /// Why it was not.
    pub error: PaymentPageError,
}

/// Why a payment page was not opened.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PaymentPageError {
    /// There is none any more: the order has ended, or was made in an earlier run, of which no token is
    /// kept. A player who wants to pay buys anew.
    #[error("there is no payment page to open")]
    NoPage,
    /// The player's system opened no browser. [`PurchaseStarted`] has the address, for another way.
    #[error("no browser opens the payment page: {0}")]
    NoBrowser(String),
}

/// Why a purchase has led to no order that can be paid.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PurchaseError {
    /// Nobody is logged in: there is no [`XsollaUser`](crate::XsollaUser).
    #[error("nobody is logged in")]
    NotLoggedIn,
    /// There is no [`XsollaConfig`](crate::XsollaConfig), or it is invalid.
    #[error("there is no valid XsollaConfig")]
    NoConfig,
    /// What was asked for makes no sense, such as a cart of no items.
    #[error("the purchase makes no sense: {0}")]
    Invalid(&'static str),
    /// The same purchase of the same player is being made, or was started less than a second ago: the
    /// second click of a double click. A game that answers each click shows nothing here.
    #[error("the same purchase is being made already")]
    Repeated(PurchaseId),
    /// Too little of the virtual currency (Xsolla's 0401-5006).
    #[error("there is not enough of the virtual currency")]
    NotEnoughCurrency(RequestError),
    /// There is no such item (Xsolla's 0401-4001).
    #[error("there is no such item")]
    NoSuchItem(RequestError),
    /// The store refused it, or was not reached. An order may have been created all the same, which
    /// costs nobody anything.
    #[error(transparent)]
    Request(RequestError),
    /// The store answered with the id of an order that is over.
    #[error("the store answered with order {0}, which is over")]
    OrderIsOver(OrderId),
    /// The project in [`XsollaConfig`](crate::XsollaConfig) was changed before the store answered.
    #[error("the project was changed meanwhile")]
    ProjectChanged,
    /// The order was created and cannot be followed.
    #[error(transparent)]
    Tracking(TrackingError),
    /// The game has [untracked](crate::OrderCommands::untrack_order) or
    /// [abandoned](crate::StoreCommands::abandon_order) the order before its payment page was opened.
    #[error("order {0} was given up by the game")]
    Untracked(OrderId),
}

impl From<RequestError> for PurchaseError {
    fn from(error: RequestError) -> Self {
        match error.code() {
            Some("0401-5006") => Self::NotEnoughCurrency(error),
            Some("0401-4001") => Self::NoSuchItem(error),
            _ => Self::Request(error),
        }
    }
}

/// An order as its creation was answered.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CreatedOrder {
    pub(crate) order_id: OrderId,
    /// Opens the payment page; `None` where nothing is to be paid there. Whoever has it can pay.
    pub(crate) token: Option<String>,
}

impl fmt::Debug for CreatedOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CreatedOrder").field(&self.order_id).finish()
    }
}
