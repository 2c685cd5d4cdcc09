//! The search for the orders of a project, which is for a studio's server.

use std::time::{Duration, SystemTime};

use crate::model::config::XsollaConfig;
use crate::model::error::RequestError;
use crate::model::http::{Body, Credentials, Request};
use crate::model::json::{Object, WholeNumber};
use crate::model::order::{OrderId, OrderItem, OrderStatus, Price};
use crate::model::reconciliation::Reconciliation;
use crate::wire::order::{read_items, read_price};

/// The largest number of orders that Xsolla gives in one page.
pub(crate) const PAGE: usize = 10;

/// One page of the search.
#[derive(Debug)]
pub(crate) struct Page {
    /// The number of entries of the list, also of those that cannot be read.
    pub(crate) length: usize,
    pub(crate) orders: Vec<FoundOrder>,
    pub(crate) has_more: bool,
}

#[derive(Debug)]
pub(crate) struct FoundOrder {
    pub(crate) order_id: OrderId,
    /// The player's id, if the search names one.
    pub(crate) user: Option<String>,
    pub(crate) status: OrderStatus,
    /// The items, if each of them can be granted.
    pub(crate) items: Option<Vec<OrderItem>>,
    pub(crate) price: Option<Price>,
}

/// Asks for a page, which begins behind `offset` orders.
pub(crate) fn search(
    config: &XsollaConfig,
    what: &Reconciliation,
    offset: usize,
) -> Result<Request, RequestError> {
    let endpoints = config
        .endpoints()
        .map_err(|_| RequestError::NotConfigured)?;
    let project_id = config.project_id.to_string();
    let path = ["v3", "project", &project_id, "admin", "order", "search"];
    let body = serde_json::json!({
        "limit": PAGE,
        "offset": offset,
        "created_date_from": iso_8601(what.created.start),
        "created_date_until": iso_8601(what.created.end),
    });
    Ok(Request {
        address: endpoints
            .store
            .below(&path)
            .map_err(RequestError::Network)?,
        credentials: Some(Credentials::Project(what.key.clone())),
        body: Some(Body::json(body.to_string())),
        timeout: config.request_timeout,
    })
}

/// Reads a page. An order without an id or a status is passed over, so that the others are compared.
pub(crate) fn read_page(json: &[u8]) -> Result<Page, String> {
    let page = Object::read(json)?;
    let list = page.list("items").or_else(|| page.list("orders"));
    let list = list.ok_or("it has no list of orders")?;
    let length = list.len();
    let mut orders = Vec::new();
    for order in list {
        match order.as_ref().and_then(read_order) {
            Some(order) => orders.push(order),
            None => log::warn!("the order search lists an order without an id or a status"),
        }
    }
    Ok(Page {
        length,
        orders,
        has_more: page.boolean("has_more").unwrap_or(length >= PAGE),
    })
}

fn read_order(order: &Object<'_>) -> Option<FoundOrder> {
    let id = match order.whole("order_id") {
        WholeNumber::Missing => order.whole("id"),
        id => id,
    };
    let WholeNumber::Is(id) = id else {
        return None;
    };
    let content = order.object("content").unwrap_or_default();
    let items = content.list("items").or_else(|| order.list("items"));
    let items = items.and_then(|items| {
        read_items(items)
            .inspect_err(|problem| log::warn!("order {id} has {problem}"))
            .ok()
    });
    let user = order.object("user").unwrap_or_default();
    let mut ids = ["external_id", "id", "user_id"]
        .into_iter()
        .filter_map(|name| user.text(name));
    Some(FoundOrder {
        order_id: OrderId(id),
        user: ids.find(|id| !id.is_empty()),
        status: OrderStatus::parse(
            order
                .text("status")
                .filter(|text| !text.trim().is_empty())?
                .as_str(),
        ),
        items,
        price: read_price(&content),
    })
}

/// A time as in `2026-11-27T08:00:00Z`. One before 1970 counts as 1970.
fn iso_8601(time: SystemTime) -> String {
    const DAY: u64 = 24 * 60 * 60;
    // The last day of the year 9999.
    const LAST_DAY: u64 = 2_932_896;
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = seconds.unwrap_or(Duration::ZERO).as_secs();
    let (day, second) = ((seconds / DAY).min(LAST_DAY), seconds % DAY);
    // Years that begin in March have the leap day at their end, and 400 of them have the same number of days. The day
    // 719,468 days before 1970 is the first of March of the year 0.
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next) = match month {
        0..10 => (month + 3, 0),
        _ => (month - 9, 1),
    };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_under_each_name_that_its_fields_may_have() {
        let page = read_page(
            br#"{"has_more":true,"items":[
                {"order_id":1,"status":"done","user":{"external_id":"alice"},
                 "content":{"price":{"amount":"4.99","currency":"USD"},"items":[{"sku":"sword","quantity":2}]}},
                {"id":"2","status":"canceled","user":{"id":"bob"},"items":[{"sku":"potion"}]},
                {"order_id":3,"status":"paid","content":{"items":[{"quantity":1}]}},
                {"status":"done"}, {"order_id":4}, 7]}"#,
        )
        .unwrap();
        assert_eq!((page.length, page.has_more), (6, true));
        let ids: Vec<u64> = page.orders.iter().map(|order| order.order_id.0).collect();
        assert_eq!(ids, [1, 2, 3]);
        let users: Vec<Option<&str>> = page.orders.iter().map(|o| o.user.as_deref()).collect();
        assert_eq!(users, [Some("alice"), Some("bob"), None]);
        let items: Vec<_> = page
            .orders
            .iter()
            .map(|order| order.items.clone())
            .collect();
        assert_eq!(items[0], Some(vec![OrderItem::new("sword", 2)]));
        assert_eq!(items[1], Some(vec![OrderItem::new("potion", 1)]));
        assert_eq!(items[2], None, "an item without an SKU cannot be granted");
        assert!(read_page(b"{}").is_err() && read_page(b"").is_err());
    }

    #[test]
    fn a_page_that_does_not_say_whether_there_is_more_is_the_last_unless_it_is_full() {
        let page = |count: usize| {
            let orders = vec![r#"{"order_id":1,"status":"new"}"#; count].join(",");
            read_page(format!(r#"{{"orders":[{orders}]}}"#).as_bytes()).unwrap()
        };
        assert!(!page(0).has_more && !page(9).has_more && page(10).has_more);
    }

    #[test]
    fn times_are_written_as_iso_8601_has_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(iso_8601(time), text);
        }
        let early = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(iso_8601(early), "1970-01-01T00:00:00Z");
    }
}
