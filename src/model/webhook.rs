//! What Xsolla's webhooks tell a studio's server, and what it answers.

use std::fmt;
use std::sync::Arc;

use serde_json::json;
use sha1::{Digest, Sha1};
use thiserror::Error;

use crate::model::order::{OrderId, OrderItem, Price};

/// A notification that Xsolla has sent to the project's webhook, after [`verify`](crate::webhook::verify) has checked
/// its signature. Xsolla's documentation has a [list of them](https://developers.xsolla.com/webhooks/overview/).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notification {
    /// `user_validation`: whether the game has this player. Answer 204, or refuse with
    /// [`WebhookRefusal::InvalidUser`].
    UserValidation(WebhookUser),
    /// `order_paid`: the order is paid, and its items are to be granted. Answer 204 once they are.
    OrderPaid(WebhookOrder),
    /// `order_canceled`: a paid order was refunded.
    OrderCanceled(WebhookOrder),
    /// `payment`: a payment was made. In projects with separate webhooks it comes beside
    /// [`OrderPaid`](Self::OrderPaid), so nothing is to be granted for it.
    Payment(WebhookPayment),
    /// `refund`, `partial_refund`: a payment was refunded. In projects with separate webhooks a refund comes beside
    /// [`OrderCanceled`](Self::OrderCanceled).
    Refund {
        /// The payment.
        payment: WebhookPayment,
        /// Xsolla's code of the reason, such as 2 for a chargeback.
        code: Option<u64>,
        /// The reason as text.
        reason: Option<String>,
    },
    /// Another notification. Answer 204, or Xsolla sends it again.
    Other {
        /// The `notification_type`.
        notification_type: String,
    },
}

/// The player whom a webhook names.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookUser {
    /// The player's id: `user.external_id` in notifications of orders, `user.id` in the others.
    pub id: String,
    /// The e-mail address. It is not shown in `Debug`.
    pub email: Option<String>,
    /// The country, as an ISO 3166-1 code of two letters.
    pub country: Option<String>,
}

impl fmt::Debug for WebhookUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookUser")
            .field("id", &self.id)
            .field("email", &self.email.as_ref().map(|_| "[hidden]"))
            .field("country", &self.country)
            .finish()
    }
}

/// An order in a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookOrder {
    /// The order.
    pub order_id: OrderId,
    /// The player who paid.
    pub user: WebhookUser,
    /// The items of the order. The webhook does not say what one piece of each costs.
    pub items: Vec<OrderItem>,
    /// The price of the order, if it was paid with real money and the webhook gives it.
    pub price: Option<Price>,
    /// The id of the payment, by which Xsolla's support finds it.
    pub invoice_id: Option<String>,
    /// Whether no real money was paid, because the order was made in the sandbox.
    pub is_test: bool,
    /// The project that the order was made in, if the webhook names it.
    pub project_id: Option<u64>,
}

/// A payment in a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookPayment {
    /// The player who paid, if the webhook names one.
    pub user: Option<WebhookUser>,
    /// The id of the payment. Notifications of orders call it `invoice_id`.
    pub transaction_id: Option<String>,
    /// Whether no real money was paid.
    pub is_test: bool,
}

/// The secrets that sign the webhooks of a project. It accepts each of them, so that a secret can be replaced without
/// a webhook being refused. They are not shown in `Debug`.
///
/// ```
/// # use bevy_xsolla::webhook::WebhookSecrets;
/// let one = WebhookSecrets::from("secret");
/// let while_it_changes = WebhookSecrets::from(["new secret", "old secret"]);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WebhookSecrets(Vec<Arc<str>>);

impl WebhookSecrets {
    /// The secrets that can sign. Anybody can sign with an empty one.
    pub(crate) fn usable(&self) -> impl Iterator<Item = &str> {
        let secrets = self.0.iter().map(|secret| secret.trim());
        secrets.filter(|secret| !secret.is_empty())
    }
}

impl From<&str> for WebhookSecrets {
    fn from(secret: &str) -> Self {
        Self::from([secret])
    }
}

impl From<String> for WebhookSecrets {
    fn from(secret: String) -> Self {
        Self::from([secret])
    }
}

impl<S: AsRef<str>, const N: usize> From<[S; N]> for WebhookSecrets {
    fn from(secrets: [S; N]) -> Self {
        secrets.into_iter().collect()
    }
}

impl<S: AsRef<str>> FromIterator<S> for WebhookSecrets {
    fn from_iter<I: IntoIterator<Item = S>>(secrets: I) -> Self {
        let secrets = secrets.into_iter();
        Self(secrets.map(|secret| secret.as_ref().into()).collect())
    }
}

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookSecrets({} hidden)", self.0.len())
    }
}

