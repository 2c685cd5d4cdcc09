use std::collections::HashMap;

use serde_json::Value;

use super::{is_about, is_whole, scalar};
use crate::model::order::{OrderId, OrderStatus};
use crate::wire::events::EventQueue;

const PROJECT: u64 = 77_640;

/// A player's queue of events, whose server says anything. Steps are parted by the byte 0x1e: `!` has the queue read
/// again, `=` and a number settle an order that is done, `~` and a number one that is canceled, `-` processes what may be
/// processed, and all else is a page.
pub fn events(bytes: &[u8]) {
    let mut queue = EventQueue::new(PROJECT);
    let mut judge = Judge::default();
    for step in bytes.split(|&byte| byte == 0x1e) {
        judge.step += 1;
        match step {
            b"!" => {
                queue.read_again();
                assert_eq!(queue.last(), 0);
            }
            b"-" => judge.process(&mut queue),
            [b'=', order @ ..] => judge.settle(&mut queue, order, OrderStatus::Done),
            [b'~', order @ ..] => judge.settle(&mut queue, order, OrderStatus::Canceled),
            page => judge.take(&mut queue, page),
        }
    }
    judge.step += 1;
    judge.process(&mut queue);
}

/// What the server and the game have said, and what has come of it.
#[derive(Default)]
struct Judge {
    step: usize,
    /// All events of all pages.
    written: Vec<Value>,
    /// Whether there was a page that `Value` cannot read, so that nobody knows what was written.
    is_unsure: bool,
    told: Vec<(u64, OrderStatus)>,
    /// In which step which order was settled after it was told, and how.
    settled: Vec<(usize, u64, OrderStatus)>,
    /// In which step which event was processed.
    processed: HashMap<u64, usize>,
}

impl Judge {
    fn settle(&mut self, queue: &mut EventQueue, order: &[u8], status: OrderStatus) {
        let text = str::from_utf8(order).unwrap_or_default();
        let Ok(order) = text.parse() else {
            return;
        };
        queue.settle(OrderId(order), &status);
        if self.told.iter().any(|(told, _)| *told == order) {
            self.settled.push((self.step, order, status));
        }
    }

    fn take(&mut self, queue: &mut EventQueue, page: &[u8]) {
        let last = queue.last();
        let Ok(has_more) = queue.take(page) else {
            assert_eq!(queue.last(), last);
            return;
        };
        assert!(queue.last() >= last, "it goes back");
        assert_eq!(has_more, queue.last() > last, "it asks for the same again");
        let known = self.written.len();
        match serde_json::from_slice::<Value>(page) {
            Ok(mut page) => {
                let events = page["events"].as_array_mut().map(std::mem::take);
                self.written
                    .extend(events.expect("what was read has a list"));
            }
            Err(_) => self.is_unsure = true,
        }
        let news = queue.news().into_iter();
        let news: Vec<(u64, OrderStatus)> = news
            .map(|news| (news.order_id.0, news.status.expect("a status")))
            .collect();
        assert!(queue.news().is_empty(), "it is told twice");
        self.told.extend(news.iter().cloned());
        if self.is_unsure {
            return;
        }
        let is_last = |event: &Value| is_whole(&event["id"], queue.last());
        assert!(!has_more || self.written[known..].iter().any(is_last));
        // As often as it is written, and no more often.
        assert!(self.told.len() <= self.written.len(), "it is told twice");
        for (order, status) in &news {
            let is_news = |event: &Value| self.is_news(&event["data"], *order, status);
            assert!(self.written.iter().any(is_news), "{order} {status}");
        }
        for (place, event) in self.written.iter().enumerate().skip(known) {
            let mut before = self.written[..place].iter();
            let is_new = |id| !before.any(|known| is_whole(&known["id"], id));
            if let Some(order) = certain_news(&event["data"])
                && event["id"].as_u64().is_some_and(is_new)
            {
                assert!(
                    news.contains(&(order, OrderStatus::Done)),
                    "{order} is lost"
                );
            }
        }
    }

