//! The sources of news. A source puts inputs into the driver's inbox until it is told to stop.

mod inbox;
pub(crate) mod inventory;
pub(super) mod page;
#[cfg(feature = "event_queue")]
pub(super) mod queue;
#[cfg(feature = "webhook")]
pub(crate) mod reconciliation;
pub(super) mod requests;
pub(super) mod socket;
#[cfg(feature = "webhook")]
pub(crate) mod webhook;
