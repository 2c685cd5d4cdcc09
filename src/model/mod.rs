//! The types that all other modules share.

pub(crate) mod address;
pub(crate) mod catalog;
pub(crate) mod config;
pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod http;
pub(crate) mod inventory;
pub(crate) mod json;
pub(crate) mod ledger;
pub(crate) mod maps;
pub(crate) mod message;
pub(crate) mod money;
pub(crate) mod order;
pub(crate) mod page;
pub(crate) mod purchase;
#[cfg(feature = "webhook")]
pub(crate) mod reconciliation;
pub(crate) mod record;
pub(crate) mod source;
pub(crate) mod state;
#[cfg(feature = "token_verifier")]
pub(crate) mod token;
pub(crate) mod user;
#[cfg(feature = "webhook")]
pub(crate) mod webhook;
