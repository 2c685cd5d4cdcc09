//! The store's REST API: paths, errors, and `Retry-After`.

use std::time::{Duration, SystemTime};

use crate::model::address::Address;
use crate::model::config::{Endpoints, XsollaConfig};
use crate::model::error::{RequestError, cut};
use crate::model::http::{Body, Credentials, Request, Response};
use crate::model::json::Object;
use crate::model::order::OrderId;
use crate::model::purchase::Purchase;
use crate::model::user::XsollaUser;
use crate::wire::catalog::{CatalogPages, Query};
use crate::wire::inventory::{self, InventoryPages, consume_body};
use crate::wire::store::{creation_body, creation_path};

/// The longest wait that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

pub(crate) fn get_order(
    config: &XsollaConfig,
    user: Option<&XsollaUser>,
    order_id: OrderId,
) -> Result<Request, RequestError> {
    request(config, user, &["order", &order_id.to_string()])
}

pub(crate) fn create_order(
    config: &XsollaConfig,
    user: Option<&XsollaUser>,
    purchase: &Purchase,
) -> Result<Request, RequestError> {
    let mut request = request(config, user, &creation_path(purchase))?;
    request.body = Some(Body::json(creation_body(purchase, config.payment_page)));
    Ok(request)
}

/// Requests the next page of the catalogue. Returns `None` if all pages have been read.
pub(crate) fn next_page(
    config: &XsollaConfig,
    user: Option<&XsollaUser>,
    pages: &CatalogPages<'_>,
) -> Option<Result<Request, RequestError>> {
    let (path, query) = pages.next()?;
    Some(request(config, user, path).and_then(|request| with_query(request, &query)))
}

/// Requests the next page of a player's inventory. Returns `None` if all pages have been read.
pub(crate) fn next_inventory_page(
    config: &XsollaConfig,
    user: &XsollaUser,
    pages: &InventoryPages,
) -> Option<Result<Request, RequestError>> {
    let query = pages.next()?;
    let request = request(config, Some(user), inventory::ITEMS);
    Some(request.and_then(|request| with_query(request, &query)))
}

/// Requests the subscriptions of a player, which are on one page.
pub(crate) fn time_limited_items(
    config: &XsollaConfig,
    user: &XsollaUser,
) -> Result<Request, RequestError> {
    request(config, Some(user), inventory::TIME_LIMITED_ITEMS)
}

/// Uses an item of a player up.
pub(crate) fn consume(
    config: &XsollaConfig,
    user: &XsollaUser,
    sku: &str,
    quantity: u64,
) -> Result<Request, RequestError> {
    let mut request = request(config, Some(user), inventory::CONSUME)?;
    request.body = Some(Body::json(consume_body(sku, quantity)));
    Ok(request)
}

fn with_query(mut request: Request, query: &Query) -> Result<Request, RequestError> {
    let query = query.iter().map(|(name, value)| (*name, value));
    request.address = request
        .address
        .with_query(query)
        .map_err(RequestError::Network)?;
    Ok(request)
}

/// Requests the events of the player's queue whose ids are above this one.
#[cfg(feature = "event_queue")]
pub(crate) fn events(
    config: &XsollaConfig,
    user: &XsollaUser,
    after: u64,
) -> Result<Request, RequestError> {
    let after = ("after_id", after.to_string());
    event_request(config, user, &["events"], Some(after))
}

/// Takes an event out of the player's queue.
#[cfg(feature = "event_queue")]
pub(crate) fn event_processed(
    config: &XsollaConfig,
    user: &XsollaUser,
    event: u64,
) -> Result<Request, RequestError> {
    let path = ["events", &event.to_string(), "processed"];
    let mut request = event_request(config, user, &path, None)?;
    request.body = Some(Body::json(String::new()));
    Ok(request)
}

