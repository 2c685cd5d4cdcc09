//! The queue of events that Xsolla keeps for each player, in place of the order-status socket.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::path::Path;
use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use bevy_xsolla::prelude::*;
use serde_json::json;
use support::folder::Folder;
use support::{Game, hurried, sword_order};

/// An emulator that keeps queues and opens no sockets.
fn emulator() -> XsollaEmulator {
    let emulator = XsollaEmulator::start();
    emulator.queue_events(true);
    emulator
}

fn config(emulator: &XsollaEmulator, ledger: &Path) -> XsollaConfig {
    let mut config = hurried(emulator.config());
    config.source = OrderSource::EventQueue;
    config.ledger = Ledger::at(ledger);
    config.poll_interval = Duration::from_millis(100);
    config
}

/// A device of alice's.
fn device(emulator: &XsollaEmulator, ledger: &Path, adopts: bool) -> Game {
    let mut config = config(emulator, ledger);
    config.adopt_orders = adopts;
    Game::logged_in(config, &emulator.user("alice"))
}

fn buy(emulator: &XsollaEmulator) -> OrderId {
    let order = sword_order(emulator);
    emulator.pay(order);
    emulator.deliver(order);
    order
}

fn wait_until_processed(game: &mut Game, emulator: &XsollaEmulator, order: OrderId) {
    game.wait_until("its events are processed", |_| {
        emulator.queued_events_for(order).is_empty()
    });
}

fn grant(game: &mut Game, emulator: &XsollaEmulator, order: OrderId) {
    game.wait_until_granted(order);
    game.acknowledge(order);
    game.wait_until_acknowledged(order);
    wait_until_processed(game, emulator, order);
}

#[test]
fn a_purchase_is_heard_of_in_the_queue_and_processed_once_it_is_acknowledged() {
    let (emulator, folder) = (emulator(), Folder::new("queue"));
    let mut game = device(&emulator, &folder.ledger(), false);
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_for_status(order, "new");
    game.wait_until_live();
    let asked = emulator.order_requests_for(order);
    emulator.pay(order);
    emulator.deliver(order);
    game.wait_until_granted(order);
    let order_now = game.orders().get(order).unwrap();
    assert_eq!(order_now.source, Some(bevy_xsolla::NewsSource::EventQueue));
    // One request, for the items.
    assert_eq!(emulator.order_requests_for(order), asked + 1);
    game.run_for(Duration::from_millis(300));
    assert_eq!(emulator.queued_events_for(order), ["order_paid"]);
    game.acknowledge(order);
    wait_until_processed(&mut game, &emulator, order);
    assert_eq!((game.grants(order), emulator.sockets_opened()), (1, 0));
    assert_eq!(game.told().disagreements, Vec::<String>::new());
}

#[test]
fn a_purchase_that_no_game_has_processed_reaches_another_device_and_a_new_installation() {
    let emulator = emulator();
    let old = Folder::new("queue-old-device");
    let mut game = device(&emulator, &old.ledger(), false);
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_for_status(order, "new");
    game.quit();
    emulator.pay(order);
    emulator.deliver(order);

    // It shares nothing with the other: neither the ledger, nor a running game.
    let new = Folder::new("queue-new-device");
    let mut game = device(&emulator, &new.ledger(), true);
    grant(&mut game, &emulator, order);
    assert_eq!(game.told().done[0].items[0].sku, "sword");
    game.quit();

    // Once it is processed, a third knows nothing of it.
    let third = Folder::new("queue-third-device");
    let mut game = device(&emulator, &third.ledger(), true);
    game.wait_until_live();
    game.run_for(Duration::from_millis(300));
    assert!(game.orders().is_empty());
}

#[test]
fn what_a_game_does_not_track_stays_in_the_queue_until_it_does() {
    let (emulator, folder) = (emulator(), Folder::new("queue-discovered"));
    let mut game = device(&emulator, &folder.ledger(), false);
    let order = buy(&emulator);
    let mut found = Vec::new();
    game.wait_until("it is discovered", |world| {
        let discovered = world.resource::<Messages<OrderDiscovered>>();
        found.extend(discovered.iter_current_update_messages().cloned());
        !found.is_empty()
    });
    assert_eq!(
        (found[0].order_id, &found[0].status),
        (order, &OrderStatus::Done)
    );
    game.run_for(Duration::from_millis(300));
    assert_eq!(emulator.queued_events_for(order), ["order_paid"]);
    game.track(order);
    grant(&mut game, &emulator, order);
}

