//! The bodies of webhooks, as Xsolla documents them.

use rust_decimal::Decimal;
use serde_json::{Number, Value, json};

use super::accounts::Account;
use super::catalog::Content;
use super::ids;
use super::order::{Line, Order};
use crate::model::order::OrderId;

const MERCHANT_ID: u64 = 4120;

/// Xsolla's text for an amount that there is not.
const NO_AMOUNT: &str = "[null]";

/// The version of the webhooks' bodies, which is a setting of the project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookVersion {
    /// The items of an order have neither `is_free` nor `is_bonus` nor `is_bundle_content`, and the contents of
    /// bundles are not listed.
    One,
    /// The items of an order have all fields, and the contents of a bundle are listed after it.
    #[default]
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    UserValidation,
    Payment,
    OrderPaid,
    OrderCanceled,
    Refund,
}

impl Kind {
    pub(crate) fn parse(notification_type: &str) -> Option<Self> {
        [
            Self::UserValidation,
            Self::Payment,
            Self::OrderPaid,
            Self::OrderCanceled,
            Self::Refund,
        ]
        .into_iter()
        .find(|kind| kind.name() == notification_type)
    }

    /// The `notification_type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::UserValidation => "user_validation",
            Self::Payment => "payment",
            Self::OrderPaid => "order_paid",
            Self::OrderCanceled => "order_canceled",
            Self::Refund => "refund",
        }
    }
}

/// The project's settings that shape the bodies.
#[derive(Clone, Copy, Default)]
pub(crate) struct Shape {
    pub(crate) version: WebhookVersion,
    /// Whether webhooks about the payment are separate from those about the order.
    pub(crate) is_separate: bool,
}

/// An order of a player, to be written into a body.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) order_id: OrderId,
    pub(crate) order: &'a Order,
    pub(crate) player: &'a Account,
}

