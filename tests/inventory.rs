//! What a player owns: it is fetched, shown to its player alone, and used up once.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;
mod support;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::RequestError;
use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use bevy_xsolla::inventory::*;
use bevy_xsolla::prelude::*;
use emulator_client::request;
use serde_json::{Value, json};
use support::{Game, runtime_without_io};

/// What the game was told, by message and by event.
#[derive(Resource, Default)]
struct Answers {
    consumed: Vec<ItemConsumed>,
    failed: Vec<ConsumeFailed>,
    observed: usize,
}

fn game_of(mut game: Game) -> Game {
    game.app.add_plugins(XsollaInventoryPlugin);
    note_answers(&mut game);
    game
}

fn note_answers(game: &mut Game) {
    game.app
        .init_resource::<Answers>()
        .add_systems(
            Update,
            |mut answers: ResMut<Answers>,
             mut consumed: MessageReader<ItemConsumed>,
             mut failed: MessageReader<ConsumeFailed>| {
                answers.consumed.extend(consumed.read().cloned());
                answers.failed.extend(failed.read().cloned());
            },
        )
        .add_observer(|_: On<ItemConsumed>, mut answers: ResMut<Answers>| answers.observed += 1)
        .add_observer(|_: On<ConsumeFailed>, mut answers: ResMut<Answers>| answers.observed += 1);
}

fn shop() -> (XsollaEmulator, Game) {
    let (emulator, game) = support::shop();
    emulator.set_items(json!([
        {"sku": "potion", "name": "Healing Potion", "virtual_item_type": "consumable",
         "groups": [{"external_id": "supplies", "name": "Supplies"}]},
        {"sku": "sword", "virtual_item_type": "non_consumable"},
        {"sku": "pass", "virtual_item_type": "non_renewing_subscription",
         "inventory_options": {"expiration_period": {"type": "day", "value": 7}}},
        {"sku": "ticket", "virtual_item_type": "non_renewing_subscription"},
        {"sku": "gold", "type": "virtual_currency"},
        {"sku": "set", "type": "bundle", "content": [
            {"sku": "sword", "quantity": 1}, {"sku": "potion", "quantity": 3},
            {"sku": "gold", "type": "virtual_currency", "quantity": 100}]},
    ]));
    (emulator, game_of(game))
}

fn buy(emulator: &XsollaEmulator, player: &str, items: &[(&str, u64)]) -> OrderId {
    let order = emulator.create_order(&emulator.user(player), items);
    emulator.pay(order);
    emulator.deliver(order);
    order
}

fn inventory(game: &Game) -> &Inventory {
    game.app.world().resource()
}

fn answers(game: &Game) -> &Answers {
    game.app.world().resource()
}

#[track_caller]
fn wait_for_fetch(game: &mut Game) -> InventoryState {
    game.wait_until("the inventory was answered", |world| {
        *world.resource::<Inventory>().state() != InventoryState::Loading
    });
    inventory(game).state().clone()
}

#[track_caller]
fn fetch(game: &mut Game) {
    game.commands(|commands| commands.fetch_inventory());
    assert_eq!(wait_for_fetch(game), InventoryState::Ready);
}

fn skus(inventory: &Inventory) -> Vec<&str> {
    let items = inventory.items().iter();
    items.map(|item| item.sku.as_str()).collect()
}

/// Waits until so many answers came, and a little longer for one too many.
#[track_caller]
fn wait_for_answers(game: &mut Game, count: usize) -> &Answers {
    game.wait_until("the item was used up or not", |world| {
        world.resource::<Answers>().observed >= count
    });
    game.run_for(Duration::from_millis(50));
    let answers = game.app.world().resource::<Answers>();
    assert_eq!(answers.observed, count);
    assert_eq!(answers.consumed.len() + answers.failed.len(), count);
    answers
}

