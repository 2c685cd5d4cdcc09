//! Xsolla's REST API: what is asked, and the bodies of the answers.

use std::sync::Arc;

use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::catalog::MAX_PAGE;
use super::faults::Fault;
use super::order::Line;
use super::server::{Answer, json};
use super::state::{PROJECT_ID, Shared, State};
use super::token;

/// A request to `/api/v2/project/{project}/{route}`.
pub(super) struct Request {
    shared: Arc<Shared>,
    method: Method,
    project: String,
    route: Vec<String>,
    query: Option<String>,
    token: Option<String>,
}

/// What an error answer says: the HTTP status, Xsolla's code and its text.
struct Refusal(StatusCode, u32, &'static str);

const UNAUTHORIZED: Refusal = Refusal(StatusCode::UNAUTHORIZED, 1501, "Authorization failed");
const BAD_PAYMENT_TOKEN: Refusal = Refusal(
    StatusCode::UNAUTHORIZED,
    2001,
    "Pay Station token is invalid or expired",
);
const NO_ORDER: Refusal = Refusal(StatusCode::NOT_FOUND, 9001, "Order not found");
const NO_PROJECT: Refusal = Refusal(StatusCode::NOT_FOUND, 1001, "Project not found");
const NO_ROUTE: Refusal = Refusal(StatusCode::NOT_FOUND, 1000, "Not found");
const NO_METHOD: Refusal = Refusal(StatusCode::METHOD_NOT_ALLOWED, 1000, "Method not allowed");
const BAD_INPUT: Refusal = Refusal(
    StatusCode::UNPROCESSABLE_ENTITY,
    1102,
    "Unprocessable Entity. The request was not valid",
);
const NO_ITEM: Refusal = Refusal(StatusCode::UNPROCESSABLE_ENTITY, 4001, "Item not found");
const TOO_POOR: Refusal = Refusal(
    StatusCode::UNPROCESSABLE_ENTITY,
    5006,
    "Not enough virtual currency",
);

/// The body of a purchase. Fields that change nothing here are accepted and not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Purchase {
    quantity: Option<u64>,
    items: Option<Vec<CartLine>>,
    sandbox: Option<bool>,
}

#[derive(Deserialize)]
struct CartLine {
    sku: String,
    quantity: Option<u64>,
}

impl Request {
    pub(super) fn new(shared: &Arc<Shared>, project: &str, route: &[&str], parts: &Parts) -> Self {
        if let (&Method::GET, ["order", id]) = (&parts.method, route)
            && let Ok(id) = id.parse()
        {
            // Counted as it comes in, so that a request that hangs counts too.
            *shared.lock().counters.order_requests.entry(id).or_default() += 1;
        }
        Self {
            shared: Arc::clone(shared),
            method: parts.method.clone(),
            project: project.to_owned(),
            route: route.iter().map(|&segment| segment.to_owned()).collect(),
            query: parts.uri.query().map(str::to_owned),
            token: bearer(parts),
        }
    }

    pub(super) fn answer(&self, body: &[u8]) -> Answer {
        let mut state = self.shared.lock();
        let answer = self.route(&mut state, body);
        answer.unwrap_or_else(|Refusal(status, code, text)| refuse(status, code, text))
    }

    fn route(&self, state: &mut State, body: &[u8]) -> Result<Answer, Refusal> {
        if self.project.parse() != Ok(PROJECT_ID) {
            return Err(NO_PROJECT);
        }
        let route: Vec<&str> = self.route.iter().map(String::as_str).collect();
        match (self.method.as_str(), route.as_slice()) {
            ("GET", ["order", id]) => self.order(state, id),
            ("GET", ["items", "virtual_items"]) => self.items(state),
            ("POST", ["payment", "item", sku]) => {
                let lines = one_line(state, sku, body)?;
                self.pay(state, lines, body)
            }
            ("POST", ["payment", "cart"]) => {
                let lines = cart(state, body)?;
                self.pay(state, lines, body)
            }
            ("POST", ["payment", "item", sku, "virtual", currency]) => {
                let lines = one_line(state, sku, body)?;
                self.pay_virtually(state, lines, currency)
            }
            ("POST", ["free", "item", sku]) => {
                let lines = one_line(state, sku, body)?;
                self.take(state, lines)
            }
            ("POST", ["free", "cart"]) => {
                let lines = cart(state, body)?;
                self.take(state, lines)
            }
            (
                _,
                ["order", _]
                | ["items", "virtual_items"]
                | ["payment" | "free", "cart"]
                | ["payment" | "free", "item", _]
                | ["payment", "item", _, "virtual", _],
            ) => Err(NO_METHOD),
            _ => Err(NO_ROUTE),
        }
    }

    fn authorize(&self, state: &State) -> Result<usize, Refusal> {
        let token = self.token.as_deref().ok_or(UNAUTHORIZED)?;
        state.authorize(token).map_err(|_| {
            if state.is_payment_token(token) {
                BAD_PAYMENT_TOKEN
            } else {
                UNAUTHORIZED
            }
        })
    }

    fn order(&self, state: &State, id: &str) -> Result<Answer, Refusal> {
        let account = self.authorize(state)?;
        let id: u64 = id.parse().map_err(|_| BAD_INPUT)?;
        let order = state.orders.get(&id).filter(|o| o.account == account);
        let order = order.ok_or(NO_ORDER)?;
        Ok(match &order.body {
            Some(body) => ok(body),
            None => ok(&order.body(id, state.faults.lag)),
        })
    }

