//! The Event API: the queue of a player.

use form_urlencoded::parse;
use hyper::http::request::Parts;
use serde_json::json;

use super::answer::Answer;
use super::error_body::{Refusal, ok};
use super::rest::bearer;
use crate::emulator::world::ids::PROJECT_ID;
use crate::emulator::world::shared::Shared;
use crate::emulator::world::state::State;

/// Answers a request to `/v2.0/events/{route}`.
pub(crate) fn answer(shared: &Shared, route: &[&str], parts: &Parts) -> Answer {
    respond(&mut shared.lock(), route, parts).unwrap_or_else(Refusal::answer)
}

fn respond(state: &mut State, route: &[&str], parts: &Parts) -> Result<Answer, Refusal> {
    let (mut project, mut after) = (None, 0);
    for (name, value) in parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "project_id" => project = value.parse().ok(),
            "after_id" => after = value.parse().map_err(|_| Refusal::BAD_INPUT)?,
            _ => {}
        }
    }
    if project != Some(PROJECT_ID) {
        return Err(Refusal::NO_PROJECT);
    }
    let token = bearer(parts).ok_or(Refusal::UNAUTHORIZED)?;
    let account = state.tokens.authorize(token)?;
    let faults = state.faults().events;
    match (parts.method.as_str(), route) {
        ("GET", []) => {
            state.counters.event_requests += 1;
            let account = state.accounts.get(account).ok_or(Refusal::INTERNAL)?;
            ok(&account.events.page(after, faults))
        }
        ("POST", [id, "processed"]) => {
            let id = id.parse().map_err(|_| Refusal::BAD_INPUT)?;
            let account = state.accounts.get_mut(account).ok_or(Refusal::INTERNAL)?;
            match account.events.process(id) {
                true => ok(&json!({})),
                false => Err(Refusal::NO_EVENT),
            }
        }
        (_, [] | [_, "processed"]) => Err(Refusal::NO_METHOD),
        _ => Err(Refusal::NO_ROUTE),
    }
}
