//! Webhooks: their signature, and their bodies.

use subtle::ConstantTimeEq;

use crate::model::json::{Object, WholeNumber};
use crate::model::order::{OrderId, Price};
use crate::model::webhook::{
    Notification, WebhookError, WebhookOrder, WebhookPayment, WebhookSecrets, WebhookUser,
    signature,
};
use crate::wire::order::read_items;

/// Checks the signature of a webhook, and reads it.
///
/// `body` is the body as it came, byte for byte, and `authorization` is the `Authorization` header, or an empty text
/// where it is missing. Nothing of the body is read before the signature is found to be right. It is compared in
/// constant time.
///
/// Use it in any web framework; [`XsollaWebhookPlugin`](crate::webhook::XsollaWebhookPlugin) uses it for a Bevy server.
///
/// ```
/// use bevy_xsolla::webhook::{Notification, WebhookError, signature, verify};
///
/// let body = br#"{"notification_type":"user_validation","user":{"id":"alice"}}"#;
/// let header = format!("Signature {}", signature(body, "secret"));
/// match verify(body, &header, "secret") {
///     Ok(Notification::UserValidation(user)) => assert_eq!(user.id, "alice"),
///     other => unreachable!("{other:?}"),
/// }
/// assert_eq!(verify(body, &header, "another"), Err(WebhookError::WrongSignature));
/// ```
///
/// # Errors
///
/// A signature that is missing or wrong, no secret, or a body that is signed and cannot be read.
/// [`WebhookError::answer`] says what to answer.
pub fn verify(
    body: impl AsRef<[u8]>,
    authorization: &str,
    secrets: impl Into<WebhookSecrets>,
) -> Result<Notification, WebhookError> {
    verify_with(body.as_ref(), authorization, &secrets.into())
}

/// As [`verify`], without a copy of the secrets.
pub(crate) fn verify_with(
    body: &[u8],
    authorization: &str,
    secrets: &WebhookSecrets,
) -> Result<Notification, WebhookError> {
    if secrets.usable().next().is_none() {
        return Err(WebhookError::NoSecret);
    }
    let given = read_signature(authorization).ok_or(WebhookError::NoSignature)?;
    // All secrets are tried, so that the time does not say which one is right.
    let is_right = secrets.usable().fold(false, |is_right, secret| {
        let expected = signature(body, secret);
        is_right | bool::from(expected.as_bytes().ct_eq(given.as_bytes()))
    });
    match is_right {
        true => read(body).map_err(WebhookError::Malformed),
        false => Err(WebhookError::WrongSignature),
    }
}

/// Reads `Signature <40 hexadecimal digits>`.
fn read_signature(authorization: &str) -> Option<String> {
    let (scheme, digits) = authorization.trim().split_once(' ')?;
    let digits = digits.trim();
    let is_signature = scheme.eq_ignore_ascii_case("signature")
        && digits.len() == 40
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_signature.then(|| digits.to_ascii_lowercase())
}

fn read(body: &[u8]) -> Result<Notification, String> {
    let body = Object::read(body)?;
    let Some(notification_type) = body.text("notification_type") else {
        return Err("it has no notification type".to_owned());
    };
    Ok(match notification_type.as_str() {
        "user_validation" => {
            let user = read_user(&body, &["id", "external_id"]);
            Notification::UserValidation(user.ok_or("it names no player")?)
        }
        "order_paid" => Notification::OrderPaid(read_order(&body)?),
        "order_canceled" => Notification::OrderCanceled(read_order(&body)?),
        "payment" => Notification::Payment(read_payment(&body)),
        "refund" | "partial_refund" => {
            let details = body.object("refund_details").unwrap_or_default();
            Notification::Refund {
                payment: read_payment(&body),
                code: details.unsigned("code"),
                reason: details.text("reason"),
            }
        }
        _ => Notification::Other { notification_type },
    })
}

/// Reads the player. The fields that may have their id are in the order in which they count.
fn read_user(body: &Object<'_>, id: &[&str]) -> Option<WebhookUser> {
    let user = body.object("user")?;
    let mut ids = id.iter().filter_map(|name| user.text(name));
    Some(WebhookUser {
        id: ids.find(|id| !id.is_empty())?,
        email: user.text("email"),
        country: user.text("country"),
    })
}

/// Reads an order. Like the answer to Get Order, it is read in full or not at all, so that no half of an order is
/// granted.
fn read_order(body: &Object<'_>) -> Result<WebhookOrder, String> {
    let order = body.object("order").ok_or("it has no order")?;
    let WholeNumber::Is(id) = order.whole("id") else {
        return Err("its order has no id".to_owned());
    };
    let user = read_user(body, &["external_id", "id"]);
    let items = body.list("items").ok_or("its order has no items")?;
    // What a webhook `payment` has on its own. Projects with separate webhooks leave it out.
    let billing = body.object("billing").unwrap_or_default();
    let transaction = billing.object("transaction").unwrap_or_default();
    let settings = billing.object("settings").unwrap_or_default();
    Ok(WebhookOrder {
        order_id: OrderId(id),
        user: user.ok_or("it names no player")?,
        // An item's amount is that of all its pieces, and so no price of one.
        items: read_items(items).map_err(|problem| format!("its order has {problem}"))?,
        price: read_price(&order),
        invoice_id: order.text("invoice_id"),
        is_test: is_dry_run(&transaction) || order.text("mode").as_deref() == Some("sandbox"),
        project_id: settings.unsigned("project_id"),
    })
}

fn read_price(order: &Object<'_>) -> Option<Price> {
    // Virtual currencies have codes of the project's own.
    let is_virtual = order.text("currency_type").as_deref() == Some("virtual");
    let currency = order.text("currency").filter(|_| !is_virtual)?;
    Some(Price::new(order.decimal("amount")?, currency))
}

fn read_payment(body: &Object<'_>) -> WebhookPayment {
    let transaction = body.object("transaction").unwrap_or_default();
    WebhookPayment {
        user: read_user(body, &["id", "external_id"]),
        transaction_id: transaction.text("id"),
        is_test: is_dry_run(&transaction),
    }
}

fn is_dry_run(transaction: &Object<'_>) -> bool {
    transaction.boolean("dry_run").unwrap_or(false)
}
