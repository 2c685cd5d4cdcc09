//! The conversion of requests and answers to and from reqwest.

use std::error::Error as _;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder};

use crate::model::error::RequestError;
use crate::model::http::{Request, Response};

/// Converts a request to reqwest's.
pub(super) fn build(client: &Client, request: Request) -> Result<RequestBuilder, RequestError> {
    let mut builder = match request.body {
        Some(body) => client
            .post(request.url)
            .header(CONTENT_TYPE, "application/json")
            .body(body),
        None => client.get(request.url),
    };
    if let Some(user) = &request.user {
        let value = HeaderValue::try_from(format!("Bearer {}", user.token()));
        let mut value = value.map_err(|_| RequestError::BadToken)?;
        // This keeps the value out of the libraries' logs and `Debug` output.
        value.set_sensitive(true);
        builder = builder.header(AUTHORIZATION, value);
    }
    Ok(builder)
}

/// Returns the answer without its body, which is read later.
pub(super) fn read_head(answer: &reqwest::Response) -> Response {
    let retry_after = answer.headers().get(RETRY_AFTER);
    Response {
        status: answer.status().as_u16(),
        retry_after: retry_after.and_then(|text| text.to_str().ok().map(str::to_owned)),
        body: Vec::new(),
    }
}

pub(super) fn too_large() -> RequestError {
    RequestError::Malformed("it is too large".to_owned())
}

/// Converts reqwest's error to text with its causes, but without the URL.
pub(super) fn read_network_error(error: reqwest::Error) -> RequestError {
    if error.is_timeout() {
        return RequestError::TimedOut;
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    RequestError::Network(text)
}
