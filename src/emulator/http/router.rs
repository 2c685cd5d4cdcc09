//! Leads a request to the part of the emulator that answers it.

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::answer::{Answer, no_such_page, read_body, text};
use super::cors;
use super::events;
use super::faults::{Cut, answer_with_faults};
use super::order_search;
use super::origin;
use super::page;
use super::rest::{self, Call};
use super::upgrade;
use super::web_shop;
use super::webhooks;
use crate::emulator::world::shared::Shared;

pub(crate) async fn answer(request: Request<Incoming>, shared: Shared) -> Result<Answer, Cut> {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match segments.as_slice() {
        ["connection", "websocket"] => Ok(upgrade::answer(request, &shared).await),
        ["paystation4", page @ ..] => Ok(payment_page(request, &shared, page, false).await),
        ["sandbox", "paystation4", page @ ..] => {
            Ok(payment_page(request, &shared, page, true).await)
        }
        ["webshop", ""] => {
            let (parts, body) = request.into_parts();
            Ok(match read_body(body).await {
                Ok(body) => web_shop::answer(&shared, &parts, &body),
                Err(too_large) => too_large,
            })
        }
        // Whatever else is asked for is asked of the store, so that a game in a browser can tell a wrong address
        // from a network that is down.
        path => {
            if !origin::is_allowed(&request, &shared) {
                return Ok(text(
                    StatusCode::FORBIDDEN,
                    "pages of this origin are not allowed",
                ));
            }
            let mut answer = match path {
                _ if cors::is_preflight(&request) => cors::preflight(),
                ["emulator", "webhooks"] => {
                    let (parts, body) = request.into_parts();
                    match read_body(body).await {
                        Ok(body) => webhooks::answer(&shared, &parts.method, &body).await,
                        Err(too_large) => too_large,
                    }
                }
                path => store(request, &shared, path).await?,
            };
            cors::allow(&mut answer);
            Ok(answer)
        }
    }
}

async fn store(request: Request<Incoming>, shared: &Shared, path: &[&str]) -> Result<Answer, Cut> {
    let (project, route) = match path {
        ["api", "v2", "project", project, route @ ..] => (project, route),
        ["api", "v3", "project", project, "admin", "order", "search"] => {
            let (parts, body) = request.into_parts();
            return match read_body(body).await {
                Ok(body) => {
                    let answer = || order_search::answer(shared, project, &parts, &body);
                    answer_with_faults(shared, false, answer).await
                }
                Err(too_large) => Ok(too_large),
            };
        }
        ["v2.0", "events", route @ ..] => {
            let (parts, body) = request.into_parts();
            return match read_body(body).await {
                Ok(_) => {
                    let changes = parts.method == Method::POST;
                    let answer = || events::answer(shared, route, &parts);
                    answer_with_faults(shared, changes, answer).await
                }
                Err(too_large) => Ok(too_large),
            };
        }
        _ => return Ok(no_such_page()),
    };
    let (parts, body) = request.into_parts();
    let call = Call::new(&parts, project, route);
    call.count(&mut shared.lock());
    // Faults and effects come after the body, so that a request of which a part is missing has neither.
    match read_body(body).await {
        Ok(body) => {
            let changes = parts.method == Method::POST;
            answer_with_faults(shared, changes, || rest::answer(shared, &call, &body)).await
        }
        Err(too_large) => Ok(too_large),
    }
}

/// Answers for the payment page and its files. There is a second page for sandbox orders.
async fn payment_page(
    request: Request<Incoming>,
    shared: &Shared,
    page: &[&str],
    is_sandbox: bool,
) -> Answer {
    match page {
        [] | [""] => {
            let (parts, body) = request.into_parts();
            match read_body(body).await {
                Ok(body) => page::answer(shared, &parts, &body, is_sandbox).await,
                Err(too_large) => too_large,
            }
        }
        ["page.css"] => page::style(),
        ["page.js"] => page::script(),
        _ => no_such_page(),
    }
}
