//! What a player owns: which pages are requested, what is on them, and how an item is used up.

use serde_json::value::RawValue;

use crate::model::error::RequestError;
use crate::model::inventory::{InventoryItem, InventoryItemKind, Subscription, SubscriptionStatus};
use crate::model::json::{Object, ObjectText};
use crate::wire::catalog::{Query, read_attribute, read_group, read_list};

/// The largest number of pages of an inventory, which is ten thousand entries.
const MAX_PAGES: usize = 200;
/// The largest total size of the pages. An entry has some hundred bytes.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The largest number of entries that Xsolla gives in one page.
const PAGE: usize = 50;

/// The paths below the project.
pub(crate) const ITEMS: &[&str] = &["user", "inventory", "items"];
pub(crate) const TIME_LIMITED_ITEMS: &[&str] = &["user", "time_limited_items"];
pub(crate) const CONSUME: &[&str] = &["user", "inventory", "item", "consume"];

/// The inventory, which is requested page by page.
#[derive(Debug, Default)]
pub(crate) struct InventoryPages {
    items: Vec<InventoryItem>,
    /// The number of the entries that have been read.
    offset: usize,
    pages: usize,
    bytes: usize,
    is_complete: bool,
}

impl InventoryPages {
    /// The query of the next page; `None` if all pages have been read.
    pub(crate) fn next(&self) -> Option<Query> {
        let query = vec![
            ("limit", PAGE.to_string()),
            ("offset", self.offset.to_string()),
        ];
        (!self.is_complete).then_some(query)
    }

    /// Adds a page. It fails if the inventory exceeds the limits, so that a server cannot keep the requests going without
    /// end.
    pub(crate) fn take(&mut self, body: &[u8]) -> Result<(), RequestError> {
        self.bytes += body.len();
        if self.pages >= MAX_PAGES || self.bytes > MAX_BYTES {
            return Err(malformed("the inventory does not end"));
        }
        let page = Object::read(body).map_err(RequestError::Malformed)?;
        let entries = entries(&page)?;
        self.offset += entries.len();
        self.pages += 1;
        let has_more = page.boolean("has_more").unwrap_or(false);
        self.is_complete = !has_more || entries.is_empty();
        for item in entries.into_iter().flatten().filter_map(read_item) {
            // Pages are counted anew for each request, so an entry moves to the next page if another one came before it.
            let is_same = |known: &InventoryItem| {
                known.sku == item.sku && known.instance_id == item.instance_id
            };
            match self.items.iter_mut().find(|known| is_same(known)) {
                Some(known) => *known = item,
                None => self.items.push(item),
            }
        }
        Ok(())
    }

    pub(crate) fn into_items(self) -> Vec<InventoryItem> {
        self.items
    }
}

/// How many pieces of an item there are; `None` if it is one that is not counted.
pub(crate) fn count(items: &[InventoryItem], sku: &str) -> Result<Option<u64>, RequestError> {
    let mut sum: u64 = 0;
    for item in items.iter().filter(|item| item.sku == sku) {
        match (item.quantity, item.kind) {
            (Some(quantity), _) => sum = sum.saturating_add(quantity),
            (None, InventoryItemKind::NonConsumable | InventoryItemKind::Subscription) => {
                return Ok(None);
            }
            (None, _) => return Err(malformed("it does not say how many there are")),
        }
    }
    Ok(Some(sum))
}

/// Adds the ends of subscriptions. One that is not among the items yet becomes one.
pub(crate) fn add_subscriptions(
    items: &mut Vec<InventoryItem>,
    body: &[u8],
) -> Result<(), RequestError> {
    let page = Object::read(body).map_err(RequestError::Malformed)?;
    for entry in entries(&page)?.into_iter().flatten() {
        // What was never bought is listed, too.
        let Some(subscription) = read_subscription(&entry) else {
            continue;
        };
        let Some(mut item) = read_item(entry) else {
            continue;
        };
        match items.iter_mut().find(|known| known.sku == item.sku) {
            Some(known) => known.subscription = Some(subscription),
            None => {
                item.kind = InventoryItemKind::Subscription;
                item.subscription = Some(subscription);
                items.push(item);
            }
        }
    }
    Ok(())
}

/// The body of the request that uses an item up. Xsolla's SDKs send a quantity or the id of a piece, and not both.
pub(crate) fn consume_body(sku: &str, quantity: u64) -> String {
    let mut body = ObjectText::default();
    body.add_text("sku", Some(sku));
    body.add("quantity", Some(&quantity.to_string()));
    body.finish().unwrap_or_default()
}

/// Reads the answer to the use of an item. Xsolla's SDKs read nothing of it, so it has no body or any JSON; a page of a
/// hotel's network has neither.
pub(crate) fn read_consumed(body: &[u8]) -> Result<(), String> {
    if body.trim_ascii().is_empty() {
        return Ok(());
    }
    let json: Result<&RawValue, _> = serde_json::from_slice(body);
    json.map(|_| ()).map_err(|_| "it is no JSON".to_owned())
}

