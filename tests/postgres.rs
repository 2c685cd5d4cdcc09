//! Servers whose ledger is a PostgreSQL database that they share.

mod support;

use bevy_xsolla::LedgerError;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::certificates::make_certificates;
use support::folder::Folder;
use support::postgres::Postgres;
use support::process::{Task, own_process, run};
use support::{Game, hurried, sword_order};

/// A server of the game, with alice's token, on a ledger at this address.
fn server(emulator: &XsollaEmulator, address: &str) -> Game {
    let mut config = hurried(emulator.config());
    config.ledger = Ledger::postgres(address);
    Game::new(config)
}

fn track_as(game: &mut Game, emulator: &XsollaEmulator, order_id: OrderId) {
    let alice = emulator.user("alice");
    game.commands(|commands| commands.track_order_as(&alice, order_id));
}

fn wait_for_phase(game: &mut Game, order_id: OrderId, phase: &OrderPhase) {
    game.wait_until(&format!("its phase is {phase:?}"), |world| {
        let order = world.resource::<Orders>().get(order_id);
        order.is_some_and(|order| order.phase == *phase)
    });
}

#[test]
fn a_player_who_comes_to_another_server_takes_their_orders_along() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let emulator = XsollaEmulator::start();
    let order = sword_order(&emulator);
    let [mut first, mut second] = [0; 2].map(|_| server(&emulator, &postgres.address()));
    track_as(&mut first, &emulator, order);
    first.wait_for_status(order, "new");
    track_as(&mut second, &emulator, order);
    second.wait_for_status(order, "new");
    wait_for_phase(&mut first, order, &OrderPhase::Elsewhere);
    emulator.deliver(order);
    second.wait_until_granted(order);
    second.acknowledge(order);
    wait_for_phase(&mut second, order, &OrderPhase::Acknowledged);
    for _ in 0..50 {
        first.update();
    }
    assert_eq!((first.grants(order), second.grants(order)), (0, 1));
    // Back on the first, it is not granted again.
    track_as(&mut first, &emulator, order);
    wait_for_phase(&mut first, order, &OrderPhase::Acknowledged);
    assert_eq!(first.grants(order), 0);
}

#[test]
fn while_the_database_is_away_orders_are_followed_and_nothing_is_granted() {
    let Some(mut postgres) = Postgres::start() else {
        return;
    };
    let emulator = XsollaEmulator::start();
    let (known, new) = (sword_order(&emulator), sword_order(&emulator));
    let mut game = server(&emulator, &postgres.address());
    track_as(&mut game, &emulator, known);
    game.wait_until_live();
    postgres.kill();
    track_as(&mut game, &emulator, new);
    emulator.deliver(known);
    emulator.deliver(new);
    game.wait_until("the trouble is told", |world| {
        let trouble = world.resource::<LedgerState>().trouble();
        matches!(trouble, Some(LedgerError::Database(_)))
    });
    for order in [known, new] {
        game.wait_for_status(order, "done");
    }
    assert_eq!((game.grants(known), game.grants(new)), (0, 0));
    postgres.go_on();
    for order in [known, new] {
        game.wait_until_granted(order);
        game.acknowledge(order);
        wait_for_phase(&mut game, order, &OrderPhase::Acknowledged);
    }
    game.wait_until("the ledger is well", |world| {
        *world.resource::<LedgerState>() == LedgerState::Kept
    });
    assert_eq!((game.grants(known), game.grants(new)), (1, 1));
    let acknowledged = "SELECT count(*) FROM bevy_xsolla.orders WHERE entry = 'acknowledged'";
    assert_eq!(postgres.query(acknowledged), "2");
}

#[test]
fn the_connection_is_encrypted_and_the_certificate_of_the_database_is_checked() {
    const NAME: &str = "the_connection_is_encrypted_and_the_certificate_of_the_database_is_checked";
    const ADDRESS: &str = "BEVY_XSOLLA_TEST_DATABASE";
    const IS_TRUSTED: &str = "BEVY_XSOLLA_TEST_TRUSTED";
    let Some(mut test) = own_process(NAME) else {
        let (mut game, order) = Task::game();
        let mut config = game.app.world_mut().resource_mut::<XsollaConfig>();
        config.ledger = Ledger::postgres(std::env::var(ADDRESS).unwrap());
        game.track(order);
        if std::env::var_os(IS_TRUSTED).is_some() {
            return game.wait_until_granted(order);
        }
        game.wait_until("the reason is told", |world| {
            let ledger = world.resource::<LedgerState>();
            format!("{ledger:?}").contains("certificate")
        });
        return assert_eq!(game.grants(order), 0);
    };
    let (known, other) = (Folder::new("certificates"), Folder::new("other"));
    if !(make_certificates(&known) && make_certificates(&other)) {
        return;
    }
    let Some(postgres) = Postgres::start_encrypted(Some(&known)) else {
        return;
    };
    let emulator = XsollaEmulator::start();
    let task = Task::new(&emulator);
    task.give(&mut test);
    emulator.deliver(task.order);
    let address = postgres.address();
    let address = address.replace("127.0.0.1", "localhost");
    test.env(ADDRESS, address.replace("disable", "require"));
    run(test.env("SSL_CERT_FILE", other.join("authority.pem")));
    let tables = "SELECT to_regclass('bevy_xsolla.orders') IS NOT NULL";
    assert_eq!(postgres.query(tables), "f");
    test.env("SSL_CERT_FILE", known.join("authority.pem"));
    run(test.env(IS_TRUSTED, "1"));
    assert_eq!(postgres.query(tables), "t");
}
