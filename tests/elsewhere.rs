//! Orders that were made elsewhere, in the Web Shop or on another device, are heard of by a game that listens.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::folder::Folder;
use support::wait::wait_until;
use support::{Game, hurried, sword_order};

/// What the game was told of orders that it has not tracked.
#[derive(Resource, Default)]
struct Found(Vec<OrderDiscovered>);

/// A device of alice's, with a ledger of its own, and a game that listens.
fn device(emulator: &XsollaEmulator, ledger: &Path, adopts: bool) -> Game {
    let mut config = hurried(emulator.config());
    config.ledger = Ledger::at(ledger);
    config.listen = Listen::WhileLoggedIn;
    config.adopt_orders = adopts;
    let mut game = Game::logged_in(config, &emulator.user("alice"));
    game.app.init_resource::<Found>().add_systems(
        Update,
        |mut found: ResMut<Found>, mut discovered: MessageReader<OrderDiscovered>| {
            found.0.extend(discovered.read().cloned());
        },
    );
    game.wait_until_live();
    game
}

/// The same, once it knows its past. That is in its ledger when an order that came later is.
fn new_device(emulator: &XsollaEmulator, ledger: &Path) -> Game {
    let mut game = device(emulator, ledger, true);
    let order = sword_order(emulator);
    buy(emulator, order);
    grant(&mut game, order);
    game
}

fn buy(emulator: &XsollaEmulator, order: OrderId) {
    emulator.pay(order);
    emulator.deliver(order);
}

fn grant(game: &mut Game, order: OrderId) {
    game.wait_until_granted(order);
    game.acknowledge(order);
    game.wait_until_acknowledged(order);
}

fn found(game: &Game) -> Vec<(OrderId, String)> {
    let found = game.app.world().resource::<Found>().0.iter();
    let found = found.map(|found| (found.order_id, found.status.to_string()));
    found.collect()
}

#[test]
fn a_game_that_listens_has_a_socket_and_makes_no_request() {
    let (emulator, folder) = (XsollaEmulator::start(), Folder::new("listens"));
    let mut game = device(&emulator, &folder.ledger(), false);
    game.run_for(Duration::from_millis(700));
    assert_eq!(emulator.sockets_opened(), 1);
    assert_eq!(emulator.order_requests(), 0);
    game.log_out();
    game.wait_until("the socket is closed", |_| emulator.open_sockets() == 0);
}

#[test]
fn an_order_of_the_web_shop_unlocks_its_item_in_the_running_game() {
    let (emulator, folder) = (XsollaEmulator::start(), Folder::new("web-shop"));
    let mut game = device(&emulator, &folder.ledger(), true);
    let order = sword_order(&emulator);
    game.wait_for_status(order, "new");
    buy(&emulator, order);
    grant(&mut game, order);
    assert_eq!(game.told().done[0].items[0].sku, "sword");
    assert_eq!(found(&game), [(order, "new".to_owned())]);
    assert_eq!(game.told().disagreements, Vec::<String>::new());
}

#[test]
fn a_game_that_adopts_nothing_is_told_of_each_status_and_tracks_what_it_likes() {
    let (emulator, folder) = (XsollaEmulator::start(), Folder::new("told"));
    let mut game = device(&emulator, &folder.ledger(), false);
    let (mine, theirs) = (sword_order(&emulator), sword_order(&emulator));
    game.wait_until("both are discovered", |world| {
        world.resource::<Found>().0.len() == 2
    });
    assert!(game.orders().is_empty());
    game.track(mine);
    buy(&emulator, mine);
    buy(&emulator, theirs);
    grant(&mut game, mine);
    game.wait_until("the end of the other is told", |world| {
        let found = &world.resource::<Found>().0;
        found.iter().any(|found| found.status == OrderStatus::Done)
    });
    let statuses: Vec<_> = found(&game)
        .into_iter()
        .filter(|(order, _)| *order == theirs)
        .collect();
    let expected = ["new", "paid", "done"].map(|status| (theirs, status.to_owned()));
    assert_eq!(statuses, expected);
    assert_eq!(game.grants(theirs), 0);
}

#[test]
fn what_was_bought_while_the_game_was_closed_is_granted_once_at_the_next_start() {
    let (emulator, folder) = (XsollaEmulator::start(), Folder::new("elsewhere-closed"));
    new_device(&emulator, &folder.ledger()).quit();
    let order = sword_order(&emulator);
    buy(&emulator, order);
    let mut second = device(&emulator, &folder.ledger(), true);
    grant(&mut second, order);
    second.quit();
    let mut third = device(&emulator, &folder.ledger(), true);
    third.run_for(Duration::from_millis(300));
    assert_eq!((third.told().done.len(), found(&third)), (0, vec![]));
}

