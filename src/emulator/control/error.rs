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
}

/// Unwraps what was found of an order, and panics where there is no such order.
#[track_caller]
pub(crate) fn known<T>(order_id: OrderId, found: Option<T>) -> T {
    match found {
        Some(found) => found,
        None => misused(&format!("the emulator has no order {order_id}")),
    }
}

#[track_caller]
#[expect(
    clippy::panic,
    reason = "a test that names orders or users which do not exist is wrong, and should say where"
)]
pub(crate) fn misused(message: &str) -> ! {
    panic!("{message}")
}
