//! Purchases as players make them: in a real browser, on the emulator's payment page, with a game
//! that waits for its items.
//!
//! Needs Chromium (on the path, or named by `CHROMIUM_BIN`) and `tests/interop/setup.sh`. Without them
//! the tests are skipped, and say so; with `BEVY_XSOLLA_REQUIRE_INTEROP=1` they fail.
//!
//! With `PAYMENT_PAGE_SCREENSHOTS=/a/folder`, pictures of the page are put there.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod emulator_client;
mod support;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use serde_json::{Value, json};
use support::browser::{Script, chromium, script};
use support::folder::Folder;
use support::{Game, Told, interop, shop, sword_order};

/// One browser at a time: each is a dozen processes.
static ONE: Mutex<()> = Mutex::new(());

/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug)]
struct Screen {
    name: &'static str,
    width: u32,
    height: u32,
    is_phone: bool,
    is_dark: bool,
}

const DESKTOP: Screen = Screen {
    name: "desktop-light",
    width: 1024,
    height: 768,
    is_phone: false,
    is_dark: false,
};
const DARK_DESKTOP: Screen = Screen {
    name: "desktop-dark",
    is_dark: true,
    ..DESKTOP
};
const PHONE: Screen = Screen {
    name: "phone-light",
    width: 320,
    height: 640,
    is_phone: true,
    is_dark: false,
};
const DARK_PHONE: Screen = Screen {
    name: "phone-dark",
    is_dark: true,
    ..PHONE
};

/// Chromium, moved by `browser.mjs`. It ends with the test.
struct Browser {
    driver: Script,
    profile: Folder,
    screen: Screen,
    _only: MutexGuard<'static, ()>,
}

impl Browser {
    /// `None` where the test is to be skipped.
    fn start(emulator: &XsollaEmulator, screen: Screen) -> Option<Self> {
        Self::launch(emulator, screen, false)
    }

    /// The same, with scripts on.
    fn start_with_scripts(emulator: &XsollaEmulator, screen: Screen) -> Option<Self> {
        Self::launch(emulator, screen, true)
    }

    fn launch(emulator: &XsollaEmulator, screen: Screen, has_scripts: bool) -> Option<Self> {
        let found = chromium().and_then(|chromium| {
            let driver = script("browser.mjs", "playwright-core")?;
            Ok((chromium, driver))
        });
        let (chromium, driver) = interop::found(found)?;
        let only = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut browser = Self {
            driver: Script::start(&driver),
            profile: Folder::new("browser"),
            screen,
            _only: only,
        };
        browser.command(json!({
            "command": "launch",
            "executable": chromium,
            "profile": *browser.profile,
            "width": screen.width,
            "height": screen.height,
            "isPhone": screen.is_phone,
            "isDark": screen.is_dark,
            "hasScripts": has_scripts,
            "origin": emulator.store_url().trim_end_matches("api"),
        }));
        Some(browser)
    }

    #[track_caller]
    fn command(&mut self, command: Value) -> Value {
        self.driver.command(command)
    }

    /// Goes there; gives the HTTP status.
    #[track_caller]
    fn open(&mut self, url: &str) -> Value {
        self.command(json!({"command": "open", "url": url}))
    }

    #[track_caller]
    fn click(&mut self, button: &str) {
        self.command(json!({"command": "click", "button": button}));
    }

    #[track_caller]
    fn click_in_frame(&mut self, button: &str) {
        self.command(json!({"command": "clickInFrame", "button": button}));
    }

    /// What the page in the frame has posted, once it has this in it.
    #[track_caller]
    fn posted(&mut self, text: &str) -> Vec<Value> {
        let posted = self.command(json!({"command": "posted", "text": text}));
        let messages = posted.as_array().unwrap().iter();
        let messages = messages.map(|message| message.as_str().expect("text"));
        let messages = messages.map(|message| serde_json::from_str(message).expect("JSON"));
        messages.collect()
    }

    #[track_caller]
    fn press(&mut self, key: &str) {
        self.command(json!({"command": "press", "key": key}));
    }

    /// Waits until the page says so, by itself.
    #[track_caller]
    fn see(&mut self, text: &str) {
        self.command(json!({"command": "see", "text": text}));
    }

    #[track_caller]
    fn see_status(&mut self, status: &str) {
        self.command(json!({"command": "seeStatus", "status": status}));
    }

    #[track_caller]
    fn buttons(&mut self) -> Value {
        self.command(json!({"command": "buttons"}))
    }

    /// Nothing from outside, and nothing for the console.
    #[track_caller]
    fn assert_content(&mut self) {
        let complaints = self.command(json!({"command": "complaints"}));
        assert_eq!(complaints, json!([]));
    }

