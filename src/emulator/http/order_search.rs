//! The search for the orders of all players, with which a studio's server compares its own.

use std::time::{Instant, SystemTime};

use hyper::http::request::Parts;
use hyper::{Method, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::answer::{Answer, json};
use super::error_body::Refusal;
use super::order_body::OrderBody;
use crate::emulator::world::ids::{self, PROJECT_ID};
use crate::emulator::world::shared::Shared;

/// The largest page.
const MAX_LIMIT: usize = 10;

#[derive(Deserialize)]
struct Query {
    limit: Option<usize>,
    offset: Option<usize>,
    created_date_from: Option<String>,
    created_date_until: Option<String>,
}

#[derive(Serialize)]
struct Page<'a> {
    has_more: bool,
    total_items_count: usize,
    items: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    #[serde(flatten)]
    order: OrderBody<'a>,
    user: User<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    external_id: &'a str,
}

pub(crate) fn answer(shared: &Shared, project: &str, parts: &Parts, body: &[u8]) -> Answer {
    find(shared, project, parts, body).unwrap_or_else(Refusal::answer)
}

fn find(shared: &Shared, project: &str, parts: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
    if parts.method != Method::POST {
        return Err(Refusal::NO_METHOD);
    }
    if project.parse() != Ok(PROJECT_ID) {
        return Err(Refusal::NO_PROJECT);
    }
    let given = parts.headers.get(header::AUTHORIZATION);
    let expected = ids::store_key().header();
    if given.and_then(|given| given.to_str().ok()) != Some(&expected) {
        return Err(Refusal::UNAUTHORIZED);
    }
    let query: Query = serde_json::from_slice(body).map_err(|_| Refusal::BAD_INPUT)?;
    let limit = query.limit.unwrap_or(MAX_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Refusal::BAD_INPUT);
    }
    let time = |text: &Option<String>| match text {
        Some(text) => seconds_of(text).map(Some).ok_or(Refusal::BAD_INPUT),
        None => Ok(None),
    };
    let from = time(&query.created_date_from)?;
    let until = time(&query.created_date_until)?;
    let state = shared.lock();
    let (now, clock) = (Instant::now(), SystemTime::now());
    let orders = state.orders.iter().filter(|(_, order)| {
        let created = clock.checked_sub(now.saturating_duration_since(order.created()));
        let created = created.unwrap_or(SystemTime::UNIX_EPOCH);
        let created = created.duration_since(SystemTime::UNIX_EPOCH);
        let created = i64::try_from(created.unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
        from.is_none_or(|from| from <= created) && until.is_none_or(|until| created <= until)
    });
    let orders: Vec<_> = orders.collect();
    let offset = query.offset.unwrap_or(0);
    let page = orders.iter().skip(offset).take(limit);
    let items = page.map(|(order_id, order)| Found {
        order: OrderBody::new(**order_id, order, state.status_seen(order)),
        user: User {
            external_id: state
                .accounts
                .get(order.account)
                .map_or("", |account| &account.subject),
        },
    });
    let page = Page {
        has_more: orders.len() > offset.saturating_add(limit),
        total_items_count: orders.len(),
        items: items.collect(),
    };
    let body = serde_json::to_vec(&page).map_err(|_| Refusal::INTERNAL)?;
    Ok(json(StatusCode::OK, body))
}

/// Reads a time by ISO 8601, in seconds since 1970: a date, or a date and a time, in UTC or with its distance to it.
fn seconds_of(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    if !((1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)) {
        return None;
    }
    // Years that begin in March have the leap day at their end.
    let (year, month) = match month {
        3.. => (year, month - 3),
        _ => (year - 1, month + 9),
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let midnight = (days - 719_468) * 24 * 60 * 60;
    let Some(time) = time else {
        return Some(midnight);
    };
    let (time, ahead) = match (time.strip_suffix('Z'), time.find(['+', '-'])) {
        (Some(time), _) => (time, 0),
        (None, Some(at)) => {
            let (time, zone) = time.split_at_checked(at)?;
            let (sign, zone) = zone.split_at_checked(1)?;
            let seconds = seconds_of_day(zone)?;
            (time, if sign == "-" { -seconds } else { seconds })
        }
        (None, None) => (time, 0),
    };
    Some(midnight + seconds_of_day(time)? - ahead)
}

/// Reads hours, minutes and seconds. The last may be missing, or have a fraction.
fn seconds_of_day(text: &str) -> Option<i64> {
    let whole = text.split('.').next()?;
    let mut parts = whole.splitn(3, ':').map(str::parse::<i64>);
    let (hours, minutes) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let seconds = parts.next().transpose().ok()?.unwrap_or(0);
    let is_time = (0..=24).contains(&hours) && (0..60).contains(&minutes);
    (is_time && (0..=60).contains(&seconds)).then_some(hours * 3_600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_iso_8601_has_them() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29", Some(951_782_400)),
            ("2024-02-29T23:59:59Z", Some(1_709_251_199)),
            ("2024-03-01T02:59:59.5+03:00", Some(1_709_251_199)),
            ("2024-02-29T18:29:59-05:30", Some(1_709_251_199)),
            ("2024-02-29 23:59", Some(1_709_251_140)),
            ("2024-13-01", None),
            ("2024-02", None),
            ("2024-02-29T25:00:00Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(seconds_of(text), expected, "{text}");
        }
    }
}
