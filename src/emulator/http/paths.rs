//! The paths on the emulator's port.

pub(crate) const STORE: &str = "/api";
pub(crate) const SOCKET: &str = "/connection/websocket";
pub(crate) const EVENTS: &str = "/v2.0";
pub(crate) const WEB_SHOP: &str = "/webshop/";
pub(crate) const PAYMENT_PAGE: &str = "/paystation4/";
pub(crate) const WEBHOOKS: &str = "/emulator/webhooks";
pub(crate) const SANDBOX_PAYMENT_PAGE: &str = "/sandbox/paystation4/";
