//! How a test fails that asks for the impossible.

use crate::emulator::world::error::EmulatorError;
use crate::model::order::OrderId;

/// Unwraps what was found of an order, and panics where there is no such order.
#[track_caller]
pub(crate) fn known<T>(order_id: OrderId, found: Option<T>) -> T {
    match found {
        Some(found) => found,
        None => misused(&EmulatorError::UnknownOrder(order_id).to_string()),
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
