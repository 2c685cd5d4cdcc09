//! The emulator's catalogue: its addresses, its groups, and the limits of what can be bought.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::{OrderId, OrderStatus};
use emulator_client::{Response, get, request};
use serde_json::{Value, json};

fn skus(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|it| it["sku"].as_str().unwrap()).collect()
}

/// The HTTP status and Xsolla's code of a refusal.
fn refusal(answer: &Response) -> (u16, u64) {
    let code = answer.json()["errorCode"].as_u64();
    (answer.status, code.expect("a code"))
}

/// Buys on the payment page's side: the order is created as a shop does it.
fn create(emulator: &XsollaEmulator, player: &str, sku: &str, quantity: u64) -> Response {
    let body = json!({ "quantity": quantity }).to_string();
    let token = emulator.token(player);
    let route = format!("payment/item/{sku}");
    request(emulator, "POST", &route, Some(&token), &body)
}

fn order_of(answer: &Response) -> OrderId {
    assert_eq!(answer.status, 200, "{answer:?}");
    OrderId(answer.json()["order_id"].as_u64().unwrap())
}

/// What is left of an item for this player.
fn available(emulator: &XsollaEmulator, player: &str, sku: &str, limit: &str) -> Value {
    let route = format!("items/sku/{sku}");
    let item = get(emulator, &route, &emulator.token(player)).json();
    item["limits"][limit]["available"].clone()
}

fn limited(limits: Value) -> XsollaEmulator {
    let emulator = XsollaEmulator::start();
    let price = json!({"amount": "5", "amount_without_discount": "5", "currency": "EUR"});
    emulator.set_items(json!([
        {"sku": "ring", "type": "virtual_good", "price": price, "limits": limits},
        {"sku": "rope", "type": "virtual_good", "price": price, "limits": null},
    ]));
    emulator
}

#[test]
fn each_part_of_the_catalogue_has_its_address() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let get = |route: &str| get(&emulator, &format!("items{route}"), &token).json();
    assert_eq!(skus(&get("/bundle")), ["knight_set"]);
    assert_eq!(skus(&get("/virtual_currency")), ["gold"]);
    assert_eq!(skus(&get("/virtual_currency/package")), ["gold_pouch"]);
    assert_eq!(
        skus(&get("/virtual_items/group/armor")),
        ["shield", "helmet"]
    );
    assert_eq!(skus(&get("/virtual_items")).len(), 7);
    assert_eq!(skus(&get("")).len(), 10);
    assert_eq!(get("/bundle/sku/knight_set")["content"][2]["quantity"], 100);
    assert_eq!(get("/groups")["groups"][1]["external_id"], "armor");
}

#[test]
fn items_are_fetched_by_sku() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    let get = |query: &str| get(&emulator, &format!("items/virtual_items?{query}"), &token);
    let page = get("sku[]=potion&sku[]=sword&sku[]=nothing&sku[]=knight_set").json();
    assert_eq!(skus(&page), ["sword", "potion"]);
    assert_eq!(page["has_more"], false);
    let page = get("sku[]=potion&sku[]=sword&limit=1").json();
    assert_eq!(
        (skus(&page), &page["has_more"]),
        (vec!["sword"], &true.into())
    );
    let many: Vec<String> = (0..51).map(|n| format!("sku[]=item{n}")).collect();
    assert_eq!(get(&many[..50].join("&")).status, 200);
    assert_eq!(refusal(&get(&many.join("&"))), (422, 1102));
}

#[test]
fn what_is_not_in_the_catalogue_is_not_found() {
    let emulator = XsollaEmulator::start();
    let token = emulator.token("alice");
    for (route, code) in [
        ("items/virtual_items/group/nobody", 4403),
        ("items/bundle/sku/sword", 4001),
        ("items/nothing", 1000),
    ] {
        assert_eq!(refusal(&get(&emulator, route, &token)), (404, code));
    }
    let answer = get(&emulator, "items/bundle", "no token of ours");
    assert_eq!(refusal(&answer), (401, 1501));
}

#[test]
fn a_players_limit_counts_what_this_player_has_paid_for() {
    let emulator = limited(json!({"per_user": {"total": 2, "available": 2}, "per_item": null}));
    let ring = |player| available(&emulator, player, "ring", "per_user");
    let first = order_of(&create(&emulator, "alice", "ring", 1));
    assert_eq!(ring("alice"), 2, "an unpaid order counts as nothing");
    emulator.pay(first);
    assert_eq!((ring("alice"), ring("bob")), (1.into(), 2.into()));
    assert_eq!(
        refusal(&create(&emulator, "alice", "ring", 2)),
        (422, 1460),
        "one is left"
    );
    emulator.pay(order_of(&create(&emulator, "alice", "ring", 1)));
    assert_eq!(ring("alice"), 0);
    assert_eq!(refusal(&create(&emulator, "alice", "ring", 1)), (422, 1460));
    emulator.refund(first);
    assert_eq!(ring("alice"), 0, "a refund gives nothing back");
    order_of(&create(&emulator, "alice", "rope", 9));
    order_of(&create(&emulator, "bob", "ring", 2));
    // Who is not logged in has bought nothing.
    let page = request(&emulator, "GET", "items/virtual_items", None, "").json();
    assert_eq!(page["items"][0]["limits"]["per_user"]["available"], 2);
    assert_eq!(page["items"][1]["limits"], Value::Null);
}