#[test]
fn a_first_purchase_ever_is_granted_though_it_was_made_while_the_game_was_closed() {
    let (emulator, folder) = (XsollaEmulator::start(), Folder::new("elsewhere-first"));
    let mut while_it_runs = Duration::from_millis(100);
    wait_until("the ledger says that the past is known", || {
        let mut game = device(&emulator, &folder.ledger(), true);
        // A slow disk needs longer.
        while_it_runs *= 2;
        game.run_for(while_it_runs);
        game.quit();
        let bytes = fs::read(folder.ledger());
        bytes.is_ok_and(|bytes| bytes.windows(4).any(|window| window == b"past"))
    });
    let order = sword_order(&emulator);
    buy(&emulator, order);
    let mut second = device(&emulator, &folder.ledger(), true);
    grant(&mut second, order);
}

#[test]
fn each_of_two_devices_is_given_what_is_bought_on_neither() {
    let emulator = XsollaEmulator::start();
    let folders = [Folder::new("device-a"), Folder::new("device-b")];
    let mut games = folders
        .each_ref()
        .map(|folder| device(&emulator, &folder.ledger(), true));
    let order = sword_order(&emulator);
    buy(&emulator, order);
    for game in &mut games {
        grant(game, order);
        game.run_for(Duration::from_millis(200));
        assert_eq!(game.grants(order), 1);
    }
}

#[test]
fn after_a_reinstallation_nothing_of_the_past_is_granted_unless_the_game_asks_for_it() {
    let emulator = XsollaEmulator::start();
    let old = sword_order(&emulator);
    buy(&emulator, old);
    // The channel has lost the beginning of its history, as one that is old has.
    emulator.set_history_limit(2);
    let folder = Folder::new("reinstalled");
    let game = new_device(&emulator, &folder.ledger());
    assert_eq!(game.grants(old), 0);
    game.quit();

    let folder = Folder::new("reinstalled-again");
    let mut config = hurried(emulator.config());
    config.ledger = Ledger::at(folder.ledger());
    config.adopt_orders = true;
    config.listen = Listen::WhileLoggedIn;
    config.discover_past_orders = true;
    let kept = *emulator.orders().last().unwrap();
    let mut game = Game::logged_in(config, &emulator.user("alice"));
    grant(&mut game, kept);
}

#[test]
fn an_order_is_granted_at_paid_where_the_game_has_chosen_that() {
    for has_sockets in [true, false] {
        let emulator = XsollaEmulator::start();
        let mut config = hurried(emulator.config());
        config.grant_at = GrantAt::Paid;
        emulator.refuse_sockets(!has_sockets);
        let mut game = Game::logged_in(config, &emulator.user("alice"));
        let order = sword_order(&emulator);
        game.track(order);
        game.wait_for_status(order, "new");
        emulator.pay(order);
        game.wait_until_granted(order);
        game.acknowledge(order);
        emulator.deliver(order);
        game.run_for(Duration::from_millis(500));
        assert_eq!(game.grants(order), 1);
    }
}

#[test]
fn a_purchase_unless_open_is_answered_with_the_order_that_is_open_at_the_store() {
    let (emulator, folder) = (XsollaEmulator::start(), Folder::new("unless-open"));
    let mut config = hurried(emulator.config());
    config.ledger = Ledger::at(folder.ledger());
    config.open_payment_page = false;
    let mut game = Game::logged_in(config.clone(), &emulator.user("alice"));
    game.commands(|commands| commands.purchase(Purchase::item("sword").unless_open()));
    game.wait_until("the order is made", |_| emulator.orders().len() == 1);
    let order = emulator.orders()[0];
    game.wait_for_status(order, "new");
    game.quit();

    // The next start knows the order, and learns what is in it.
    let mut game = Game::logged_in(config, &emulator.user("alice"));
    let refused = |game: &mut Game| {
        game.app.insert_resource(Refused::default());
        game.commands(|commands| commands.purchase(Purchase::item("sword").unless_open()));
        game.wait_until("the purchase is answered", |world| {
            world.resource::<Refused>().0.is_some()
        });
        game.app.world().resource::<Refused>().0.clone()
    };
    game.app
        .add_observer(|failed: On<PurchaseFailed>, mut refused: ResMut<Refused>| {
            refused.0 = Some(failed.error.clone());
        });
    assert_eq!(refused(&mut game), Some(PurchaseError::AlreadyOpen(order)));
    assert_eq!(emulator.orders(), [order]);
    buy(&emulator, order);
    grant(&mut game, order);
    game.commands(|commands| commands.purchase(Purchase::item("sword").unless_open()));
    game.wait_until("another order is made", |_| emulator.orders().len() == 2);
}

/// The reason that the last purchase was refused.
#[derive(Resource, Default)]
struct Refused(Option<PurchaseError>);
