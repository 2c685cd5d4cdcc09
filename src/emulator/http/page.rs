//! The payment page over HTTP: it is shown, and its buttons send their forms.

use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::answer::{Answer, with_type};
use super::html;
use super::paths;
use crate::emulator::world::checkout::Later;
use crate::emulator::world::payment::Action;
use crate::emulator::world::shared::Shared;
use crate::emulator::world::state::State;
use crate::emulator::world::tokens::Denied;
use crate::model::order::OrderId;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Any page may show this one in a frame, as it may show Pay Station.
fn headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; \
             form-action 'self'; base-uri 'none'",
            ),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // The address contains the token.
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ]
}

/// A reason for which there is no order to show.
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) text: &'static str,
}

const NO_TOKEN: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    title: "There is no payment here",
    text: "The address of a payment ends in ?token= and the payment token of an order.",
};
const UNKNOWN_TOKEN: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    title: "There is no such payment",
    text: "No order has this payment token. Tokens are gone when the emulator starts again.",
};
const EXPIRED_TOKEN: Problem = Problem {
    status: StatusCode::GONE,
    title: "This payment has expired",
    text: "The time to pay is over. Go back to the game and start the purchase again.",
};
const IS_SANDBOX: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    title: "This is a sandbox payment",
    text: "The order was created with sandbox: true, and those are paid on the sandbox page.",
};
const IS_NOT_SANDBOX: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    title: "This is not a sandbox payment",
    text: "The order was created without sandbox: true, and those are paid on the usual page.",
};
const BAD_FORM: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    title: "That cannot be done here",
    text: "The page was sent something that none of its buttons sends.",
};
pub(super) const BAD_METHOD: Problem = Problem {
    status: StatusCode::METHOD_NOT_ALLOWED,
    title: "That cannot be done here",
    text: "The page can be read, and its buttons pressed.",
};

/// Shows the page, or carries out the action of one of its buttons.
pub(crate) async fn answer(
    shared: &Shared,
    parts: &Parts,
    body: &[u8],
    is_sandbox: bool,
) -> Answer {
    let query = parts.uri.query().unwrap_or_default();
    let answer = match parts.method {
        Method::GET | Method::HEAD => show(&shared.lock(), query, is_sandbox),
        Method::POST => press(shared, query, body, is_sandbox).await,
        _ => Err(BAD_METHOD),
    };
    let mut answer = answer.unwrap_or_else(|problem| problem.answer(is_sandbox));
    if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
        let methods = HeaderValue::from_static("GET, HEAD, POST");
        answer.headers_mut().insert(header::ALLOW, methods);
    }
    with_headers(answer)
}

/// Adds the headers that every page has.
pub(super) fn with_headers(mut answer: Answer) -> Answer {
    answer.headers_mut().extend(headers());
    answer
}

pub(crate) fn style() -> Answer {
    file("text/css; charset=utf-8", STYLE)
}

pub(crate) fn script() -> Answer {
    file("text/javascript; charset=utf-8", SCRIPT)
}

fn file(content_type: &'static str, content: &'static str) -> Answer {
    let mut answer = with_type(StatusCode::OK, content_type, content);
    // A page that refreshes itself does not fetch it each time, and the next emulator on this port is not given
    // an old one.
    let briefly = HeaderValue::from_static("max-age=30");
    answer.headers_mut().insert(header::CACHE_CONTROL, briefly);
    answer
}

/// A field of a query or of a form, which are written in the same way.
pub(super) fn field(form: &[u8], name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(form);
    let (_, value) = fields.find(|(key, _)| key == name)?;
    Some(value.into_owned())
}

/// The order that the page is about, and its token.
fn find(state: &State, query: &str, is_sandbox: bool) -> Result<(OrderId, String), Problem> {
    let token = field(query.as_bytes(), "token").ok_or(NO_TOKEN)?;
    let order_id = state
        .tokens
        .order_to_pay(&token)
        .map_err(|denied| match denied {
            Denied::Unknown => UNKNOWN_TOKEN,
            Denied::Expired | Denied::PaymentTokenExpired => EXPIRED_TOKEN,
        })?;
    let order = state.orders.get(&order_id).ok_or(UNKNOWN_TOKEN)?;
    match (order.payment.is_sandbox, is_sandbox) {
        (true, false) => Err(IS_SANDBOX),
        (false, true) => Err(IS_NOT_SANDBOX),
        _ => Ok((order_id, token)),
    }
}

fn show(state: &State, query: &str, is_sandbox: bool) -> Result<Answer, Problem> {
    let (order_id, token) = find(state, query, is_sandbox)?;
    let order = state.orders.get(&order_id).ok_or(UNKNOWN_TOKEN)?;
    let player = state.accounts.get(order.account).ok_or(UNKNOWN_TOKEN)?;
    let page = html::order_page(order_id, order, player, &token, is_sandbox);
    Ok(html_answer(StatusCode::OK, page))
}

async fn press(
    shared: &Shared,
    query: &str,
    body: &[u8],
    is_sandbox: bool,
) -> Result<Answer, Problem> {
    let (order_id, token) = find(&shared.lock(), query, is_sandbox)?;
    let action = field(body, "action").ok_or(BAD_FORM)?;
    let mut action = Action::parse(&action).ok_or(BAD_FORM)?;
    let validation = shared.lock().validate(order_id, action);
    if let Some(validation) = validation {
        let is_valid = shared.wait_for(|state, waker| state.is_valid(validation, waker));
        if !is_valid.await {
            action = Action::Decline;
        }
    }
    // The lock is free again before the payment starts a task.
    let later = shared.lock().act(order_id, action);
    if let Some(later) = later {
        tokio::spawn(follow_up(shared.clone(), later));
    }
    // The browser is sent back to the page, so that reloading it does not press the button again.
    let path = if is_sandbox {
        paths::SANDBOX_PAYMENT_PAGE
    } else {
        paths::PAYMENT_PAGE
    };
    let page = HeaderValue::from_str(&format!("{path}?token={token}")).map_err(|_| BAD_FORM)?;
    let mut answer = html_answer(StatusCode::SEE_OTHER, String::new());
    answer.headers_mut().insert(header::LOCATION, page);
    Ok(answer)
}

/// Carries out the events that follow an action. It ends with the emulator, on whose runtime it is.
async fn follow_up(shared: Shared, later: Later) {
    let mut next = Some(later);
    while let Some(later) = next {
        tokio::time::sleep(later.delay).await;
        next = shared.lock().resume(&later);
    }
}

pub(super) fn html_answer(status: StatusCode, body: String) -> Answer {
    with_type(status, "text/html; charset=utf-8", body)
}

impl Problem {
    pub(super) fn answer(&self, is_sandbox: bool) -> Answer {
        let page = html::problem_page(self.status, self.title, self.text, is_sandbox);
        html_answer(self.status, page)
    }
}