fn entries<'a>(page: &Object<'a>) -> Result<Vec<Option<Object<'a>>>, RequestError> {
    match page.list("items") {
        Some(items) => Ok(items),
        // Nothing would look like an empty inventory.
        None => Err(malformed("it has no list of items")),
    }
}

fn malformed(problem: &str) -> RequestError {
    RequestError::Malformed(problem.to_owned())
}

fn read_item(item: Object<'_>) -> Option<InventoryItem> {
    // An item without an SKU cannot be told from others.
    let sku = item.text("sku").filter(|sku| !sku.is_empty())?;
    Some(InventoryItem {
        name: item.text("name").unwrap_or_else(|| sku.clone()),
        sku,
        description: item.text("description"),
        image_url: item.text("image_url"),
        kind: match item.text("virtual_item_type").as_deref() {
            Some("consumable") => InventoryItemKind::Consumable,
            Some("non_consumable") => InventoryItemKind::NonConsumable,
            Some("non_renewing_subscription") => InventoryItemKind::Subscription,
            _ => InventoryItemKind::Other,
        },
        quantity: item.unsigned("quantity"),
        remaining_uses: item.unsigned("remaining_uses"),
        instance_id: item.text("instance_id"),
        subscription: None,
        groups: read_list(&item, "groups", read_group),
        attributes: read_list(&item, "attributes", read_attribute),
    })
}