impl Subject<'_> {
    pub(crate) fn body(self, kind: Kind, shape: Shape) -> Value {
        match kind {
            Kind::UserValidation => user_validation(self.player),
            Kind::OrderPaid | Kind::OrderCanceled => self.order_body(kind, shape),
            Kind::Payment | Kind::Refund => self.payment_body(kind),
        }
    }

    fn order_body(self, kind: Kind, shape: Shape) -> Value {
        let status = match kind {
            Kind::OrderCanceled => "canceled",
            _ => "paid",
        };
        let payment = self.order.real_price();
        let (currency_type, currency, amount) = match (&self.order.virtual_price, &payment) {
            (Some(price), _) => ("virtual", Some(&price.sku), price.amount.to_string()),
            (None, Some(price)) => ("real", Some(&price.currency), money(price.amount)),
            (None, None) => ("real", None, "0".to_owned()),
        };
        let items = self.order.lines.iter();
        let items: Vec<Value> = items
            .flat_map(|line| self.items(line, shape.version))
            .collect();
        let mut body = json!({
            "notification_type": kind.name(),
            "items": items,
            "order": {
                "id": self.order_id,
                "mode": if self.order.payment.is_sandbox { "sandbox" } else { "default" },
                "currency_type": currency_type,
                "currency": currency,
                "amount": amount,
                "status": status,
                "platform": "xsolla",
                "comment": null,
                "invoice_id": payment.map(|_| ids::invoice(self.order_id).to_string()),
                "promotions": [],
                "promocodes": [],
                "coupons": [],
            },
            "user": {
                "external_id": self.player.subject,
                "email": email(self.player),
                "country": "US",
            },
            "custom_parameters": {},
        });
        let payment = match kind {
            Kind::OrderCanceled => Kind::Refund,
            _ => Kind::Payment,
        };
        if !shape.is_separate
            && self.order.real_price().is_some()
            && let Some(body) = body.as_object_mut()
        {
            let mut billing = self.payment_body(payment);
            if let Some(billing) = billing.as_object_mut() {
                billing.remove("user");
                billing.remove("custom_parameters");
            }
            body.insert("billing".to_owned(), billing);
        }
        body
    }

    /// The item of a line, and in the second version what is in it.
    fn items(self, line: &Line, version: WebhookVersion) -> Vec<Value> {
        let offer = &line.offer;
        let quantity = Decimal::from(line.quantity);
        let is_paid = !offer.is_free && self.order.virtual_price.is_none();
        let price = offer.price.as_ref().filter(|_| is_paid);
        let amount = match price {
            Some(price) => money(price.amount.saturating_mul(quantity)),
            None if offer.is_free => "0".to_owned(),
            None => NO_AMOUNT.to_owned(),
        };
        let discount = price.filter(|price| price.amount < price.amount_without_discount);
        let promotions: Vec<Value> = discount
            .map(|price| {
                json!({
                    "amount_without_discount":
                        price.amount_without_discount.saturating_mul(quantity).to_string(),
                    "amount_with_discount": price.amount.saturating_mul(quantity).to_string(),
                    "sequence": 1,
                })
            })
            .into_iter()
            .collect();
        let mut items = vec![json!({
            "sku": line.sku,
            "type": offer.kind,
            "is_pre_order": false,
            "quantity": line.quantity,
            "amount": amount,
            "promotions": promotions,
            "custom_attributes": {},
        })];
        let included = |content: &Content, amount: &str| {
            json!({
                "sku": content.sku,
                "type": content.kind,
                "is_pre_order": false,
                "quantity": content.quantity.saturating_mul(line.quantity),
                "amount": amount,
                "promotions": [],
                "custom_attributes": {},
            })
        };
        if version == WebhookVersion::Two {
            let contents = offer.content.iter();
            items.extend(contents.map(|content| included(content, NO_AMOUNT)));
        }
        let first_bonus = items.len();
        items.extend(offer.bonus.iter().map(|bonus| included(bonus, "0")));
        if version == WebhookVersion::Two {
            for (index, item) in items.iter_mut().enumerate() {
                let Some(item) = item.as_object_mut() else {
                    continue;
                };
                let is_bonus = index >= first_bonus;
                item.insert("is_free".to_owned(), (offer.is_free || is_bonus).into());
                item.insert("is_bonus".to_owned(), is_bonus.into());
                let is_content = index > 0 && !is_bonus;
                item.insert("is_bundle_content".to_owned(), is_content.into());
            }
        }
        items
    }

    fn payment_body(self, kind: Kind) -> Value {
        let price = self.order.real_price();
        let (currency, amount) = match &price {
            Some(price) => (price.currency.as_str(), price.amount),
            None => ("USD", Decimal::ZERO),
        };
        let paid = json!({"currency": currency, "amount": number(amount)});
        let nothing = json!({"currency": currency, "amount": 0});
        let mut body = json!({
            "notification_type": kind.name(),
            "settings": settings(),
            "purchase": {"total": paid, "checkout": paid},
            "user": {
                "ip": "198.51.100.7",
                "email": email(self.player),
                "id": self.player.subject,
                "country": "US",
            },
            "transaction": {
                "id": ids::invoice(self.order_id),
                "external_id": null,
                "payment_method": 26,
                "dry_run": u8::from(self.order.payment.is_sandbox),
                "agreement": 1,
            },
            "payment_details": {
                "payment": {"currency": currency, "amount": amount.to_string()},
                "vat": {"currency": currency, "amount": 0, "percent": 0},
                "payout_currency_rate": 1,
                "payout": paid,
                "xsolla_fee": nothing,
                "payment_method_fee": nothing,
            },
            "custom_parameters": {},
        });
        if kind == Kind::Refund
            && let Some(body) = body.as_object_mut()
        {
            let details = json!({
                "code": 1,
                "reason": "Cancellation by the user's request",
                "author": "support@example.com",
            });
            body.insert("refund_details".to_owned(), details);
        }
        body
    }
}

pub(crate) fn user_validation(player: &Account) -> Value {
    json!({
        "notification_type": Kind::UserValidation.name(),
        "settings": settings(),
        "user": {
            "ip": "198.51.100.7",
            "phone": "15555550100",
            "email": email(player),
            "id": player.subject,
            "name": player.name,
            "country": "US",
        },
    })
}

fn settings() -> Value {
    json!({"project_id": ids::PROJECT_ID, "merchant_id": MERCHANT_ID})
}

fn email(player: &Account) -> String {
    format!("{}@example.com", player.name)
}

/// Webhooks about orders write money with four decimals.
fn money(amount: Decimal) -> String {
    format!("{amount:.4}")
}

/// Webhooks about payments write money as a number.
fn number(amount: Decimal) -> Option<Number> {
    amount.normalize().to_string().parse().ok()
}
