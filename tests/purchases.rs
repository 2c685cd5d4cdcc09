//! Purchases in one call, from the catalogue to the unlocked item.

#![allow(
    clippy::indexing_slicing,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use bevy_xsolla::prelude::*;
use bevy_xsolla::{CatalogRequest, CatalogState, PaymentPageError, PurchaseError, RequestError};
use serde_json::json;
use support::{Game, hurried_shop, is_abandoned, runtime_without_io, sword_order};

/// What the shop told the game.
#[derive(Resource, Default)]
struct Sales {
    started: Vec<PurchaseStarted>,
    failed: Vec<PurchaseFailed>,
    no_pages: Vec<PaymentPageFailed>,
}

fn shop() -> (XsollaEmulator, Game) {
    let (emulator, mut game) = hurried_shop();
    note_sales(&mut game);
    game.update();
    (emulator, game)
}

fn note_sales(game: &mut Game) {
    game.app.init_resource::<Sales>().add_systems(
        Update,
        |mut sales: ResMut<Sales>,
         mut started: MessageReader<PurchaseStarted>,
         mut failed: MessageReader<PurchaseFailed>,
         mut no_pages: MessageReader<PaymentPageFailed>| {
            sales.no_pages.extend(no_pages.read().cloned());
            sales.started.extend(started.read().cloned());
            sales.failed.extend(failed.read().cloned());
        },
    );
}

fn started(game: &mut Game, count: usize) -> Vec<PurchaseStarted> {
    game.wait_until("the purchase has started", |world| {
        world.resource::<Sales>().started.len() >= count
    });
    game.app.world().resource::<Sales>().started.clone()
}

fn failed(game: &mut Game) -> PurchaseFailed {
    game.wait_until("the purchase has failed", |world| {
        !world.resource::<Sales>().failed.is_empty()
    });
    game.app.world().resource::<Sales>().failed[0].clone()
}

#[test]
fn a_purchase_creates_an_order_tracks_it_and_leads_to_its_grant() {
    let (emulator, mut game) = shop();
    game.commands(|commands| commands.purchase("sword"));
    let started = started(&mut game, 1);
    let order = started[0].order_id;
    assert_eq!(emulator.orders(), [order]);
    assert!(game.orders().get(order).is_some());
    let url = started[0].payment_url.clone().unwrap();
    assert_eq!(Some(&url), emulator.payment_url(order).as_ref());
    assert!(
        !format!("{:?}", started[0]).contains(&url),
        "it can be paid with"
    );
    emulator.pay(order);
    emulator.deliver(order);
    game.wait_until_granted(order);
    assert_eq!(game.told().done[0].items[0].sku, "sword");
}

#[test]
fn a_game_may_log_in_and_buy_before_its_first_frame() {
    let (emulator, mut game) = support::shop();
    game.app.init_resource::<Sales>();
    game.commands(|commands| {
        commands.fetch_catalog();
        commands.purchase("sword");
    });
    game.wait_until("both are done", |world| {
        *world.resource::<Catalog>().state() == CatalogState::Ready && emulator.orders().len() == 1
    });
}

#[test]
fn a_test_payment_opens_the_sandbox_page() {
    let (emulator, mut game) = shop();
    game.commands(|commands| commands.purchase(Purchase::item("sword").sandbox(true)));
    let url = started(&mut game, 1)[0].payment_url.clone().unwrap();
    assert!(
        url.starts_with(&emulator.sandbox_payment_page_url()),
        "{url}"
    );
    // On Xsolla's servers it is another host.
    let config = XsollaConfig::new(1);
    assert_ne!(config.payment_url, config.sandbox_payment_url);
}

