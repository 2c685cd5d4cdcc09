//! Answers of the REST API: JSON, or a refusal with its HTTP status, Xsolla's code, and the body that says both.

use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::answer::{Answer, json};
use crate::emulator::world::ids;
use crate::emulator::world::inventory::NotConsumed;
use crate::emulator::world::purchase::Refused;
use crate::emulator::world::tokens::Denied;

/// An HTTP status, Xsolla's `errorCode`, and its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal(
    pub(crate) StatusCode,
    pub(crate) u32,
    pub(crate) &'static str,
);

pub(crate) fn ok(body: &impl Serialize) -> Result<Answer, Refusal> {
    let body = serde_json::to_vec(body).map_err(|_| Refusal::INTERNAL)?;
    Ok(json(StatusCode::OK, body))
}

impl Refusal {
    pub(crate) const UNAUTHORIZED: Self =
        Self(StatusCode::UNAUTHORIZED, 1501, "Authorization failed");
    pub(crate) const BAD_PAYMENT_TOKEN: Self = Self(
        StatusCode::UNAUTHORIZED,
        2001,
        "Pay Station token is invalid or expired",
    );
    pub(crate) const NO_ORDER: Self = Self(StatusCode::NOT_FOUND, 9001, "Order not found");
    pub(crate) const NO_EVENT: Self = Self(StatusCode::NOT_FOUND, 1000, "Event not found");
    pub(crate) const NO_PROJECT: Self = Self(StatusCode::NOT_FOUND, 1001, "Project not found");
    pub(crate) const NO_ROUTE: Self = Self(StatusCode::NOT_FOUND, 1000, "Not found");
    pub(crate) const NO_METHOD: Self =
        Self(StatusCode::METHOD_NOT_ALLOWED, 1000, "Method not allowed");
    pub(crate) const BAD_INPUT: Self = Self(
        StatusCode::UNPROCESSABLE_ENTITY,
        1102,
        "Unprocessable Entity. The request was not valid",
    );
    pub(crate) const NO_ITEM: Self = Self(StatusCode::UNPROCESSABLE_ENTITY, 4001, "Item not found");
    pub(crate) const BALANCE_TOO_LOW: Self = Self(
        StatusCode::UNPROCESSABLE_ENTITY,
        5006,
        "Not enough virtual currency",
    );
    /// The documentation has the code, and not the status.
    pub(crate) const LIMIT_REACHED: Self = Self(
        StatusCode::UNPROCESSABLE_ENTITY,
        1460,
        "Purchase limit of the item is exceeded",
    );
    pub(crate) const NO_GROUP: Self = Self(StatusCode::NOT_FOUND, 4403, "Item group not found");
    pub(crate) const NO_SUCH_ITEM: Self = Self(StatusCode::NOT_FOUND, 4001, "Item not found");
    /// Xsolla's documentation has the status, and not the code.
    pub(crate) const TOO_FEW: Self = Self(
        StatusCode::NOT_FOUND,
        4001,
        "Item not found in the inventory, or too few of it",
    );
    pub(crate) const INTERNAL: Self =
        Self(StatusCode::INTERNAL_SERVER_ERROR, 1000, "Internal error");

    pub(crate) fn answer(self) -> Answer {
        let Self(status, code, text) = self;
        let body = json!({
            "statusCode": status.as_u16(),
            "errorCode": code,
            "errorMessage": format!("[0401-{code}]: {text}"),
            "transactionId": ids::random_uuid(),
        });
        json(status, body.to_string())
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unknown | Denied::Expired => Self::UNAUTHORIZED,
            Denied::PaymentTokenExpired => Self::BAD_PAYMENT_TOKEN,
        }
    }
}

impl From<NotConsumed> for Refusal {
    fn from(reason: NotConsumed) -> Self {
        match reason {
            NotConsumed::NotConsumable => Self::BAD_INPUT,
            NotConsumed::TooFew => Self::TOO_FEW,
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::BadInput => Self::BAD_INPUT,
            Refused::ItemNotFound => Self::NO_ITEM,
            Refused::BalanceTooLow => Self::BALANCE_TOO_LOW,
            Refused::LimitReached => Self::LIMIT_REACHED,
        }
    }
}