    /// Whether an event may be news of an order: a project is named, and it is ours.
    fn is_news(&self, data: &Value, order: u64, status: &OrderStatus) -> bool {
        let invoice = invoice(data);
        let is_payment = |event: &Value| {
            let data = &event["data"];
            let is_payment = data["notification_type"] == "payment" && is_ours(data);
            is_payment && is_same(&data["transaction"]["id"], invoice)
        };
        // What costs nothing has no payment, which would name the project.
        let is_free = || {
            let has_invoice = scalar(invoice).is_some_and(|text| !text.is_empty());
            !has_invoice || data["order"]["currency"].is_null()
        };
        is_order(data, order, status)
            && (is_ours(data)
                || !is_others(data) && (is_free() || self.written.iter().any(is_payment)))
    }

    /// Takes all out of the queue that may be.
    fn process(&mut self, queue: &mut EventQueue) {
        while let Some(id) = queue.next_settled() {
            queue.processed(id);
            let before = self.processed.insert(id, self.step);
            assert_ne!(before, Some(self.step), "{id} is processed twice");
            let since = before.unwrap_or_default();
            let is_due = |event: &Value| {
                is_whole(&event["id"], id) && self.is_settled(&event["data"], since)
            };
            assert!(self.is_unsure || self.written.iter().any(is_due), "{id}");
        }
    }

    /// Whether the order of an event was settled after this step, or that of the payment that it is.
    fn is_settled(&self, data: &Value, since: usize) -> bool {
        let is_order_settled = |data: &Value| {
            let mut settled = self.settled.iter();
            settled.any(|(step, order, status)| {
                *step > since
                    && (is_order(data, *order, status)
                        || is_order(data, *order, &OrderStatus::Done))
            })
        };
        let is_payment_settled = |event: &Value| {
            is_order_settled(&event["data"])
                && is_same(invoice(&event["data"]), &data["transaction"]["id"])
        };
        is_order_settled(data)
            || data["notification_type"] == "payment" && self.written.iter().any(is_payment_settled)
    }
}

/// Whether it tells that an order has come as far as this status.
fn is_order(data: &Value, order: u64, status: &OrderStatus) -> bool {
    let (id, known) = match data["notification_type"].as_str() {
        Some("order_paid") => (&data["order"]["id"], OrderStatus::Done),
        Some("order_canceled") => (&data["order"]["id"], OrderStatus::Canceled),
        Some("payment") => (&data["purchase"]["order"]["id"], OrderStatus::Done),
        _ => return false,
    };
    is_whole(id, order) && *status == known
}

/// The order that it tells of, if there can be no doubt that it tells of one that is paid.
fn certain_news(data: &Value) -> Option<u64> {
    let is_ours = data["settings"]["project_id"].as_u64() == Some(PROJECT);
    let order = data["order"]["id"].as_u64()?;
    (is_ours && data["notification_type"] == "order_paid").then_some(order)
}

fn project(data: &Value) -> &Value {
    match &data["settings"] {
        Value::Object(settings) => settings.get("project_id").unwrap_or(&Value::Null),
        _ => &data["billing"]["settings"]["project_id"],
    }
}

fn is_ours(data: &Value) -> bool {
    is_whole(project(data), PROJECT)
}

/// Whether it names another project. What cannot be read names none.
fn is_others(data: &Value) -> bool {
    let project = scalar(project(data)).and_then(|text| text.parse::<u64>().ok());
    project.is_some_and(|project| project != PROJECT)
}

fn invoice(data: &Value) -> &Value {
    match data["notification_type"].as_str() {
        Some("payment") => &data["transaction"]["id"],
        _ => &data["order"]["invoice_id"],
    }
}

/// Whether two scalars may be the same text.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(number), text) | (text, Value::Number(number)) => {
            scalar(text).is_some_and(|text| is_about(&text, number))
        }
        _ => scalar(one).is_some() && scalar(one) == scalar(other),
    }
}
