//! The events of a player's queue (Xsolla's Event API): `{"events": [{"id": 1, "data": {…}}]}`, in which `data` is the
//! body of a webhook.

use crate::model::json::Object;
use crate::model::order::{OrderId, OrderStatus, Report};

/// The number of events that are kept. The oldest make room for others, until the queue is read again.
const MAX_EVENTS: usize = 4_096;

/// What is known of a queue. It says which news an event is, and which events are to be processed.
#[derive(Debug)]
pub(crate) struct EventQueue {
    project_id: u64,
    /// By their ids.
    events: Vec<Event>,
    /// The largest id that was read.
    last: u64,
}

#[derive(Debug)]
struct Event {
    id: u64,
    kind: Kind,
    /// Whether it names the project. Otherwise it names none: those of other projects are not kept.
    is_own: bool,
    /// Whether the machine was told.
    is_told: bool,
    is_settled: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Paid(OrderOfEvent),
    Canceled(OrderOfEvent),
    /// The payment for an order, which an event of its own tells of, and which names the order by its transaction.
    Payment {
        transaction: String,
    },
}

#[derive(Debug, PartialEq, Eq)]
struct OrderOfEvent {
    order_id: OrderId,
    invoice: Option<String>,
    /// Whether no payment is to come that names the project: it is free, or costs virtual currency.
    has_no_payment: bool,
}

impl Kind {
    fn order(&self) -> Option<&OrderOfEvent> {
        match self {
            Self::Paid(order) | Self::Canceled(order) => Some(order),
            Self::Payment { .. } => None,
        }
    }
}

impl EventQueue {
    pub(crate) fn new(project_id: u64) -> Self {
        Self {
            project_id,
            events: Vec::new(),
            last: 0,
        }
    }

    /// The id after which the queue was not read yet.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Has the queue read again from its beginning. Events may come in another sequence than that of their ids.
    pub(crate) fn read_again(&mut self) {
        self.last = 0;
    }

    /// Takes a page of the queue, and returns whether it had any event.
    pub(crate) fn take(&mut self, page: &[u8]) -> Result<bool, String> {
        let page = Object::read(page)?;
        let events = page.list("events").ok_or("it has no events")?;
        let before = self.last;
        for event in events.iter().flatten() {
            let Some(id) = event.unsigned("id") else {
                log::warn!("an event of the queue has no id");
                continue;
            };
            self.last = self.last.max(id);
            match event.object("data").and_then(|data| self.read(id, &data)) {
                Some(event) => self.keep(event),
                None => log::debug!("event {id} of the queue is left alone"),
            }
        }
        Ok(self.last > before)
    }

    fn keep(&mut self, event: Event) {
        match self
            .events
            .binary_search_by_key(&event.id, |known| known.id)
        {
            // It was not processed, so it is told again.
            Ok(place) => {
                if let Some(known) = self.events.get_mut(place) {
                    known.is_told = false;
                }
            }
            Err(place) => self.events.insert(place, event),
        }
        if self.events.len() > MAX_EVENTS {
            self.events.remove(0);
        }
    }

    /// Reads an event; `None` if it says nothing of an order of the project.
    fn read(&self, id: u64, data: &Object<'_>) -> Option<Event> {
        let kind = match data.text("notification_type")?.as_str() {
            "order_paid" => Kind::Paid(read_order(data)?),
            "order_canceled" => Kind::Canceled(read_order(data)?),
            "payment" => read_payment(data)?,
            _ => return None,
        };
        let billing = data.object("billing").unwrap_or_default();
        let settings = data
            .object("settings")
            .or_else(|| billing.object("settings"));
        let project = settings.and_then(|settings| settings.unsigned("project_id"));
        (project.is_none_or(|project| project == self.project_id)).then_some(Event {
            id,
            kind,
            is_own: project.is_some(),
            is_told: false,
            is_settled: false,
        })
    }

    /// Returns the news that was not told yet, oldest first, and counts it as told.
    pub(crate) fn news(&mut self) -> Vec<Report> {
        // The projects with separate events for payments name the project there alone.
        let payments = self.events.iter().filter(|event| event.is_own);
        let payments: Vec<String> = payments
            .filter_map(|event| match &event.kind {
                Kind::Payment { transaction } => Some(transaction.clone()),
                Kind::Paid(_) | Kind::Canceled(_) => None,
            })
            .collect();
        let mut news = Vec::new();
        for event in &mut self.events {
            let Some(order) = event.kind.order().filter(|_| !event.is_told) else {
                continue;
            };
            let is_paired = |invoice: &String| payments.contains(invoice);
            if event.is_own || order.has_no_payment || order.invoice.as_ref().is_some_and(is_paired)
            {
                event.is_told = true;
                let status = match event.kind {
                    Kind::Canceled(_) => OrderStatus::Canceled,
                    // As for a server that is sent the webhook: the order is paid, and may be granted.
                    _ => OrderStatus::Done,
                };
                news.push(Report {
                    order_id: order.order_id,
                    status: Some(status),
                    items: None,
                    price: None,
                });
            }
        }
        news
    }

