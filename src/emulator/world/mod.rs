//! The state of Xsolla's servers and its rules. It needs no network, no thread and no runtime.

pub(crate) mod accounts;
pub(crate) mod catalog;
pub(crate) mod checkout;
pub(crate) mod counters;
pub(crate) mod error;
pub(crate) mod faults;
pub(crate) mod ids;
pub(crate) mod limits;
pub(crate) mod order;
pub(crate) mod payment;
pub(crate) mod purchase;
mod refresh_tokens;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod sockets;
pub(crate) mod state;
pub(crate) mod stream;
pub(crate) mod tokens;
pub(crate) mod webhook;
pub(crate) mod webhook_bodies;
pub(crate) mod webhook_events;
pub(crate) mod webhook_records;
pub(crate) mod webhook_requests;
pub(crate) mod webhooks;