#[test]
fn the_two_events_of_a_purchase_are_one_grant_and_are_both_processed() {
    let (emulator, folder) = (emulator(), Folder::new("queue-pairs"));
    emulator.separate_webhooks(true);
    let mut game = device(&emulator, &folder.ledger(), true);
    let order = buy(&emulator);
    assert_eq!(emulator.queued_events_for(order), ["payment", "order_paid"]);
    grant(&mut game, &emulator, order);
    assert_eq!(game.grants(order), 1);
    for purchase in [
        Purchase::item("starter_pack").free(),
        Purchase::item("torch").with_virtual_currency("gold"),
    ] {
        let bought = emulator.orders().len() + 1;
        game.commands(|commands| commands.purchase(purchase));
        game.wait_until("it is bought", |_| emulator.orders().len() == bought);
        let order = *emulator.orders().last().unwrap();
        grant(&mut game, &emulator, order);
    }
}

#[test]
fn events_of_other_projects_and_unknown_ones_are_left_alone() {
    let (emulator, folder) = (emulator(), Folder::new("queue-others"));
    let alice = emulator.user("alice");
    let others = [
        json!({"notification_type": "order_paid", "items": [{"sku": "a"}], "order": {"id": 5, "invoice_id": "7"},
            "billing": {"settings": {"project_id": 4}}}),
        json!({"notification_type": "payment", "settings": {"project_id": 4}, "transaction": {"id": 8}}),
        json!({"notification_type": "order_paid", "items": [{"sku": "a"}],
            "order": {"id": 6, "currency": "USD", "amount": "1", "invoice_id": "8"}}),
        json!({"notification_type": "new_in_2030", "order": {"id": 9}}),
        json!(null),
        json!("text"),
    ];
    for event in others {
        emulator.queue_event(&alice, event);
    }
    let mut game = device(&emulator, &folder.ledger(), true);
    let order = buy(&emulator);
    grant(&mut game, &emulator, order);
    let known: Vec<OrderId> = game.orders().iter().map(|order| order.order_id).collect();
    assert_eq!(known, [order]);
    assert_eq!(emulator.queued_events(&alice), 6);
}

#[test]
fn events_that_come_twice_out_of_order_or_again_grant_once() {
    let (emulator, folder) = (emulator(), Folder::new("queue-faults"));
    emulator.separate_webhooks(true);
    emulator.duplicate_events(true);
    emulator.reorder_events(true);
    emulator.repeat_events(true);
    let mut game = device(&emulator, &folder.ledger(), true);
    let orders: Vec<OrderId> = (0..5).map(|_| buy(&emulator)).collect();
    emulator.reorder_events(false);
    for order in orders.clone() {
        grant(&mut game, &emulator, order);
    }
    game.run_for(Duration::from_millis(500));
    game.quit();
    let mut game = device(&emulator, &folder.ledger(), true);
    game.wait_until_live();
    game.run_for(Duration::from_millis(300));
    assert_eq!(game.told().done, []);
}

#[test]
fn a_refund_is_told_and_processed_after_it() {
    let (emulator, folder) = (emulator(), Folder::new("queue-refund"));
    let mut game = device(&emulator, &folder.ledger(), true);
    let order = buy(&emulator);
    grant(&mut game, &emulator, order);
    emulator.cancel(order);
    let soon = |game: &mut Game| {
        // What the player does wakes the reader, which is slow while nothing is open.
        game.commands(|commands| commands.payment_returned(PaymentReturn::default()));
    };
    soon(&mut game);
    game.wait_until("the refund is told", |world| {
        let told = world.resource::<support::Told>();
        told.canceled.iter().any(|canceled| canceled.was_done)
    });
    wait_until_processed(&mut game, &emulator, order);
}

