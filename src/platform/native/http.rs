//! Requests to the store.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::CONTENT_TYPE;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, redirect};
use rustls::ClientConfig;
use serde::Deserialize;
use url::Url;

use crate::model::catalog::{CatalogItem, CatalogRequest};
use crate::model::error::RequestError;
use crate::model::order::OrderId;
use crate::model::purchase::Purchase;
use crate::model::user::XsollaUser;
use crate::platform::dns::Resolver;
use crate::platform::tls::trust_nobody;
use crate::wire::lenient;
use crate::wire::order::OrderReport;
use crate::wire::store::{CatalogPage, CreatedOrder, creation_body, creation_path};

/// The largest answer that is read. An order is a few kilobytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The longest wait that a server may impose.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Xsolla's store.
#[derive(Clone)]
pub(crate) struct Store {
    http: Client,
}

impl Store {
    /// Over encrypted connections, through the system's proxy if there is one.
    pub(crate) fn encrypted(tls: ClientConfig) -> Result<Self, RequestError> {
        Self::build(Client::builder(), tls)
    }

    /// On this machine. No proxy: what it was sent would be plain text to another machine.
    pub(crate) fn loopback() -> Result<Self, RequestError> {
        // The library wants a TLS configuration for whatever it may be asked for.
        let tls = trust_nobody().map_err(|e| RequestError::Network(e.to_string()))?;
        Self::build(Client::builder().no_proxy(), tls)
    }

    fn build(builder: ClientBuilder, tls: ClientConfig) -> Result<Self, RequestError> {
        let http = builder
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(Resolver))
            // An API has nowhere to redirect to, and the token must not follow.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("bevy_xsolla/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(network)?;
        Ok(Self { http })
    }

    /// Get Order. `store` is the API's base, such as `https://store.xsolla.com/api`.
    pub(crate) async fn get_order(
        &self,
        store: &Url,
        project_id: u64,
        user: &XsollaUser,
        order_id: OrderId,
        timeout: Duration,
    ) -> Result<OrderReport, RequestError> {
        let url = endpoint(
            store,
            &[
                "v2",
                "project",
                &project_id.to_string(),
                "order",
                &order_id.to_string(),
            ],
        )?;
        let request = self
            .http
            .get(url)
            .header(AUTHORIZATION, bearer(user)?)
            .timeout(timeout);
        let body = answer(request).await?;
        OrderReport::read(&body, order_id).map_err(RequestError::Malformed)
    }
}

/// How many pages of the catalogue are read: ten thousand items.
const MAX_PAGES: usize = 200;
/// The most items that Xsolla gives in a page.
const PAGE: usize = 50;

impl Store {
    /// All virtual items, page by page. With a user, as that player is to see them.
    pub(crate) async fn catalog(
        &self,
        store: &Url,
        project_id: u64,
        user: Option<&XsollaUser>,
        request: &CatalogRequest,
        timeout: Duration,
    ) -> Result<Vec<CatalogItem>, RequestError> {
        let project_id = project_id.to_string();
        let path = ["v2", "project", &project_id, "items", "virtual_items"];
        let mut items = Vec::new();
        let mut offset = 0;
        for _ in 0..MAX_PAGES {
            let mut url = endpoint(store, &path)?;
            url.query_pairs_mut()
                .append_pair("limit", &PAGE.to_string())
                .append_pair("offset", &offset.to_string())
                .extend_pairs(request.locale.iter().map(|locale| ("locale", locale)))
                .extend_pairs(request.country.iter().map(|country| ("country", country)));
            let mut get = self.http.get(url).timeout(timeout);
            if let Some(user) = user {
                get = get.header(AUTHORIZATION, bearer(user)?);
            }
            let page = CatalogPage::read(&answer(get).await?).map_err(RequestError::Malformed)?;
            items.extend(page.items);
            offset += page.length;
            if !page.has_more || page.length == 0 {
                break;
            }
        }
        Ok(items)
    }

    /// Creates an order. Never repeated by itself: what was not answered may have been done.
    pub(crate) async fn create_order(
        &self,
        store: &Url,
        project_id: u64,
        user: &XsollaUser,
        purchase: &Purchase,
        timeout: Duration,
    ) -> Result<CreatedOrder, RequestError> {
        let project_id = project_id.to_string();
        let mut path = vec!["v2", "project", &project_id];
        path.extend(creation_path(purchase));
        let post = self
            .http
            .post(endpoint(store, &path)?)
            .header(AUTHORIZATION, bearer(user)?)
            .header(CONTENT_TYPE, "application/json")
            .body(creation_body(purchase).to_string())
            .timeout(timeout);
        CreatedOrder::read(&answer(post).await?).map_err(RequestError::Malformed)
    }
}

/// The body of a successful answer.
async fn answer(request: RequestBuilder) -> Result<Vec<u8>, RequestError> {
    let response = request.send().await.map_err(network)?;
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    body(response).await
}

fn endpoint(base: &Url, path: &[&str]) -> Result<Url, RequestError> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| RequestError::Network("the store's address has no path".to_owned()))?
        .pop_if_empty()
        .extend(path);
    Ok(url)
}

fn bearer(user: &XsollaUser) -> Result<HeaderValue, RequestError> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", user.token()))
        .map_err(|_| RequestError::BadToken)?;
    // Keeps the value out of the libraries' logs and Debug output.
    value.set_sensitive(true);
    Ok(value)
}

async fn body(mut response: Response) -> Result<Vec<u8>, RequestError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(network)? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(RequestError::Malformed("it is too large".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn refusal(response: Response) -> RequestError {
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers(), SystemTime::now());
    // The body only explains; without one the status says enough.
    let body = body(response).await.unwrap_or_default();
    let body: ErrorBody = serde_json::from_slice(&body).unwrap_or_default();
    let message = body.message.map(|text| {
        let end = text.floor_char_boundary(300);
        text.get(..end).unwrap_or_default().to_owned()
    });
    // "[0401-9001]: Order not found" has the full code; `errorCode` its last part.
    let (code, message) = match message.as_deref().and_then(split_code) {
        Some((code, text)) => (Some(code.to_owned()), Some(text.to_owned())),
        None => (body.code, message),
    };
    let code = code.map(|code| code.chars().take(32).collect());
    RequestError::Status {
        status,
        code,
        message,
        retry_after,
    }
}

fn split_code(message: &str) -> Option<(&str, &str)> {
    let (code, text) = message.strip_prefix('[')?.split_once(']')?;
    Some((code, text.trim_start_matches(':').trim_start()))
}

#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default, rename = "errorCode", deserialize_with = "lenient::text")]
    code: Option<String>,
    #[serde(default, rename = "errorMessage", deserialize_with = "lenient::text")]
    message: Option<String>,
}

/// `Retry-After` in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// reqwest's errors without the URL, with what caused them.
fn network(error: reqwest::Error) -> RequestError {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date_and_is_bounded() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        for (text, seconds) in [
            ("7", Some(7)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
            ("999999999999", Some(3600)),
            ("-1", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            let wait = retry_after(&headers, now);
            assert_eq!(wait, seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_base_with_or_without_a_slash_gives_the_documented_path() {
        for base in ["https://x.test/api", "https://x.test/api/"] {
            let base = Url::parse(base).unwrap();
            let url = endpoint(&base, &["v2", "project", "1", "order", "2"]).unwrap();
            assert_eq!(url.path(), "/api/v2/project/1/order/2");
        }
    }
}
