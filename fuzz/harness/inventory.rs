use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{is_about, is_whole, scalar};
use crate::model::inventory::{InventoryItem, InventoryItemKind};
use crate::wire::inventory::{
    InventoryPages, add_subscriptions, consume_body, count, read_consumed,
};

/// The pages of an inventory, parted by the byte 0x1e. Once there are no more, those that follow list subscriptions.
pub fn inventory(bytes: &[u8]) {
    let mut bodies = bytes.split(|&byte| byte == 0x1e);
    let mut pages = InventoryPages::default();
    let (mut taken, mut written, mut is_readable) = (0, Vec::new(), true);
    while let Some(offset) = offset(&pages) {
        let Some(body) = bodies.next() else {
            return;
        };
        answer_to_use(body);
        if pages.take(body).is_err() {
            return;
        }
        taken += 1;
        assert!(taken <= 200, "it does not end");
        let next = self::offset(&pages);
        assert!(
            next.is_none_or(|next| next > offset),
            "it stays where it is"
        );
        match serde_json::from_slice::<Value>(body) {
            Ok(mut page) => {
                let entries = page["items"].as_array_mut().map(std::mem::take);
                let entries = entries.expect("what was read has a list");
                assert!(next.is_none_or(|next| next == offset + entries.len()));
                written.extend(entries);
            }
            Err(_) => is_readable = false,
        }
    }
    let mut items = pages.into_items();
    if is_readable {
        assert_read(&items, &written);
    }
    for (place, item) in items.iter().enumerate() {
        assert!(!item.sku.is_empty(), "an item without an SKU");
        let is_same = |other: &InventoryItem| {
            (&other.sku, &other.instance_id) == (&item.sku, &item.instance_id)
        };
        assert!(!items[..place].iter().any(is_same), "one item twice");
        assert_count(&items, &item.sku);
        let body: Value = serde_json::from_str(&consume_body(&item.sku, 3)).expect("it is JSON");
        assert_eq!(body, json!({"sku": item.sku, "quantity": 3}));
    }
    for body in bodies {
        let before = items.clone();
        let is_read = add_subscriptions(&mut items, body).is_ok();
        assert!(is_read || items == before);
        assert_subscriptions(&before, &items);
    }
}

/// Where the next page begins; `None` if there is none.
fn offset(pages: &InventoryPages) -> Option<usize> {
    let query = pages.next()?;
    let (_, offset) = query.iter().find(|(name, _)| *name == "offset")?;
    offset.parse().ok()
}

/// The items are those that are written, and none of those is missing.
fn assert_read(items: &[InventoryItem], written: &[Value]) {
    let is_sku = |item: &InventoryItem, entry: &Value| match &entry["sku"] {
        Value::Number(number) => is_about(&item.sku, number),
        sku => scalar(sku).is_some_and(|sku| sku == item.sku),
    };
    let is_entry = |item: &InventoryItem, entry: &Value| {
        let quantity = &entry["quantity"];
        is_sku(item, entry)
            && match item.quantity {
                Some(read) => is_whole(quantity, read),
                None => !quantity.is_u64(),
            }
    };
    for item in items {
        assert!(
            written.iter().any(|entry| is_entry(item, entry)),
            "{item:?}"
        );
    }
    for entry in written {
        let has_sku = entry["sku"].as_str().is_some_and(|sku| !sku.is_empty());
        assert!(
            !has_sku || items.iter().any(|item| is_sku(item, entry)),
            "{entry}"
        );
    }
}

/// What has no number does not count as one, or somebody would use up what nobody counts.
fn assert_count(items: &[InventoryItem], sku: &str) {
    let quantities = items.iter().filter(|item| item.sku == sku);
    let quantities: Option<Vec<u64>> = quantities.map(|item| item.quantity).collect();
    match (count(items, sku), quantities) {
        (Ok(Some(sum)), Some(quantities)) => {
            let exact: u128 = quantities.into_iter().map(u128::from).sum();
            assert_eq!(u128::from(sum), exact.min(u64::MAX.into()));
        }
        (Ok(None) | Err(_), None) => {}
        (count, quantities) => panic!("{count:?} of {quantities:?}"),
    }
}

/// A list of subscriptions says until when they last, and changes nothing else.
fn assert_subscriptions(before: &[InventoryItem], after: &[InventoryItem]) {
    assert!(after.len() >= before.len(), "an item is lost");
    for (before, after) in before.iter().zip(after) {
        let with_end = InventoryItem {
            subscription: after.subscription.clone(),
            ..before.clone()
        };
        assert_eq!(*after, with_end);
        assert!(before.subscription.is_none() || after.subscription.is_some());
    }
    for new in &after[before.len()..] {
        assert!(!new.sku.is_empty() && before.iter().all(|item| item.sku != new.sku));
        assert!(new.subscription.is_some() && new.kind == InventoryItemKind::Subscription);
    }
}

/// Any JSON or nothing at all is an answer to the use of an item.
fn answer_to_use(body: &[u8]) {
    let is_blank = body.trim_ascii().is_empty();
    match read_consumed(body) {
        Ok(()) => assert!(is_blank || serde_json::from_slice::<IgnoredAny>(body).is_ok()),
        Err(_) => assert!(!is_blank && serde_json::from_slice::<Value>(body).is_err()),
    }
}
