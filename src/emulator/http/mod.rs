//! The HTTP server: the REST API, the payment page, and the handshake of the socket.

mod answer;
mod catalog;
mod cors;
mod error_body;
mod events;
mod faults;
mod handover;
mod html;
mod inventory;
mod order_body;
mod order_search;
mod origin;
mod page;
pub(crate) mod paths;
mod rest;
mod router;
pub(crate) mod server;
mod upgrade;
mod web_shop;
mod webhooks;
