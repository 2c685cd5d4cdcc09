//! What a game reads of the catalogue, and what becomes of bundles and of items that are sold out.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;
mod support;

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use bevy_xsolla::{CatalogItem, ItemKind};
use serde_json::{Value, json};
use support::{Game, hurried_shop, shop};

fn fetch(game: &mut Game, request: CatalogRequest) -> Vec<CatalogItem> {
    game.commands(|commands| commands.fetch_catalog_for(request));
    game.wait_until("the catalogue was answered", |world| {
        *world.resource::<Catalog>().state() != CatalogState::Loading
    });
    let catalog = game.app.world().resource::<Catalog>();
    assert_eq!(*catalog.state(), CatalogState::Ready);
    catalog.items().to_vec()
}

fn skus(items: &[CatalogItem]) -> Vec<&str> {
    items.iter().map(|item| item.sku.as_str()).collect()
}

/// What the game was told of the purchases that failed.
#[derive(Resource, Default)]
struct Refusals(Vec<PurchaseError>);

fn note_refusals(mut failed: MessageReader<PurchaseFailed>, mut refusals: ResMut<Refusals>) {
    refusals.0.extend(failed.read().map(|f| f.error.clone()));
}

fn buy(game: &mut Game, emulator: &XsollaEmulator, sku: &str) -> OrderId {
    let before = emulator.orders().len();
    game.commands(|commands| commands.purchase(sku));
    game.wait_until("the order is tracked", |world| {
        let orders = emulator.orders();
        let newest = orders.get(before).copied();
        newest.is_some_and(|order| world.resource::<Orders>().get(order).is_some())
    });
    emulator.orders()[before]
}

#[test]
fn a_game_fetches_virtual_items_everything_or_a_part() {
    let (_emulator, mut game) = shop();
    let items = fetch(&mut game, CatalogRequest::new());
    assert!(items.iter().all(|it| it.kind == ItemKind::VirtualItem));
    let number = items.len();
    let everything = fetch(&mut game, CatalogRequest::everything());
    assert_eq!(skus(&everything[..number]), skus(&items));
    let others = &everything[number..];
    assert_eq!(skus(others), ["knight_set", "gold_pouch", "gold"]);
    let kinds: Vec<_> = others.iter().map(|item| item.kind).collect();
    assert_eq!(
        kinds,
        [
            ItemKind::Bundle,
            ItemKind::CurrencyPackage,
            ItemKind::VirtualCurrency
        ]
    );
    for (request, expected) in [
        (CatalogRequest::bundles(), &["knight_set"][..]),
        (CatalogRequest::currency_packages(), &["gold_pouch"]),
        (CatalogRequest::virtual_currencies(), &["gold"]),
        (CatalogRequest::group("armor"), &["shield", "helmet"]),
        (CatalogRequest::new().skus(["potion", "gold"]), &["potion"]),
        (
            CatalogRequest::everything().skus(["potion", "gold"]),
            &["potion", "gold"],
        ),
    ] {
        assert_eq!(skus(&fetch(&mut game, request)), expected);
    }
}

#[test]
fn a_hundred_and_twenty_items_are_fetched_by_sku() {
    let (emulator, mut game) = shop();
    let items: Vec<_> = (0..200).map(|n| json!({"sku": format!("i{n}")})).collect();
    emulator.set_items(json!(items));
    let wanted: Vec<String> = (40..160).map(|n| format!("i{n}")).collect();
    let request = CatalogRequest::new().skus(wanted.clone());
    assert_eq!(skus(&fetch(&mut game, request)), wanted);
}

#[test]
fn a_card_has_what_it_needs_to_show_a_bundle_a_package_and_a_promotion() {
    let (_emulator, mut game) = shop();
    let items = fetch(&mut game, CatalogRequest::everything());
    let get = |sku: &str| items.iter().find(|item| item.sku == sku).unwrap();
    let set = get("knight_set");
    let contents = set.contents.iter();
    let contents: Vec<_> = contents.map(|c| (c.name.as_str(), c.quantity)).collect();
    assert_eq!(
        contents,
        [("Oak Shield", 1), ("Knight's Helmet", 1), ("Gold", 100)]
    );
    assert_eq!(set.price.as_ref().unwrap().to_string(), "$19.99");
    assert_eq!(set.contents_price.as_ref().unwrap().to_string(), "$22.48");
    let pouch = get("gold_pouch");
    assert_eq!(pouch.contents[0].quantity, 1000);
    assert_eq!(pouch.promotions[0].bonus[0].name, "Healing Potion");
    assert_eq!(pouch.limit_per_user.unwrap().available, 3);
    assert_eq!(get("shield").groups[0].external_id, "armor");
    assert_eq!(get("sword").price.as_ref().unwrap().to_string(), "$30.00");
}

