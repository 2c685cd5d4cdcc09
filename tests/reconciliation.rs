//! A server that compares the orders that Xsolla knows with those of its ledger.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use bevy::prelude::*;
use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use bevy_xsolla::prelude::*;
use bevy_xsolla::reconciliation::{
    Difference, Reconciled, Reconciliation, ReconciliationCommands, ReconciliationError, StoreKey,
};
use bevy_xsolla::{LedgerEntry, LedgerError, RequestError};
use support::folder::Folder;
use support::{Game, hurried, sword_order};

#[derive(Resource, Default)]
struct Results(Vec<Reconciled>);

/// A server of the game, which nobody has logged in to.
fn server(emulator: &XsollaEmulator, ledger: Ledger) -> Game {
    let mut config = hurried(emulator.config());
    config.ledger = ledger;
    let mut game = Game::new(config);
    game.app.init_resource::<Results>().add_systems(
        Update,
        |mut reader: MessageReader<Reconciled>, mut results: ResMut<Results>| {
            results.0.extend(reader.read().cloned());
        },
    );
    game
}

/// All that was ever ordered.
fn always() -> Range<SystemTime> {
    SystemTime::UNIX_EPOCH..SystemTime::now() + Duration::from_secs(60)
}

fn all(emulator: &XsollaEmulator) -> Reconciliation {
    Reconciliation::new(always(), emulator.store_key())
}

fn reconcile(game: &mut Game, what: &Reconciliation) -> Reconciled {
    let what = what.clone();
    game.commands(|commands| commands.reconcile(what));
    game.wait_until("the orders are compared", |world| {
        !world.resource::<Results>().0.is_empty()
    });
    let mut results = game.app.world_mut().resource_mut::<Results>();
    assert_eq!(results.0.len(), 1);
    results.0.remove(0)
}

fn differences(reconciled: &Reconciled) -> Vec<(OrderId, Difference, bool)> {
    assert_eq!(reconciled.error, None);
    let findings = reconciled.findings.iter();
    findings
        .map(|found| (found.order_id, found.difference, found.is_mended))
        .collect()
}

fn granted(game: &mut Game, emulator: &XsollaEmulator, order: OrderId) {
    let alice = emulator.user("alice");
    game.commands(|commands| commands.track_order_as(&alice, order));
    emulator.deliver(order);
    game.wait_until_granted(order);
}

fn acknowledge(game: &mut Game, order: OrderId) {
    game.acknowledge(order);
    game.wait_until("the ledger has the acknowledgement", |world| {
        let order = world.resource::<Orders>().get(order);
        order.is_some_and(|order| order.phase.is_acknowledged())
    });
}

#[test]
fn what_was_paid_and_not_granted_is_listed_and_then_granted_once() {
    let emulator = XsollaEmulator::start();
    let folder = Folder::new("reconciliation");
    // The first is granted and acknowledged, and the last is not paid.
    let [known, told, refunded, unknown, _] = [0; 5].map(|_| sword_order(&emulator));
    let mut game = server(&emulator, Ledger::at(folder.ledger()));
    for order in [known, refunded] {
        granted(&mut game, &emulator, order);
        acknowledge(&mut game, order);
    }
    granted(&mut game, &emulator, told);
    drop(game);

    // While no server runs, one order is paid that none was told of, and one is refunded.
    emulator.deliver(unknown);
    emulator.refund(refunded);
    let mut game = server(&emulator, Ledger::at(folder.ledger()));
    let what = all(&emulator);
    let listed = reconcile(&mut game, &what);
    assert_eq!(listed.compared, 5);
    let expected = |is_mended| {
        [
            (told, Difference::Missing, is_mended),
            (refunded, Difference::Refunded, is_mended),
            (unknown, Difference::Unknown, is_mended),
        ]
    };
    assert_eq!(differences(&listed), expected(false));
    assert_eq!(listed.findings[0].entry, Some(LedgerEntry::Granted));
    let alice = emulator.user("alice").id().clone();
    assert_eq!(listed.findings[2].user, Some(alice));
    assert!(game.told().done.is_empty() && game.told().canceled.is_empty());

    let what = what.granting();
    let mended = reconcile(&mut game, &what);
    assert_eq!(differences(&mended), expected(true));
    for order in [told, unknown] {
        game.wait_until_granted(order);
        acknowledge(&mut game, order);
    }
    game.wait_until("the refund is told", |world| {
        let told = world.resource::<support::Told>();
        told.canceled.iter().any(|order| order.was_done)
    });
    let items = &game.told().done[0].items;
    assert_eq!(items[0].sku, "sword");
    let source = game.app.world().resource::<Orders>().get(unknown).unwrap();
    assert_eq!(source.source, Some(bevy_xsolla::NewsSource::Reconciliation));

    // The end of the refund is in the ledger a frame later.
    game.update();
    game.quit();
    let mut game = server(&emulator, Ledger::at(folder.ledger()));
    assert_eq!(differences(&reconcile(&mut game, &what)), []);
    assert!(game.told().done.is_empty() && game.told().canceled.is_empty());
}

