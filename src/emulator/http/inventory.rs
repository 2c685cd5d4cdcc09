//! What a player owns, in Xsolla's pages.

use std::time::UNIX_EPOCH;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, empty};
use super::catalog::{MAX_PAGE, Query};
use super::error_body::{Refusal, ok};
use crate::emulator::world::accounts::AccountId;
use crate::emulator::world::belongings::{Belonging, Kind};
use crate::emulator::world::catalog::sku_of;
use crate::emulator::world::state::State;

/// Answers with a page of what the player owns.
pub(super) fn items(state: &State, account: AccountId, query: &str) -> Result<Answer, Refusal> {
    let query = Query::read(query)?;
    let account = state.accounts.get(account).ok_or(Refusal::UNAUTHORIZED)?;
    let owned = account.belongings.iter().filter(|owned| !owned.has_ended());
    let mut owned = owned.skip(query.offset);
    let page: Vec<Value> = owned
        .by_ref()
        .take(query.limit.min(MAX_PAGE))
        .map(|owned| entry(state, owned))
        .collect();
    ok(&json!({"has_more": owned.next().is_some(), "items": page}))
}

fn entry(state: &State, owned: &Belonging) -> Value {
    let quantity = (owned.kind == Kind::Consumable).then_some(owned.quantity);
    let mut entry = described(
        &owned.sku,
        state.catalog.find(&owned.sku),
        owned.kind.name(),
    );
    if let Value::Object(entry) = &mut entry {
        entry.insert("quantity".to_owned(), json!(quantity));
        entry.insert("remaining_uses".to_owned(), Value::Null);
        entry.insert("instance_id".to_owned(), Value::Null);
    }
    entry
}

/// Answers with all subscriptions that are for sale, and those that the player has had.
pub(super) fn time_limited_items(state: &State, account: AccountId) -> Result<Answer, Refusal> {
    let account = state.accounts.get(account).ok_or(Refusal::UNAUTHORIZED)?;
    const KIND: &str = "non_renewing_subscription";
    let is_subscription =
        |item: &&Value| item.get("virtual_item_type").and_then(Value::as_str) == Some(KIND);
    let for_sale = state.catalog.iter().filter(is_subscription);
    let for_sale: Vec<&str> = for_sale.filter_map(sku_of).collect();
    let had = account.belongings.iter();
    let had = had.filter(|owned| matches!(owned.kind, Kind::Subscription(_)));
    let had = had.map(|owned| owned.sku.as_str());
    let unlisted: Vec<&str> = had.filter(|sku| !for_sale.contains(sku)).collect();
    let items: Vec<Value> = for_sale
        .into_iter()
        .chain(unlisted)
        .map(|sku| {
            let owned = account.belongings.get(sku);
            let status = match owned {
                None => "none",
                Some(owned) if owned.has_ended() => "expired",
                Some(_) => "active",
            };
            let end = owned.and_then(|owned| owned.ends_at.duration_since(UNIX_EPOCH).ok());
            let mut entry = described(sku, state.catalog.find(sku), KIND);
            if let Value::Object(entry) = &mut entry {
                entry.insert("status".to_owned(), json!(status));
                let end = end.map(|end| end.as_secs());
                entry.insert("expired_at".to_owned(), json!(end));
            }
            entry
        })
        .collect();
    ok(&json!({ "items": items }))
}

/// An item as the catalogue describes it.
fn described(sku: &str, item: Option<&Value>, kind: &str) -> Value {
    let field = |name: &str| item.and_then(|item| item.get(name)).cloned();
    json!({
        "sku": sku,
        "name": field("name").unwrap_or_else(|| sku.into()),
        "type": field("type").unwrap_or_else(|| "virtual_good".into()),
        "description": field("description"),
        "image_url": field("image_url"),
        "groups": field("groups").unwrap_or_else(|| json!([])),
        "attributes": field("attributes").unwrap_or_else(|| json!([])),
        "virtual_item_type": kind,
    })
}

#[derive(Deserialize)]
struct Consumption {
    sku: String,
    quantity: Option<u64>,
    instance_id: Option<String>,
}

/// Uses an item up. The answer has no body. No item of the emulator's has an id for each piece.
pub(super) fn consume(
    state: &mut State,
    account: AccountId,
    body: &[u8],
) -> Result<Answer, Refusal> {
    // serde would read a struct from an array, too.
    let object = Some(body.trim_ascii()).filter(|body| body.starts_with(b"{"));
    let consumption = object.and_then(|body| serde_json::from_slice::<Consumption>(body).ok());
    let consumption = consumption.ok_or(Refusal::BAD_INPUT)?;
    match (consumption.quantity, consumption.instance_id) {
        (Some(1..), None) => {}
        (None, Some(_)) => return Err(Refusal::TOO_FEW),
        _ => return Err(Refusal::BAD_INPUT),
    }
    let quantity = consumption.quantity.unwrap_or_default();
    state.consume(account, &consumption.sku, quantity)?;
    Ok(empty(StatusCode::NO_CONTENT))
}
