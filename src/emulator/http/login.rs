//! Xsolla Login's Generate JWT, for refresh tokens.

use std::collections::HashMap;

use hyper::http::request::Parts;
use hyper::{Method, StatusCode, header};
use serde_json::json;

use super::answer::{Answer, json as json_answer};
use crate::emulator::world::shared::Shared;
use crate::emulator::world::state::State;

/// An HTTP status, and Login's code with its text. The codes and texts are those of Login's documentation.
struct Refusal(StatusCode, &'static str, &'static str);

impl Refusal {
    const NO_METHOD: Self = Self(StatusCode::METHOD_NOT_ALLOWED, "0", "Method not allowed");
    const BAD_INPUT: Self = Self(
        StatusCode::BAD_REQUEST,
        "0",
        "Request has invalid parameters",
    );
    const NO_CLIENT: Self = Self(
        StatusCode::BAD_REQUEST,
        "010-019",
        "Client authentication failed",
    );
    const BAD_REFRESH_TOKEN: Self = Self(
        StatusCode::BAD_REQUEST,
        "010-023",
        "Authorization grant or refresh token is invalid, expired, revoked",
    );

    fn answer(&self) -> Answer {
        let Self(status, code, description) = self;
        let body = json!({"error": {"code": code, "description": description}});
        json_answer(*status, body.to_string())
    }
}

pub(crate) fn answer(shared: &Shared, parts: &Parts, body: &[u8]) -> Answer {
    let answer = exchange(&mut shared.lock(), parts, body);
    answer.unwrap_or_else(|refusal| refusal.answer())
}

fn exchange(state: &mut State, parts: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
    if parts.method != Method::POST {
        return Err(Refusal::NO_METHOD);
    }
    let kind = parts.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Refusal::BAD_INPUT);
    }
    let fields: HashMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| {
        let field = fields.get(name).map(String::as_str);
        field.filter(|text| !text.is_empty())
    };
    if field("grant_type") != Some("refresh_token") {
        return Err(Refusal::BAD_INPUT);
    }
    if field("client_id").is_none() {
        return Err(Refusal::NO_CLIENT);
    }
    let token = field("refresh_token").ok_or(Refusal::BAD_INPUT)?;
    let account = state.refresh_tokens.use_up(token);
    let account = account.ok_or(Refusal::BAD_REFRESH_TOKEN)?;
    let lifetime = state.settings.token_lifetime;
    let body = json!({
        "access_token": state.issue_token(account, lifetime),
        "expires_in": lifetime.as_secs(),
        "refresh_token": state.refresh_tokens.issue(account),
        "scope": "offline",
        "token_type": "bearer",
    });
    Ok(json_answer(StatusCode::OK, body.to_string()))
}