#[track_caller]
fn consume(game: &mut Game, sku: &str, quantity: u64) -> Result<ItemConsumed, Box<ConsumeFailed>> {
    let before = answers(game).observed;
    let id = game.commands(|commands| commands.consume_item(sku, quantity));
    let answers = wait_for_answers(game, before + 1);
    let consumed = answers.consumed.iter().find(|it| it.consumption_id == id);
    let failed = answers.failed.iter().find(|it| it.consumption_id == id);
    match (consumed, failed) {
        (Some(consumed), None) => Ok(consumed.clone()),
        (None, Some(failed)) => Err(Box::new(failed.clone())),
        _ => panic!("it has not one answer"),
    }
}

#[test]
fn consumables_durables_and_subscriptions_are_fetched_and_no_currency() {
    let (emulator, mut game) = shop();
    assert_eq!(*inventory(&game).state(), InventoryState::Empty);
    buy(
        &emulator,
        "alice",
        &[("potion", 2), ("pass", 1), ("sword", 1)],
    );
    buy(&emulator, "alice", &[("set", 1), ("gold", 5)]);
    let unpaid = emulator.create_order(&emulator.user("alice"), &[("ticket", 1)]);
    fetch(&mut game);
    let owned = inventory(&game);
    assert_eq!(owned.user(), Some(emulator.user("alice").id()));
    assert_eq!(skus(owned), ["potion", "pass", "sword"]);
    let potion = owned.get("potion").unwrap();
    assert_eq!(potion.name, "Healing Potion");
    assert_eq!(potion.kind, InventoryItemKind::Consumable);
    assert_eq!(potion.quantity, Some(5));
    assert_eq!(potion.groups[0].external_id, "supplies");
    assert_eq!(owned.quantity("sword"), 1);
    let pass = owned.get("pass").unwrap();
    assert_eq!(pass.kind, InventoryItemKind::Subscription);
    let subscription = pass.subscription.clone().unwrap();
    assert!(subscription.is_active());
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs();
    let days = (subscription.ends_at.unwrap() - now).div_ceil(24 * 60 * 60);
    assert_eq!(days, 7);
    assert!(!owned.has("ticket"));

    // What is paid afterwards, has ended or was refunded is seen by the next fetch.
    emulator.deliver(unpaid);
    emulator.end_subscription(&emulator.user("alice"), "pass");
    let other = buy(&emulator, "alice", &[("potion", 1)]);
    emulator.refund(other);
    fetch(&mut game);
    let owned = inventory(&game);
    assert_eq!(skus(owned), ["potion", "sword", "ticket", "pass"]);
    assert_eq!(owned.quantity("potion"), 5);
    assert!(owned.has("ticket") && !owned.has("pass"));
}

#[test]
fn an_inventory_of_many_pages_is_fetched_whole() {
    let (emulator, mut game) = shop();
    let bought: Vec<String> = (0..120).map(|n| format!("item{n}")).collect();
    let lines: Vec<_> = bought.iter().map(|sku| (sku.as_str(), 2)).collect();
    buy(&emulator, "alice", &lines);
    fetch(&mut game);
    assert_eq!(skus(inventory(&game)), bought);
    assert_eq!(inventory(&game).quantity("item119"), 2);
    // An item of the last page can be used up.
    assert_eq!(consume(&mut game, "item119", 1).unwrap().left, 1);
}

#[test]
fn what_cannot_be_fetched_says_why_and_keeps_what_was_shown() {
    let (emulator, mut game) = shop();
    buy(&emulator, "alice", &[("potion", 2)]);
    fetch(&mut game);
    emulator.fail_requests(Fault::status(500));
    game.commands(|commands| commands.fetch_inventory());
    let failed = wait_for_fetch(&mut game);
    let InventoryState::Failed(InventoryError::Request(error)) = failed else {
        panic!("{failed:?}");
    };
    assert!(matches!(error, RequestError::Status { status: 500, .. }));
    assert_eq!(inventory(&game).quantity("potion"), 2);
    emulator.heal();
    emulator.revoke_tokens("alice");
    game.commands(|commands| commands.fetch_inventory());
    let failed = wait_for_fetch(&mut game);
    let InventoryState::Failed(InventoryError::Request(error)) = failed else {
        panic!("{failed:?}");
    };
    assert!(error.is_unauthorized());
}

