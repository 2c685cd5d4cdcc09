//! The emulator's payment page over HTTP: what a browser without scripts is served, and what its
//! forms do. `payment_page_browser.rs` is the same in a real browser.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod emulator_client;

use std::time::Duration;

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::{OrderId, OrderStatus, XsollaUser};
use emulator_client::{Response, get, receive, request, send, wait_for};
use serde_json::{Value, json};

/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(3600);

fn shop() -> (XsollaEmulator, XsollaUser) {
    let emulator = XsollaEmulator::start();
    // Nothing happens by itself, unless a test says so.
    emulator.set_slow_payment(NEVER);
    emulator.set_delivery_delay(NEVER);
    let alice = emulator.user("alice");
    (emulator, alice)
}

/// An order that waits to be paid, and the path of its page.
fn order(emulator: &XsollaEmulator, user: &XsollaUser) -> (OrderId, String) {
    let order = emulator.create_order(user, &[("sword", 1)]);
    let path = path(emulator, &emulator.payment_url(order).expect("a page"));
    (order, path)
}

fn path(emulator: &XsollaEmulator, url: &str) -> String {
    let store = emulator.store_url();
    let origin = store.trim_end_matches("/api");
    let path = url.strip_prefix(origin).expect("on the emulator's port");
    path.to_owned()
}

fn open(emulator: &XsollaEmulator, path: &str) -> Response {
    receive(send(emulator, "GET", path, None, "")).expect("a page")
}

fn post(emulator: &XsollaEmulator, path: &str, form: &str) -> Response {
    receive(send(emulator, "POST", path, None, form)).expect("an answer")
}

/// Presses a button as a browser without scripts does: posts its form, and follows to the page.
#[track_caller]
fn press(emulator: &XsollaEmulator, path: &str, button: &str) -> Response {
    let page = open(emulator, path);
    let buttons = buttons(&page);
    assert!(buttons.contains(&button.to_owned()), "only {buttons:?}");
    let query = path.split_once('?').expect("a query").1;
    let form = format!("<form method=\"post\" action=\"?{query}\">");
    assert!(page.body.contains(&form), "{}", page.body);
    let answer = post(emulator, path, &format!("action={button}"));
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some(path))
    );
    open(emulator, path)
}

