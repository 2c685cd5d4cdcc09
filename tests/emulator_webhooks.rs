//! The webhooks that the emulator sends, to a server that answers what the test wants.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bevy_xsolla::emulator::{EmulatorError, WebhookFailure, WebhookVersion, XsollaEmulator};
use bevy_xsolla::webhook::{Notification, WebhookError, WebhookOrder, verify};
use bevy_xsolla::{OrderId, OrderStatus, Price};
use emulator_client::{Response, receive, request, send, wait_for};
use serde_json::{Value, json};

const SECRET: &str = "PROJECT_SECRET_KEY";
const MINUTE: Duration = Duration::from_secs(60);

/// What came to the server.
#[derive(Clone, Debug)]
struct Received {
    head: String,
    body: String,
    is_whole: bool,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let field = fields.find(|(key, _)| key.eq_ignore_ascii_case(name));
        field.map_or("", |(_, value)| value.trim())
    }

    fn verify(&self) -> Result<Notification, WebhookError> {
        verify(&self.body, self.header("authorization"), SECRET)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn kind(&self) -> String {
        let kind = &self.json()["notification_type"];
        kind.as_str().unwrap_or_default().to_owned()
    }

    fn order(&self) -> WebhookOrder {
        match self.verify() {
            Ok(Notification::OrderPaid(order) | Notification::OrderCanceled(order)) => order,
            other => panic!("{other:?}"),
        }
    }
}

/// What the server answers.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Status(u16),
    Refusal(&'static str),
    /// The connection stays open, without an answer.
    Silence,
    /// The connection ends without an answer.
    Close,
}

/// A server that answers each webhook as it was told, and at the end with 204.
#[derive(Clone, Default)]
struct Server {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
    replies: Arc<Mutex<Vec<Reply>>>,
    silent: Arc<Mutex<Vec<TcpStream>>>,
    /// How many webhooks are being answered, and how many that were at the same time at most.
    busy: Arc<Mutex<(usize, usize)>>,
}

