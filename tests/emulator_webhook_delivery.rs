//! When the emulator sends its webhooks: one after the other, again by Xsolla's table, and with the faults that a test
//! orders.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use bevy_xsolla::emulator::{WebhookFailure, XsollaEmulator};
use bevy_xsolla::webhook::WebhookError;
use bevy_xsolla::{OrderId, OrderStatus};
use emulator_client::wait_for;
use emulator_client::webhook_server::*;

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
    server.forget();
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