#[test]
fn a_bundle_is_granted_as_the_store_lists_it() {
    let (emulator, mut game) = hurried_shop();
    let order = buy(&mut game, &emulator, "knight_set");
    emulator.pay(order);
    emulator.deliver(order);
    game.wait_until_granted(order);
    let granted = |game: &Game| -> Vec<(String, u64)> {
        let items = game.told().done.last().unwrap().items.iter();
        items
            .map(|item| (item.sku.clone(), item.quantity))
            .collect()
    };
    assert_eq!(granted(&game), [("knight_set".to_owned(), 1)]);
    // What a promotion adds is in the list.
    let order = buy(&mut game, &emulator, "gold_pouch");
    emulator.deliver(order);
    game.wait_until_granted(order);
    let expected = [("gold_pouch".to_owned(), 1), ("potion".to_owned(), 2)];
    assert_eq!(granted(&game), expected);
}

#[test]
fn what_is_sold_out_is_shown_refused_and_canceled() {
    let (emulator, mut game) = hurried_shop();
    game.app
        .init_resource::<Refusals>()
        .add_systems(Update, note_refusals);
    emulator.set_items(json!([{
        "sku": "ring", "type": "virtual_good",
        "price": {"amount": "5", "amount_without_discount": "5", "currency": "EUR"},
        "limits": {"per_user": {"total": 1, "available": 1}},
    }]));
    assert!(!fetch(&mut game, CatalogRequest::new())[0].is_sold_out());
    let alice = emulator.user("alice");
    let open = emulator.create_order(&alice, &[("ring", 1)]);
    game.track(open);
    let paid = buy(&mut game, &emulator, "ring");
    emulator.pay(paid);
    emulator.deliver(paid);
    game.wait_until_granted(paid);
    game.wait_until("the other order has ended", |world| {
        world.resource::<support::Told>().canceled.len() == 1
    });
    assert_eq!(game.told().canceled[0].order_id, open);
    assert_eq!(game.grants(paid), 1);

    assert!(fetch(&mut game, CatalogRequest::new())[0].is_sold_out());
    game.commands(|commands| commands.purchase(Purchase::item("ring").quantity(2)));
    game.wait_until("the purchase is refused", |world| {
        !world.resource::<Refusals>().0.is_empty()
    });
    let refusal = game.app.world().resource::<Refusals>().0[0].clone();
    let PurchaseError::LimitReached(error) = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(error.code(), Some("0401-1460"));
}

/// What the Unity SDK (`XsollaCatalog.cs`) and the Unreal SDK (`XsollaStoreSubsystem.cpp`) send, as read in their
/// public sources: the paths below the project, and the queries. Unity names its additional fields in one parameter,
/// and Unreal in several.
const CALLS: [&str; 16] = [
    "items/virtual_items?limit=50&offset=0&locale=en&country=US&additional_fields=long_description",
    "items/virtual_items?limit=50&offset=0&additional_fields=long_description",
    "items/virtual_items?locale=en&country=US&additional_fields[]=media_list&additional_fields[]=order&limit=50&offset=0",
    "items/virtual_items/all?locale=en",
    "items/virtual_items/all",
    "items/virtual_items/group/armor?limit=50&offset=0&locale=en&country=US&additional_fields=long_description",
    "items/virtual_items/group/all?locale=en&country=US&limit=50&offset=0",
    "items/groups?locale=en&promo_code=WINTER",
    "items/groups",
    "items/virtual_currency?limit=50&offset=0&locale=en&country=US&additional_fields=long_description",
    "items/virtual_currency?locale=en&country=US&limit=50&offset=0&additional_fields[]=order",
    "items/virtual_currency/package?limit=50&offset=0&locale=en&country=US&additional_fields=long_description",
    "items/virtual_currency/package?locale=en&country=US&additional_fields[]=order&limit=50&offset=0",
    "items/bundle?limit=50&offset=0&locale=en&country=US&additional_fields=long_description",
    "items/bundle?locale=en&country=US&additional_fields[]=order&limit=50&offset=0",
    "items/bundle/sku/knight_set?locale=en&country=US",
];

#[test]
fn the_catalogue_calls_of_xsollas_sdks_are_answered_and_the_answers_are_read() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let (second, mut game) = shop();
    for call in CALLS {
        let answer = emulator_client::get(&emulator, call, &token);
        assert_eq!(answer.status, 200, "{call}: {answer:?}");
        let body = answer.json();
        if let Some(groups) = body["groups"].as_array().filter(|_| body["sku"].is_null()) {
            assert_eq!(groups.len(), 3, "{call}");
            continue;
        }
        let items = match &body["items"] {
            Value::Array(items) => items.clone(),
            _ => vec![body],
        };
        assert!(!items.is_empty(), "{call}");
        // Another emulator answers the game with the same items.
        second.set_items(json!(items));
        let read = fetch(&mut game, CatalogRequest::everything());
        let expected: Vec<_> = items.iter().map(|item| item["sku"].as_str()).collect();
        let read: Vec<_> = read.iter().map(|item| Some(item.sku.as_str())).collect();
        assert_eq!(read, expected, "{call}");
    }
}
