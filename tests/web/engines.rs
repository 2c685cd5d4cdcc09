//! A purchase in each engine: each behaviour is written once, and run in Chromium, Firefox and WebKitGTK.

use std::path::PathBuf;

use bevy_xsolla::prelude::*;
use serde_json::{Value, json};

use crate::support::browser::{chromium, program, script};
use crate::support::wait::wait_until;
use crate::{GAME, Web};

/// Every behaviour, once in each engine.
macro_rules! behaviours {
    ($($behaviour:ident)*) => {
        mod chromium {
            $(#[test] fn $behaviour() { super::run(super::Engine::Chromium, super::$behaviour); })*
        }
        mod firefox {
            $(#[test] fn $behaviour() { super::run(super::Engine::Firefox, super::$behaviour); })*
        }
        mod webkit {
            $(#[test] fn $behaviour() { super::run(super::Engine::WebKit, super::$behaviour); })*
        }
    };
}

behaviours! {
    an_item_that_is_paid_for_in_another_tab_is_unlocked_when_the_player_returns
    a_purchase_survives_the_end_of_the_tab_between_each_two_steps_and_is_granted_once
    the_second_tab_waits_for_the_ledger_and_is_handed_it_when_the_first_closes
    a_dropped_socket_is_opened_again
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Engine {
    Chromium,
    Firefox,
    /// WebKitGTK, which shares with Safari all but windows, network and graphics.
    WebKit,
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::WebKit => "webkit",
        }
    }

    /// The browser or its driver, or what is missing.
    pub fn executable(self) -> Result<PathBuf, &'static str> {
        match self {
            Self::Chromium => chromium(),
            Self::Firefox => {
                program("FIREFOX_BIN", &["firefox-esr", "firefox"]).ok_or("there is no Firefox")
            }
            Self::WebKit => {
                let driver = program("WEBKIT_DRIVER_BIN", &["WebKitWebDriver"]);
                let screen = program("XVFB_BIN", &["Xvfb"]);
                screen.ok_or("there is no Xvfb")?;
                driver.ok_or("there is no WebKitWebDriver")
            }
        }
    }

    /// The script that moves it, or what is missing.
    pub fn script(self) -> Result<PathBuf, &'static str> {
        let name = match self {
            Self::Chromium | Self::Firefox => "web.mjs",
            Self::WebKit => "webkit.mjs",
        };
        script(name, "puppeteer-core")
    }
}

fn run(engine: Engine, behaviour: fn(Web)) {
    if let Some(web) = Web::start_in(engine) {
        behaviour(web);
    }
}

fn an_item_that_is_paid_for_in_another_tab_is_unlocked_when_the_player_returns(mut web: Web) {
    web.open(json!({}));
    web.click("#buy");
    web.press_in_tab("Pay $30.00");
    let order = web.order();
    let emulator = web.emulator.clone();
    wait_until("it is paid", || emulator.status(order) == OrderStatus::Done);
    assert_eq!(web.evaluate("document.visibilityState"), "hidden");
    // In Firefox a hidden tab has a frame now and then, at intervals that double.
    if web.engine != Engine::Firefox {
        assert_eq!(web.told("granted"), [json!(null); 0]);
    }
    web.show();
    web.wait_until_granted();
    assert_eq!(web.told("page_failed"), [json!(null); 0]);
    // The payment page cannot reach the game.
    let opener = web.browser.command(json!({
        "command": "evaluateInTab",
        "prefix": web.emulator.payment_page_url(),
        "code": "String(window.opener)",
    }));
    assert_eq!(opener, "null");
    web.assert_page_is_in_a_tab();
}

fn a_purchase_survives_the_end_of_the_tab_between_each_two_steps_and_is_granted_once(mut web: Web) {
    // WebKitGTK has no `navigator.storage`. Firefox runs this in an empty page first, which has none either.
    let persist = "window.persisted = 0;
        if (navigator.storage) {
            navigator.storage.persist = async () => { window.persisted += 1; return true; };
        }";
    web.open_as(GAME, &json!({}), persist);
    assert_eq!(web.evaluate("window.persisted"), 0);
    web.call(json!({"buy": "sword"}));
    web.wait_for("started_purchase", 1);
    let can_persist = web.evaluate("Number('storage' in navigator)");
    assert_eq!(web.evaluate("window.persisted"), can_persist);
    let order = web.order();
    web.open(json!({}));
    web.emulator.set_status(order, "paid");
    web.open(json!({}));
    web.wait("it is paid", |web| {
        web.told("status").contains(&json!([order.0, "paid"]))
    });
    web.open(json!({"keeps": true}));
    web.emulator.deliver(order);
    web.wait_for("granted", 1);
    // The game ended before it could save what it had granted.
    web.open(json!({}));
    web.wait_for("granted", 2);
    web.wait_until_acknowledged(order);
    for _ in 0..2 {
        web.open(json!({}));
        web.call(json!({"track": order.0}));
        web.wait_until_acknowledged(order);
    }
    assert_eq!(web.grants(order), 2);
    assert_eq!(web.told("ledger").last(), Some(&json!("Kept")));
}

fn the_second_tab_waits_for_the_ledger_and_is_handed_it_when_the_first_closes(mut web: Web) {
    const SECOND: &str = "second";
    web.open(json!({"page": "frame"}));
    web.click("#buy");
    web.wait_for("started_purchase", 1);
    let order = web.order();
    web.open_as(SECOND, &json!({}), "");
    web.wait("the second tab knows that it is second", |web| {
        let ledger = web.told_to(SECOND, "ledger");
        let last = ledger.last().and_then(Value::as_str).unwrap_or_default();
        last.starts_with("Trouble(Locked")
    });
    web.browser
        .command(json!({"command": "close", "name": GAME}));
    web.wait("the second tab has the ledger", |web| {
        web.told_to(SECOND, "ledger").last() == Some(&json!("Kept"))
    });
    web.emulator.pay(order);
    web.emulator.deliver(order);
    web.wait("the second tab has granted", |web| {
        web.count_of(SECOND, "granted") >= 1
    });
    assert_eq!(web.count_of(SECOND, "granted"), 1);
    assert_eq!(web.told("granted"), [json!(null); 0]);
}

fn a_dropped_socket_is_opened_again(mut web: Web) {
    web.open(json!({"page": "frame", "is_hurried": true}));
    web.click("#buy");
    web.wait_until_live();
    web.emulator.drop_sockets();
    let emulator = web.emulator.clone();
    wait_until("it is opened again", || emulator.sockets_opened() >= 2);
    let order = web.order();
    emulator.pay(order);
    emulator.deliver(order);
    web.wait_until_granted();
}
