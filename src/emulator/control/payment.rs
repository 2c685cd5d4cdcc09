//! The payment page: its address, and the time that payments take.

use std::time::Duration;

use super::emulator::XsollaEmulator;
use crate::emulator::http::paths;
use crate::model::order::OrderId;

/// # The payment page
///
/// The player pays on this page, which takes the place of Xsolla's Pay Station. It is at
/// [`payment_page_url`](Self::payment_page_url)`?token=…` with the token that creating the order
/// answered, and [`payment_url`](Self::payment_url) tells the whole address. Any browser shows it, with
/// buttons for what players do and what becomes of their cards. [Faults](Self::heal) of requests
/// do not concern it.
impl XsollaEmulator {
    /// The address of the payment page of an order. A browser can open it until the payment token expires.
    ///
    /// `None` for an order that has no page, because it does not exist, is free, or is paid for in virtual
    /// currency.
    pub fn payment_url(&self, order_id: OrderId) -> Option<String> {
        let state = self.shared.lock();
        let payment = &state.orders.get(&order_id)?.payment;
        let token = payment.token.as_deref()?;
        let page = if payment.is_sandbox {
            self.sandbox_payment_page_url()
        } else {
            self.payment_page_url()
        };
        Some(format!("{page}?token={token}"))
    }

    /// The address that takes the place of `https://secure.xsolla.com/paystation4/`. It needs `?token=…`.
    pub fn payment_page_url(&self) -> String {
        self.url("http", paths::PAYMENT_PAGE)
    }

    /// The address that takes the place of `https://sandbox-secure.xsolla.com/paystation4/`. It is the page for
    /// orders that were created with `"sandbox": true`, and for no others.
    pub fn sandbox_payment_page_url(&self) -> String {
        self.url("http", paths::SANDBOX_PAYMENT_PAGE)
    }

    /// The address of the emulator's Web Shop for the player with this name, who is new if nobody has it. What is bought
    /// there is the order of no game, and [reaches it](crate::guide::elsewhere) where the game listens.
    pub fn web_shop_url(&self, name: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair("user", name).finish();
        format!("{}?{query}", self.url("http", paths::WEB_SHOP))
    }

    /// Sets the time between a payment on the page and its delivery, which is one second at the start. It applies
    /// to payments from now on.
    pub fn set_delivery_delay(&self, delay: Duration) {
        self.shared.lock().settings.delivery_delay = delay;
    }

    /// Sets the time that a slow payment takes, such as one by mobile phone, which is two minutes at the start. It
    /// applies to payments from now on.
    pub fn set_slow_payment(&self, delay: Duration) {
        self.shared.lock().settings.slow_payment = delay;
    }

    /// Sets the life of payment tokens, which is a day at the start. It applies to orders from now on.
    pub fn set_payment_token_lifetime(&self, lifetime: Duration) {
        self.shared.lock().settings.payment_token_lifetime = lifetime;
    }
}
