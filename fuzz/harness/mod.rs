//! What the fuzzers in `fuzz/` run: each takes any bytes, and panics where something is wrong.

mod events;
mod inventory;
mod login;

pub use events::events;
pub use inventory::inventory;
pub use login::login;

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::centrifuge::session::{Event, Session, Settings};
use crate::model::order::{OrderId, OrderItem, OrderStatus};
use crate::model::record::{LedgerEntry, LedgerRecord};
use crate::model::user::XsollaUser;
use crate::model::webhook::{Notification, WebhookError, signature};
use crate::wire::order::{read_order, read_publication};
use crate::wire::webhook::verify;

/// A publication on the order-status channel.
pub fn publication(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some(news) = read_publication(text) else {
        return;
    };
    if let Some(OrderStatus::Other(status)) = &news.status {
        assert!(!status.is_empty() && status.len() <= 64, "{status:?}");
    }
    // Whoever writes the same in other words means the same.
    if let Ok(Value::Object(body)) = serde_json::from_str(text) {
        assert!(is_whole(&body["order_id"], news.order_id.0));
        assert_status(news.status.as_ref(), &body["status"]);
    }
}

/// An answer to Get Order. The first eight bytes are the order that was asked for.
pub fn order_response(bytes: &[u8]) {
    let Some((id, json)) = bytes.split_first_chunk() else {
        return;
    };
    let order_id = OrderId(u64::from_le_bytes(*id));
    let Ok(report) = read_order(json, order_id) else {
        return;
    };
    let Ok(body) = serde_json::from_slice::<Value>(json) else {
        return;
    };
    if let Some(id) = body["order_id"].as_u64() {
        assert_eq!(id, order_id.0, "it is about another order");
    }
    if report.status.is_some() {
        assert_status(report.status.as_ref(), &body["status"]);
    }
    // All of the order or nothing, and nothing but the order.
    let Some(items) = report.items else {
        return;
    };
    assert_items(&items, &body["content"]["items"]);
}

/// The items are all that are written, and nothing else.
fn assert_items(items: &[OrderItem], written: &Value) {
    let written = written.as_array();
    assert_eq!(written.map(Vec::len), Some(items.len()));
    for (item, written) in items.iter().zip(written.into_iter().flatten()) {
        assert!(!item.sku.is_empty(), "an item without an SKU");
        match &written["sku"] {
            // It is kept as it is written, and `Value` keeps about what it means.
            Value::Number(number) => assert!(is_about(&item.sku, number), "{}", item.sku),
            written => assert_eq!(scalar(written).as_ref(), Some(&item.sku)),
        }
        match &written["quantity"] {
            Value::Null => assert_eq!(item.quantity, 1),
            quantity => assert!(is_whole(quantity, item.quantity), "{quantity}"),
        }
    }
}

/// Whether a text stands for a number, except for how `serde_json` rounds.
fn is_about(text: &str, number: &serde_json::Number) -> bool {
    let (Ok(exact), Some(rounded)) = (text.parse::<f64>(), number.as_f64()) else {
        return false;
    };
    (exact - rounded).abs() <= rounded.abs() * 1e-12
}

/// The body of a webhook. The first byte is the bit of its signature that is wrong, if there are that many.
pub fn webhook(bytes: &[u8]) {
    let Some((bit, body)) = bytes.split_first() else {
        return;
    };
    let signed = signature(body, "secret");
    let header = format!("Signature {signed}");
    let (digit, mask) = (usize::from(bit / 4), 1 << (bit % 4));
    let mut digits: Vec<u32> = signed.chars().filter_map(|c| c.to_digit(16)).collect();
    if let Some(digit) = digits.get_mut(digit) {
        *digit ^= mask;
        let wrong: String = digits.iter().map(|digit| format!("{digit:x}")).collect();
        let result = verify(body, &format!("Signature {wrong}"), "secret");
        assert_eq!(result, Err(WebhookError::WrongSignature));
    }
    let (order, kind) = match verify(body, &header, "secret") {
        Ok(Notification::OrderPaid(order)) => (order, "order_paid"),
        Ok(Notification::OrderCanceled(order)) => (order, "order_canceled"),
        Ok(_) => return,
        Err(error) => {
            assert!(matches!(error, WebhookError::Malformed(_)), "{error}");
            return;
        }
    };
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    assert_eq!(body["notification_type"], kind);
    assert!(is_whole(&body["order"]["id"], order.order_id.0));
    assert!(!order.user.id.is_empty());
    assert_items(&order.items, &body["items"]);
}

/// The status is the one that is written.
fn assert_status(status: Option<&OrderStatus>, written: &Value) {
    match written {
        // A long number is cut, and one may be written in many ways.
        Value::Number(_) => assert!(matches!(status, Some(OrderStatus::Other(_)))),
        written => {
            let written = scalar(written).map(|text| OrderStatus::parse(&text));
            assert_eq!(written.as_ref(), status);
        }
    }
}