#[test]
fn a_cart_cannot_have_more_than_the_limit_by_naming_an_item_twice() {
    let emulator = limited(json!({"per_user": {"total": 2, "available": 2}}));
    let token = emulator.token("alice");
    let buy = |items: Value| {
        let body = json!({ "items": items }).to_string();
        request(&emulator, "POST", "payment/cart", Some(&token), &body)
    };
    let ring = json!({"sku": "ring", "quantity": 1});
    let rope = json!({"sku": "rope", "quantity": 5});
    assert_eq!(refusal(&buy(json!([ring, rope, ring, ring]))), (422, 1460));
    assert_eq!(emulator.orders(), []);
    order_of(&buy(json!([ring, rope, ring])));
}

#[test]
fn a_limit_of_the_item_is_shared_by_all_players() {
    let emulator = limited(json!({"per_user": null, "per_item": {"total": 5, "available": 3}}));
    let left = |player| available(&emulator, player, "ring", "per_item");
    emulator.pay(order_of(&create(&emulator, "alice", "ring", 2)));
    assert_eq!((left("alice"), left("bob")), (1.into(), 1.into()));
    assert_eq!(refusal(&create(&emulator, "bob", "ring", 2)), (422, 1460));
    emulator.pay(order_of(&create(&emulator, "bob", "ring", 1)));
    assert_eq!(refusal(&create(&emulator, "carol", "ring", 1)), (422, 1460));
}

#[test]
fn a_payment_cancels_the_unpaid_orders_that_cannot_be_filled_any_more() {
    let emulator = limited(json!({"per_user": null, "per_item": {"total": 3, "available": 3}}));
    let order = |player, sku, quantity| order_of(&create(&emulator, player, sku, quantity));
    let (one, two) = (order("alice", "ring", 1), order("bob", "ring", 2));
    let (three, rope) = (order("carol", "ring", 3), order("carol", "rope", 1));
    let status = |order| emulator.status(order);
    emulator.pay(one);
    assert_eq!(status(two), OrderStatus::New, "two are left");
    assert_eq!(status(three), OrderStatus::Canceled);
    let late = order("carol", "ring", 1);
    emulator.pay(two);
    assert_eq!(status(late), OrderStatus::Canceled);
    assert_eq!(status(rope), OrderStatus::New);
    assert_eq!(
        (status(one), status(two)),
        (OrderStatus::Paid, OrderStatus::Paid)
    );
}

#[test]
fn a_players_limit_cancels_no_order_of_another_player() {
    let emulator = limited(json!({"per_user": {"total": 1, "available": 1}}));
    let order = |player| order_of(&create(&emulator, player, "ring", 1));
    let [first, second, bobs] = ["alice", "alice", "bob"].map(order);
    emulator.pay(first);
    assert_eq!(emulator.status(second), OrderStatus::Canceled);
    assert_eq!(emulator.status(bobs), OrderStatus::New);
}

#[test]
fn an_order_lists_the_bundle_and_what_a_promotion_adds() {
    let emulator = XsollaEmulator::start();
    let items = |sku, quantity| {
        let order_id = order_of(&create(&emulator, "alice", sku, quantity));
        let token = emulator.token("alice");
        let order = get(&emulator, &format!("order/{order_id}"), &token).json();
        let items = order["content"]["items"].as_array().unwrap().iter();
        let items = items.map(|item| {
            let sku = item["sku"].as_str().unwrap().to_owned();
            (
                sku,
                item["quantity"].as_u64().unwrap(),
                item["is_free"] == true,
            )
        });
        (
            items.collect::<Vec<_>>(),
            order["content"]["price"]["amount"].clone(),
        )
    };
    let bundle = ("knight_set".to_owned(), 1, false);
    assert_eq!(items("knight_set", 1), (vec![bundle], "19.99".into()));
    let pouches = ("gold_pouch".to_owned(), 2, false);
    let potions = ("potion".to_owned(), 4, true);
    assert_eq!(
        items("gold_pouch", 2),
        (vec![pouches, potions], "15.98".into())
    );
}
