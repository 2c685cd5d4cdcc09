//! The rules for the orders that a shop creates: items, prices and balances.

use url::Url;

use super::accounts::AccountId;
use super::order::Line;
use super::state::State;
use crate::model::order::OrderId;

/// The reason for which an order is not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    BadInput,
    ItemNotFound,
    BalanceTooLow,
    LimitReached,
}

impl State {
    /// Makes a line of an order for an item that is for sale. The quantity is 1 unless the shop names one.
    pub(crate) fn line(&self, sku: &str, quantity: Option<u64>) -> Result<Line, Refused> {
        let quantity = quantity.unwrap_or(1);
        if quantity == 0 {
            return Err(Refused::BadInput);
        }
        let offer = self.catalog.offer(sku).ok_or(Refused::ItemNotFound)?;
        Ok(Line {
            sku: sku.to_owned(),
            quantity,
            offer,
        })
    }

    /// Creates an order to be paid on the payment page. Returns the token that opens it, too.
    pub(crate) fn order_for_money(
        &mut self,
        account: AccountId,
        lines: Vec<Line>,
        is_sandbox: bool,
        return_url: Option<Url>,
    ) -> Result<(OrderId, String), Refused> {
        if lines
            .iter()
            .any(|line| !line.offer.is_free && line.offer.price.is_none())
        {
            return Err(Refused::BadInput);
        }
        self.check_limits(account, &lines)?;
        let order_id = self.create_order(account, lines);
        let token = self.issue_payment_token(order_id);
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.payment.is_sandbox = is_sandbox;
            order.payment.return_url = return_url;
        }
        Ok((order_id, token))
    }

    /// Creates an order that is paid in virtual currency, and so is done at once.
    pub(crate) fn order_for_currency(
        &mut self,
        account: AccountId,
        line: Line,
        currency: &str,
    ) -> Result<OrderId, Refused> {
        let mut prices = line.offer.virtual_prices.iter();
        let offered = prices.find(|price| price.sku == currency);
        let mut price = offered.ok_or(Refused::ItemNotFound)?.clone();
        price.amount = price.amount.saturating_mul(line.quantity.into());
        let lines = vec![line];
        self.check_limits(account, &lines)?;
        if let Some(account) = self.accounts.get_mut(account)
            && !account.spend(currency, price.amount)
        {
            return Err(Refused::BalanceTooLow);
        }
        let order_id = self.create_order(account, lines);
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.virtual_price = Some(price);
        }
        self.set_status(order_id, "done");
        Ok(order_id)
    }

    /// Creates an order of free items, which is done at once.
    pub(crate) fn order_for_free(
        &mut self,
        account: AccountId,
        lines: Vec<Line>,
    ) -> Result<OrderId, Refused> {
        if lines.iter().any(|line| !line.offer.is_free) {
            return Err(Refused::BadInput);
        }
        self.check_limits(account, &lines)?;
        let order_id = self.create_order(account, lines);
        self.set_status(order_id, "done");
        Ok(order_id)
    }
}
