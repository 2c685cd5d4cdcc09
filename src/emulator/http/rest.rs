//! The REST API of Xsolla's store.

use hyper::http::request::Parts;
use hyper::{Method, header};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::answer::Answer;
use super::catalog;
use super::error_body::{Refusal, ok};
use super::inventory;
use super::order_body::OrderBody;
use crate::emulator::world::accounts::AccountId;
use crate::emulator::world::ids::PROJECT_ID;
use crate::emulator::world::order::Line;
use crate::emulator::world::shared::Shared;
use crate::emulator::world::state::State;
use crate::model::order::OrderId;

/// A request to `/api/v2/project/{project}/{route}`.
pub(crate) struct Call<'a> {
    method: &'a Method,
    project: &'a str,
    route: &'a [&'a str],
    query: &'a str,
    token: Option<&'a str>,
}

/// The body of a purchase. Fields that make no difference here are accepted and not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Purchase {
    quantity: Option<u64>,
    items: Option<Vec<CartLine>>,
    sandbox: Option<bool>,
    settings: Option<PageSettings>,
}

/// The settings of the payment page. Themes and `is_three_ds_independent_windows` make no difference here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PageSettings {
    return_url: Option<String>,
}

#[derive(Deserialize)]
struct CartLine {
    sku: String,
    quantity: Option<u64>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(parts: &'a Parts, project: &'a str, route: &'a [&'a str]) -> Self {
        Self {
            method: &parts.method,
            project,
            route,
            query: parts.uri.query().unwrap_or_default(),
            token: bearer(parts),
        }
    }

    /// Counts a Get Order request, or one that uses an item up. It is called as the request comes in, so that a request
    /// which hangs counts too.
    pub(crate) fn count(&self, state: &mut State) {
        match (self.method, self.route) {
            (&Method::GET, ["order", id]) => {
                if let Ok(id) = id.parse().map(OrderId) {
                    *state.counters.order_requests.entry(id).or_default() += 1;
                }
            }
            (&Method::POST, ["user", "inventory", "item", "consume"]) => {
                state.counters.consume_requests += 1;
            }
            _ => {}
        }
    }

    fn authorize(&self, state: &State) -> Result<AccountId, Refusal> {
        let token = self.token.ok_or(Refusal::UNAUTHORIZED)?;
        Ok(state.tokens.authorize(token)?)
    }

    /// Reads a request to buy: the account of the buyer, and the body.
    fn purchase(&self, state: &State, body: &[u8]) -> Result<(AccountId, Purchase), Refusal> {
        Ok((self.authorize(state)?, Purchase::read(body)?))
    }
}

pub(crate) fn answer(shared: &Shared, call: &Call<'_>, body: &[u8]) -> Answer {
    route(&mut shared.lock(), call, body).unwrap_or_else(Refusal::answer)
}

fn route(state: &mut State, call: &Call<'_>, body: &[u8]) -> Result<Answer, Refusal> {
    if call.project.parse() != Ok(PROJECT_ID) {
        return Err(Refusal::NO_PROJECT);
    }
    match (call.method.as_str(), call.route) {
        ("GET", ["order", id]) => order(state, call, id),
        ("GET", ["items", rest @ ..]) => {
            // A request needs no token, but one that it has must be accepted.
            let account = call.token.map(|_| call.authorize(state)).transpose()?;
            catalog::answer(state, account, rest, call.query)
        }
        ("GET", ["user", "inventory", "items"]) => {
            inventory::items(state, call.authorize(state)?, call.query)
        }
        ("GET", ["user", "time_limited_items"]) => {
            inventory::time_limited_items(state, call.authorize(state)?)
        }
        ("POST", ["user", "inventory", "item", "consume"]) => {
            let account = call.authorize(state)?;
            inventory::consume(state, account, body)
        }
        ("POST", ["payment", "cart"]) => {
            let (account, purchase) = call.purchase(state, body)?;
            pay(state, account, purchase.cart(state)?, &purchase)
        }
        ("POST", ["payment", "item", sku]) => {
            let (account, purchase) = call.purchase(state, body)?;
            pay(state, account, vec![purchase.line(state, sku)?], &purchase)
        }
        ("POST", ["payment", "item", sku, "virtual", currency]) => {
            let (account, purchase) = call.purchase(state, body)?;
            let line = purchase.line(state, sku)?;
            created(state.order_for_currency(account, line, currency)?)
        }
        ("POST", ["free", "cart"]) => {
            let (account, purchase) = call.purchase(state, body)?;
            let lines = purchase.cart(state)?;
            created(state.order_for_free(account, lines)?)
        }
        ("POST", ["free", "item", sku]) => {
            let (account, purchase) = call.purchase(state, body)?;
            let line = purchase.line(state, sku)?;
            created(state.order_for_free(account, vec![line])?)
        }
        (
            _,
            ["order", _]
            | ["items", ..]
            | ["user", "inventory", "items"]
            | ["user", "time_limited_items"]
            | ["user", "inventory", "item", "consume"]
            | ["payment" | "free", "cart"]
            | ["payment" | "free", "item", _]
            | ["payment", "item", _, "virtual", _],
        ) => Err(Refusal::NO_METHOD),
        _ => Err(Refusal::NO_ROUTE),
    }
}

fn order(state: &State, call: &Call<'_>, id: &str) -> Result<Answer, Refusal> {
    let account = call.authorize(state)?;
    let id = id.parse().map(OrderId).map_err(|_| Refusal::BAD_INPUT)?;
    let order = state.orders.get(&id).filter(|o| o.account == account);
    let order = order.ok_or(Refusal::NO_ORDER)?;
    match &order.body {
        Some(body) => ok(body),
        None => ok(&OrderBody::new(id, order, state.status_seen(order))),
    }
}

fn pay(
    state: &mut State,
    account: AccountId,
    lines: Vec<Line>,
    purchase: &Purchase,
) -> Result<Answer, Refusal> {
    let is_sandbox = purchase.sandbox.unwrap_or_default();
    let settings = purchase.settings.as_ref();
    let return_url = settings.and_then(|settings| settings.return_url.as_deref());
    let return_url = return_url.map(Url::parse).transpose();
    let return_url = return_url.map_err(|_| Refusal::BAD_INPUT)?;
    let (order_id, token) = state.order_for_money(account, lines, is_sandbox, return_url)?;
    ok(&json!({"order_id": order_id, "token": token}))
}

impl Purchase {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let body = body.trim_ascii();
        if body.is_empty() {
            return Ok(Self::default());
        }
        // serde would read a struct from an array, too.
        let object = Some(body).filter(|body| body.starts_with(b"{"));
        let purchase = object.and_then(|body| serde_json::from_slice(body).ok());
        purchase.ok_or(Refusal::BAD_INPUT)
    }

    fn line(&self, state: &State, sku: &str) -> Result<Line, Refusal> {
        Ok(state.line(sku, self.quantity)?)
    }

    fn cart(&self, state: &State) -> Result<Vec<Line>, Refusal> {
        let items = self.items.as_deref().unwrap_or_default();
        if items.is_empty() {
            return Err(Refusal::BAD_INPUT);
        }
        let lines = items
            .iter()
            .map(|item| state.line(&item.sku, item.quantity));
        Ok(lines.collect::<Result<_, _>>()?)
    }
}

pub(super) fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim())
}

fn created(order_id: OrderId) -> Result<Answer, Refusal> {
    ok(&json!({"order_id": order_id}))
}