/// The buttons of a page, by their values.
fn buttons(page: &Response) -> Vec<String> {
    let after = page.body.split("name=\"action\" value=\"").skip(1);
    after
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

fn status(page: &Response) -> String {
    let (_, rest) = page.body.split_once("data-status=\"").expect("a status");
    rest.split('"').next().unwrap().to_owned()
}

fn refreshes_itself(page: &Response) -> bool {
    page.body.contains("http-equiv=\"refresh\"")
}

fn create(emulator: &XsollaEmulator, route: &str, body: &Value) -> Response {
    let token = emulator.token("alice");
    request(emulator, "POST", route, Some(&token), &body.to_string())
}

#[test]
fn the_page_shows_the_order_and_lets_nothing_from_outside_in() {
    let (emulator, alice) = shop();
    let order = emulator.create_order(&alice, &[("shield", 2), ("potion", 3)]);
    let path = path(&emulator, &emulator.payment_url(order).unwrap());
    assert!(path.starts_with("/paystation4/?token="), "{path}");
    let page = open(&emulator, &path);
    assert_eq!(page.status, 200);
    for text in [
        &order.to_string(),
        "alice",
        "Oak Shield",
        "shield × 2",
        "<s>$49.98</s> $24.98",
        "potion × 3",
        "$2.97",
        "<h1>$27.95</h1>",
        "Pay $27.95",
    ] {
        assert!(page.body.contains(text), "{text:?} is not in {}", page.body);
    }
    assert_eq!(status(&page), "new");
    assert_eq!(
        buttons(&page),
        ["pay", "pay-slowly", "decline", "cancel"],
        "nothing is paid that could be refunded"
    );
    assert!(!refreshes_itself(&page));

    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let kind = page.header("content-type");
    assert_eq!(kind, Some("text/html; charset=utf-8"));
    for outside in ["http://", "https://", "<script>", "style=", "//cdn"] {
        assert!(!page.body.contains(outside), "{outside}");
    }
    // Games may show it in a frame.
    assert!(!policy.contains("frame-ancestors"), "{policy}");
    assert_eq!(page.header("x-frame-options"), None);
    let script = page.body.split_once("<script src=\"").expect("a script").1;
    let script = open(&emulator, script.split('"').next().unwrap());
    let kind = script.header("content-type");
    assert_eq!(
        (script.status, kind),
        (200, Some("text/javascript; charset=utf-8"))
    );

    let style = open(&emulator, "/paystation4/page.css");
    assert_eq!(
        style.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    assert!(style.body.contains("prefers-color-scheme: dark"));
    assert!(!style.body.contains("url(") && !style.body.contains("@import"));
}

#[test]
fn paying_moves_the_order_through_paid_to_done() {
    let (emulator, alice) = shop();
    let (slow, path) = order(&emulator, &alice);
    let page = press(&emulator, &path, "pay");
    assert_eq!(status(&page), "paid");
    assert!(refreshes_itself(&page));
    assert_eq!(buttons(&page), ["refund"]);
    assert_eq!(emulator.status(slow), OrderStatus::Paid);

    emulator.set_delivery_delay(Duration::from_millis(30));
    let (order, path) = self::order(&emulator, &alice);
    press(&emulator, &path, "pay");
    wait_for("delivered", || emulator.status(order) == OrderStatus::Done);
    let page = open(&emulator, &path);
    assert_eq!(status(&page), "done");
    assert!(!refreshes_itself(&page));
    assert_eq!(emulator.status(slow), OrderStatus::Paid);
}

#[test]
fn a_declined_card_leaves_the_order_open() {
    let (emulator, alice) = shop();
    let (order, path) = order(&emulator, &alice);
    let page = press(&emulator, &path, "decline");
    assert!(page.body.contains("The card was declined"));
    assert_eq!(status(&page), "new");
    assert_eq!(emulator.status(order), OrderStatus::New);
    assert_eq!(status(&press(&emulator, &path, "pay")), "paid");
}

#[test]
fn a_slow_payment_is_under_way_until_it_arrives() {
    let (emulator, alice) = shop();
    let (waiting, path) = order(&emulator, &alice);
    let page = press(&emulator, &path, "pay-slowly");
    assert_eq!(status(&page), "new");
    assert!(page.body.contains("Waiting for the payment"));
    assert!(refreshes_itself(&page));
    assert_eq!(buttons(&page), ["pay", "cancel"]);

    emulator.set_slow_payment(Duration::from_millis(30));
    emulator.set_delivery_delay(Duration::ZERO);
    let (order, path) = self::order(&emulator, &alice);
    post(&emulator, &path, "action=pay-slowly");
    wait_for("delivered", || emulator.status(order) == OrderStatus::Done);
    assert_eq!(emulator.status(waiting), OrderStatus::New);
}

#[test]
fn a_slow_payment_of_an_order_that_was_canceled_meanwhile_does_not_arrive() {
    let (emulator, alice) = shop();
    emulator.set_slow_payment(Duration::from_millis(200));
    emulator.set_delivery_delay(Duration::ZERO);
    // On a busy machine the payment may be there first; then the next order is canceled in time.
    let (canceled, path) = loop {
        let (order, path) = order(&emulator, &alice);
        post(&emulator, &path, "action=pay-slowly");
        post(&emulator, &path, "action=cancel");
        if emulator.status(order) == OrderStatus::Canceled {
            break (order, path);
        }
    };
    let page = open(&emulator, &path);
    assert!(page.body.contains("Nothing was paid"));
    assert_eq!(buttons(&page), [] as [&str; 0]);
    // Another that started later has arrived.
    let (other, path) = order(&emulator, &alice);
    post(&emulator, &path, "action=pay-slowly");
    wait_for("delivered", || emulator.status(other) == OrderStatus::Done);
    assert_eq!(emulator.status(canceled), OrderStatus::Canceled);
}

#[test]
fn a_slow_payment_can_be_confirmed_at_once_and_counts_once() {
    let (emulator, alice) = shop();
    emulator.set_slow_payment(Duration::from_millis(50));
    let (order, path) = order(&emulator, &alice);
    post(&emulator, &path, "action=pay-slowly");
    // It may just have arrived by itself, which is as well.
    post(&emulator, &path, "action=pay");
    assert_eq!(emulator.status(order), OrderStatus::Paid);
    emulator.deliver(order);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(emulator.status(order), OrderStatus::Done);
}

#[test]
fn a_refund_cancels_what_was_paid_and_stops_the_delivery() {
    let (emulator, alice) = shop();
    emulator.set_delivery_delay(Duration::from_millis(50));
    let (refunded, path) = order(&emulator, &alice);
    post(&emulator, &path, "action=pay");
    post(&emulator, &path, "action=refund");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(emulator.status(refunded), OrderStatus::Canceled);
    assert!(open(&emulator, &path).body.contains("Refunded"));

    let (order, path) = order(&emulator, &alice);
    emulator.deliver(order);
    let page = press(&emulator, &path, "refund");
    assert_eq!(status(&page), "canceled");
    assert!(page.body.contains("Delivered"), "it shows that it was");
}

#[test]
fn buttons_of_a_page_that_is_behind_change_nothing() {
    let (emulator, alice) = shop();
    let (order, path) = order(&emulator, &alice);
    emulator.cancel(order);
    for button in ["pay", "pay-slowly", "decline", "cancel", "refund"] {
        let answer = post(&emulator, &path, &format!("action={button}"));
        assert_eq!(answer.status, 303);
        assert_eq!(emulator.status(order), OrderStatus::Canceled);
    }
    let (order, path) = self::order(&emulator, &alice);
    post(&emulator, &path, "action=refund");
    assert_eq!(emulator.status(order), OrderStatus::New);
}

#[test]
fn a_double_click_pays_once() {
    let (emulator, alice) = shop();
    emulator.set_delivery_delay(Duration::from_millis(50));
    let token = emulator.token("alice");
    let (mut socket, ..) = emulator_client::Socket::connected(&emulator, &token);
    let (order, path) = order(&emulator, &alice);
    let presses = [(); 2].map(|()| send(&emulator, "POST", &path, None, "action=pay"));
    for press in presses {
        assert_eq!(receive(press).unwrap().status, 303);
    }
    for status in ["new", "paid", "done"] {
        let news = json!({"order_id": order.0, "status": status});
        assert_eq!(socket.publication().0, news);
    }
    assert!(socket.is_silent_for(Duration::from_millis(200)));
}

#[test]
fn whatever_a_shop_calls_things_is_text() {
    let emulator = XsollaEmulator::start();
    let evil = "<img src=x onerror=\"alert('1')\">&amp;";
    let mallory = emulator.user(evil);
    emulator.set_items(json!([{"sku": evil, "name": evil, "price": {
        "amount": "1", "amount_without_discount": "2", "currency": evil,
    }}]));
    let order = emulator.create_order(&mallory, &[(evil, 1)]);
    emulator.set_status(order, evil);
    let url = emulator.payment_url(order).unwrap();
    let page = open(&emulator, &path(&emulator, &url));
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("<img"), "{}", page.body);
    assert!(!page.body.contains("alert('"), "{}", page.body);
    let escaped = "&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;";
    assert!(page.body.contains(&format!("data-status=\"{escaped}\"")));
    // Title, total, player, status twice, name, SKU, and both prices.
    assert!(page.body.matches(escaped).count() >= 9, "{}", page.body);
    assert!(refreshes_itself(&page), "an unknown status may change");
}

#[test]
fn only_the_payment_token_of_an_order_opens_a_page() {
    let (emulator, alice) = shop();
    order(&emulator, &alice);
    let user_token = emulator.token("alice");
    let wrong = [
        "/paystation4/".to_owned(),
        "/paystation4/?token=".to_owned(),
        "/paystation4/?token=nothing".to_owned(),
        format!("/paystation4/?token={user_token}"),
        "/paystation4/?token=%3Cb%3E%22".to_owned(),
    ];
    for path in wrong {
        for answer in [open(&emulator, &path), post(&emulator, &path, "action=pay")] {
            assert_eq!(answer.status, 404, "{path}");
            assert!(answer.body.contains("<h1>There is no "), "{}", answer.body);
            assert!(!answer.body.contains("<b>"), "{}", answer.body);
            assert!(answer.header("content-security-policy").is_some());
        }
    }
    assert_eq!(open(&emulator, "/paystation4/elsewhere").status, 404);
    // Another's token moves nothing of alice's.
    assert_eq!(emulator.status(emulator.orders()[0]), OrderStatus::New);
}

#[test]
fn an_expired_token_opens_no_page_any_more() {
    let (emulator, alice) = shop();
    emulator.set_payment_token_lifetime(Duration::ZERO);
    let (order, path) = order(&emulator, &alice);
    for answer in [open(&emulator, &path), post(&emulator, &path, "action=pay")] {
        assert_eq!(answer.status, 410);
        assert!(answer.body.contains("This payment has expired"));
    }
    assert_eq!(emulator.status(order), OrderStatus::New);
    emulator.set_payment_token_lifetime(Duration::MAX);
    let (_, path) = self::order(&emulator, &alice);
    assert_eq!(open(&emulator, &path).status, 200);
}

#[test]
fn what_no_button_sends_is_refused() {
    let (emulator, alice) = shop();
    let (order, path) = order(&emulator, &alice);
    for form in ["", "action=", "action=deliver", "pay", "\0\u{fffd}=&&=%"] {
        assert_eq!(post(&emulator, &path, form).status, 400, "{form:?}");
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = receive(send(&emulator, method, &path, None, "action=pay")).unwrap();
        assert_eq!(answer.status, 405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, POST"));
    }
    let huge = format!("action=pay&x={}", "x".repeat(300 * 1024));
    assert_eq!(post(&emulator, &path, &huge).status, 413);
    let head = receive(send(&emulator, "HEAD", &path, None, "")).unwrap();
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(emulator.status(order), OrderStatus::New);
}

#[test]
fn sandbox_orders_have_a_page_of_their_own() {
    let (emulator, _) = shop();
    let answer = create(&emulator, "payment/item/sword", &json!({"sandbox": true})).json();
    let order = OrderId(answer["order_id"].as_u64().unwrap());
    let token = answer["token"].as_str().unwrap();
    let url = emulator.payment_url(order).unwrap();
    assert_eq!(
        url,
        format!("{}?token={token}", emulator.sandbox_payment_page_url())
    );
    let sandbox = path(&emulator, &url);
    assert_eq!(sandbox, format!("/sandbox/paystation4/?token={token}"));
    let badge = "<span class=\"badge\">Sandbox</span>";
    assert!(open(&emulator, &sandbox).body.contains(badge));
    let usual = format!("/paystation4/?token={token}");
    assert_eq!(open(&emulator, &usual).status, 404);
    assert_eq!(post(&emulator, &usual, "action=pay").status, 404);
    assert_eq!(emulator.status(order), OrderStatus::New);
    assert_eq!(status(&press(&emulator, &sandbox, "pay")), "paid");

    let cart = json!({"items": [{"sku": "sword"}], "sandbox": true});
    let answer = create(&emulator, "payment/cart", &cart).json();
    let order = OrderId(answer["order_id"].as_u64().unwrap());
    let url = emulator.payment_url(order).unwrap();
    assert!(url.starts_with(&emulator.sandbox_payment_page_url()));

    for body in [
        json!({}),
        json!({"sandbox": false}),
        json!({"sandbox": null}),
    ] {
        let answer = create(&emulator, "payment/item/sword", &body).json();
        let token = answer["token"].as_str().unwrap();
        let page = format!("/paystation4/?token={token}");
        let page = open(&emulator, &page);
        assert_eq!(page.status, 200);
        assert!(!page.body.contains(badge));
        let sandbox = format!("/sandbox/paystation4/?token={token}");
        assert_eq!(open(&emulator, &sandbox).status, 404);
    }
}

#[test]
fn the_page_says_of_each_attempt_what_pay_station_says() {
    let (emulator, alice) = shop();
    let (order, path) = order(&emulator, &alice);
    let said = |page: &Response| {
        let message = page.body.split_once("data-message=\"")?.1;
        let message = message.split('"').next()?.replace("&quot;", "\"");
        let message: Value = serde_json::from_str(&message).expect("JSON");
        let info = &message["paymentInfo"];
        assert!(info["invoice"].is_u64() && info["invoice"] != order.0);
        assert!(info["userId"].is_string());
        Some(info["status"].as_str()?.to_owned())
    };
    assert_eq!(said(&open(&emulator, &path)), None);
    for (button, status) in [
        ("decline", "troubled"),
        ("pay-slowly", "invoice"),
        ("pay", "delivering"),
    ] {
        let page = press(&emulator, &path, button);
        assert_eq!(said(&page).as_deref(), Some(status), "{button}");
    }
    for (status, expected) in [
        ("done", Some("done")),
        ("canceled", Some("troubled")),
        ("expired", Some("troubled")),
        ("on_hold", None),
    ] {
        emulator.set_status(order, status);
        assert_eq!(said(&open(&emulator, &path)).as_deref(), expected);
    }
}

#[test]
fn a_button_leads_back_to_the_game_with_what_has_become_of_the_payment() {
    let (emulator, _) = shop();
    let body = json!({"settings": {
        "return_url": "https://game.example/play?level=3#top",
        "ui": {"is_three_ds_independent_windows": true, "theme": "dark"},
    }});
    let answer = create(&emulator, "payment/item/sword", &body).json();
    let path = format!("/paystation4/?token={}", answer["token"].as_str().unwrap());
    let back = |page: &Response| {
        let link = page
            .body
            .split_once("<a class=\"back\" href=\"")
            .expect("a link")
            .1;
        let link = link.split('"').next().unwrap().replace("&amp;", "&");
        link.strip_prefix("https://game.example/play?level=3&user_id=")
            .and_then(|rest| rest.strip_suffix("#top"))
            .expect("the address and what was in it")
            .to_owned()
    };
    let left = back(&open(&emulator, &path));
    assert!(!left.contains('&'), "nobody has tried to pay: {left}");
    let paid = back(&press(&emulator, &path, "pay"));
    let rest = paid.strip_prefix(&format!("{left}&invoice_id=")).unwrap();
    let (invoice, status) = rest.split_once('&').unwrap();
    assert!(invoice.parse::<u64>().is_ok(), "{invoice}");
    assert_eq!(status, "status=delivering");

    for settings in [json!({}), json!(null), json!({"return_url": null})] {
        let body = json!({"settings": settings});
        let answer = create(&emulator, "payment/item/sword", &body).json();
        let path = format!("/paystation4/?token={}", answer["token"].as_str().unwrap());
        assert!(!open(&emulator, &path).body.contains("<a "));
    }
    for settings in [
        json!({"return_url": "nowhere"}),
        json!({"return_url": 7}),
        json!("x"),
    ] {
        let answer = create(
            &emulator,
            "payment/item/sword",
            &json!({"settings": settings}),
        );
        assert_eq!(answer.status, 422, "{settings}");
    }
}

#[test]
fn orders_without_a_payment_have_no_page() {
    let emulator = XsollaEmulator::start();
    for route in ["free/item/starter_pack", "payment/item/shield/virtual/gold"] {
        let answer = create(&emulator, route, &json!({})).json();
        let order = OrderId(answer["order_id"].as_u64().unwrap());
        assert_eq!(emulator.payment_url(order), None);
    }
    assert_eq!(emulator.payment_url(OrderId(1)), None);
}

#[test]
fn virtual_currency_is_spent_while_there_is_enough() {
    let (emulator, alice) = shop();
    let price = |amount| json!([{"sku": "crystal", "amount": amount}]);
    emulator.set_items(json!([
        {"sku": "gem", "name": "Gem", "virtual_prices": price(200)},
        {"sku": "crown", "name": "Crown", "virtual_prices": price(501)},
    ]));
    emulator.set_balance(&alice, "crystal", 500);
    let buy = |sku: &str, quantity: u64| {
        let route = format!("payment/item/{sku}/virtual/crystal");
        let answer = create(&emulator, &route, &json!({"quantity": quantity}));
        (answer.status, answer.json())
    };
    for (sku, quantity) in [("crown", 1), ("gem", 3), ("gem", u64::MAX)] {
        let (status, body) = buy(sku, quantity);
        assert_eq!((status, &body["errorCode"]), (422, &json!(5006)));
        let message = "[0401-5006]: Not enough virtual currency";
        assert_eq!(body["errorMessage"], message);
        assert_eq!(body["statusCode"], 422);
    }
    assert!(emulator.orders().is_empty(), "a refusal leaves no order");
    assert_eq!(emulator.balance(&alice, "crystal"), Some(500));

    let (status, body) = buy("gem", 2);
    assert_eq!(status, 200);
    let order = OrderId(body["order_id"].as_u64().unwrap());
    assert_eq!(emulator.status(order), OrderStatus::Done);
    assert_eq!(emulator.balance(&alice, "crystal"), Some(100));
    assert_eq!(buy("gem", 1).1["errorCode"], 5006);

    // To the last coin, of this player only, and of this currency only.
    emulator.set_balance(&alice, "crystal", 501);
    emulator.set_balance(&emulator.user("bob"), "crystal", 1);
    emulator.set_balance(&alice, "gold", 1);
    assert_eq!(buy("crown", 1).0, 200);
    assert_eq!(emulator.balance(&alice, "crystal"), Some(0));
    assert_eq!(emulator.balance(&alice, "gold"), Some(1));
    assert_eq!(emulator.balance(&emulator.user("bob"), "crystal"), Some(1));
    assert_eq!(emulator.balance(&alice, "silver"), None);
}

#[test]
fn a_catalogue_of_120_items_is_three_pages() {
    let emulator = XsollaEmulator::start();
    let items: Vec<Value> = (0..120)
        .map(|n| json!({"sku": format!("item_{n}"), "name": format!("Item {n}"), "is_free": true}))
        .collect();
    emulator.set_items(json!({"has_more": false, "items": items}));
    let token = emulator.token("alice");
    let mut read = Vec::new();
    for (offset, has_more) in [(0, true), (50, true), (100, false)] {
        let route = format!("items/virtual_items?limit=50&offset={offset}");
        let mut page = get(&emulator, &route, &token).json();
        assert_eq!(page["has_more"], has_more);
        read.append(page["items"].as_array_mut().unwrap());
    }
    assert_eq!(read, items);
}

#[test]
fn the_web_shop_sells_what_is_for_money_and_leads_to_the_payment_page() {
    let (emulator, _) = shop();
    let shop = path(&emulator, &emulator.web_shop_url("Al & Bo"));
    let page = open(&emulator, &shop);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Al &amp; Bo") && page.body.contains("value=\"sword\""));
    // It is free, which no payment page is for.
    assert!(!page.body.contains("starter_pack"));
    let answer = post(&emulator, &shop, "sku=sword");
    assert_eq!(answer.status, 303);
    let payment = answer.header("location").unwrap().to_owned();
    let order = emulator.orders()[0];
    assert_eq!(
        emulator.payment_url(order).map(|url| path(&emulator, &url)),
        Some(payment.clone())
    );
    let paid = press(&emulator, &payment, "pay");
    assert!(
        paid.body.contains("webshop/?user=Al+%26+Bo&amp;"),
        "{}",
        paid.body
    );
    for (path, form, status) in [
        (shop.as_str(), "sku=starter_pack", 422),
        (&shop, "sku=none", 422),
        (&shop, "", 422),
        ("/webshop/", "sku=sword", 404),
        ("/webshop/?user=", "sku=sword", 404),
    ] {
        assert_eq!(post(&emulator, path, form).status, status, "{path} {form}");
    }
    assert_eq!(emulator.orders().len(), 1);
}
