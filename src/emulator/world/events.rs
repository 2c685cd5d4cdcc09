//! The queues of events, one for each player.

use serde_json::{Value, json};

use super::faults::EventFaults;
use crate::model::order::OrderId;

/// The largest page.
const PAGE: usize = 50;

/// The queue of one player.
#[derive(Default)]
pub(crate) struct Events {
    events: Vec<Event>,
    /// The one that waits for another to be put into the queue before it.
    kept: Option<Event>,
}

pub(crate) struct Event {
    pub(crate) id: u64,
    pub(crate) order_id: Option<OrderId>,
    pub(crate) data: Value,
    pub(crate) is_processed: bool,
}

impl Events {
    pub(crate) fn add(&mut self, event: Event, faults: EventFaults) {
        if !faults.reorder {
            self.events.push(event);
        } else if let Some(earlier) = self.kept.take() {
            self.events.extend([event, earlier]);
        } else {
            self.kept = Some(event);
        }
    }

    pub(crate) fn release_kept(&mut self) {
        self.events.extend(self.kept.take());
    }

    /// A page of the events whose ids are above this one.
    pub(crate) fn page(&self, after: u64, faults: EventFaults) -> Value {
        let events = self.events.iter().filter(|event| event.id > after);
        let events = events.filter(|event| faults.repeat || !event.is_processed);
        let events = events.take(PAGE).flat_map(|event| {
            let event = json!({
                "id": event.id,
                "status": u8::from(event.is_processed),
                "created_at": "2026-11-27T12:00:00+03:00",
                "data": event.data,
            });
            let copies = if faults.duplicate { 2 } else { 1 };
            std::iter::repeat_n(event, copies)
        });
        json!({"events": events.collect::<Vec<_>>()})
    }

    /// Takes an event out of the queue. Returns whether there was one.
    pub(crate) fn process(&mut self, id: u64) -> bool {
        let mut events = self.events.iter_mut();
        let event = events.find(|event| event.id == id);
        event.is_some_and(|event| !std::mem::replace(&mut event.is_processed, true))
    }

    /// The number of events in the queue.
    pub(crate) fn count(&self) -> usize {
        let events = self.events.iter().chain(&self.kept);
        events.filter(|event| !event.is_processed).count()
    }

    /// The types of the events about an order that are in the queue.
    pub(crate) fn types_of(&self, order_id: OrderId) -> Vec<String> {
        let events = self.events.iter().chain(&self.kept);
        let events = events.filter(|event| event.order_id == Some(order_id) && !event.is_processed);
        events
            .filter_map(|event| event.data.get("notification_type")?.as_str())
            .map(str::to_owned)
            .collect()
    }
}