#[test]
fn a_double_click_makes_one_order() {
    let (emulator, mut game) = shop();
    game.commands(|commands| {
        commands.purchase("sword");
        commands.purchase("sword");
    });
    game.update();
    game.commands(|commands| commands.purchase("sword"));
    started(&mut game, 1);
    game.commands(|commands| commands.purchase("sword"));
    game.run_for(Duration::from_millis(300));
    assert_eq!(emulator.orders().len(), 1);
    // Another purchase is one.
    game.commands(|commands| commands.purchase(Purchase::item("sword").quantity(2)));
    started(&mut game, 2);
    assert_eq!(emulator.orders().len(), 2);
}

#[test]
fn a_cart_is_one_order_of_several_items() {
    let (emulator, mut game) = shop();
    game.commands(|commands| commands.purchase(Purchase::cart([("sword", 1), ("shield", 2)])));
    let order = started(&mut game, 1)[0].order_id;
    emulator.deliver(order);
    game.wait_until_granted(order);
    let items = game.told().done[0].items.iter();
    let items: Vec<_> = items.map(|i| (i.sku.as_str(), i.quantity)).collect();
    assert_eq!(items, [("sword", 1), ("shield", 2)]);
}

#[test]
fn what_the_store_refuses_is_a_typed_failure() {
    let (emulator, mut game) = shop();
    game.commands(|commands| commands.purchase("no such thing"));
    let failure = failed(&mut game);
    assert_eq!(failure.sku, "no such thing");
    assert!(
        matches!(failure.error, PurchaseError::NoSuchItem(_)),
        "{failure:?}"
    );

    let (emulator2, mut game) = shop();
    emulator2.set_balance(&emulator2.user("alice"), "gold", 1);
    game.commands(|commands| {
        commands.purchase(Purchase::item("torch").with_virtual_currency("gold"));
    });
    let failure = failed(&mut game);
    assert!(
        matches!(failure.error, PurchaseError::NotEnoughCurrency(_)),
        "{failure:?}"
    );
    assert!(emulator.orders().is_empty() && emulator2.orders().is_empty());
    // It can be tried again.
    game.commands(|commands| commands.purchase("sword"));
    started(&mut game, 1);
}

#[test]
fn a_request_that_got_lost_is_not_repeated_by_itself() {
    let (emulator, mut game) = shop();
    emulator.fail_requests(Fault::status(503));
    game.commands(|commands| commands.purchase("sword"));
    let failure = failed(&mut game);
    assert!(matches!(
        failure.error,
        PurchaseError::Request(RequestError::Status { status: 503, .. })
    ));
    emulator.heal();
    game.run_for(Duration::from_millis(500));
    assert!(emulator.orders().is_empty());
}

#[test]
fn what_makes_no_sense_is_not_asked_for() {
    let (emulator, mut game) = shop();
    game.commands(|commands| commands.purchase(Purchase::cart::<String>([])));
    assert!(matches!(failed(&mut game).error, PurchaseError::Invalid(_)));
    game.log_out();
    game.update();
    game.commands(|commands| commands.purchase("sword"));
    game.wait_until("it is said", |world| {
        let failed = &world.resource::<Sales>().failed;
        failed.last().map(|f| &f.error) == Some(&PurchaseError::NotLoggedIn)
    });
    assert!(emulator.orders().is_empty());
}

#[test]
fn a_purchase_without_a_runtime_that_can_do_io_fails_and_so_does_the_next() {
    let emulator = XsollaEmulator::start();
    let plugins = (MinimalPlugins, runtime_without_io(), XsollaOrderPlugin);
    let mut game = Game::with(plugins, &emulator);
    note_sales(&mut game);
    for count in 1..=2 {
        game.commands(|commands| commands.purchase("sword"));
        game.wait_until("it has failed", |world| {
            world.resource::<Sales>().failed.len() == count
        });
    }
}

