//! The tokens that the emulator issues and accepts. Those of users have the shape of Xsolla Login's: a JWT, with
//! noise for a signature. Those of Pay Station are opaque.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::accounts::AccountId;
use crate::model::order::OrderId;

/// The life of a token, unless a test sets another.
pub(crate) const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest life of a token: it outlasts every test and stays within what a clock can count.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

#[derive(Default)]
pub(crate) struct Tokens(HashMap<String, Issued>);

struct Issued {
    account: AccountId,
    expires_at: SystemTime,
    /// The order whose payment page a Pay Station token opens; `None` for a user's token.
    pays_for: Option<OrderId>,
}

/// The reason for which a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    Unknown,
    Expired,
    PaymentTokenExpired,
}

impl Issued {
    fn check(&self) -> Result<&Self, Denied> {
        match (SystemTime::now() < self.expires_at, self.pays_for) {
            (true, _) => Ok(self),
            (false, None) => Err(Denied::Expired),
            (false, Some(_)) => Err(Denied::PaymentTokenExpired),
        }
    }
}

impl Tokens {
    pub(crate) fn issue_to_user(
        &mut self,
        account: AccountId,
        subject: &str,
        lifetime: Duration,
    ) -> String {
        let issued_at = SystemTime::now();
        let expires_at = issued_at + lifetime.min(CENTURY);
        let token = user_token(subject, issued_at, expires_at);
        let issued = Issued {
            account,
            expires_at,
            pays_for: None,
        };
        self.0.insert(token.clone(), issued);
        token
    }

    pub(crate) fn issue_for_payment(
        &mut self,
        account: AccountId,
        order_id: OrderId,
        lifetime: Duration,
    ) -> String {
        let token = URL_SAFE_NO_PAD.encode(noise::<24>());
        let issued = Issued {
            account,
            expires_at: SystemTime::now() + lifetime.min(CENTURY),
            pays_for: Some(order_id),
        };
        self.0.insert(token.clone(), issued);
        token
    }

    pub(crate) fn revoke(&mut self, account: AccountId) {
        self.0.retain(|_, issued| issued.account != account);
    }

    /// The account to which a token belongs.
    pub(crate) fn authorize(&self, token: &str) -> Result<AccountId, Denied> {
        let issued = self.0.get(token).ok_or(Denied::Unknown)?;
        Ok(issued.check()?.account)
    }

    /// The order whose payment page a token opens.
    pub(crate) fn order_to_pay(&self, token: &str) -> Result<OrderId, Denied> {
        let issued = self.0.get(token).ok_or(Denied::Unknown)?;
        let order_id = issued.pays_for.ok_or(Denied::Unknown)?;
        issued.check()?;
        Ok(order_id)
    }
}

fn user_token(subject: &str, issued_at: SystemTime, expires_at: SystemTime) -> String {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
    // It is rounded up: a token must not look expired before it is refused.
    let exp = seconds(expires_at).as_millis().div_ceil(1000);
    let claims = json!({
        "exp": u64::try_from(exp).unwrap_or(u64::MAX),
        "groups": [],
        "iat": seconds(issued_at).as_secs(),
        "iss": "https://login.xsolla.com",
        "sub": subject,
        "type": "xsolla_login",
        "xsolla_login_project_id": "e5dac9c8-0000-4000-8000-000000000000",
    });
    let header = json!({"alg": "RS256", "typ": "JWT"});
    format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string()),
        URL_SAFE_NO_PAD.encode(noise::<256>()),
    )
}

pub(super) fn noise<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    fastrand::fill(&mut bytes);
    bytes
}
