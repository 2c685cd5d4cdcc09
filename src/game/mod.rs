//! The Bevy side.

pub(crate) mod checkout;
pub(crate) mod commands;
pub(crate) mod conditions;
pub(crate) mod deliver;
pub(crate) mod diagnostics;
pub(crate) mod orders;
pub(crate) mod plugin;
pub(crate) mod store_commands;
pub(crate) mod store_deliver;
#[cfg(feature = "test_util")]
pub mod test_util;
pub(crate) mod tracking;
pub(crate) mod wake;