#[test]
fn the_catalogue_of_many_pages_is_fetched_whole() {
    let (emulator, mut game) = shop();
    let items: Vec<_> = (0..120)
        .map(|n| {
            json!({"sku": format!("item{n}"), "name": format!("Item {n}"), "type": "virtual_good",
                   "is_free": false, "virtual_prices": [],
                   "price": {"amount": format!("{n}.99"), "amount_without_discount": "200", "currency": "USD"}})
        })
        .collect();
    emulator.set_items(json!(items));
    game.commands(|commands| {
        commands.fetch_catalog_for(CatalogRequest::new().locale("de").country("DE"));
    });
    let catalog = |world: &World| world.resource::<Catalog>().clone();
    assert_eq!(*catalog(game.app.world()).state(), CatalogState::Loading);
    game.wait_until("the catalogue is there", |world| {
        *world.resource::<Catalog>().state() == CatalogState::Ready
    });
    let catalog = catalog(game.app.world());
    assert_eq!(catalog.items().len(), 120);
    let price = catalog.get("item7").unwrap().price.as_ref().unwrap();
    assert_eq!(price.to_string(), "$7.99");
}

#[test]
fn a_catalogue_that_cannot_be_had_says_why_and_keeps_the_old_one() {
    let (emulator, mut game) = shop();
    game.commands(|commands| commands.fetch_catalog());
    game.wait_until("the catalogue is there", |world| {
        *world.resource::<Catalog>().state() == CatalogState::Ready
    });
    let items = game.app.world().resource::<Catalog>().items().len();
    assert!(items > 0);
    emulator.fail_requests(Fault::status(500));
    game.commands(|commands| commands.fetch_catalog());
    game.wait_until("the failure is told", |world| {
        matches!(
            world.resource::<Catalog>().state(),
            CatalogState::Failed(RequestError::Status { status: 500, .. })
        )
    });
    assert_eq!(game.app.world().resource::<Catalog>().items().len(), items);
}

#[test]
fn an_abandoned_order_is_left_alone_and_granted_if_it_is_paid_all_the_same() {
    let (emulator, mut game) = shop();
    game.commands(|commands| commands.purchase("sword"));
    let order = started(&mut game, 1)[0].order_id;
    game.wait_for_status(order, "new");
    game.commands(|commands| commands.abandon_order(order));
    game.wait_until("it is left alone", |world| {
        is_abandoned(world, order) && emulator.open_sockets() == 0
    });
    assert!(game.told().failed.is_empty());
    // Another purchase opens the socket, which tells of this one too.
    let second = sword_order(&emulator);
    game.track(second);
    game.wait_until_live();
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn a_payment_page_that_is_gone_is_told() {
    let (emulator, mut game) = shop();
    let told = |game: &mut Game, order| {
        game.commands(|commands| commands.resume_payment(order));
        game.wait_until("it is told", |world| {
            let no_pages = &world.resource::<Sales>().no_pages;
            no_pages.last().is_some_and(|page| page.order_id == order)
        });
        let no_pages = &game.app.world().resource::<Sales>().no_pages;
        (no_pages.len(), no_pages.last().unwrap().error.clone())
    };

    // An order of this run has one, until it has ended.
    game.commands(|commands| commands.purchase("sword"));
    let bought = started(&mut game, 1)[0].order_id;
    game.commands(|commands| commands.resume_payment(bought));
    // As after a restart: the order is followed, and its page was never opened here.
    let other = sword_order(&emulator);
    game.track(other);
    game.wait_for_status(other, "new");
    assert_eq!(told(&mut game, other), (1, PaymentPageError::NoPage));

    emulator.deliver(bought);
    game.wait_until_granted(bought);
    assert_eq!(told(&mut game, bought), (2, PaymentPageError::NoPage));
    // What is free, or paid for in the game's own currency, needs none.
    game.commands(|commands| {
        commands.purchase(Purchase::item("torch").with_virtual_currency("gold"));
    });
    started(&mut game, 2);
    assert_eq!(game.app.world().resource::<Sales>().no_pages.len(), 2);
    // The order is followed all the same.
    emulator.deliver(other);
    game.wait_until_granted(other);
}