/// The signature that Xsolla puts into the `Authorization` header, after `Signature `: the SHA-1 hash of the body and
/// the secret behind it, in hexadecimal. With it, a test can send a webhook to a server.
pub fn signature(body: impl AsRef<[u8]>, secret: &str) -> String {
    let hash = Sha1::new().chain_update(body).chain_update(secret);
    let hash = hash.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The reason that a webhook does not count.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookError {
    /// There is no secret, or only empty ones.
    #[error("no secret is set for the webhooks")]
    NoSecret,
    /// The `Authorization` header is missing or does not have the form `Signature <40 hexadecimal digits>`.
    #[error("the webhook has no signature")]
    NoSignature,
    /// The signature is not that of this body with one of the secrets.
    #[error("the webhook's signature is wrong")]
    WrongSignature,
    /// The signature is right, and the body cannot be read.
    #[error("the webhook cannot be read: {0}")]
    Malformed(String),
}

impl WebhookError {
    /// The answer to such a webhook.
    ///
    /// What is signed and cannot be read is answered with 500, so that Xsolla sends it again: with automatic refunds, a
    /// refusal of `order_paid` gives the player's money back.
    pub fn answer(&self) -> WebhookAnswer {
        match self {
            Self::NoSignature | Self::WrongSignature => {
                WebhookRefusal::InvalidSignature.answer(&self.to_string())
            }
            Self::NoSecret | Self::Malformed(_) => WebhookAnswer::trouble(),
        }
    }
}

/// The answer to a webhook: a status, and a body that is JSON or empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl WebhookAnswer {
    /// The webhook is taken care of: 204.
    pub fn accepted() -> Self {
        Self {
            status: 204,
            body: String::new(),
        }
    }

    /// The server has trouble of its own, such as a database that is away: 500. Xsolla sends the webhook again.
    pub fn trouble() -> Self {
        Self {
            status: 500,
            body: String::new(),
        }
    }
}

/// Xsolla's reasons to refuse a webhook, which are answered with 400.
///
/// With automatic refunds, a refusal of `order_paid` gives the player's money back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookRefusal {
    /// The game does not know the player.
    InvalidUser,
    /// A field has a wrong value.
    InvalidParameter,
    /// The signature is wrong.
    InvalidSignature,
    /// The amount that was paid is wrong.
    IncorrectAmount,
    /// The order is wrong.
    IncorrectInvoice,
}

impl WebhookRefusal {
    /// The code in Xsolla's documentation.
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidUser => "INVALID_USER",
            Self::InvalidParameter => "INVALID_PARAMETER",
            Self::InvalidSignature => "INVALID_SIGNATURE",
            Self::IncorrectAmount => "INCORRECT_AMOUNT",
            Self::IncorrectInvoice => "INCORRECT_INVOICE",
        }
    }

    /// The answer: 400, with the code and this message.
    pub fn answer(self, message: &str) -> WebhookAnswer {
        let error = json!({"error": {"code": self.code(), "message": message}});
        WebhookAnswer {
            status: 400,
            body: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_signed_as_xsolla_signs_it() {
        for (body, signed) in [
            ("", "78143a5ac4b892a68ce8b0b8b49e26667db0fa07"),
            (
                r#"{"notification_type": "payment"}"#,
                "89404631c86da9f508954da7b50799199a6b1d3a",
            ),
        ] {
            assert_eq!(signature(body, "PROJECT_SECRET_KEY"), signed);
        }
    }

    #[test]
    fn each_refusal_has_xsollas_json() {
        for (refusal, code) in [
            (WebhookRefusal::InvalidUser, "INVALID_USER"),
            (WebhookRefusal::InvalidParameter, "INVALID_PARAMETER"),
            (WebhookRefusal::InvalidSignature, "INVALID_SIGNATURE"),
            (WebhookRefusal::IncorrectAmount, "INCORRECT_AMOUNT"),
            (WebhookRefusal::IncorrectInvoice, "INCORRECT_INVOICE"),
        ] {
            let answer = refusal.answer("no \"such\" player");
            let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(answer.status, 400);
            let error = json!({"error": {"code": code, "message": "no \"such\" player"}});
            assert_eq!(body, error);
        }
    }

    #[test]
    fn what_could_cost_the_player_an_order_is_no_refusal() {
        for error in [WebhookError::NoSecret, WebhookError::Malformed("x".into())] {
            assert_eq!(error.answer().status, 500);
        }
    }

    #[test]
    fn debug_shows_neither_a_secret_nor_an_address() {
        let secrets = WebhookSecrets::from(["very-secret", "old-secret"]);
        let user = WebhookUser {
            id: "alice".to_owned(),
            email: Some("alice@example.com".to_owned()),
            country: None,
        };
        let shown = format!("{secrets:?} {user:?}");
        assert!(
            !shown.contains("secret-") && !shown.contains("-secret"),
            "{shown}"
        );
        assert!(!shown.contains("example.com"), "{shown}");
    }
}