/// Reads the end of a subscription; `None` if it was never bought (`none`).
fn read_subscription(item: &Object<'_>) -> Option<Subscription> {
    let status = item.text("status")?;
    let status = match status.as_str() {
        "none" | "" => return None,
        "active" => SubscriptionStatus::Active,
        "expired" => SubscriptionStatus::Expired,
        _ => SubscriptionStatus::Other(status),
    };
    Some(Subscription {
        status,
        ends_at: item.unsigned("expired_at"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pages(bodies: &[Value]) -> Result<Vec<InventoryItem>, RequestError> {
        let mut pages = InventoryPages::default();
        for body in bodies {
            pages.take(body.to_string().as_bytes())?;
        }
        Ok(pages.into_items())
    }

    fn quantities(items: &[InventoryItem]) -> Vec<(&str, Option<u64>)> {
        let items = items.iter();
        items.map(|it| (it.sku.as_str(), it.quantity)).collect()
    }

    #[test]
    fn items_of_each_kind_are_read() {
        let page = json!({"has_more": false, "items": [
            {"sku": "potion", "name": "Healing Potion", "type": "virtual_good",
             "virtual_item_type": "consumable", "quantity": 7, "remaining_uses": 2, "instance_id": null,
             "description": "Red.", "image_url": "https://x.test/a.png",
             "groups": [{"external_id": "supplies", "name": "Supplies"}],
             "attributes": [{"external_id": "a", "name": "A", "values": [{"value": "b"}]}]},
            {"sku": "sword", "virtual_item_type": "non_consumable", "quantity": null, "instance_id": "i1"},
            {"sku": "pass", "virtual_item_type": "non_renewing_subscription"},
            {"sku": "thing", "virtual_item_type": "another"},
        ]});
        let items = pages(&[page]).unwrap();
        let potion = &items[0];
        assert_eq!((potion.quantity, potion.remaining_uses), (Some(7), Some(2)));
        assert_eq!(potion.name, "Healing Potion");
        assert_eq!(potion.description.as_deref(), Some("Red."));
        assert_eq!(potion.groups[0].name, "Supplies");
        assert_eq!(potion.attributes[0].values, ["b"]);
        assert_eq!(items[1].instance_id.as_deref(), Some("i1"));
        assert_eq!(items[1].name, "sword");
        let kinds: Vec<_> = items.iter().map(|item| item.kind).collect();
        let expected = [
            InventoryItemKind::Consumable,
            InventoryItemKind::NonConsumable,
            InventoryItemKind::Subscription,
            InventoryItemKind::Other,
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn odd_entries_cost_no_other_entry() {
        let page = json!({"has_more": "0", "items": [
            null, 7, {"name": "no sku"}, {"sku": ""}, {"sku": 12, "quantity": "3"},
            {"sku": "odd", "quantity": "many", "groups": 5, "attributes": [null]},
        ]});
        let items = pages(&[page]).unwrap();
        assert_eq!(quantities(&items), [("12", Some(3)), ("odd", None)]);
    }

    #[test]
    fn what_is_no_inventory_is_an_error_and_not_an_empty_one() {
        for page in [
            json!([]),
            json!({}),
            json!({"items": null}),
            json!({"items": {}}),
        ] {
            assert!(matches!(pages(&[page]), Err(RequestError::Malformed(_))));
        }
        assert_eq!(pages(&[json!({"items": []})]), Ok(Vec::new()));
    }

    #[test]
    fn pages_are_asked_for_until_there_are_no_more() {
        let mut inventory = InventoryPages::default();
        let offset = |inventory: &InventoryPages| Some(inventory.next()?[1].1.clone());
        assert_eq!(offset(&inventory).as_deref(), Some("0"));
        let first = json!({"has_more": true, "items": [{"sku": "a"}, null]});
        inventory.take(first.to_string().as_bytes()).unwrap();
        assert_eq!(offset(&inventory).as_deref(), Some("2"));
        let last = json!({"has_more": true, "items": []});
        inventory.take(last.to_string().as_bytes()).unwrap();
        assert_eq!(offset(&inventory), None);
    }

    #[test]
    fn an_inventory_without_end_is_an_error() {
        let page = json!({"has_more": true, "items": [{"sku": "a"}]});
        let endless = vec![page; MAX_PAGES + 1];
        assert!(pages(&endless).is_err());
        assert!(pages(&endless[1..]).is_ok());
    }

    #[test]
    fn an_entry_that_moved_to_the_next_page_is_not_counted_twice() {
        let first = json!({"has_more": true, "items": [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2}]});
        let second = json!({"has_more": false, "items": [
            {"sku": "b", "quantity": 3}, {"sku": "b", "quantity": 1, "instance_id": "x"}]});
        let items = pages(&[first, second]).unwrap();
        let expected = [("a", Some(1)), ("b", Some(3)), ("b", Some(1))];
        assert_eq!(quantities(&items), expected);
        assert_eq!(count(&items, "b"), Ok(Some(4)));
    }

    #[test]
    fn pieces_are_counted_only_where_the_store_counts_them() {
        let page = json!({"items": [
            {"sku": "potion", "virtual_item_type": "consumable", "quantity": 2},
            {"sku": "sword", "virtual_item_type": "non_consumable", "quantity": null},
            {"sku": "odd", "virtual_item_type": "consumable", "quantity": -1},
        ]});
        let items = pages(&[page]).unwrap();
        assert_eq!(count(&items, "potion"), Ok(Some(2)));
        assert_eq!(count(&items, "nothing"), Ok(Some(0)));
        assert_eq!(count(&items, "sword"), Ok(None));
        // It must not count as a number that stays the same.
        assert!(matches!(
            count(&items, "odd"),
            Err(RequestError::Malformed(_))
        ));
    }

    #[test]
    fn subscriptions_are_read_with_their_ends() {
        let page =
            json!({"items": [{"sku": "pass", "virtual_item_type": "non_renewing_subscription"}]});
        let mut items = pages(&[page]).unwrap();
        let listed = json!({"items": [
            {"sku": "pass", "status": "active", "expired_at": 1_800_000_000},
            {"sku": "old", "name": "Old pass", "status": "expired", "expired_at": "1700000000"},
            {"sku": "unknown", "status": "paused", "expired_at": null},
            {"sku": "never", "status": "none", "expired_at": null},
            {"sku": "silent"}, null,
        ]});
        add_subscriptions(&mut items, listed.to_string().as_bytes()).unwrap();
        let read: Vec<_> = items
            .iter()
            .map(|item| (item.sku.as_str(), item.subscription.clone().unwrap()))
            .collect();
        let subscription = |status, ends_at| Subscription { status, ends_at };
        let expected = [
            (
                "pass",
                subscription(SubscriptionStatus::Active, Some(1_800_000_000)),
            ),
            (
                "old",
                subscription(SubscriptionStatus::Expired, Some(1_700_000_000)),
            ),
            (
                "unknown",
                subscription(SubscriptionStatus::Other("paused".to_owned()), None),
            ),
        ];
        assert_eq!(read, expected);
        assert!(
            items
                .iter()
                .all(|it| it.kind == InventoryItemKind::Subscription)
        );
        assert!(add_subscriptions(&mut items, b"[]").is_err());
    }

    #[test]
    fn an_item_is_used_up_as_documented() {
        let body: Value = serde_json::from_str(&consume_body("a \"b\"", 2)).unwrap();
        assert_eq!(body, json!({"sku": "a \"b\"", "quantity": 2}));
    }

    #[test]
    fn the_page_of_a_hotels_network_is_not_the_stores_answer() {
        for body in ["", " \n", "{}", "[]", "null", "{\"a\":1}"] {
            assert_eq!(read_consumed(body.as_bytes()), Ok(()), "{body}");
        }
        for body in ["<html>", "{\"a\"", "Welcome", "{} <p>"] {
            assert!(read_consumed(body.as_bytes()).is_err(), "{body}");
        }
    }
}