    /// Notes that the game is done with an order which had come as far as this status.
    pub(crate) fn settle(&mut self, order_id: OrderId, status: &OrderStatus) {
        let mut invoices = Vec::new();
        for event in &mut self.events {
            let is_past = match &event.kind {
                Kind::Paid(order) => order.order_id == order_id,
                Kind::Canceled(order) => {
                    order.order_id == order_id && *status == OrderStatus::Canceled
                }
                Kind::Payment { .. } => false,
            };
            if is_past && event.is_told {
                event.is_settled = true;
                invoices.extend(event.kind.order().and_then(|order| order.invoice.clone()));
            }
        }
        for event in &mut self.events {
            if let Kind::Payment { transaction } = &event.kind {
                event.is_settled |= invoices.contains(transaction);
            }
        }
    }

    /// The next event that is to be taken out of the queue. A payment comes after its order, which it names the project of.
    pub(crate) fn next_settled(&self) -> Option<u64> {
        let is_order = |event: &&Event| event.kind.order().is_some();
        let mut settled = self.events.iter().filter(|event| event.is_settled);
        let order = settled.clone().find(is_order);
        order.or_else(|| settled.next()).map(|event| event.id)
    }

    /// Notes that an event was taken out of the queue.
    pub(crate) fn processed(&mut self, id: u64) {
        self.events.retain(|event| event.id != id);
    }
}

fn read_order(data: &Object<'_>) -> Option<OrderOfEvent> {
    let order = data.object("order")?;
    let invoice = order.text("invoice_id").filter(|id| !id.is_empty());
    let amount = order.decimal("amount").unwrap_or_default();
    Some(OrderOfEvent {
        order_id: OrderId(order.unsigned("id")?),
        has_no_payment: invoice.is_none() || order.is_missing("currency") && amount.is_zero(),
        invoice,
    })
}

