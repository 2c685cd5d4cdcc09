//! The faults of requests to the REST API.

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use super::answer::{Answer, json, text};
use super::error_body::Refusal;
use crate::emulator::world::faults::Fault;
use crate::emulator::world::shared::Shared;

/// The error that ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
pub(crate) struct Cut;

/// Answers a request, unless a fault delays, spoils or replaces the answer. `changes` says whether the request is one
/// that changes something.
pub(crate) async fn answer_with_faults(
    shared: &Shared,
    changes: bool,
    answer: impl FnOnce() -> Answer,
) -> Result<Answer, Cut> {
    let delay = shared.lock().faults().request_delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    shared.wait_while(|faults| faults.request_hang).await;
    let (fault, is_garbled) = {
        let mut state = shared.lock();
        if state.faults().request_drop {
            return Err(Cut);
        }
        (
            state.take_request_fault(changes),
            state.faults().request_garble,
        )
    };
    let answer = match fault {
        Some(fault) => fail(&fault),
        None => answer(),
    };
    if changes && shared.lock().faults().answer_loss {
        return Err(Cut);
    }
    Ok(if is_garbled {
        garble(answer).await
    } else {
        answer
    })
}

fn fail(fault: &Fault) -> Answer {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = match (fault.code, status) {
        (Some(code), _) => Refusal(status, code, "It fails on purpose").answer(),
        (None, StatusCode::UNAUTHORIZED) => Refusal::UNAUTHORIZED.answer(),
        (None, StatusCode::NOT_FOUND) => Refusal::NO_ORDER.answer(),
        (None, StatusCode::UNPROCESSABLE_ENTITY) => Refusal::BAD_INPUT.answer(),
        (None, _) => text(status, "it fails on purpose\n"),
    };
    if let Some(wait) = fault.retry_after {
        let seconds = wait.as_millis().div_ceil(1000);
        let seconds = HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX));
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    answer
}

/// Breaks the body off in the middle.
async fn garble(answer: Answer) -> Answer {
    let Ok(body) = answer.into_body().collect().await;
    let mut body = body.to_bytes();
    body.truncate(body.len() / 2);
    json(StatusCode::OK, body)
}
