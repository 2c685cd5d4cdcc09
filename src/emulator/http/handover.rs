//! What the payment page tells the page that has opened it, in the shapes of Pay Station.

use serde_json::{Value, json};
use url::Url;

use crate::emulator::world::accounts::Account;
use crate::emulator::world::ids;
use crate::emulator::world::order::Order;
use crate::model::order::OrderId;

/// The data of the `status` message to the window that shows the page; `None` before the player has tried to pay.
pub(crate) fn status_message(id: OrderId, order: &Order, player: &Account) -> Option<Value> {
    let status = order.payment_status()?;
    Some(json!({"paymentInfo": {
        "status": status,
        "invoice": ids::invoice(id),
        "userId": player.subject,
    }}))
}

/// The game's own address to which the player goes back, with what has become of the payment.
pub(crate) fn return_url(id: OrderId, order: &Order, player: &Account) -> Option<Url> {
    let mut url = order.payment.return_url.clone()?;
    let mut query = url.query_pairs_mut();
    query.append_pair("user_id", &player.subject);
    if let Some(status) = order.payment_status() {
        query.append_pair("invoice_id", &ids::invoice(id).to_string());
        query.append_pair("status", status);
    }
    drop(query);
    Some(url)
}