impl Server {
    fn start(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            url: format!("http://{}/hook?from=xsolla", listener.local_addr().unwrap()),
            ..Self::default()
        };
        server.answer_next(replies);
        let this = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let this = this.clone();
                std::thread::spawn(move || this.serve(stream.unwrap()));
            }
        });
        server
    }

    fn serve(&self, stream: TcpStream) {
        {
            let mut busy = self.busy.lock().unwrap();
            busy.0 += 1;
            busy.1 = busy.1.max(busy.0);
        }
        let mut reader = BufReader::new(&stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let mut received = Received {
            head,
            body: String::new(),
            is_whole: true,
        };
        let length: usize = received.header("content-length").parse().unwrap();
        let mut body = Vec::new();
        let _ = reader.take(length as u64).read_to_end(&mut body);
        received.is_whole = body.len() == length;
        received.body = String::from_utf8(body).unwrap();
        let is_whole = received.is_whole;
        self.received.lock().unwrap().push(received);
        if !is_whole {
            self.busy.lock().unwrap().0 -= 1;
            return;
        }
        let mut replies = self.replies.lock().unwrap();
        let reply = match replies.len() {
            0 => Reply::Status(204),
            _ => replies.remove(0),
        };
        drop(replies);
        self.busy.lock().unwrap().0 -= 1;
        let (status, body) = match reply {
            Reply::Status(status) => (status, String::new()),
            Reply::Refusal(code) => (400, json!({"error": {"code": code}}).to_string()),
            Reply::Silence => return self.silent.lock().unwrap().push(stream),
            Reply::Close => return,
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
        let _ = (&stream).write_all(answer.as_bytes());
    }

    fn answer_next(&self, replies: &[Reply]) {
        self.replies.lock().unwrap().extend(replies);
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    fn kinds(&self) -> Vec<String> {
        self.received().iter().map(Received::kind).collect()
    }
}

fn start(replies: &[Reply]) -> (XsollaEmulator, Server) {
    let (emulator, server) = (XsollaEmulator::start(), Server::start(replies));
    emulator.webhooks_to(&server.url, SECRET);
    (emulator, server)
}

fn order(emulator: &XsollaEmulator) -> OrderId {
    emulator.create_order(&emulator.user("alice"), &[("sword", 1)])
}

/// Waits until nothing is to be sent any more.
#[track_caller]
fn wait_for_all(emulator: &XsollaEmulator) {
    wait_for("all webhooks are sent", || {
        emulator.webhook_counts().pending == 0
    });
}

#[track_caller]
fn wait_for_attempts(emulator: &XsollaEmulator, attempts: usize) {
    wait_for(&format!("there are {attempts} attempts"), || {
        emulator.webhook_counts().attempts >= attempts
    });
    assert_eq!(emulator.webhook_counts().attempts, attempts);
}

/// Sends a webhook of the test's own, behind which everything has been sent that was due.
#[track_caller]
fn flush(emulator: &XsollaEmulator) {
    let id = emulator.send_webhook_body(json!({"notification_type": "flush"}));
    wait_for("the last webhook is answered", || {
        emulator.webhook_answer(id).is_some()
    });
}

/// The statuses of the attempts; 0 where there was no answer.
fn statuses(emulator: &XsollaEmulator) -> Vec<u16> {
    let attempts = emulator.webhook_attempts();
    let statuses = attempts.iter().map(|attempt| attempt.status());
    statuses.map(Option::unwrap_or_default).collect()
}

fn press(emulator: &XsollaEmulator, order_id: OrderId, action: &str) -> TcpStream {
    let url = emulator.payment_url(order_id).unwrap();
    let path = url.splitn(4, '/').nth(3).unwrap();
    send(
        emulator,
        "POST",
        &format!("/{path}"),
        None,
        &format!("action={action}"),
    )
}

/// Sends a request to the address by which other programs fire webhooks.
fn control(emulator: &XsollaEmulator, method: &str, body: &str) -> Response {
    receive(send(emulator, method, "/emulator/webhooks", None, body)).unwrap()
}

#[test]
fn a_paid_order_is_told_by_a_signed_webhook_and_its_refund_by_another() {
    let (emulator, server) = start(&[]);
    let alice = emulator.user("alice");
    let items = [("potion", 3), ("starter_pack", 1)];
    let order_id = emulator.create_order(&alice, &items);
    emulator.pay(order_id);
    emulator.deliver(order_id);
    emulator.refund(order_id);
    wait_for_attempts(&emulator, 2);
    assert_eq!(server.kinds(), ["order_paid", "order_canceled"]);
    for received in server.received() {
        assert!(
            received
                .head
                .starts_with("POST /hook?from=xsolla HTTP/1.1\r\n")
        );
        assert!(server.url.contains(received.header("host")));
        assert_eq!(received.header("content-type"), "application/json");
        let order = received.order();
        assert_eq!(order.order_id, order_id);
        assert_eq!(alice.id().as_str(), format!("s:{}", order.user.id));
        let items: Vec<_> = order
            .items
            .iter()
            .map(|it| (&*it.sku, it.quantity))
            .collect();
        assert_eq!(items, [("potion", 3), ("starter_pack", 1)]);
        assert_eq!(
            order.price,
            Some(Price::new("2.9700".parse().unwrap(), "USD"))
        );
        assert_eq!(order.project_id, Some(emulator.project_id()));
        assert!(!order.is_test);
        let body = received.json();
        assert_eq!(body["items"][0]["amount"], "2.9700", "that of all pieces");
        let invoice = body["billing"]["transaction"]["id"].to_string();
        assert_eq!(order.invoice_id, Some(invoice));
        assert_eq!(body["billing"]["purchase"]["total"]["amount"], 2.97);
    }
    let bodies = server.received();
    assert_eq!(bodies[0].json()["order"]["status"], "paid");
    assert_eq!(bodies[0].json()["billing"]["notification_type"], "payment");
    assert_eq!(bodies[1].json()["order"]["status"], "canceled");
    assert_eq!(bodies[1].json()["billing"]["refund_details"]["code"], 1);
    assert_eq!(statuses(&emulator), [204, 204]);
    assert_eq!(emulator.webhook_counts().accepted, 2);
}

#[test]
fn only_the_second_version_says_what_is_free_and_what_is_in_a_bundle() {
    let (emulator, server) = start(&[]);
    let price = json!({"amount": "5", "amount_without_discount": "8", "currency": "EUR"});
    emulator.set_items(json!([
        {"sku": "pack", "type": "bundle", "price": price,
            "content": [{"sku": "gold", "type": "virtual_currency", "quantity": 100}]},
        {"sku": "ribbon", "type": "virtual_good", "is_free": true},
    ]));
    let alice = emulator.user("alice");
    for version in [WebhookVersion::Two, WebhookVersion::One] {
        emulator.set_webhook_version(version);
        let order_id = emulator.create_order(&alice, &[("pack", 2), ("ribbon", 1)]);
        emulator.pay(order_id);
    }
    wait_for_attempts(&emulator, 2);
    let orders: Vec<_> = server.received().iter().map(Received::order).collect();
    let flags = |order: &WebhookOrder| -> Vec<_> {
        let items = order.items.iter();
        items
            .map(|it| {
                (
                    it.sku.clone(),
                    it.quantity,
                    it.is_free,
                    it.is_bundle_content,
                )
            })
            .collect()
    };
    assert_eq!(
        flags(&orders[0]),
        [
            ("pack".to_owned(), 2, false, false),
            ("gold".to_owned(), 200, false, true),
            ("ribbon".to_owned(), 1, true, false)
        ]
    );
    assert_eq!(
        flags(&orders[1]),
        [
            ("pack".to_owned(), 2, false, false),
            ("ribbon".to_owned(), 1, false, false)
        ]
    );
    let items = |index: usize| server.received()[index].json()["items"].clone();
    assert_eq!(items(0)[1]["amount"], "[null]");
    assert_eq!(items(0)[2]["amount"], "0");
    assert_eq!(
        items(0)[0]["promotions"][0]["amount_without_discount"],
        "16"
    );
    for name in ["is_free", "is_bonus", "is_bundle_content"] {
        assert!(items(0)[0][name].is_boolean(), "{name}");
        assert!(items(1)[0].get(name).is_none(), "{name}");
    }
}

/// The fields of a documented body that are not in the one that was sent.
fn missing(path: &str, documented: &Value, sent: &Value) -> Vec<String> {
    match documented {
        Value::Object(fields) => {
            let fields = fields.iter().flat_map(|(name, field)| {
                let path = format!("{path}.{name}");
                match sent.get(name) {
                    Some(sent) => missing(&path, field, sent),
                    None => vec![path],
                }
            });
            fields.collect()
        }
        Value::Array(items) if !items.is_empty() && sent.get(0).is_some() => {
            missing(&format!("{path}[]"), &items[0], &sent[0])
        }
        _ => Vec::new(),
    }
}

#[test]
fn the_bodies_have_the_fields_of_the_documented_ones() {
    let (emulator, server) = start(&[]);
    let order_id = emulator.create_order(&emulator.user("bob"), &[("shield", 3)]);
    let mut missed = Vec::new();
    for (name, kind, version, separate) in [
        ("order_paid_1", "order_paid", WebhookVersion::One, true),
        ("order_paid_2", "order_paid", WebhookVersion::Two, false),
        (
            "order_canceled_1",
            "order_canceled",
            WebhookVersion::One,
            true,
        ),
        (
            "order_canceled_2",
            "order_canceled",
            WebhookVersion::Two,
            false,
        ),
        (
            "user_validation",
            "user_validation",
            WebhookVersion::Two,
            false,
        ),
        ("payment", "payment", WebhookVersion::Two, true),
        ("refund", "refund", WebhookVersion::Two, true),
    ] {
        emulator.set_webhook_version(version);
        emulator.separate_webhooks(separate);
        emulator.send_webhook(order_id, kind);
        wait_for_all(&emulator);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/webhooks");
        let documented = std::fs::read(format!("{folder}/{name}.json")).unwrap();
        let documented: Value = serde_json::from_slice(&documented).unwrap();
        let sent = server.received().last().unwrap().json();
        assert_eq!(sent["notification_type"], kind);
        assert_eq!(
            sent.get("billing").is_some(),
            documented.get("billing").is_some()
        );
        missed.extend(missing(name, &documented, &sent));
    }
    // The game's own parameters and attributes, and details of a payment that differ from method to method.
    missed.retain(|path| !path.contains(".custom_"));
    assert_eq!(
        missed,
        [
            "payment.transaction.payment_date",
            "payment.transaction.payment_method_order_id",
            "payment.user.zip"
        ]
    );
}

#[test]
fn what_costs_no_money_has_no_payment() {
    let (emulator, server) = start(&[]);
    let token = emulator.token("alice");
    for separate in [false, true] {
        emulator.separate_webhooks(separate);
        for route in ["free/item/starter_pack", "payment/item/potion/virtual/gold"] {
            let answer = request(&emulator, "POST", route, Some(&token), r#"{"quantity": 2}"#);
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    wait_for_attempts(&emulator, 4);
    assert_eq!(server.kinds(), ["order_paid"; 4]);
    for received in server.received() {
        let (order, body) = (received.order(), received.json());
        assert_eq!(order.price, None);
        assert_eq!(order.invoice_id, None);
        assert_eq!(order.items[0].quantity, 2);
        assert!(body.get("billing").is_none());
        if order.items[0].sku == "potion" {
            assert_eq!(body["order"]["currency_type"], "virtual");
            assert_eq!(body["order"]["currency"], "gold");
            assert_eq!(body["order"]["amount"], "100");
        }
    }
}

#[test]
fn a_sandbox_order_is_marked_as_a_test() {
    let (emulator, server) = start(&[]);
    let token = emulator.token("alice");
    let body = r#"{"sandbox": true}"#;
    let answer = request(&emulator, "POST", "payment/item/sword", Some(&token), body);
    emulator.pay(OrderId(answer.json()["order_id"].as_u64().unwrap()));
    wait_for_attempts(&emulator, 1);
    let received = &server.received()[0];
    assert!(received.order().is_test);
    assert_eq!(received.json()["billing"]["transaction"]["dry_run"], 1);
}

#[test]
fn with_separate_webhooks_the_order_is_told_after_its_payment() {
    let (emulator, server) = start(&[Reply::Status(500)]);
    emulator.separate_webhooks(true);
    let order_id = order(&emulator);
    emulator.pay(order_id);
    wait_for_attempts(&emulator, 1);
    flush(&emulator);
    assert_eq!(server.kinds(), ["payment", "flush"]);
    emulator.pass_webhook_time(4 * 60 * MINUTE);
    wait_for_all(&emulator);
    emulator.refund(order_id);
    wait_for_all(&emulator);
    let kinds = [
        "payment",
        "flush",
        "payment",
        "order_paid",
        "refund",
        "order_canceled",
    ];
    assert_eq!(server.kinds(), kinds);
    let received = server.received();
    let Ok(Notification::Payment(payment)) = received[2].verify() else {
        panic!("{received:?}");
    };
    assert_eq!(payment.transaction_id, received[3].order().invoice_id);
    assert_eq!(
        received[3].order().project_id,
        None,
        "there is no `billing`"
    );
    assert!(matches!(
        received[4].verify(),
        Ok(Notification::Refund { code: Some(1), .. })
    ));
}

#[test]
fn webhooks_are_sent_one_after_the_other_in_order() {
    let (emulator, server) = start(&[]);
    let orders: Vec<OrderId> = (0..30).map(|_| order(&emulator)).collect();
    for &order_id in &orders {
        emulator.pay(order_id);
    }
    wait_for_all(&emulator);
    let told: Vec<OrderId> = server
        .received()
        .iter()
        .map(|it| it.order().order_id)
        .collect();
    assert_eq!(told, orders);
    assert_eq!(server.busy.lock().unwrap().1, 1, "one at a time");
}

#[test]
fn an_answer_is_waited_for_for_three_seconds() {
    let (emulator, server) = start(&[Reply::Silence, Reply::Close]);
    let begin = Instant::now();
    let orders = [(); 3].map(|()| order(&emulator));
    for order_id in orders {
        emulator.pay(order_id);
    }
    wait_for_attempts(&emulator, 3);
    assert!(begin.elapsed() >= Duration::from_secs(3));
    let attempts = emulator.webhook_attempts();
    assert_eq!(attempts[0].answer, Err(WebhookFailure::TimedOut));
    let error = attempts[1].answer.as_ref().unwrap_err();
    assert!(matches!(error, WebhookFailure::Broken(_)), "{error:?}");
    assert_eq!(attempts[2].status(), Some(204));
    assert_eq!(emulator.webhook_counts().pending, 2, "two are sent again");
    drop(server);
}

#[test]
fn a_server_that_is_not_there_is_tried_again() {
    let emulator = XsollaEmulator::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    emulator.webhooks_to(&nobody, SECRET);
    let order_id = order(&emulator);
    emulator.pay(order_id);
    wait_for_attempts(&emulator, 1);
    let answer = emulator.webhook_attempts()[0].answer.clone();
    assert!(
        matches!(answer, Err(WebhookFailure::Unreachable(_))),
        "{answer:?}"
    );
    let server = Server::start(&[]);
    emulator.webhooks_to(&server.url, SECRET);
    emulator.pass_webhook_time(5 * MINUTE);
    wait_for_all(&emulator);
    assert_eq!(server.received()[0].order().order_id, order_id);
}

#[test]
fn what_is_not_accepted_is_sent_again_by_xsollas_table() {
    let (emulator, server) = start(&[Reply::Status(503); 100]);
    let order_id = order(&emulator);
    let attempts = || emulator.webhook_attempts_for(order_id);
    emulator.pay(order_id);
    wait_for("the first attempt", || attempts().len() == 1);
    let table = [5; 2].into_iter().chain([15; 7]).chain([60; 10]);
    for (index, minutes) in table.enumerate() {
        emulator.pass_webhook_time((minutes - 1) * MINUTE);
        flush(&emulator);
        assert_eq!(attempts().len(), 1 + index, "too early");
        emulator.pass_webhook_time(MINUTE);
        wait_for("the retry", || attempts().len() == 2 + index);
    }
    wait_for_all(&emulator);
    emulator.pass_webhook_time(1000 * 60 * MINUTE);
    flush(&emulator);
    let attempts = attempts();
    let numbers: Vec<usize> = attempts.iter().map(|it| it.attempt).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    assert!(attempts.iter().all(|it| it.id == attempts[0].id));
    assert!(attempts.iter().all(|it| it.body == attempts[0].body));
    let paid = server
        .kinds()
        .into_iter()
        .filter(|kind| kind == "order_paid");
    assert_eq!(paid.count(), 20);
    assert_eq!(emulator.status(order_id), OrderStatus::Paid);
}

#[test]
fn real_time_counts_as_well() {
    let (emulator, server) = start(&[Reply::Status(500)]);
    emulator.pay(order(&emulator));
    wait_for_attempts(&emulator, 1);
    let sent = Instant::now();
    emulator.pass_webhook_time(5 * MINUTE - Duration::from_millis(800));
    wait_for_attempts(&emulator, 2);
    assert!(sent.elapsed() >= Duration::from_millis(400));
    assert_eq!(server.kinds(), ["order_paid"; 2]);
}

#[test]
fn a_retry_holds_up_no_other_webhook() {
    let (emulator, server) = start(&[Reply::Status(500)]);
    let [first, second] = [(); 2].map(|()| order(&emulator));
    emulator.pay(first);
    emulator.pay(second);
    wait_for_attempts(&emulator, 2);
    emulator.pass_webhook_time(5 * MINUTE);
    wait_for_all(&emulator);
    let told: Vec<OrderId> = server
        .received()
        .iter()
        .map(|it| it.order().order_id)
        .collect();
    assert_eq!(told, [first, second, first]);
}

#[test]
fn a_refusal_is_final_and_refunds_where_refunds_are_automatic() {
    for is_automatic in [false, true] {
        let (emulator, server) = start(&[Reply::Refusal("INVALID_PARAMETER")]);
        emulator.refund_automatically(is_automatic);
        let order_id = order(&emulator);
        emulator.deliver(order_id);
        wait_for_all(&emulator);
        emulator.pass_webhook_time(1000 * 60 * MINUTE);
        flush(&emulator);
        let attempt = &emulator.webhook_attempts()[0];
        let answer = attempt.answer.as_ref().unwrap();
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("INVALID_PARAMETER"), "{answer:?}");
        assert_eq!(emulator.webhook_counts().refused, 1);
        let (kinds, status) = if is_automatic {
            (
                &["order_paid", "order_canceled", "flush"][..],
                OrderStatus::Canceled,
            )
        } else {
            (&["order_paid", "flush"][..], OrderStatus::Done)
        };
        assert_eq!(server.kinds(), kinds);
        assert_eq!(emulator.status(order_id), status);
    }
}

#[test]
fn duplicates_and_overtaking_are_sent_until_it_is_healed() {
    let (emulator, server) = start(&[]);
    let [first, second, third] = [(); 3].map(|()| order(&emulator));
    let told = |server: &Server| -> Vec<OrderId> {
        let received = server.received();
        received.iter().map(|it| it.order().order_id).collect()
    };
    emulator.duplicate_webhooks(true);
    emulator.pay(first);
    wait_for_attempts(&emulator, 2);
    emulator.heal();
    let attempts = emulator.webhook_attempts();
    assert_eq!(attempts[0].id, attempts[1].id);
    assert_eq!(attempts[0].body, attempts[1].body);
    assert!(!attempts[0].is_duplicate && attempts[1].is_duplicate);
    assert_eq!(emulator.webhook_counts().accepted, 1);
    emulator.reorder_webhooks(true);
    emulator.pay(second);
    flush(&emulator);
    assert_eq!(server.kinds(), ["order_paid", "order_paid", "flush"]);
    emulator.refund(second);
    wait_for_all(&emulator);
    let kinds = [
        "order_paid",
        "order_paid",
        "flush",
        "order_canceled",
        "order_paid",
    ];
    assert_eq!(server.kinds(), kinds);
    emulator.pay(third);
    flush(&emulator);
    server.received.lock().unwrap().clear();
    emulator.heal();
    wait_for_all(&emulator);
    assert_eq!(told(&server), [third]);
}

#[test]
fn a_wrong_signature_is_wrong_until_it_is_healed() {
    let (emulator, server) = start(&[Reply::Refusal("INVALID_SIGNATURE")]);
    let order_id = order(&emulator);
    emulator.sign_webhooks_wrongly(true);
    emulator.pay(order_id);
    wait_for_all(&emulator);
    emulator.heal();
    emulator.send_webhook(order_id, "order_paid");
    wait_for_all(&emulator);
    let received = server.received();
    assert_eq!(received[0].verify(), Err(WebhookError::WrongSignature));
    assert_eq!(received[1].order().order_id, order_id);
    assert_eq!(statuses(&emulator), [400, 204]);
}

#[test]
fn webhooks_wait_while_they_are_held_back() {
    let (emulator, server) = start(&[]);
    let order_id = order(&emulator);
    emulator.hold_webhooks(true);
    emulator.pay(order_id);
    // What is fired by hand comes first in any case, so the second one shows that the order waits.
    flush(&emulator);
    flush(&emulator);
    assert_eq!(server.kinds(), ["flush"; 2]);
    assert_eq!(emulator.webhook_counts().pending, 1);
    emulator.heal();
    wait_for_all(&emulator);
    assert_eq!(server.kinds(), ["flush", "flush", "order_paid"]);
}

#[test]
fn a_connection_is_cut_in_the_middle_of_a_body() {
    let (emulator, server) = start(&[]);
    let order_id = order(&emulator);
    emulator.cut_webhooks(true);
    emulator.pay(order_id);
    wait_for_attempts(&emulator, 1);
    wait_for("half a webhook is there", || !server.received().is_empty());
    emulator.heal();
    emulator.pass_webhook_time(5 * MINUTE);
    wait_for_all(&emulator);
    let attempts = emulator.webhook_attempts();
    assert_eq!(attempts[0].answer, Err(WebhookFailure::Cut));
    assert_eq!(attempts[1].status(), Some(204));
    let received = server.received();
    assert!(!received[0].is_whole && received[1].is_whole);
    assert_eq!(received[0].body.len(), received[1].body.len() / 2);
    assert_eq!(received[1].order().order_id, order_id);
}

#[test]
fn a_slow_body_takes_its_time_and_is_whole() {
    let (emulator, server) = start(&[]);
    let slowness = Duration::from_millis(500);
    emulator.slow_webhooks(slowness);
    let begin = Instant::now();
    emulator.pay(order(&emulator));
    wait_for_attempts(&emulator, 1);
    assert!(begin.elapsed() >= slowness);
    server.received()[0].order();
    assert_eq!(statuses(&emulator), [204]);
}

#[test]
fn a_player_is_validated_before_they_pay_on_the_page() {
    let replies = [
        Reply::Status(200),
        Reply::Refusal("INVALID_USER"),
        Reply::Close,
    ];
    let (emulator, server) = start(&replies);
    emulator.hold_webhooks(true);
    let orders = [(); 3].map(|()| order(&emulator));
    for order_id in orders {
        assert_eq!(
            receive(press(&emulator, order_id, "pay")).unwrap().status,
            303
        );
    }
    emulator.heal();
    wait_for_all(&emulator);
    let kinds = [
        "user_validation",
        "user_validation",
        "user_validation",
        "order_paid",
    ];
    assert_eq!(server.kinds(), kinds);
    let Ok(Notification::UserValidation(user)) = server.received()[0].verify() else {
        panic!("another notification");
    };
    assert_eq!(
        emulator.user("alice").id().as_str(),
        format!("s:{}", user.id)
    );
    assert_ne!(emulator.status(orders[0]), OrderStatus::New);
    let url = emulator.payment_url(orders[1]).unwrap();
    let path = url.splitn(4, '/').nth(3).unwrap();
    let page = receive(send(&emulator, "GET", &format!("/{path}"), None, "")).unwrap();
    assert!(page.body.contains("The card was declined"), "{}", page.body);
    for order_id in &orders[1..] {
        assert_eq!(emulator.status(*order_id), OrderStatus::New);
    }
    // They are not asked again, whatever the time, and a payment that is under way is not asked for again.
    emulator.pass_webhook_time(1000 * 60 * MINUTE);
    receive(press(&emulator, orders[1], "pay-slowly")).unwrap();
    receive(press(&emulator, orders[1], "pay")).unwrap();
    receive(press(&emulator, orders[2], "cancel")).unwrap();
    wait_for_all(&emulator);
    assert_eq!(server.kinds()[4..], ["user_validation", "order_paid"]);
}

#[test]
fn a_payment_on_the_page_and_its_refund_are_told() {
    let (emulator, server) = start(&[]);
    let order_id = order(&emulator);
    receive(press(&emulator, order_id, "pay")).unwrap();
    receive(press(&emulator, order_id, "refund")).unwrap();
    wait_for_all(&emulator);
    assert_eq!(
        server.kinds(),
        ["user_validation", "order_paid", "order_canceled"]
    );
}

#[test]
fn a_validation_by_hand_has_its_answer() {
    let (emulator, server) = start(&[Reply::Refusal("INVALID_USER")]);
    let id = emulator.send_user_validation(&emulator.user("bob"));
    wait_for("the answer", || emulator.webhook_answer(id).is_some());
    let attempt = emulator.webhook_answer(id).unwrap();
    assert_eq!((attempt.status(), attempt.order_id), (Some(400), None));
    assert_eq!(server.received()[0].json()["user"]["name"], "bob");
}

#[test]
fn programs_in_other_languages_fire_webhooks_and_see_the_answers() {
    let (emulator, server) = start(&[Reply::Status(200), Reply::Refusal("INVALID_USER")]);
    let order_id = order(&emulator);
    let url = emulator.webhook_control_url();
    assert!(url.ends_with("/emulator/webhooks") && url.starts_with("http://127.0.0.1:"));
    let body = json!({"notification_type": "order_canceled", "order_id": order_id});
    let answer = control(&emulator, "POST", &body.to_string());
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(answer["notification_type"], "order_canceled");
    assert_eq!(answer["order_id"], json!(order_id));
    assert_eq!(
        (&answer["status"], &answer["error"]),
        (&json!(200), &Value::Null)
    );
    let body = json!({"notification_type": "user_validation", "user": "bob"});
    let answer = control(&emulator, "POST", &body.to_string()).json();
    assert_eq!(answer["status"], 400);
    assert!(answer["body"].as_str().unwrap().contains("INVALID_USER"));
    server.answer_next(&[Reply::Close]);
    let any = json!({"notification_type": "user_search", "user": {"id": "x"}});
    let answer = control(&emulator, "POST", &json!({ "body": any }).to_string()).json();
    assert_eq!(answer["status"], Value::Null);
    assert!(answer["error"].is_string(), "{answer}");
    let received = server.received();
    assert_eq!(received[0].order().order_id, order_id);
    assert_eq!(received[1].json()["user"]["name"], "bob");
    assert_eq!(received[2].json(), any);
    assert!(received[2].verify().is_ok());
    let list = control(&emulator, "GET", "").json();
    assert_eq!(list["attempts"].as_array().unwrap().len(), 3);
    assert_eq!(list["attempts"][2], answer);
    assert_eq!(emulator.status(order_id), OrderStatus::New);
}

#[test]
fn a_request_for_an_impossible_webhook_says_what_is_wrong() {
    let emulator = XsollaEmulator::start();
    let order_id = order(&emulator);
    let paid = json!({"notification_type": "order_paid", "order_id": order_id}).to_string();
    assert_eq!(
        control(&emulator, "POST", &paid).status,
        409,
        "no address yet"
    );
    let server = Server::start(&[]);
    emulator.webhooks_to(&server.url, SECRET);
    for (status, body) in [
        (404, r#"{"notification_type": "order_paid", "order_id": 1}"#),
        (422, r#"{"notification_type": "party", "order_id": 1}"#),
        (
            422,
            r#"{"notification_type": "order_paid", "user": "alice"}"#,
        ),
        (422, r#"{"notification_type": "order_paid"}"#),
        (422, r#"{"order": 1}"#),
        (422, "{}"),
        (422, "nonsense"),
        (422, ""),
    ] {
        let answer = control(&emulator, "POST", body);
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.json()["error"].is_string(), "{answer:?}");
    }
    assert_eq!(control(&emulator, "DELETE", "").status, 405);
    assert!(server.received().is_empty());
}

#[test]
fn a_test_that_asks_for_the_impossible_is_told_so() {
    let emulator = XsollaEmulator::start();
    let order_id = order(&emulator);
    let result = emulator.try_send_webhook(order_id, "order_paid");
    assert_eq!(result, Err(EmulatorError::NoWebhooks));
    let result = emulator.try_send_webhook_body(json!({}));
    assert_eq!(result, Err(EmulatorError::NoWebhooks));
    for (address, reason) in [
        ("https://server.test/hook", "https"),
        ("ftp://server.test", "ftp"),
        ("server.test", ""),
        ("", ""),
    ] {
        let error = emulator.try_webhooks_to(address, SECRET).unwrap_err();
        assert!(matches!(error, EmulatorError::WebhookAddress(_)), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    emulator.webhooks_to("http://127.0.0.1:9", SECRET);
    let result = emulator.try_send_webhook(OrderId(1), "order_paid");
    assert_eq!(result, Err(EmulatorError::UnknownOrder(OrderId(1))));
    let result = emulator.try_send_webhook(order_id, "party");
    let party = EmulatorError::UnknownNotification("party".to_owned());
    assert_eq!(result, Err(party));
    let stranger = XsollaEmulator::start().user("mallory");
    let result = emulator.try_send_user_validation(&stranger);
    assert_eq!(result, Err(EmulatorError::UnknownUser));
}

#[test]
#[should_panic(expected = "webhooks cannot be sent to this address")]
fn a_wrong_address_stops_the_test() {
    XsollaEmulator::start().webhooks_to("https://server.test", SECRET);
}

#[test]
fn webhooks_end_when_they_are_stopped() {
    let (emulator, server) = start(&[Reply::Status(500)]);
    let [first, second] = [(); 2].map(|()| order(&emulator));
    emulator.pay(first);
    wait_for_attempts(&emulator, 1);
    emulator.stop_webhooks();
    emulator.pay(second);
    receive(press(&emulator, second, "refund")).unwrap();
    emulator.pass_webhook_time(1000 * 60 * MINUTE);
    emulator.webhooks_to(&server.url, SECRET);
    flush(&emulator);
    assert_eq!(server.kinds(), ["order_paid", "flush"]);
}
