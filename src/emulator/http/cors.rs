//! The permissions of pages from other origins, such as a game in a browser, to use the REST API.
//!
//! Xsolla's store takes `Authorization` and `Content-Type` from every origin and no other header. It exposes
//! no header of its answers, so a game in a browser cannot read `Retry-After`.

use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};

use super::answer::{Answer, empty};

/// Whether a browser asks for permission before it sends a request.
pub(crate) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

pub(crate) fn preflight() -> Answer {
    let mut answer = empty(StatusCode::NO_CONTENT);
    let headers = answer.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type"),
    );
    answer
}

/// Lets pages of every origin read the answer.
pub(crate) fn allow(answer: &mut Answer) {
    answer.headers_mut().insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
}
