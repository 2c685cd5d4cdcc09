//! Xsolla's REST API: what is on the wire, read leniently, and the client.

mod client;
pub(crate) mod lenient;
mod order;
#[cfg(feature = "store")]
mod shop;

pub(crate) use client::Store;
pub(crate) use order::{OrderNews, OrderReport};
#[cfg(feature = "store")]
pub(crate) use shop::CreatedOrder;
