//! The catalogue: what is for sale, in Xsolla's pages.

use serde_json::{Value, json};

use super::answer::Answer;
use super::error_body::{Refusal, ok};
use crate::emulator::world::accounts::AccountId;
use crate::emulator::world::catalog::{Section, external_id, sku_of};
use crate::emulator::world::state::State;

/// The most items on a page, and the most SKUs in a request.
pub(super) const MAX_PAGE: usize = 50;

/// What a query asks for. Languages, countries, promo codes and additional fields make no difference here.
pub(super) struct Query {
    pub(super) limit: usize,
    pub(super) offset: usize,
    skus: Vec<String>,
}

impl Query {
    pub(super) fn read(query: &str) -> Result<Self, Refusal> {
        let mut read = Self {
            limit: MAX_PAGE,
            offset: 0,
            skus: Vec::new(),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let number = || value.parse().map_err(|_| Refusal::BAD_INPUT);
            match name.as_ref() {
                "limit" => read.limit = number()?,
                "offset" => read.offset = number()?,
                "sku[]" => read.skus.push(value.into_owned()),
                _ => {}
            }
        }
        if read.limit == 0 || read.skus.len() > MAX_PAGE {
            return Err(Refusal::BAD_INPUT);
        }
        Ok(read)
    }
}

/// Answers a request to `…/items/{route}`.
pub(super) fn answer(
    state: &State,
    account: Option<AccountId>,
    route: &[&str],
    query: &str,
) -> Result<Answer, Refusal> {
    let section = match route {
        ["groups"] => return groups(state),
        ["virtual_items", "all"] => return all_in_short(state),
        ["virtual_items", "group", "all"] => Section::VirtualItems,
        ["virtual_items", "group", id] => {
            let mut groups = state.catalog.groups().into_iter();
            if !groups.any(|group| external_id(group) == Some(*id)) {
                return Err(Refusal::NO_GROUP);
            }
            Section::Group(id)
        }
        [path @ .., "sku", sku] => {
            let section = section(path).ok_or(Refusal::NO_ROUTE)?;
            let mut items = state.catalog.section(section);
            let item = items.find(|item| sku_of(item) == Some(*sku));
            return ok(&for_player(
                state,
                account,
                item.ok_or(Refusal::NO_SUCH_ITEM)?,
            ));
        }
        path => section(path).ok_or(Refusal::NO_ROUTE)?,
    };
    let query = Query::read(query)?;
    let is_wanted = |item: &&Value| {
        let is_sku = |sku: &String| sku_of(item) == Some(sku.as_str());
        query.skus.is_empty() || query.skus.iter().any(is_sku)
    };
    let items = state.catalog.section(section).filter(is_wanted);
    let mut items = items.skip(query.offset);
    let page: Vec<Value> = items
        .by_ref()
        .take(query.limit.min(MAX_PAGE))
        .map(|item| for_player(state, account, item))
        .collect();
    ok(&json!({"has_more": items.next().is_some(), "items": page}))
}

fn section(path: &[&str]) -> Option<Section<'static>> {
    Some(match path {
        [] => Section::Everything,
        ["virtual_items"] => Section::VirtualItems,
        ["bundle"] => Section::Bundles,
        ["virtual_currency"] => Section::VirtualCurrencies,
        ["virtual_currency", "package"] => Section::CurrencyPackages,
        _ => return None,
    })
}

/// An item as this player sees it: with what is left of its limits.
fn for_player(state: &State, account: Option<AccountId>, item: &Value) -> Value {
    let mut item = item.clone();
    if let Some(sku) = sku_of(&item).map(str::to_owned) {
        state.limits(&sku, account).write(&mut item);
    }
    item
}

/// The groups in the order in which the items name them.
fn groups(state: &State) -> Result<Answer, Refusal> {
    let groups = state.catalog.groups();
    let groups: Vec<Value> = groups
        .into_iter()
        .zip(1_u32..)
        .map(|(group, order)| {
            json!({
                "external_id": group.get("external_id"),
                "name": group.get("name"),
                "description": group.get("description"),
                "image_url": group.get("image_url"),
                "order": order,
                "level": 1,
                "parent_external_id": null,
                "children": [],
            })
        })
        .collect();
    ok(&json!({"groups": groups}))
}

/// All virtual items on one page, with what a search needs.
fn all_in_short(state: &State) -> Result<Answer, Refusal> {
    let items: Vec<Value> = state
        .catalog
        .section(Section::VirtualItems)
        .map(|item| {
            json!({
                "sku": item.get("sku"),
                "name": item.get("name"),
                "description": item.get("description"),
                "groups": item.get("groups"),
            })
        })
        .collect();
    ok(&json!({"items": items}))
}
