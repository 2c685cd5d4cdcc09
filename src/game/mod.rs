//! The Bevy side of the crate. No other module uses a `World`.

mod answers;
pub(crate) mod commands;
pub(crate) mod conditions;
#[cfg(feature = "debug_panel")]
pub(crate) mod debug_panel;
mod deliver;
pub(crate) mod diagnostics;
mod fence;
mod history;
pub(crate) mod inventory;
pub(crate) mod orders;
pub(crate) mod plugin;
mod presence;
#[cfg(feature = "webhook")]
pub(crate) mod reconciliation;
mod resources;
mod secrets;
mod settings;
pub(crate) mod support;
#[cfg(feature = "test_util")]
pub mod test_util;
mod tracking;
#[cfg(feature = "winit")]
mod wake;
#[cfg(feature = "webhook")]
pub(crate) mod webhook;