#[test]
fn an_order_whose_event_another_device_has_processed_is_asked_for() {
    let emulator = emulator();
    let folders = [Folder::new("queue-a"), Folder::new("queue-b")];
    let mut config = config(&emulator, &folders[0].ledger());
    config.poll_interval = Duration::from_secs(3);
    config.poll_interval_max = Duration::from_secs(3);
    let mut slow = Game::logged_in(config, &emulator.user("alice"));
    let order = sword_order(&emulator);
    slow.track(order);
    slow.wait_for_status(order, "new");
    slow.wait_until_live();
    emulator.pay(order);
    emulator.deliver(order);
    let mut fast = device(&emulator, &folders[1].ledger(), true);
    grant(&mut fast, &emulator, order);
    slow.wait_until_granted(order);
}

#[test]
fn while_the_queue_is_in_trouble_orders_are_polled_and_nothing_is_lost() {
    let (emulator, folder) = (emulator(), Folder::new("queue-trouble"));
    let mut game = device(&emulator, &folder.ledger(), true);
    game.wait_until_live();
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_for_status(order, "new");
    for fault in [
        Fault::status(503).times(5),
        Fault::status(429)
            .retry_after(Duration::from_secs(1))
            .times(2),
        Fault::status(404).times(3),
    ] {
        emulator.fail_requests(fault);
        game.run_for(Duration::from_millis(400));
    }
    emulator.garble_requests(true);
    game.run_for(Duration::from_millis(400));
    emulator.heal();
    emulator.pay(order);
    emulator.deliver(order);
    game.wait_until_granted(order);
    game.acknowledge(order);
    let alice = emulator.user("alice");
    game.log_in(&alice);
    wait_until_processed(&mut game, &emulator, order);
    assert_eq!(game.grants(order), 1);
}

#[test]
fn a_refused_token_is_told_and_a_new_one_reads_on() {
    let (emulator, folder) = (emulator(), Folder::new("queue-token"));
    let mut game = device(&emulator, &folder.ledger(), true);
    game.wait_until_live();
    let alice = emulator.user("alice");
    emulator.fail_requests(Fault::status(401));
    game.log_in(&alice);
    game.commands(|commands| commands.payment_returned(PaymentReturn::default()));
    game.wait_until_authorization_is_required();
    emulator.heal();
    let order = buy(&emulator);
    game.log_in(&emulator.user("alice"));
    grant(&mut game, &emulator, order);
}

#[test]
fn the_queue_is_read_often_only_while_an_order_is_open() {
    let (emulator, folder) = (emulator(), Folder::new("queue-pace"));
    let mut game = device(&emulator, &folder.ledger(), true);
    game.wait_until_live();
    let before = emulator.event_requests();
    game.run_for(Duration::from_millis(700));
    assert_eq!(emulator.event_requests(), before);
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until("it is read five times", |_| {
        emulator.event_requests() >= before + 5
    });
    game.log_out();
    game.update();
    let mut last = 0;
    game.wait_until("nothing is read any more", |_| {
        let now = emulator.event_requests();
        let before = std::mem::replace(&mut last, now);
        before == now
    });
    game.run_for(Duration::from_millis(400));
    assert_eq!(emulator.event_requests(), last);
}

#[test]
fn a_game_may_change_from_sockets_to_the_queue_and_back() {
    let (emulator, folder) = (emulator(), Folder::new("queue-change"));
    let mut config = config(&emulator, &folder.ledger());
    config.adopt_orders = true;
    config.listen = Listen::WhileLoggedIn;
    config.source = OrderSource::Socket;
    let mut game = Game::logged_in(config.clone(), &emulator.user("alice"));
    for source in [
        OrderSource::Socket,
        OrderSource::EventQueue,
        OrderSource::Socket,
    ] {
        config.source = source;
        game.app.insert_resource(config.clone());
        game.update();
        game.wait_until_live();
        let order = sword_order(&emulator);
        game.track(order);
        game.wait_for_status(order, "new");
        emulator.pay(order);
        emulator.deliver(order);
        game.wait_until_granted(order);
        game.acknowledge(order);
        game.wait_until_acknowledged(order);
        assert_eq!(game.grants(order), 1);
    }
    // What was bought over sockets is processed once the queue is read again.
    config.source = OrderSource::EventQueue;
    game.app.insert_resource(config);
    for order in emulator.orders() {
        wait_until_processed(&mut game, &emulator, order);
    }
}
