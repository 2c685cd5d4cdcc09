//! Purchases: the request, its messages, and its errors.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use bevy::prelude::{Event, Message};
use serde_json::Value;
use thiserror::Error;

use crate::model::error::{RequestError, TrackingError};
use crate::model::order::OrderId;
use crate::model::user::UserId;

/// A request to buy one or more items.
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
    pub(crate) return_url: Option<PageUrl>,
    pub(crate) theme: Option<String>,
    /// The name and the JSON of each.
    pub(crate) custom_parameters: Vec<(String, String)>,
    pub(crate) unless_open: bool,
}

/// The address of a page. `Debug` hides it, because anyone who has a payment page's address can pay, and the address of a
/// game in a browser may have a token in it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PageUrl(pub(crate) String);

impl fmt::Debug for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// The id of a call of [`purchase`](crate::StoreCommands::purchase), which its answer repeats. It is unique within
/// a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PurchaseId(u64);

impl PurchaseId {
    /// Returns an id that was not used before.
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// The means of payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payment {
    /// Real money, which is paid on the payment page.
    #[default]
    Money,
    /// The virtual currency with this SKU. There is no payment page.
    VirtualCurrency(String),
    /// No payment, because the items are free. There is no payment page.
    Free,
}

impl Purchase {
    /// Buys one piece of an item.
    pub fn item(sku: impl Into<String>) -> Self {
        Self {
            is_cart: false,
            ..Self::cart([(sku, 1)])
        }
    }

    /// Buys several items in one order, each with its quantity.
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
            custom_parameters: Vec::new(),
            unless_open: false,
        }
    }

    /// Sets the quantity of the item, or of each item of a cart.
    #[must_use]
    pub fn quantity(mut self, quantity: u64) -> Self {
        for (_, of_item) in &mut self.items {
            *of_item = quantity;
        }
        self
    }

    /// Pays with the virtual currency that has this SKU. This works for a single item only.
    #[must_use]
    pub fn with_virtual_currency(mut self, sku: impl Into<String>) -> Self {
        self.payment = Payment::VirtualCurrency(sku.into());
        self
    }

    /// Requests the items without payment, which works only if they are free.
    #[must_use]
    pub fn free(mut self) -> Self {
        self.payment = Payment::Free;
        self
    }

    /// Sets the currency to pay in: a code of ISO 4217, such as `EUR`. By default, Xsolla chooses it by the
    /// player's country.
    #[must_use]
    pub fn currency(mut self, currency: impl Into<String>) -> Self {
        self.currency = Some(currency.into());
        self
    }

    /// Sets the payment page's language: two letters of ISO 639-1, such as `de`.
    #[must_use]
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = Some(locale.into());
        self
    }

    /// Applies a promo code.
    #[must_use]
    pub fn promo_code(mut self, code: impl Into<String>) -> Self {
        self.promo_code = Some(code.into());
        self
    }

    /// Makes the purchase a test payment in [Xsolla's
    /// sandbox](https://developers.xsolla.com/doc/pay-station/testing/general-info), in which no money moves and
    /// test cards are accepted.
    #[must_use]
    pub fn sandbox(mut self, sandbox: bool) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// Sets the order's id in the game's own records.
    #[must_use]
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    /// Sets the address that the payment page leads to after the payment.
    #[must_use]
    pub fn return_url(mut self, url: impl Into<String>) -> Self {
        self.return_url = Some(PageUrl(url.into()));
        self
    }

    /// Sets the payment page's theme by its id in Publisher Account.
    #[must_use]
    pub fn theme(mut self, theme: impl Into<String>) -> Self {
        self.theme = Some(theme.into());
        self
    }

    /// Adds a parameter that Xsolla passes on in its webhooks.
    #[must_use]
    pub fn custom_parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let name = name.into();
        self.custom_parameters.retain(|(known, _)| *known != name);
        self.custom_parameters
            .push((name, value.into().to_string()));
        self
    }

    /// Makes no order while another order of the player is open that has one of these items: the purchase is then
    /// answered with [`PurchaseError::AlreadyOpen`], and a shop offers to
    /// [resume](crate::StoreCommands::resume_payment) that order, so that nobody pays twice.
    ///
    /// If it is not known yet what is in an open order, the purchase waits for the store to say that, for as long as
    /// [`request_timeout`](crate::XsollaConfig::request_timeout).
    #[must_use]
    pub fn unless_open(mut self) -> Self {
        self.unless_open = true;
        self
    }

    /// The SKUs and their quantities.
    pub fn items(&self) -> &[(String, u64)] {
        &self.items
    }

    /// The SKU of the first item.
    pub fn sku(&self) -> &str {
        self.items.first().map_or("", |(sku, _)| sku)
    }

    pub(crate) fn shares_item(&self, other: &Self) -> bool {
        let has = |sku: &str| self.items.iter().any(|(own, _)| own == sku);
        other.items.iter().any(|(sku, _)| has(sku))
    }

    /// Checks that the purchase can be requested.
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

/// Whether an SKU can be a segment of a URL's path. The segments `.` and `..` would be removed from it, and
/// another item would be requested.
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