    /// Takes a picture where one is wanted, and measures what it shows.
    #[track_caller]
    fn assert_looks_well(&mut self, what: &str) {
        if let Some(folder) = std::env::var_os("PAYMENT_PAGE_SCREENSHOTS") {
            let file = format!("{}-{what}.png", self.screen.name);
            let path = Path::new(&folder).join(file);
            self.command(json!({"command": "screenshot", "path": path}));
        }
        let look = self.command(json!({"command": "look"}));
        let number = |name: &str| look[name].as_f64().unwrap_or(f64::INFINITY);
        let at = format!("{what} on {:?}: {look}", self.screen);
        assert_eq!(number("innerWidth"), f64::from(self.screen.width), "{at}");
        assert!(number("scrollWidth") <= number("innerWidth"), "{at}");
        assert_eq!(look["outside"], json!([]), "{at}");
        assert_eq!(number("ground") < 0.2, self.screen.is_dark, "{at}");
        // WCAG's AA, and a finger's width.
        assert!(number("lowestContrast") >= 4.5, "{at}");
        assert!(number("smallestButton") >= 44.0, "{at}");
    }
}

/// A shop whose game follows an order, and the URL of the page on which it is paid.
fn shop_with_an_order() -> (XsollaEmulator, Game, OrderId, String) {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_for_status(order, "new");
    game.wait_until_live();
    let url = emulator.payment_url(order).unwrap();
    (emulator, game, order, url)
}

fn wait_until_canceled(game: &mut Game, order: OrderId) -> OrderCanceled {
    game.wait_until("the order is canceled", |world| {
        !world.resource::<Told>().canceled.is_empty()
    });
    let canceled = game.told().canceled.clone();
    assert_eq!(canceled.len(), 1);
    assert_eq!(canceled[0].order_id, order);
    canceled[0].clone()
}

#[test]
fn a_click_on_pay_grants_in_the_game_and_a_refund_reaches_it() {
    let (emulator, mut game, order, url) = shop_with_an_order();
    let Some(mut browser) = Browser::start(&emulator, DESKTOP) else {
        return;
    };
    assert_eq!(browser.open(&url), 200);
    browser.see("Sword of Dawn");
    assert_eq!(game.grants(order), 0);
    browser.click("Pay $30.00");
    game.wait_for_status(order, "paid");
    game.wait_until_granted(order);
    assert_eq!(game.statuses(order), ["new", "paid", "done"]);
    assert_eq!(game.told().done[0].items[0].sku, "sword");
    browser.see("Paid and delivered");
    // To reload is not to pay again.
    browser.command(json!({"command": "reload"}));
    browser.see_status("done");
    assert_eq!(browser.buttons(), json!(["Refund"]));

    // The game listens again, for another order, and hears of this one too.
    let other = emulator.create_order(&emulator.user("alice"), &[("potion", 1)]);
    game.track(other);
    game.wait_until_live();
    browser.click("Refund");
    assert!(wait_until_canceled(&mut game, order).was_done);
    browser.see_status("canceled");
    assert_eq!(browser.buttons(), json!([]));
    assert_eq!(game.grants(order), 1);
    browser.assert_content();
}

#[test]
fn a_declined_card_leaves_the_order_new_and_a_cancellation_ends_it() {
    let (emulator, mut game, order, url) = shop_with_an_order();
    let Some(mut browser) = Browser::start(&emulator, DARK_PHONE) else {
        return;
    };
    browser.open(&url);
    browser.click("Decline the card");
    browser.see("The card was declined");
    browser.see_status("new");
    game.run_for(Duration::from_millis(200));
    assert_eq!(game.statuses(order), ["new"]);

    browser.click("Cancel");
    browser.see("Nothing was paid.");
    assert!(!wait_until_canceled(&mut game, order).was_done);
    assert_eq!(game.grants(order), 0);
    browser.assert_content();
}

#[test]
fn a_slow_payment_arrives_though_the_player_closed_the_page() {
    let (emulator, mut game, order, url) = shop_with_an_order();
    let Some(mut browser) = Browser::start(&emulator, PHONE) else {
        return;
    };
    emulator.set_slow_payment(Duration::from_secs(3));
    emulator.set_delivery_delay(Duration::from_millis(50));
    browser.open(&url);
    browser.click("Pay slowly");
    browser.see("Waiting for the payment");
    drop(browser);
    game.wait_until_granted(order);
    assert_eq!(game.statuses(order), ["new", "paid", "done"]);
}

#[test]
fn the_keyboard_alone_pays() {
    let (emulator, mut game, order, url) = shop_with_an_order();
    let Some(mut browser) = Browser::start(&emulator, DARK_DESKTOP) else {
        return;
    };
    browser.open(&url);
    browser.press("Tab");
    browser.press("Enter");
    game.wait_until_granted(order);
    browser.see_status("done");
}

#[test]
fn a_sandbox_order_is_paid_on_the_sandbox_page() {
    let (emulator, mut game, ..) = shop_with_an_order();
    let Some(mut browser) = Browser::start(&emulator, DESKTOP) else {
        return;
    };
    let token = emulator.token("alice");
    let body = r#"{"sandbox": true}"#;
    let route = "payment/item/potion";
    let answer = emulator_client::request(&emulator, "POST", route, Some(&token), body).json();
    let order = OrderId(answer["order_id"].as_u64().unwrap());
    let token = answer["token"].as_str().unwrap();
    game.track(order);
    let url = format!("{}?token={token}", emulator.sandbox_payment_page_url());
    assert_eq!(browser.open(&url), 200);
    browser.see("Sandbox");
    browser.assert_looks_well("sandbox");
    browser.click("Pay $0.99");
    game.wait_until_granted(order);
    let wrong = format!("{}?token={token}", emulator.payment_page_url());
    assert_eq!(browser.open(&wrong), 404);
    browser.see("This is a sandbox payment");
}

