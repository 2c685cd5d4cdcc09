//! HTTP requests by the browser's `fetch`.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, Headers, ReadableStreamDefaultReader, RequestCache, RequestCredentials,
    RequestInit,
};

use crate::model::error::{RequestError, shorten};
use crate::model::http::{MAX_BODY_BYTES, Request, Response};
use crate::platform::web::runtime::timeout;

/// The browser keeps the connections.
#[derive(Debug, Default)]
pub(crate) struct Network;

impl Network {
    /// The same network. The browser keeps the connections.
    pub(crate) fn anew(&self) -> Self {
        Self
    }

    /// Sends a request and reads the answer, of any status.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, RequestError> {
        timeout(request.timeout, exchange(request))
            .await
            .unwrap_or(Err(RequestError::TimedOut))
    }
}

async fn exchange(request: Request) -> Result<Response, RequestError> {
    let window = web_sys::window()
        .ok_or_else(|| RequestError::Network("the game does not run in a page".to_owned()))?;
    let headers = headers(&request)?;
    let abort = Abort(AbortController::new().map_err(network)?);
    let init = RequestInit::new();
    init.set_headers(&headers);
    init.set_signal(Some(&abort.0.signal()));
    // The store does not need the player's cookies, and its answers must not come from a cache.
    init.set_credentials(RequestCredentials::Omit);
    init.set_cache(RequestCache::NoStore);
    if let Some(body) = &request.body {
        init.set_method("POST");
        init.set_body(&JsValue::from_str(&body.text));
    }
    let sent = window.fetch_with_str_and_init(&request.address.uri().to_string(), &init);
    let answer: web_sys::Response = JsFuture::from(sent)
        .await
        .map_err(network)?
        .unchecked_into();
    let mut response = Response {
        status: answer.status(),
        retry_after: answer.headers().get("retry-after").ok().flatten(),
        body: Vec::new(),
    };
    let Some(stream) = answer.body() else {
        return Ok(response);
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    while let Some(part) = read(&reader).await.map_err(network)? {
        let length = usize::try_from(part.length()).unwrap_or(usize::MAX);
        if length > MAX_BODY_BYTES - response.body.len() {
            return Err(RequestError::Malformed("it is too large".to_owned()));
        }
        response.body.extend(part.to_vec());
    }
    Ok(response)
}

/// Reads the next part of an answer. Returns `None` at its end.
async fn read(reader: &ReadableStreamDefaultReader) -> Result<Option<Uint8Array>, JsValue> {
    let part = JsFuture::from(reader.read()).await?;
    let value = Reflect::get(&part, &"value".into())?;
    Ok(value.dyn_into().ok())
}

fn headers(request: &Request) -> Result<Headers, RequestError> {
    let headers = Headers::new().map_err(network)?;
    if let Some(body) = &request.body {
        let set = headers.set("content-type", body.content_type);
        set.map_err(network)?;
    }
    if let Some(credentials) = &request.credentials {
        let value = credentials.header();
        // The browser takes some of the other characters, and sends them in an encoding that no server expects.
        if !value.is_ascii() {
            return Err(RequestError::BadToken);
        }
        let set = headers.set("authorization", &value);
        // The browser's error repeats the token.
        set.map_err(|_| RequestError::BadToken)?;
    }
    Ok(headers)
}

/// Ends a request whose answer is no longer wanted.
struct Abort(AbortController);

impl Drop for Abort {
    fn drop(&mut self) {
        // This does nothing to a request that is complete.
        self.0.abort();
    }
}

/// Takes only the message of the browser's error, because its stack of calls contains the page's address, which may
/// contain a token.
fn network(error: JsValue) -> RequestError {
    let message = error.dyn_ref().map(js_sys::Error::message);
    let message = message.map_or_else(|| "no reason is given".to_owned(), String::from);
    RequestError::Network(shorten(&message))
}