#[test]
fn all_pages_are_read_also_where_the_server_wants_a_pause() {
    let emulator = XsollaEmulator::start();
    let orders: Vec<OrderId> = (0..25).map(|_| sword_order(&emulator)).collect();
    for order in &orders {
        emulator.deliver(*order);
    }
    let mut game = server(&emulator, Ledger::disabled());
    let busy = Fault::status(429).retry_after(Duration::from_secs(1));
    emulator.fail_requests(busy.times(1));
    let reconciled = reconcile(&mut game, &all(&emulator));
    assert_eq!(reconciled.compared, 25);
    let found: Vec<OrderId> = differences(&reconciled)
        .into_iter()
        .map(|(order, difference, _)| {
            assert_eq!(difference, Difference::Unknown);
            order
        })
        .collect();
    assert_eq!(found, orders);
}

#[test]
fn only_orders_of_that_time_are_compared() {
    let emulator = XsollaEmulator::start();
    emulator.deliver(sword_order(&emulator));
    let mut game = server(&emulator, Ledger::disabled());
    let day = Duration::from_secs(24 * 60 * 60);
    let now = SystemTime::now();
    for (created, count) in [(now - day..now + day, 1), (now - 2 * day..now - day, 0)] {
        let what = Reconciliation::new(created, emulator.store_key());
        assert_eq!(reconcile(&mut game, &what).compared, count);
    }
}

#[test]
fn a_wrong_key_is_refused_and_is_in_no_error() {
    let emulator = XsollaEmulator::start();
    let mut game = server(&emulator, Ledger::disabled());
    let key = StoreKey::new(emulator.project_id(), "geheim");
    let what = Reconciliation::new(always(), key);
    let reconciled = reconcile(&mut game, &what);
    let error = reconciled.error.as_ref().unwrap();
    assert!(matches!(
        error,
        ReconciliationError::Search(RequestError::Status { status: 401, .. })
    ));
    assert!(!format!("{reconciled:?} {error} {what:?}").contains("geheim"));
}

#[test]
fn a_ledger_that_cannot_look_orders_up_is_told_as_the_reason() {
    let emulator = XsollaEmulator::start();
    emulator.deliver(sword_order(&emulator));
    struct Store;
    impl bevy_xsolla::LedgerStore for Store {
        fn load(
            &mut self,
            _: u64,
            _: &UserId,
        ) -> Result<Vec<(OrderId, bevy_xsolla::LedgerRecord)>, LedgerError> {
            Ok(Vec::new())
        }

        fn commit(
            &mut self,
            _: &[bevy_xsolla::LedgerChange],
        ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
            Ok(Vec::new())
        }
    }
    let mut game = server(&emulator, Ledger::custom(Store));
    let reconciled = reconcile(&mut game, &all(&emulator).granting());
    let error = ReconciliationError::Ledger(LedgerError::NoLookUp);
    assert_eq!(reconciled.error, Some(error));
    assert!(game.told().done.is_empty());
}

#[test]
fn a_ledger_that_is_held_for_a_moment_is_asked_again() {
    let emulator = XsollaEmulator::start();
    emulator.deliver(sword_order(&emulator));
    let folder = Folder::new("reconciliation-held");
    let path = folder.ledger();
    // As a server does that is just ending.
    let mut other = server(&emulator, Ledger::at(&path));
    granted(&mut other, &emulator, sword_order(&emulator));
    let mut game = server(&emulator, Ledger::at(&path));
    let what = all(&emulator);
    game.commands(|commands| commands.reconcile(what));
    // Time enough for the search, and for the ledger to be asked for the first time.
    let until = Instant::now() + Duration::from_millis(700);
    game.wait_until("the ledger was asked", |_| Instant::now() > until);
    assert!(game.app.world().resource::<Results>().0.is_empty());
    drop(other);
    game.wait_until("the orders are compared", |world| {
        !world.resource::<Results>().0.is_empty()
    });
    let reconciled = &game.app.world().resource::<Results>().0[0];
    assert_eq!((reconciled.compared, &reconciled.error), (2, &None));
}

#[test]
fn without_a_config_the_answer_says_so() {
    let emulator = XsollaEmulator::start();
    let mut game = server(&emulator, Ledger::disabled());
    game.app.world_mut().remove_resource::<XsollaConfig>();
    let reconciled = reconcile(&mut game, &all(&emulator));
    let error = ReconciliationError::Search(RequestError::NotConfigured);
    assert_eq!(reconciled.error, Some(error));
}