#[test]
fn nobody_is_shown_what_another_player_owns() {
    let (emulator, mut game) = shop();
    buy(&emulator, "alice", &[("sword", 1)]);
    buy(&emulator, "bob", &[("potion", 2)]);
    fetch(&mut game);
    assert!(inventory(&game).has("sword"));
    game.log_in(&emulator.user("bob"));
    game.update();
    assert_eq!(inventory(&game).items(), []);
    assert_eq!(*inventory(&game).state(), InventoryState::Empty);
    fetch(&mut game);
    assert_eq!(skus(inventory(&game)), ["potion"]);
    game.log_out();
    game.update();
    assert_eq!(inventory(&game).items(), []);
    assert_eq!(inventory(&game).user(), None);

    // A new token of the same player changes nothing.
    game.log_in(&emulator.user("bob"));
    fetch(&mut game);
    game.log_in(&emulator.user("bob"));
    game.update();
    assert_eq!(skus(inventory(&game)), ["potion"]);
}

#[test]
fn an_answer_for_a_player_who_has_gone_is_not_shown() {
    for is_fetched_anew in [false, true] {
        let (emulator, mut game) = shop();
        buy(&emulator, "alice", &[("sword", 1)]);
        buy(&emulator, "bob", &[("potion", 2)]);
        emulator.hang_requests(true);
        game.commands(|commands| commands.fetch_inventory());
        game.run_for(Duration::from_millis(200));
        assert_eq!(*inventory(&game).state(), InventoryState::Loading);
        game.log_in(&emulator.user("bob"));
        if is_fetched_anew {
            game.commands(|commands| commands.fetch_inventory());
        }
        game.update();
        emulator.hang_requests(false);
        for _ in 0..200 {
            game.update();
            assert!(!inventory(&game).has("sword"));
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(inventory(&game).has("potion"), is_fetched_anew);
    }
}

#[test]
fn an_item_is_used_up_and_the_inventory_has_what_is_left() {
    let (emulator, mut game) = shop();
    let alice = emulator.user("alice");
    buy(&emulator, "alice", &[("potion", 3)]);
    fetch(&mut game);
    let consumed = consume(&mut game, "potion", 2).unwrap();
    assert_eq!((consumed.quantity, consumed.left), (2, 1));
    assert_eq!(consumed.user, *alice.id());
    assert_eq!(emulator.owned(&alice, "potion"), 1);
    assert_eq!(inventory(&game).quantity("potion"), 1);
    consume(&mut game, "potion", 1).unwrap();
    assert_eq!(inventory(&game).items(), []);
}

#[test]
fn an_item_is_used_up_once_though_the_answer_is_lost() {
    let (emulator, mut game) = shop();
    let alice = emulator.user("alice");
    buy(&emulator, "alice", &[("potion", 9)]);
    emulator.lose_answers(true);
    let consumed = consume(&mut game, "potion", 2).unwrap();
    assert_eq!(consumed.left, 7);
    assert_eq!(emulator.owned(&alice, "potion"), 7);
    // Several at once do not disturb each other.
    let ids = game.commands(|commands| [1, 2, 3].map(|n| commands.consume_item("potion", n)));
    let answers = wait_for_answers(&mut game, 4);
    let told = answers.consumed[1..].iter();
    let told: Vec<_> = told.map(|it| (it.consumption_id, it.left)).collect();
    assert_eq!(told, [(ids[0], 6), (ids[1], 4), (ids[2], 1)]);
    assert_eq!(emulator.consume_requests(), 4);
    assert_eq!(emulator.owned(&alice, "potion"), 1);
}

#[test]
fn whoever_hears_of_an_item_may_use_up_the_next_at_once() {
    let (emulator, mut game) = shop();
    buy(&emulator, "alice", &[("potion", 5)]);
    game.app
        .add_observer(|consumed: On<ItemConsumed>, mut commands: Commands| {
            if consumed.left > 0 {
                commands.consume_item("potion", 1);
            }
        });
    game.commands(|commands| commands.consume_item("potion", 1));
    let told = &wait_for_answers(&mut game, 5).consumed;
    let left: Vec<_> = told.iter().map(|consumed| consumed.left).collect();
    assert_eq!(left, [4, 3, 2, 1, 0]);
    assert_eq!(emulator.consume_requests(), 5);
}

#[test]
fn what_another_device_changed_meanwhile_is_unclear_and_is_not_tried_again() {
    let (emulator, mut game) = shop();
    let alice = emulator.user("alice");
    buy(&emulator, "alice", &[("potion", 9)]);
    // The request has no effect, and the player buys another one before the inventory is read back.
    emulator.fail_requests(Fault::status(503).changes_only());
    game.commands(|commands| commands.consume_item("potion", 2));
    emulator_client::wait_for("the request came", || {
        game.update();
        emulator.consume_requests() == 1
    });
    buy(&emulator, "alice", &[("potion", 1)]);
    let answers = wait_for_answers(&mut game, 1);
    let failed = &answers.failed[0].error;
    let ConsumeError::Unclear {
        before,
        after,
        error,
    } = failed
    else {
        panic!("{failed:?}");
    };
    assert!(matches!(error, RequestError::Status { status: 503, .. }));
    assert!(*before == 9 && *after == Some(10), "{failed}");
    assert_eq!(emulator.owned(&alice, "potion"), 10);
    assert_eq!(emulator.consume_requests(), 1);
}

const CONSUME: &str = "user/inventory/item/consume";

#[test]
fn what_the_store_refuses_is_typed_and_final() {
    let (emulator, mut game) = shop();
    let alice = emulator.user("alice");
    buy(&emulator, "alice", &[("potion", 3), ("sword", 1)]);
    let failed = consume(&mut game, "potion", 4).unwrap_err();
    assert_eq!(failed.error, ConsumeError::NotEnough { owned: 3 });
    assert_eq!((failed.sku.as_str(), failed.quantity), ("potion", 4));
    assert_eq!(failed.user.as_ref(), Some(alice.id()));
    let failed = consume(&mut game, "nothing", 1).unwrap_err();
    assert_eq!(failed.error, ConsumeError::NotEnough { owned: 0 });
    let failed = consume(&mut game, "sword", 1).unwrap_err();
    assert_eq!(failed.error, ConsumeError::NotConsumable);
    for quantity in [0, 1] {
        let sku = if quantity == 0 { "potion" } else { "" };
        let failed = consume(&mut game, sku, quantity).unwrap_err();
        assert!(matches!(failed.error, ConsumeError::Invalid(_)));
    }
    for status in [404, 422] {
        emulator.fail_requests(Fault::status(status).changes_only().times(1));
        let failed = consume(&mut game, "potion", 1).unwrap_err();
        let ConsumeError::Refused(error) = failed.error else {
            panic!("{failed:?}");
        };
        assert!(error.is_refusal());
    }
    emulator.fail_requests(Fault::status(401).changes_only().times(1));
    let failed = consume(&mut game, "potion", 1).unwrap_err();
    let ConsumeError::Request(error) = failed.error else {
        panic!("{failed:?}");
    };
    assert!(error.is_unauthorized());
    assert_eq!(emulator.owned(&alice, "potion"), 3);
    // It can be tried again.
    assert!(consume(&mut game, "potion", 1).is_ok());
}

#[test]
fn a_busy_store_is_asked_again_when_it_says() {
    let (emulator, mut game) = shop();
    buy(&emulator, "alice", &[("potion", 3)]);
    let busy = Fault::status(429).retry_after(Duration::from_secs(1));
    emulator.fail_requests(busy.changes_only().times(1));
    assert_eq!(consume(&mut game, "potion", 1).unwrap().left, 2);
}

#[test]
fn without_a_player_or_a_config_every_call_says_so() {
    let (emulator, mut game) = shop();
    game.log_out();
    game.commands(|commands| commands.fetch_inventory());
    let expected = InventoryState::Failed(InventoryError::NotLoggedIn);
    assert_eq!(wait_for_fetch(&mut game), expected);
    let failed = consume(&mut game, "potion", 1).unwrap_err();
    assert_eq!(failed.error, ConsumeError::NotLoggedIn);
    assert_eq!(failed.user, None);

    game.log_in(&emulator.user("alice"));
    game.app.world_mut().remove_resource::<XsollaConfig>();
    game.commands(|commands| commands.fetch_inventory());
    let error = InventoryError::Request(RequestError::NotConfigured);
    assert_eq!(wait_for_fetch(&mut game), InventoryState::Failed(error));
    let failed = consume(&mut game, "potion", 1).unwrap_err();
    let expected = ConsumeError::Request(RequestError::NotConfigured);
    assert_eq!(failed.error, expected);
}

#[test]
fn a_player_who_logs_out_hears_of_it_when_they_are_back() {
    let (emulator, mut game) = shop();
    let alice = emulator.user("alice");
    buy(&emulator, "alice", &[("potion", 3)]);
    buy(&emulator, "bob", &[("potion", 3)]);
    emulator.hang_requests(true);
    let [first, second] =
        game.commands(|commands| [1, 1].map(|n| commands.consume_item("potion", n)));
    game.run_for(Duration::from_millis(200));
    game.log_in(&emulator.user("bob"));
    // What waits for its turn does not begin any more.
    let waiting = wait_for_answers(&mut game, 1).failed[0].clone();
    assert_eq!(waiting.consumption_id, second);
    assert_eq!(waiting.error, ConsumeError::NotLoggedIn);
    assert_eq!(waiting.user.as_ref(), Some(alice.id()));
    emulator.hang_requests(false);
    emulator_client::wait_for("it is used up", || emulator.owned(&alice, "potion") == 2);
    game.run_for(Duration::from_millis(200));
    // The other player can use up theirs, and hears of nothing else.
    assert_eq!(consume(&mut game, "potion", 2).unwrap().left, 1);
    game.log_in(&emulator.user("alice"));
    let told = wait_for_answers(&mut game, 3).consumed.last().unwrap();
    assert_eq!((told.consumption_id, told.left), (first, 2));
    assert_eq!(emulator.owned(&alice, "potion"), 2);
}

#[test]
fn a_fetch_that_began_before_an_item_was_used_up_does_not_bring_it_back() {
    let (emulator, mut game) = shop();
    let alice = emulator.user("alice");
    buy(&emulator, "alice", &[("potion", 50)]);
    for round in 1..=10 {
        emulator.hang_requests(true);
        game.commands(|commands| {
            commands.consume_item("potion", 1);
            commands.fetch_inventory();
        });
        game.update();
        emulator.hang_requests(false);
        wait_for_answers(&mut game, round);
        assert_eq!(wait_for_fetch(&mut game), InventoryState::Ready);
        let owned = emulator.owned(&alice, "potion");
        assert_eq!(inventory(&game).quantity("potion"), owned);
    }
}

#[test]
fn without_a_runtime_that_can_do_io_every_call_fails() {
    let emulator = XsollaEmulator::start();
    let plugins = (
        MinimalPlugins,
        runtime_without_io(),
        XsollaOrderPlugin,
        XsollaInventoryPlugin,
    );
    let mut game = Game::with(plugins, &emulator);
    note_answers(&mut game);
    for _ in 0..2 {
        game.commands(|commands| commands.fetch_inventory());
        let expected = InventoryState::Failed(InventoryError::TaskEnded);
        assert_eq!(wait_for_fetch(&mut game), expected);
        let failed = consume(&mut game, "potion", 1).unwrap_err();
        assert_eq!(failed.error, ConsumeError::TaskEnded);
    }
}

#[test]
fn the_plugin_brings_the_other_one_along() {
    let emulator = XsollaEmulator::start();
    let mut game = Game::with((MinimalPlugins, XsollaInventoryPlugin), &emulator);
    buy(&emulator, "alice", &[("potion", 1)]);
    fetch(&mut game);
    assert!(inventory(&game).has("potion"));
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(record.args().to_string());
    }
    fn flush(&self) {}
}

