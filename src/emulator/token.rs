//! Tokens in the shape of Xsolla Login's: a JWT whose signature is noise, known because it was issued here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

/// How long a token of Xsolla Login lives.
pub(super) const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct Issued {
    pub(super) account: usize,
    pub(super) expires_at: SystemTime,
    /// The order whose payment page it opens, where it is a Pay Station token.
    pub(super) pays_for: Option<u64>,
}

/// A user token for this subject.
pub(super) fn user_token(subject: &str, issued_at: SystemTime, expires_at: SystemTime) -> String {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Rounded up: a token must not look expired before it is refused.
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

/// A Pay Station token: opaque.
pub(super) fn payment_token() -> String {
    URL_SAFE_NO_PAD.encode(noise::<24>())
}

pub(super) fn uuid(bits: u128) -> String {
    let hex = format!("{bits:032x}");
    let mut uuid = String::with_capacity(36);
    for (index, digit) in hex.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    uuid
}

fn noise<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    fastrand::fill(&mut bytes);
    bytes
}