    fn items(&self, state: &State) -> Result<Answer, Refusal> {
        // Anyone may look, but a token that is there has to be good.
        if self.token.is_some() {
            self.authorize(state)?;
        }
        let mut limit = MAX_PAGE;
        let mut offset = 0;
        let query = self.query.as_deref().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let number = || value.parse().map_err(|_| BAD_INPUT);
            match name.as_ref() {
                "limit" => limit = number()?,
                "offset" => offset = number()?,
                _ => {}
            }
        }
        if limit == 0 {
            return Err(BAD_INPUT);
        }
        Ok(ok(&state.catalog.page(offset, limit)))
    }

    fn pay(&self, state: &mut State, lines: Vec<Line>, body: &[u8]) -> Result<Answer, Refusal> {
        let account = self.authorize(state)?;
        if lines
            .iter()
            .any(|line| !line.offer.is_free && line.offer.price.is_none())
        {
            return Err(BAD_INPUT);
        }
        let is_sandbox = read(body)?.sandbox.unwrap_or_default();
        let id = state.create_order(account, lines);
        let token = state.issue_payment_token(account, id);
        if let Some(order) = state.orders.get_mut(&id) {
            order.payment.is_sandbox = is_sandbox;
        }
        Ok(ok(&json!({"order_id": id, "token": token})))
    }

    fn pay_virtually(
        &self,
        state: &mut State,
        lines: Vec<Line>,
        currency: &str,
    ) -> Result<Answer, Refusal> {
        let account = self.authorize(state)?;
        let mut price = None;
        for line in &lines {
            let offered = line.offer.virtual_prices.iter().find(|p| p.sku == currency);
            let mut offered = offered.ok_or(NO_ITEM)?.clone();
            offered.amount = offered.amount.saturating_mul(line.quantity.into());
            price = Some(offered);
        }
        if let Some(price) = &price
            && !state.spend(account, currency, price.amount)
        {
            return Err(TOO_POOR);
        }
        let id = state.create_order(account, lines);
        if let Some(order) = state.orders.get_mut(&id) {
            order.virtual_price = price;
        }
        state.set_status(id, "done");
        Ok(ok(&json!({"order_id": id})))
    }

    fn take(&self, state: &mut State, lines: Vec<Line>) -> Result<Answer, Refusal> {
        let account = self.authorize(state)?;
        if lines.iter().any(|line| !line.offer.is_free) {
            return Err(BAD_INPUT);
        }
        let id = state.create_order(account, lines);
        state.set_status(id, "done");
        Ok(ok(&json!({"order_id": id})))
    }
}

fn bearer(parts: &Parts) -> Option<String> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim().to_owned())
}

fn read(body: &[u8]) -> Result<Purchase, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(Purchase::default());
    }
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let purchase = serde_json::from_slice(body).ok().filter(|_| is_object);
    purchase.ok_or(BAD_INPUT)
}

fn one_line(state: &State, sku: &str, body: &[u8]) -> Result<Vec<Line>, Refusal> {
    let purchase = read(body)?;
    Ok(vec![line(state, sku, purchase.quantity)?])
}

fn cart(state: &State, body: &[u8]) -> Result<Vec<Line>, Refusal> {
    let items = read(body)?.items.unwrap_or_default();
    if items.is_empty() {
        return Err(BAD_INPUT);
    }
    items
        .iter()
        .map(|item| line(state, &item.sku, item.quantity))
        .collect()
}

fn line(state: &State, sku: &str, quantity: Option<u64>) -> Result<Line, Refusal> {
    let quantity = quantity.unwrap_or(1);
    if quantity == 0 {
        return Err(BAD_INPUT);
    }
    let offer = state.catalog.offer(sku).ok_or(NO_ITEM)?;
    Ok(Line {
        sku: sku.to_owned(),
        quantity,
        offer,
    })
}

fn ok(body: &impl serde::Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(body) => json(StatusCode::OK, body),
        Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, 1000, "Internal error"),
    }
}

/// Xsolla's error body.
fn refuse(status: StatusCode, code: u32, text: &str) -> Answer {
    let body = json!({
        "statusCode": status.as_u16(),
        "errorCode": code,
        "errorMessage": format!("[0401-{code}]: {text}"),
        "transactionId": token::uuid(fastrand::u128(..)),
    });
    json(status, body.to_string())
}

/// The answer of a request that fails on purpose.
pub(super) fn fail(fault: &Fault) -> Answer {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = match (fault.code, status) {
        (Some(code), _) => refuse(status, code, "It fails on purpose"),
        (None, StatusCode::UNAUTHORIZED) => refuse(status, UNAUTHORIZED.1, UNAUTHORIZED.2),
        (None, StatusCode::NOT_FOUND) => refuse(status, NO_ORDER.1, NO_ORDER.2),
        (None, StatusCode::UNPROCESSABLE_ENTITY) => refuse(status, BAD_INPUT.1, BAD_INPUT.2),
        (None, _) => super::server::text(status, "it fails on purpose\n"),
    };
    if let Some(wait) = fault.retry_after {
        let seconds = wait.as_millis().div_ceil(1000);
        let seconds = HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX));
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    answer
}
