//! Orders: their ids, statuses, items, and prices.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use bevy::prelude::{Reflect, ReflectDefault, ReflectDeserialize, ReflectSerialize};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::model::error::{TrackingError, cut};
use crate::model::money;

/// The id of an order, which Xsolla assigns when the order is created.
///
/// Xsolla's ids exceed 32 bits. An id is unique within an Xsolla project.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Reflect,
)]
#[serde(transparent)]
#[reflect(
    no_auto_register,
    Clone,
    Debug,
    PartialEq,
    Hash,
    Serialize,
    Deserialize
)]
pub struct OrderId(pub u64);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u64> for OrderId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

impl FromStr for OrderId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.trim().parse().map(Self)
    }
}

/// The status of an order, as in Xsolla's [Set up order status
/// tracking](https://developers.xsolla.com/solutions/payments/client-side-token-generation/set-up-order-tracking).
///
/// An order only moves forward: [`New`](Self::New), [`Paid`](Self::Paid), [`Done`](Self::Done).
/// [`Canceled`](Self::Canceled) and [`Expired`](Self::Expired) end it. A `Done` order that becomes `Canceled` was
/// refunded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Reflect)]
#[reflect(no_auto_register, Clone, Debug, Default, PartialEq, Hash)]
#[non_exhaustive]
pub enum OrderStatus {
    /// The order was created and is not paid.
    #[default]
    New,
    /// The order is paid and not delivered yet. Nothing is to be granted.
    Paid,
    /// The order is paid and delivered. The game may grant the items.
    Done,
    /// The order was canceled, and refunded if it was paid.
    Canceled,
    /// The time to pay has passed. Xsolla's newer SDK has this status, and the documentation does not.
    Expired,
    /// A status that this version of the crate does not know. Tracking continues.
    Other(String),
}

impl OrderStatus {
    /// The longest unknown status that is kept; a longer one is cut.
    const MAX_OTHER_BYTES: usize = 64;

    /// Reads a status as Xsolla writes it, in any letter case.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        match text {
            _ if text.eq_ignore_ascii_case("new") => Self::New,
            _ if text.eq_ignore_ascii_case("paid") => Self::Paid,
            _ if text.eq_ignore_ascii_case("done") => Self::Done,
            // The documentation has one `l`. The British spelling is accepted as well.
            _ if text.eq_ignore_ascii_case("canceled")
                || text.eq_ignore_ascii_case("cancelled") =>
            {
                Self::Canceled
            }
            _ if text.eq_ignore_ascii_case("expired") => Self::Expired,
            _ => Self::Other(cut(text, Self::MAX_OTHER_BYTES)),
        }
    }

    /// The status in Xsolla's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::New => "new",
            Self::Paid => "paid",
            Self::Done => "done",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Other(text) => text,
        }
    }

    /// Whether no further status is expected: `done`, `canceled` and `expired`.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done | Self::Canceled | Self::Expired)
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An exact amount of real money.
///
/// [`Display`](fmt::Display) writes it as people do in English: `$30.00`, `¥3000`, `12.49 CHF`. It has the decimals that
/// the currency has in ISO 4217, and more where the amount has more. Common currencies have the symbols that Unicode's
/// CLDR has for English, and the others their code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Reflect)]
// The type is opaque, because Bevy does not reflect a `Decimal`.
#[reflect(
    no_auto_register,
    opaque,
    Clone,
    Debug,
    PartialEq,
    Serialize,
    Deserialize
)]
#[non_exhaustive]
pub struct Price {
    /// The amount that the player pays.
    pub amount: Decimal,
    /// The amount without discounts.
    pub amount_without_discount: Decimal,
    /// The ISO 4217 code, such as `USD`.
    pub currency: String,
}

impl Price {
    /// Creates a price without a discount, in the currency with this ISO 4217 code.
    pub fn new(amount: Decimal, currency: impl Into<String>) -> Self {
        Self {
            amount,
            amount_without_discount: amount,
            currency: currency.into(),
        }
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        money::write(f, self.amount, &self.currency)
    }
}

/// An item of an order, which the game grants.
#[derive(Clone, Debug, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OrderItem {
    /// The item's SKU in the Xsolla catalogue.
    pub sku: String,
    /// The number of pieces.
    pub quantity: u64,
    /// Whether the item was free.
    pub is_free: bool,
    /// Whether the item is a bonus of a promotion. Only webhooks of version 2 say so.
    pub is_bonus: bool,
    /// Whether the item is in a bundle that the list has as an item of its own. Only webhooks of version 2 say so. A
    /// game that grants what is in a bundle at the sight of the bundle skips such an item.
    pub is_bundle_content: bool,
    /// The price of one piece in real money, if the server gave it.
    pub price: Option<Price>,
}

impl OrderItem {
    /// Creates an item with this quantity and without a price.
    pub fn new(sku: impl Into<String>, quantity: u64) -> Self {
        Self {
            sku: sku.into(),
            quantity,
            is_free: false,
            is_bonus: false,
            is_bundle_content: false,
            price: None,
        }
    }
}

/// The progress of an order in the game.
#[derive(Clone, Debug, Default, PartialEq, Eq, Reflect)]
#[reflect(no_auto_register, Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum OrderPhase {
    /// The order is tracked, or will be as soon as its player is logged in.
    #[default]
    Open,
    /// [`OrderDone`](crate::OrderDone) was sent for the order, and the game has not acknowledged it yet.
    Granted,
    /// The game has [acknowledged](crate::OrderCommands::acknowledge_order) the order, and the ledger, if there is
    /// one, has recorded that. The order is never delivered again.
    Acknowledged,
    /// The order was canceled or refunded or has expired, and the game was told.
    Ended,
    /// The player did not want to pay the order. It is not requested again in this run. If it is paid
    /// nevertheless, it is granted.
    Abandoned,
    /// Another server has taken the order over, from the ledger that they share. This one has granted it only if that
    /// was told before, and tells nothing more of it.
    Elsewhere,
    /// The order is not tracked any more, and the game was told.
    Failed(TrackingError),
}

impl OrderPhase {
    /// Whether the order is tracked.
    pub fn is_open(&self) -> bool {
        *self == Self::Open
    }

    /// Whether the game was told to grant the order, and it was not refunded since.
    pub fn is_granted(&self) -> bool {
        matches!(self, Self::Granted | Self::Acknowledged)
    }

    /// Whether the game has acknowledged the order, and it was not refunded since.
    pub fn is_acknowledged(&self) -> bool {
        *self == Self::Acknowledged
    }
}

/// News of an order from a source: a publication, or the answer to Get Order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) order_id: OrderId,
    pub(crate) status: Option<OrderStatus>,
    /// The items, or `None` if the source has no list of items. An empty list is a list.
    pub(crate) items: Option<Vec<OrderItem>>,
    pub(crate) price: Option<Price>,
}
