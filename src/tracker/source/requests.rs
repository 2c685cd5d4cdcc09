//! Requests to the store. Each is a source of one answer.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::machine::input::{Answer, Input, RequestId};
use crate::machine::output::Call;
use crate::model::catalog::{CatalogItem, CatalogRequest};
use crate::model::config::XsollaConfig;
use crate::model::error::RequestError;
use crate::model::http::Request;
use crate::model::user::XsollaUser;
use crate::platform::http::Network;
use crate::platform::time::calendar;
use crate::tracker::source::inbox::put;
use crate::wire::catalog::CatalogPages;
use crate::wire::order::read_order;
use crate::wire::rest;
use crate::wire::store::read_created;

/// Puts the answer into the inbox, unless the request is canceled first.
pub(in crate::tracker) async fn run(
    request: RequestId,
    answer: impl Future<Output = Answer>,
    inbox: mpsc::Sender<Input>,
    canceled: oneshot::Receiver<()>,
) {
    tokio::select! {
        answer = answer => {
            put(&inbox, Input::Answered { request, answer }).await;
        }
        _ = canceled => {}
    }
}

/// Sends a call to the store, and reads the answer.
pub(in crate::tracker) async fn answer(
    network: &Network,
    config: &Arc<XsollaConfig>,
    user: Option<XsollaUser>,
    call: Call,
) -> Answer {
    let user = user.as_ref();
    match call {
        Call::GetOrder(order_id) => {
            let body = ask(network, rest::get_order(config, user, order_id)).await;
            Answer::Order(
                body.and_then(|body| read_order(&body, order_id).map_err(RequestError::Malformed)),
            )
        }
        // A creation is never repeated automatically, because the store may have created the order although
        // no answer came.
        Call::CreateOrder(purchase) => {
            let body = ask(network, rest::create_order(config, user, &purchase)).await;
            Answer::Created(
                body.and_then(|body| read_created(&body).map_err(RequestError::Malformed)),
            )
        }
        Call::FetchCatalog(filter) => {
            Answer::Catalog(catalog(network, config, user, &filter).await)
        }
    }
}

async fn catalog(
    network: &Network,
    config: &XsollaConfig,
    user: Option<&XsollaUser>,
    filter: &CatalogRequest,
) -> Result<Vec<CatalogItem>, RequestError> {
    let mut pages = CatalogPages::new(filter);
    while let Some(request) = rest::next_page(config, user, &pages) {
        pages.take(&ask(network, request).await?)?;
    }
    Ok(pages.into_items())
}

/// Sends a request. The token is removed from error texts, in case a server repeats it.
pub(super) async fn ask(
    network: &Network,
    request: Result<Request, RequestError>,
) -> Result<Vec<u8>, RequestError> {
    let request = request?;
    let credentials = request.credentials.clone();
    let answer = network.send(request).await;
    let body = answer.and_then(|response| rest::body(response, calendar()));
    body.map_err(|error| match &credentials {
        Some(credentials) => error.map_text(|text| credentials.redact(text)),
        None => error,
    })
}
