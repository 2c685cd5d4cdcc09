//! What the browser keeps of the orders, and for which tab.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{GAME, Web};

#[test]
fn whenever_the_browser_is_killed_no_order_is_lost_and_none_granted_again() {
    let Some(mut web) = Web::start() else { return };
    for round in 0..10 {
        web.open(json!({}));
        web.call(json!({"buy": "sword"}));
        web.wait_for("started_purchase", round + 1);
        let order = *web.emulator.orders().last().unwrap();
        let emulator = web.emulator.clone();
        let pay = move || {
            emulator.pay(order);
            emulator.deliver(order);
        };
        if round % 2 == 0 {
            pay();
        }
        std::thread::sleep(Duration::from_millis(fastrand::u64(..100)));
        web.kill();
        if round % 2 == 1 {
            pay();
        }
        web.open(json!({}));
        web.wait("the order is granted", |web| web.grants(order) > 0);
        web.wait_until_acknowledged(order);
        let grants = web.grants(order);
        web.kill();
        web.open(json!({}));
        web.call(json!({"track": order.0}));
        web.wait_until_acknowledged(order);
        assert_eq!(web.grants(order), grants, "round {round}");
    }
}

/// Buys in a browser that keeps nothing, and gives the reason that the game is told.
fn purchase_without_storage(code: &str) -> Option<String> {
    let mut web = Web::start()?;
    web.open_as(GAME, &json!({"page": "frame"}), code);
    web.click("#buy");
    web.press_in_frame("Pay $30.00");
    web.wait_for("granted", 1);
    web.wait("the trouble is told", |web| {
        let ledger = web.told("ledger");
        let last = ledger.last().and_then(Value::as_str).unwrap_or_default();
        last.starts_with("Trouble(Unavailable")
    });
    assert_eq!(web.told("granted").len(), 1);
    let reason = web.told("ledger").last().unwrap().to_string();
    Some(reason)
}

#[test]
fn a_browser_that_refuses_storage_is_told_with_its_reason_and_tracking_goes_on() {
    let none = "Object.defineProperty(window, 'indexedDB', { value: undefined })";
    let Some(reason) = purchase_without_storage(none) else {
        return;
    };
    assert!(reason.contains("no IndexedDB"), "{reason}");
    let blocked =
        "IDBFactory.prototype.open = () => { throw new DOMException('blocked', 'SecurityError'); }";
    let reason = purchase_without_storage(blocked).unwrap();
    assert!(reason.contains("SecurityError: blocked"), "{reason}");
    let full = "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); }";
    let reason = purchase_without_storage(full).unwrap();
    assert!(reason.contains("QuotaExceededError: full"), "{reason}");
}

#[test]
fn a_ledger_that_is_deleted_while_the_game_runs_is_told_and_written_anew() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame"}));
    web.click("#buy");
    web.wait_for("started_purchase", 1);
    let order = web.order();
    let name = format!("bevy_xsolla.{}", web.emulator.project_id());
    web.evaluate(&format!(
        "new Promise((done) => {{ indexedDB.deleteDatabase('{name}').onsuccess = () => done(null); }})"
    ));
    web.wait("the loss is told", |web| {
        let ledger = web.told("ledger");
        let last = ledger.last().and_then(Value::as_str).unwrap_or_default();
        last.starts_with("Trouble(Lost")
    });
    web.open(json!({}));
    web.emulator.pay(order);
    web.emulator.deliver(order);
    web.wait_until_granted();
}
