//! What a player owns: it is read page by page, and used up as the machine says.

use std::sync::Arc;

use crate::machine::consumption::{Consumption, Step};
use crate::model::config::XsollaConfig;
use crate::model::error::RequestError;
use crate::model::inventory::{ConsumeError, InventoryItem};
use crate::model::user::XsollaUser;
use crate::platform::clock::Clock;
use crate::tracker::services::Services;
use crate::tracker::source::requests::ask;
use crate::wire::inventory::{InventoryPages, add_subscriptions, count, read_consumed};
use crate::wire::rest;

/// Asks for one player.
pub(crate) struct Owner {
    pub(crate) config: Arc<XsollaConfig>,
    pub(crate) user: XsollaUser,
}

/// Reads the whole inventory, with the ends of subscriptions.
pub(crate) async fn fetch(
    services: Services,
    owner: Owner,
) -> Result<Vec<InventoryItem>, RequestError> {
    let mut items = read_items(&services, &owner).await?;
    let request = rest::time_limited_items(&owner.config, &owner.user);
    match ask(&services.network, request).await {
        Ok(body) => add_subscriptions(&mut items, &body)?,
        // A store that has no subscriptions may not know the question.
        Err(error) if error.is_refusal() => {
            log::debug!("the store names no subscriptions: {error}")
        }
        Err(error) => return Err(error),
    }
    Ok(items)
}

async fn read_items(
    services: &Services,
    owner: &Owner,
) -> Result<Vec<InventoryItem>, RequestError> {
    let mut pages = InventoryPages::default();
    while let Some(request) = rest::next_inventory_page(&owner.config, &owner.user, &pages) {
        pages.take(&ask(&services.network, request).await?)?;
    }
    Ok(pages.into_items())
}

/// Uses an item up. Returns how many pieces are left.
pub(crate) async fn consume(
    services: Services,
    owner: Owner,
    sku: String,
    quantity: u64,
) -> Result<u64, ConsumeError> {
    let clock = Clock::new();
    let timeout = owner.config.request_timeout;
    let mut consumption = Consumption::new(quantity, timeout, fastrand::u64(..));
    loop {
        let began = clock.now();
        match consumption.step(began) {
            Step::Read => {
                let items = read_items(&services, &owner).await;
                let owned = items.and_then(|items| count(&items, &sku));
                consumption.read(owned, clock.now());
            }
            Step::Consume => {
                let request = rest::consume(&owner.config, &owner.user, &sku, quantity);
                let body = ask(&services.network, request).await;
                let answer =
                    body.and_then(|body| read_consumed(&body).map_err(RequestError::Malformed));
                if let Err(error) = &answer {
                    log::warn!("the use of {sku} was not answered with success: {error}");
                }
                consumption.consumed(answer, began, clock.now());
            }
            Step::WaitUntil(time) => clock.sleep_until(Some(time)).await,
            Step::End(result) => return result,
        }
    }
}