#[cfg(feature = "event_queue")]
fn event_request(
    config: &XsollaConfig,
    user: &XsollaUser,
    path: &[&str],
    query: Option<(&'static str, String)>,
) -> Result<Request, RequestError> {
    let mut query = Query::from_iter(query);
    query.push(("project_id", config.project_id.to_string()));
    let address = endpoints(config)?.events.below(path);
    with_query(to(config, Some(user), address)?, &query)
}

/// Builds a request below `v2/project/{id}`.
fn request(
    config: &XsollaConfig,
    user: Option<&XsollaUser>,
    path: &[&str],
) -> Result<Request, RequestError> {
    let project_id = config.project_id.to_string();
    let start = ["v2", "project", &project_id];
    let address = endpoints(config)?.store.below(start.iter().chain(path));
    to(config, user, address)
}

fn endpoints(config: &XsollaConfig) -> Result<Endpoints, RequestError> {
    config.endpoints().map_err(|_| RequestError::NotConfigured)
}

fn to(
    config: &XsollaConfig,
    user: Option<&XsollaUser>,
    address: Result<Address, String>,
) -> Result<Request, RequestError> {
    Ok(Request {
        address: address.map_err(RequestError::Network)?,
        credentials: user.cloned().map(Credentials::Player),
        body: None,
        timeout: config.request_timeout,
    })
}

/// Returns the body of a successful answer, or the error that the answer describes.
pub(crate) fn body(response: Response, now: SystemTime) -> Result<Vec<u8>, RequestError> {
    match response.status {
        200..=299 => Ok(response.body),
        _ => Err(refusal(&response, now)),
    }
}

fn refusal(response: &Response, now: SystemTime) -> RequestError {
    // The body only explains the error. Without a body, the status is enough.
    let body = Object::read(&response.body).unwrap_or_default();
    let message = body.text("errorMessage").map(|text| cut(&text, 300));
    // In "[0401-9001]: Order not found" the message has the full code, and `errorCode` has only its last part.
    let (code, message) = match message.as_deref().and_then(split_code) {
        Some((code, text)) => (Some(code.to_owned()), Some(text.to_owned())),
        None => (body.text("errorCode"), message),
    };
    let short = |text: String| cut(&text, 64);
    let retry_after = response.retry_after.as_deref();
    RequestError::Status {
        status: response.status,
        code: code.map(short),
        message,
        transaction_id: body.text("transactionId").map(short),
        retry_after: retry_after.and_then(|text| read_retry_after(text, now)),
    }
}

fn split_code(message: &str) -> Option<(&str, &str)> {
    let (code, text) = message.strip_prefix('[')?.split_once(']')?;
    Some((code, text.trim_start_matches(':').trim_start()))
}

/// Reads `Retry-After`, which is in seconds or a date.
pub(super) fn read_retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SystemTime {
        httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap()
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date_and_is_bounded() {
        for (text, seconds) in [
            ("7", Some(7)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
            ("999999999999", Some(3600)),
            ("-1", None),
            ("soon", None),
        ] {
            let wait = read_retry_after(text, now());
            assert_eq!(wait, seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_base_with_or_without_a_slash_gives_the_documented_path() {
        for base in ["https://x.test/api", "https://x.test/api/"] {
            let mut config = XsollaConfig::new(1);
            config.store_url = base.to_owned();
            let request = get_order(&config, None, OrderId(2)).unwrap();
            assert_eq!(request.address.uri().path(), "/api/v2/project/1/order/2");
        }
    }

    #[test]
    fn a_refusal_carries_what_xsollas_support_asks_for() {
        let response = Response {
            status: 404,
            retry_after: None,
            body: br#"{"statusCode":404,"errorCode":9001,
                "errorMessage":"[0401-9001]: Order not found","transactionId":"t1"}"#
                .to_vec(),
        };
        let error = body(response, now()).unwrap_err();
        assert_eq!(error.code(), Some("0401-9001"));
        assert_eq!(
            error.to_string(),
            "the store answered HTTP 404: [0401-9001] Order not found (transaction t1)"
        );
    }
}
