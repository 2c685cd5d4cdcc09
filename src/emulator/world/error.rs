//! The errors of a test that asks for the impossible.

use thiserror::Error;

use crate::model::order::OrderId;

/// The reason for which the emulator cannot do what a test asks for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The user was not made by this emulator.
    #[error("the user is not one of this emulator's: make users with `XsollaEmulator::user`")]
    UnknownUser,
    /// An order is for one item at least, and each at least once.
    #[error("an order needs items, and of each at least one")]
    NoItems,
    /// Webhooks cannot be sent to an address; with the reason. The address is not repeated.
    #[error("webhooks cannot be sent to this address: {0}")]
    WebhookAddress(String),
    /// The emulator was not told where to send webhooks.
    #[error("say first where webhooks go, by `XsollaEmulator::webhooks_to`")]
    NoWebhooks,
    /// There is no such order.
    #[error("the emulator has no order {0}")]
    UnknownOrder(OrderId),
    /// The emulator makes no webhooks with this `notification_type` for this subject.
    #[error("the emulator makes no webhook `{0}` of this")]
    UnknownNotification(String),
}