/// Whether a JSON scalar is this whole number, as far as floating point can tell.
fn is_whole(value: &Value, number: u64) -> bool {
    let text = scalar(value).unwrap_or_default();
    let text = text.trim();
    match text.parse::<u64>() {
        Ok(written) => written == number,
        Err(_) => text
            .parse::<f64>()
            .is_ok_and(|written| written == number as f64),
    }
}

/// A JSON scalar as its text. Numbers beyond 64 bits have more than one.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(match number.as_f64() {
            Some(float) if !number.is_u64() && !number.is_i64() => float.to_string(),
            _ => number.to_string(),
        }),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// A user's token: any text, or a JWT with any claims.
pub fn claims(bytes: &[u8]) {
    const SIGNATURE: &str = "c2VjcmV0LXNpZ25hdHVyZS1vZi10aGlzLXRva2Vu";
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let payload = match kind % 2 {
        0 => URL_SAFE_NO_PAD.encode(bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    let user = XsollaUser::new(format!("e30.{payload}.{SIGNATURE}"));
    let shown = format!("{user:?} {user:#?} {:?} {}", user.id(), user.id());
    assert!(!shown.contains(SIGNATURE), "{shown}");
    let again = XsollaUser::new(format!(" Bearer e30.{payload}.{SIGNATURE} "));
    assert_eq!(user, again);
    // A new signature is a new token, of the same player where the claims name one.
    let refreshed = XsollaUser::new(format!("e30.{payload}.b3RoZXI"));
    if user.id().as_str().starts_with("s:") {
        assert_eq!(user.id(), refreshed.id());
        assert_eq!(user.expires_at(), refreshed.expires_at());
    }
    let external = user.clone().with_external_id("x");
    assert!(!format!("{external:?}").contains(SIGNATURE));
    // No kind of id can pass for another.
    assert_eq!(
        user.id().as_str().starts_with("s:"),
        external.id() == user.id()
    );
}

/// An entry of the ledger: as it may be found, and as it is written.
pub fn record(bytes: &[u8]) {
    if let Some(record) = LedgerRecord::from_json(bytes) {
        assert_eq!(LedgerRecord::from_json(record.to_json()), Some(record));
    }
    let Some((seconds, rest)) = bytes.split_first_chunk() else {
        return;
    };
    let seconds = Duration::from_secs(u64::from_le_bytes(*seconds));
    let (Some(at), Some(kind)) = (SystemTime::UNIX_EPOCH.checked_add(seconds), rest.first()) else {
        return;
    };
    let entry = [
        LedgerEntry::Open,
        LedgerEntry::Granted,
        LedgerEntry::Acknowledged,
    ][usize::from(kind % 3)];
    let record = LedgerRecord::new(entry, at);
    assert_eq!(LedgerRecord::from_json(record.to_json()), Some(record));
    let restored = record.restore(OrderId(1), at);
    assert_eq!((restored.entry, restored.age), (entry, Duration::ZERO));
    let _ = record.restore(OrderId(1), SystemTime::UNIX_EPOCH);
}

/// A conversation with a server that says anything at any time. Steps are parted by the byte 0x1e:
/// `!` opens a connection, `+` and a number lets milliseconds go by, all else is a frame.
pub fn session(bytes: &[u8]) {
    const MAX_CHANNELS: usize = 64;
    let data = r#""data""#;
    let mut session = Session::new(Settings {
        step_timeout: Duration::from_secs(10),
        ping_grace: Duration::from_secs(10),
    });
    let mut now = Duration::ZERO;
    session.open(data, now);
    let (mut frames, mut events) = (0, 0);
    let (mut opened, mut checks, mut lines) = (1, 0, 0);
    for step in bytes.split(|&byte| byte == 0x1e) {
        let Ok(step) = std::str::from_utf8(step) else {
            continue;
        };
        let ends = if step == "!" {
            true
        } else if let Some(Ok(millis)) = step.strip_prefix('+').map(str::parse::<u32>) {
            now += Duration::from_millis(millis.into());
            checks += 1;
            let late = session.check_deadlines(now).is_err();
            // Whoever waits for a deadline that has passed never sleeps.
            assert!(late || session.deadline().is_none_or(|deadline| deadline > now));
            late
        } else {
            lines += step.lines().count();
            session.receive(step, now).is_err()
        };
        if ends {
            opened += 1;
            session.open(data, now);
        }
        while let Some(frame) = session.next_frame() {
            assert!(serde_json::from_str::<Value>(&frame).is_ok_and(|frame| frame.is_object()));
            frames += 1;
        }
        while let Some(event) = session.next_event() {
            if let Event::Publication(data) = event {
                // What was said, and nothing else.
                assert!(serde_json::from_str::<serde::de::IgnoredAny>(data.get()).is_ok());
                assert!(data.get().len() <= bytes.len());
            }
            events += 1;
        }
    }
    // Nothing that is short makes much: a message asks for at most one frame, a connection for one for
    // each of its channels.
    assert!(frames <= lines + opened * (1 + MAX_CHANNELS), "{frames}");
    assert!(events <= bytes.len() + (checks + opened) * MAX_CHANNELS);
}