#[test]
fn a_page_in_a_frame_posts_what_pay_station_posts() {
    let (emulator, mut game, order, url) = shop_with_an_order();
    let Some(mut browser) = Browser::start_with_scripts(&emulator, DESKTOP) else {
        return;
    };
    // Another origin. It is on the loopback too, because browsers keep pages from elsewhere away from there.
    let elsewhere = XsollaEmulator::start();
    browser.open(&elsewhere.store_url());
    browser.command(json!({"command": "frame", "url": url}));
    browser.posted("widget-detection");
    browser.click_in_frame("Decline the card");
    browser.posted("troubled");
    browser.click_in_frame("Pay $30.00");
    game.wait_until_granted(order);
    let posted = browser.posted(r#""done""#);
    browser.click_in_frame("Back to the game");
    let closing = browser.posted("close");
    assert_eq!(
        closing.last().unwrap(),
        &json!({"command": "close", "data": {}})
    );
    assert_eq!(
        posted[0],
        json!({"command": "widget-detection", "data": {}})
    );
    let mut statuses: Vec<_> = posted
        .iter()
        .filter(|message| message["command"] == "status")
        .map(|message| message["data"]["paymentInfo"]["status"].as_str().unwrap())
        .collect();
    // The page reloads itself until the order is done.
    statuses.dedup();
    assert_eq!(statuses, ["troubled", "delivering", "done"]);
}

#[test]
fn a_page_in_a_tab_leads_back_to_the_game() {
    let (emulator, _, other, _) = shop_with_an_order();
    let Some(mut browser) = Browser::start_with_scripts(&emulator, PHONE) else {
        return;
    };
    let token = emulator.token("alice");
    let route = "payment/item/potion";
    // Another page of the emulator's stands for the game's.
    let game = emulator.payment_url(other).unwrap();
    let body = json!({"settings": {"return_url": game}}).to_string();
    let answer = emulator_client::request(&emulator, "POST", route, Some(&token), &body).json();
    let order = OrderId(answer["order_id"].as_u64().unwrap());
    browser.open(&emulator.payment_url(order).unwrap());
    browser.assert_looks_well("way-back");
    browser.command(json!({"command": "follow", "link": "Back to the game"}));
    let at = browser.command(json!({"command": "address"}));
    assert!(
        at.as_str()
            .unwrap()
            .starts_with(&format!("{game}&user_id=")),
        "{at}"
    );
    browser.assert_content();
}

/// Every state of the page, with an order as long as they come.
fn looks_well_on(screen: Screen) {
    let emulator = XsollaEmulator::start();
    let Some(mut browser) = Browser::start(&emulator, screen) else {
        return;
    };
    emulator.set_slow_payment(NEVER);
    emulator.set_delivery_delay(NEVER);
    let long = "Sword_of_a_thousand_names_".repeat(4);
    let user = emulator.user("alice_with_quite_a_long_name@players.example.com");
    let items = [
        ("sword", 1),
        ("shield", 1_000_000),
        ("potion", 25),
        ("starter_pack", 1),
        (&long, 1),
    ];
    let short = sword_order(&emulator);
    browser.open(&emulator.payment_url(short).unwrap());
    browser.assert_looks_well("0-short");

    let order = emulator.create_order(&user, &items);
    let url = emulator.payment_url(order).unwrap();
    browser.open(&url);
    browser.assert_looks_well("1-new");
    browser.click("Decline the card");
    browser.see("The card was declined");
    browser.assert_looks_well("2-declined");
    browser.click("Pay slowly");
    browser.see("Waiting for the payment");
    browser.assert_looks_well("3-slow");
    browser.click("Confirm the payment now");
    browser.see_status("paid");
    browser.assert_looks_well("4-paid");
    emulator.deliver(order);
    browser.see_status("done");
    browser.assert_looks_well("5-done");
    browser.click("Refund");
    browser.see_status("canceled");
    browser.assert_looks_well("6-refunded");
    emulator.set_status(order, "expired");
    browser.open(&url);
    browser.assert_looks_well("7-expired");
    emulator.set_status(order, "in_a_review_that_has_quite_a_long_name");
    browser.open(&url);
    browser.assert_looks_well("8-other");
    assert_eq!(browser.open(&emulator.payment_page_url()), 404);
    browser.assert_looks_well("9-error");
}

#[test]
fn it_looks_well_on_a_desktop() {
    looks_well_on(DESKTOP);
}

#[test]
fn it_looks_well_on_a_dark_phone_of_320_pixels() {
    looks_well_on(DARK_PHONE);
}