#[test]
fn without_the_plugin_an_error_names_it() {
    log::set_logger(&Log).unwrap();
    log::set_max_level(log::LevelFilter::Error);
    let (_emulator, mut game) = support::shop();
    game.commands(|commands| {
        commands.fetch_inventory();
        commands.consume_item("potion", 1);
    });
    game.update();
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let named = lines.iter().filter(|l| l.contains("XsollaInventoryPlugin"));
    assert_eq!(named.count(), 2);
}

#[test]
fn the_inventory_calls_of_xsollas_sdks_are_answered() {
    let (emulator, _game) = shop();
    let token = emulator.token("alice");
    buy(
        &emulator,
        "alice",
        &[("potion", 3), ("pass", 1), ("sword", 1)],
    );
    let ask = |method: &str, route: &str, body: &Value| {
        request(&emulator, method, route, Some(&token), &body.to_string())
    };
    // Unity, Cocos and Unreal.
    for query in [
        "limit=50&offset=0&platform=xsolla",
        "limit=50&offset=0&locale=en",
        "",
    ] {
        let answer = ask("GET", &format!("user/inventory/items?{query}"), &json!({}));
        let items = answer.json()["items"].clone();
        assert_eq!(items.as_array().unwrap().len(), 3, "{query}");
        assert_eq!(items[0]["quantity"], 3);
        assert_eq!(items[2]["quantity"], Value::Null);
    }
    let page = ask("GET", "user/inventory/items?limit=2&offset=1", &json!({})).json();
    assert_eq!(page["has_more"], false);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let page = ask("GET", "user/inventory/items?limit=1", &json!({})).json();
    assert_eq!(page["has_more"], true);
    let subscriptions = ask("GET", "user/time_limited_items?platform=xsolla", &json!({})).json();
    let status = |i: usize| subscriptions["items"][i]["status"].as_str();
    assert_eq!((status(0), status(1)), (Some("active"), Some("none")));
    assert_eq!(subscriptions["items"][1]["expired_at"], Value::Null);
    // Unity and Cocos send a null for what they do not use.
    for (body, status) in [
        (
            json!({"sku": "potion", "quantity": 1, "instance_id": null}),
            204,
        ),
        (json!({"sku": "potion", "quantity": 2}), 204),
        (json!({"sku": "potion", "quantity": 1}), 404),
        (json!({"sku": "nothing", "quantity": 1}), 404),
        (
            json!({"sku": "potion", "quantity": null, "instance_id": "i1"}),
            404,
        ),
        (
            json!({"sku": "potion", "quantity": 1, "instance_id": "i1"}),
            422,
        ),
        (json!({"sku": "potion"}), 422),
        (json!({"sku": "potion", "quantity": 0}), 422),
        (json!({"sku": "sword", "quantity": 1}), 422),
        (json!({"quantity": 1}), 422),
        (json!(["potion", 1]), 422),
    ] {
        let answer = ask("POST", CONSUME, &body);
        assert_eq!(answer.status, status, "{body}");
        if status != 204 {
            assert_eq!(answer.json()["statusCode"], status, "{body}");
        }
    }
    assert_eq!(ask("GET", CONSUME, &json!({})).status, 405);
    for route in ["user/inventory/items", "user/time_limited_items"] {
        assert_eq!(request(&emulator, "GET", route, None, "").status, 401);
    }
}
