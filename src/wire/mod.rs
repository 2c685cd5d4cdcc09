//! Xsolla's JSON. It is read leniently and written as documented.

pub(crate) mod catalog;
#[cfg(feature = "event_queue")]
pub(crate) mod events;
pub(crate) mod inventory;
pub(crate) mod order;
#[cfg(feature = "webhook")]
pub(crate) mod order_search;
pub(crate) mod page;
pub(crate) mod rest;
pub(crate) mod store;
#[cfg(feature = "token_verifier")]
pub(crate) mod token;
#[cfg(feature = "webhook")]
pub(crate) mod webhook;
