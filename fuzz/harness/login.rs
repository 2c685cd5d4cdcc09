use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::model::error::RequestError;
use crate::model::http::Response;
use crate::model::login::RefreshToken;
use crate::model::user::XsollaUser;
use crate::wire::login::{is_final, read_tokens};

/// An answer to the exchange of a refresh token. The first line has the status and perhaps `Retry-After`, and all else is
/// the body, in which the byte 0x1e stands for a token.
pub fn login(bytes: &[u8]) {
    const TOKEN: &str = "dGhlLXNlY3JldC1vZi10aGlzLXBsYXllcg";
    // A text that is cut may end within the token.
    let shortest = &TOKEN[..12];
    let text = String::from_utf8_lossy(bytes).replace('\u{1e}', TOKEN);
    let Some((head, body)) = text.split_once('\n') else {
        return;
    };
    let (status, retry_after) = head.split_once(' ').unwrap_or((head, ""));
    let Ok(status) = status.parse() else {
        return;
    };
    let response = Response {
        status,
        retry_after: Some(retry_after.to_owned()),
        body: body.as_bytes().to_vec(),
    };
    let sent = RefreshToken::new(TOKEN);
    let tokens = match read_tokens(response, SystemTime::UNIX_EPOCH) {
        Ok(tokens) => tokens,
        Err(error) => {
            // What the server says of its error may repeat what it was sent.
            let error = match error {
                RequestError::Status { .. } => error.map_text(|text| sent.redact(text)),
                error => error,
            };
            let shown = format!("{error:?} {error}");
            assert!(!shown.contains(shortest), "{shown}");
            assert!(!is_final(&error) || matches!(status, 400..=499));
            let wait = error.retry_after().unwrap_or_default();
            assert!(wait <= Duration::from_secs(60 * 60), "{wait:?}");
            return;
        }
    };
    assert!((200..=299).contains(&status), "{status}");
    let shown = format!("{tokens:?} {tokens:#?}");
    assert!(!shown.contains(shortest), "{shown}");
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        return;
    };
    // A number is read as well, as it is written.
    let written = |name| match &body[name] {
        Value::String(text) => Some(Some(text.as_str()).filter(|text| !text.trim().is_empty())),
        Value::Null | Value::Array(_) | Value::Object(_) => Some(None),
        Value::Bool(_) | Value::Number(_) => None,
    };
    if let Some(access) = written("access_token") {
        assert_eq!(tokens.user, access.map(XsollaUser::new));
    }
    if let Some(refresh) = written("refresh_token") {
        assert_eq!(tokens.refresh, refresh.map(RefreshToken::new));
    }
}