fn read_payment(data: &Object<'_>) -> Option<Kind> {
    let transaction = data
        .object("transaction")
        .and_then(|transaction| transaction.text("id"));
    let order = data
        .object("purchase")
        .and_then(|purchase| purchase.object("order"));
    // Some projects have no other event for the order.
    match order
        .and_then(|order| order.unsigned("id"))
        .filter(|id| *id != 0)
    {
        Some(id) => Some(Kind::Paid(OrderOfEvent {
            order_id: OrderId(id),
            invoice: transaction,
            has_no_payment: false,
        })),
        None => Some(Kind::Payment {
            transaction: transaction?,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: u64 = 77_640;

    fn page(events: &[(u64, String)]) -> Vec<u8> {
        let events = events.iter().map(|(id, data)| {
            format!(
                r#"{{"id":{id},"status":0,"created_at":"2026-11-27T12:00:00+03:00","data":{data}}}"#
            )
        });
        format!(r#"{{"events":[{}]}}"#, events.collect::<Vec<_>>().join(",")).into_bytes()
    }

    fn order(kind: &str, id: u64, project: &str) -> String {
        let billing = match project {
            "" => String::new(),
            id => format!(r#","billing":{{"settings":{{"project_id":"{id}"}}}}"#),
        };
        format!(
            r#"{{"notification_type":"order_{kind}","items":[{{"sku":"sword","quantity":1,"amount":"30"}}],
            "order":{{"id":{id},"currency":"USD","amount":"30","invoice_id":"i{id}"}}{billing}}}"#
        )
    }

    fn payment(id: u64, project: u64) -> String {
        format!(
            r#"{{"notification_type":"payment","settings":{{"project_id":{project}}},"transaction":{{"id":"i{id}"}}}}"#
        )
    }

    fn told(queue: &mut EventQueue) -> Vec<(u64, String)> {
        let news = queue.news().into_iter();
        news.map(|report| (report.order_id.0, report.status.unwrap().to_string()))
            .collect()
    }

    /// Takes all out of the queue that may be.
    fn process(queue: &mut EventQueue) -> Vec<u64> {
        let mut processed = Vec::new();
        while let Some(id) = queue.next_settled() {
            queue.processed(id);
            processed.push(id);
        }
        processed
    }

    #[test]
    fn an_event_is_told_once_and_processed_once_its_order_is_settled() {
        let mut queue = EventQueue::new(PROJECT);
        assert_eq!(
            queue.take(&page(&[(5, order("paid", 1, "77640"))])),
            Ok(true)
        );
        assert_eq!(told(&mut queue), [(1, "done".to_owned())]);
        assert_eq!((told(&mut queue), process(&mut queue)), (vec![], vec![]));
        queue.settle(OrderId(2), &OrderStatus::Done);
        assert_eq!(process(&mut queue), [0; 0]);
        queue.settle(OrderId(1), &OrderStatus::Done);
        assert_eq!(process(&mut queue), [5]);
        assert_eq!(queue.last(), 5);
        // It comes again, though it was processed.
        queue.read_again();
        queue
            .take(&page(&[(5, order("paid", 1, "77640"))]))
            .unwrap();
        assert_eq!(told(&mut queue).len(), 1);
    }

    #[test]
    fn a_refund_is_not_processed_with_the_purchase_that_it_follows() {
        let mut queue = EventQueue::new(PROJECT);
        let events = [
            (1, order("paid", 1, "77640")),
            (2, order("canceled", 1, "77640")),
        ];
        queue.take(&page(&events)).unwrap();
        assert_eq!(told(&mut queue).len(), 2);
        queue.settle(OrderId(1), &OrderStatus::Done);
        assert_eq!(process(&mut queue), [1]);
        queue.settle(OrderId(1), &OrderStatus::Canceled);
        assert_eq!(process(&mut queue), [2]);
    }

    #[test]
    fn events_of_other_projects_are_left_alone() {
        let mut queue = EventQueue::new(PROJECT);
        let events = [
            (1, order("paid", 1, "4")),
            (2, order("paid", 2, "")),
            (3, payment(2, 4)),
            (4, order("paid", 3, "77640")),
        ];
        queue.take(&page(&events)).unwrap();
        assert_eq!(told(&mut queue), [(3, "done".to_owned())]);
        for order in 1..=3 {
            queue.settle(OrderId(order), &OrderStatus::Done);
        }
        assert_eq!(process(&mut queue), [4]);
    }

    #[test]
    fn the_two_events_of_one_order_are_one_news_and_are_both_processed() {
        for reversed in [false, true] {
            let mut queue = EventQueue::new(PROJECT);
            let mut events = vec![(1, payment(1, PROJECT)), (2, order("paid", 1, ""))];
            if reversed {
                events = vec![(1, order("paid", 1, "")), (2, payment(1, PROJECT))];
            }
            queue.take(&page(&events[..1])).unwrap();
            assert_eq!(told(&mut queue), []);
            queue.take(&page(&events[1..])).unwrap();
            assert_eq!(told(&mut queue), [(1, "done".to_owned())]);
            queue.settle(OrderId(1), &OrderStatus::Done);
            let processed = process(&mut queue);
            // Without its payment nobody would know the project of the order.
            assert_eq!(processed, if reversed { [1, 2] } else { [2, 1] });
        }
    }

    #[test]
    fn a_free_item_has_no_payment_and_no_currency() {
        let mut queue = EventQueue::new(PROJECT);
        let free = r#"{"notification_type":"order_paid","items":[{"sku":"a","quantity":1,"amount":"0"}],
            "order":{"id":7,"currency":null,"currency_type":"unknown","amount":"0","invoice_id":null}}"#;
        let payment = r#"{"notification_type":"payment","settings":{"project_id":77640},
            "purchase":{"order":{"id":8,"lineitems":[]}},"transaction":{"id":9}}"#;
        queue
            .take(&page(&[(1, free.to_owned()), (2, payment.to_owned())]))
            .unwrap();
        let done = "done".to_owned();
        assert_eq!(told(&mut queue), [(7, done.clone()), (8, done)]);
    }

    #[test]
    fn what_is_not_understood_is_passed_over_and_hides_nothing() {
        let mut queue = EventQueue::new(PROJECT);
        let events = [
            (1, r#"{"notification_type":"afs_reject"}"#.to_owned()),
            (2, "{}".to_owned()),
            (3, "null".to_owned()),
            (4, r#"[1]"#.to_owned()),
            (
                5,
                r#"{"notification_type":"order_paid","order":{"id":"none"}}"#.to_owned(),
            ),
            (6, r#"{"notification_type":"payment"}"#.to_owned()),
            (7, order("paid", 3, "77640")),
        ];
        queue.take(&page(&events)).unwrap();
        assert_eq!((told(&mut queue).len(), queue.last()), (1, 7));
        assert_eq!(queue.take(br#"{"events":[{"data":{}},7,null]}"#), Ok(false));
        for body in ["", "[]", "{}", r#"{"events":null}"#, r#"{"events":{}}"#] {
            assert!(queue.take(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_queue_without_end_does_not_fill_the_memory() {
        let mut queue = EventQueue::new(PROJECT);
        for id in 1..=MAX_EVENTS as u64 + 10 {
            queue
                .take(&page(&[(id, order("paid", id, "77640"))]))
                .unwrap();
        }
        assert_eq!(queue.events.len(), MAX_EVENTS);
    }
}
