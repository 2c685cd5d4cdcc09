//! HTTP requests by the browser's `fetch`.

use reqwest::Client;

use crate::model::error::RequestError;
use crate::model::http::{MAX_BODY_BYTES, Request, Response};
use crate::platform::web::request::{build, read_head, read_network_error, too_large};
use crate::platform::web::runtime::timeout;

/// The HTTP client, which all players share.
#[derive(Debug, Default)]
pub(crate) struct Network {
    client: Client,
}

impl Network {
    /// Sends a request and reads the answer, of any status.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, RequestError> {
        let patience = request.timeout;
        // The library's own time-out can be told apart from other errors only until the answer begins.
        timeout(patience, self.exchange(request))
            .await
            .unwrap_or(Err(RequestError::TimedOut))
    }

    async fn exchange(&self, request: Request) -> Result<Response, RequestError> {
        // The library accepts other characters, but cannot pass them on to `fetch`.
        if matches!(&request.user, Some(user) if !user.token().is_ascii()) {
            return Err(RequestError::BadToken);
        }
        let answer = build(&self.client, request)?
            // The store does not need the player's cookies, and its answers must not come from a cache.
            .fetch_credentials_omit()
            .fetch_cache_no_store()
            .send()
            .await
            .map_err(network)?;
        let mut response = read_head(&answer);
        // The length is checked twice, because it is not always declared, and `fetch` reads an answer as a whole.
        let declared = answer.content_length().unwrap_or(0);
        if usize::try_from(declared).is_ok_and(|length| length <= MAX_BODY_BYTES) {
            response.body = answer.bytes().await.map_err(network)?.into();
            if response.body.len() <= MAX_BODY_BYTES {
                return Ok(response);
            }
        }
        Err(too_large())
    }
}

/// Removes the stack of calls from the browser's error, because it contains the page's address, which may contain
/// a token.
fn network(error: reqwest::Error) -> RequestError {
    match read_network_error(error) {
        RequestError::Network(text) => {
            let line = text.lines().next().unwrap_or_default();
            RequestError::Network(line.replace("JsValue(", ""))
        }
        error => error,
    }
}