/// An order was created and is tracked. If it has a payment page and
/// [`open_payment_page`](crate::XsollaConfig::open_payment_page) is set, the page is being opened.
#[derive(Clone, PartialEq, Message, Event)]
#[non_exhaustive]
pub struct PurchaseStarted {
    /// The call of [`purchase`](crate::StoreCommands::purchase) that this answers.
    pub purchase_id: PurchaseId,
    /// The order.
    pub order_id: OrderId,
    /// The player whose order it is.
    pub user: UserId,
    /// The request.
    pub purchase: Purchase,
    /// The address of the payment page, for games that show it in an overlay of their own, or `None` if there is
    /// nothing to pay on it. Anybody who has the address can pay, so keep it out of logs, as `Debug` and
    /// reflection do.
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

/// A purchase did not lead to an order that can be paid.
#[derive(Clone, Debug, PartialEq, Message, Event)]
#[non_exhaustive]
pub struct PurchaseFailed {
    /// The call of [`purchase`](crate::StoreCommands::purchase) that this answers.
    pub purchase_id: PurchaseId,
    /// The player who wanted to buy, or `None` if no player was logged in.
    pub user: Option<UserId>,
    /// The SKU of the first item.
    pub sku: String,
    /// The request.
    pub purchase: Purchase,
    /// The reason.
    pub error: PurchaseError,
}

/// An order's payment page was not opened. The order is tracked nevertheless.
#[derive(Clone, Debug, PartialEq, Eq, Message, Event)]
#[non_exhaustive]
pub struct PaymentPageFailed {
    /// The order.
    pub order_id: OrderId,
    /// The player whose order it is, or `None` if the order is not known.
    pub user: Option<UserId>,
    /// The reason.
    pub error: PaymentPageError,
}

/// The reason that a payment page was not opened.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PaymentPageError {
    /// The order has no payment page any more: it has ended, or it was created in an earlier run, whose tokens are
    /// not stored. A player who wants to pay buys again.
    #[error("there is no payment page to open")]
    NoPage,
    /// The player's system opened no browser. [`PurchaseStarted`] has the address, so that the game can show the
    /// page in another way.
    #[error("no browser opens the payment page: {0}")]
    NoBrowser(String),
    /// The browser in which the game runs has blocked the new tab, because the player had not clicked within the last
    /// seconds. Let the player click, and call [`resume_payment`](crate::StoreCommands::resume_payment) then.
    #[error("the browser has blocked the tab of the payment page")]
    Blocked,
}

/// The reason that a purchase did not lead to an order that can be paid.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PurchaseError {
    /// No player is logged in: there is no [`XsollaUser`](crate::XsollaUser). With a
    /// [`TokenProvider`](crate::TokenProvider), a purchase waits until that gives one or fails.
    #[error("nobody is logged in")]
    NotLoggedIn,
    /// There is no [`XsollaConfig`](crate::XsollaConfig), or it is invalid.
    #[error("there is no valid XsollaConfig")]
    NoConfig,
    /// The request makes no sense, for example because its cart is empty.
    #[error("the purchase makes no sense: {0}")]
    Invalid(&'static str),
    /// The same purchase of the same player is in progress or was started less than a second ago, for example by
    /// the first click of a double click. The id is that of the earlier purchase. A game that answers each click
    /// shows nothing for this error.
    #[error("the same purchase is being made already")]
    Repeated(PurchaseId),
    /// This order of the player is open and has one of the items, and the purchase was to be made
    /// [only if there is none](Purchase::unless_open). A player who does not want that order any more
    /// [abandons](crate::StoreCommands::abandon_order) it and buys again.
    #[error("order {0} of the same item is open")]
    AlreadyOpen(OrderId),
    /// The player has too little of the virtual currency (Xsolla's 0401-5006).
    #[error("there is not enough of the virtual currency")]
    NotEnoughCurrency(RequestError),
    /// The item does not exist (Xsolla's 0401-4001).
    #[error("there is no such item")]
    NoSuchItem(RequestError),
    /// The player, or all players together, may buy no more pieces of the item, or not as many (Xsolla's 0401-1460 and
    /// 0401-1459). [`CatalogItem::is_sold_out`](crate::CatalogItem::is_sold_out) says so before, if the catalogue is
    /// fetched again after a purchase.
    ///
    /// Xsolla's list of errors has 0401-1000 for it as well, which stands for other errors, too, and so is a
    /// [`Request`](Self::Request) here. The HTTP status is not documented, and makes no difference.
    #[error("the limit of the item is reached")]
    LimitReached(RequestError),
    /// The store refused the request or was not reached. An order may have been created nevertheless, which costs
    /// the player nothing.
    #[error(transparent)]
    Request(RequestError),
    /// The store answered with the id of an order that has ended.
    #[error("the store answered with order {0}, which is over")]
    OrderIsOver(OrderId),
    /// The project in [`XsollaConfig`](crate::XsollaConfig) was changed before the store answered.
    #[error("the project was changed meanwhile")]
    ProjectChanged,
    /// The order was created, but it cannot be tracked.
    #[error(transparent)]
    Tracking(TrackingError),
    /// The game has [untracked](crate::OrderCommands::untrack_order) or
    /// [abandoned](crate::StoreCommands::abandon_order) the order before its payment page was opened.
    #[error("order {0} was given up by the game")]
    Untracked(OrderId),
}

impl PurchaseError {
    /// What the store has answered, where the error's own text does not repeat it.
    pub(crate) fn answer(&self) -> Option<&RequestError> {
        match self {
            Self::NotEnoughCurrency(error)
            | Self::NoSuchItem(error)
            | Self::LimitReached(error) => Some(error),
            _ => None,
        }
    }
}

impl From<RequestError> for PurchaseError {
    fn from(error: RequestError) -> Self {
        match error.code() {
            Some("0401-5006") => Self::NotEnoughCurrency(error),
            Some("0401-4001") => Self::NoSuchItem(error),
            Some("0401-1459" | "0401-1460") => Self::LimitReached(error),
            _ => Self::Request(error),
        }
    }
}

/// The answer to the creation of an order.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CreatedOrder {
    pub(crate) order_id: OrderId,
    /// The token that opens the payment page, or `None` if there is nothing to pay on it. Anybody who has the
    /// token can pay.
    pub(crate) token: Option<String>,
}

impl fmt::Debug for CreatedOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CreatedOrder").field(&self.order_id).finish()
    }
}
