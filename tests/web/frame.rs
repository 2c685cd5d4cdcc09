//! The payment page in a frame over the game.

use serde_json::{Value, json};

use crate::support::wait::wait_until;
use crate::{GAME, Web};

const FRAME: &str = "document.querySelector('iframe')";

#[test]
fn in_a_frame_the_player_pays_over_the_game_which_has_the_keyboard_again_afterwards() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame"}));
    web.click("canvas");
    web.click("#buy");
    web.press_in_frame("Pay $30.00");
    web.wait_until_granted();
    web.wait("the page says so", |web| {
        web.told("page").contains(&json!("Done"))
    });
    let has_keyboard = "document.activeElement.tagName";
    assert_eq!(web.evaluate(has_keyboard), "IFRAME");
    web.press_in_frame("Back to the game");
    web.wait("the frame is closed", |web| {
        web.told("page").last() == Some(&json!("Closed"))
    });
    assert_eq!(web.evaluate(FRAME), Value::Null);
    assert_eq!(web.evaluate(has_keyboard), "BUTTON");
    assert_eq!(web.tabs().len(), 1);
    assert_eq!(web.told("page_failed"), [json!(null); 0]);
}

#[test]
fn the_player_closes_the_frame_and_opens_it_again() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame"}));
    web.click("canvas");
    web.call(json!({"buy": "sword"}));
    web.wait_for("started_purchase", 1);
    web.click("button[aria-label=Close]");
    assert_eq!(web.wait_for("page", 1), "Closed");
    assert_eq!(web.evaluate(FRAME), Value::Null);
    web.browser
        .command(json!({"command": "key", "name": GAME, "key": "w"}));
    assert_eq!(web.evaluate("window.keys"), json!(["w"]));
    web.call(json!({"resume": null}));
    web.press_in_frame("Pay $30.00");
    web.wait_until_granted();
    // Whoever plays next does not see it.
    web.call(json!({"log_out": null}));
    web.wait("the frame is closed", |web| web.evaluate(FRAME).is_null());
}

#[test]
fn a_game_that_fills_the_screen_or_has_the_pointer_leaves_both_to_the_frame() {
    let Some(mut web) = Web::start() else { return };
    let held = "[document.fullscreenElement, document.pointerLockElement].map((e) => e?.tagName)";
    for (takes, has) in [
        ("target.requestPointerLock()", json!([null, "CANVAS"])),
        ("target.requestFullscreen()", json!(["CANVAS", null])),
    ] {
        web.open(json!({"page": "frame"}));
        web.evaluate(&format!(
            "document.querySelector('canvas').onclick = ({{ target }}) => {{ {takes} }}; null"
        ));
        web.click("canvas");
        web.wait("the canvas has it", |web| web.evaluate(held) == has);
        web.call(json!({"buy": "sword"}));
        web.wait("the canvas has neither", |web| {
            web.evaluate(held) == json!([null, null])
        });
        web.wait("the frame is there", |web| {
            web.evaluate(&format!("!!{FRAME}")) == true
        });
    }
}

#[test]
fn what_the_page_in_a_frame_says_is_told_and_makes_the_order_be_asked_for_and_grants_nothing() {
    let Some(mut web) = Web::start() else { return };
    // The socket tells nothing.
    web.emulator.withhold_channels(true);
    web.open(json!({"page": "frame"}));
    web.click("#buy");
    web.wait_for("started_purchase", 1);
    web.wait("the page is loaded", |web| {
        web.evaluate(&format!("{FRAME}?.src ?? ''")) != ""
    });
    let order = web.order();
    let say = |web: &mut Web, status: &str| {
        let message = json!({"command": "status", "data": {"paymentInfo": {"status": status}}});
        let prefix = web.emulator.payment_page_url();
        let code = format!("parent.postMessage('{message}', '*')");
        web.browser.command(
            json!({"command": "evaluateInFrame", "name": GAME, "prefix": prefix, "code": code}),
        );
    };
    let emulator = web.emulator.clone();
    for (status, told) in [
        ("done", "Done"),
        ("troubled", "Troubled"),
        ("invoice", "Invoice"),
    ] {
        let asked = emulator.order_requests_for(order);
        say(&mut web, status);
        web.wait("it is told", |web| {
            web.told("page").last() == Some(&json!(told))
        });
        wait_until("the order is asked for", || {
            emulator.order_requests_for(order) > asked
        });
    }
    assert_eq!(web.told("granted"), [json!(null); 0]);
    emulator.set_status_silently(order, "done");
    say(&mut web, "delivering");
    web.wait_until_granted();
}

#[test]
fn a_message_that_another_page_forges_is_not_heard() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "frame"}));
    web.click("#buy");
    web.wait_for("started_purchase", 1);
    web.wait("the frame is there", |web| {
        web.evaluate(&format!("!!{FRAME}")) == true
    });
    let order = web.order();
    let emulator = web.emulator.clone();
    wait_until("the order was asked for", || {
        emulator.order_requests_for(order) > 0
    });
    let asked = emulator.order_requests_for(order);
    // The game's own page, another frame beside the payment page, and another page in the payment page's frame.
    let forged = r#"{"command":"status","data":{"paymentInfo":{"status":"done"}}}"#;
    web.evaluate(&format!("window.postMessage('{forged}', '*')"));
    let origin = emulator.payment_page_url();
    web.evaluate(&format!(
        "window.dispatchEvent(new MessageEvent('message', {{
            data: '{forged}', origin: new URL('{origin}').origin, source: window }}))"
    ));
    web.evaluate(
        "const beside = document.createElement('iframe'); beside.src = 'forger.html';
        document.body.append(beside); new Promise((done) => { beside.onload = () => done(null); })",
    );
    web.evaluate(&format!(
        "{FRAME}.src = 'forger.html'; new Promise((done) => {{ {FRAME}.onload = () => done(null); }})"
    ));
    let seen = web.evaluate(
        "new Promise((done) => { addEventListener('message', ({ data }) => done(data));
            window.postMessage('last', '*'); })",
    );
    assert_eq!(seen, "last");
    web.call(json!({"frames": null}));
    web.wait_for("frames", 1);
    assert_eq!(web.told("page"), [json!(null); 0]);
    assert_eq!(web.evaluate(&format!("!!{FRAME}")), true);
    assert_eq!(emulator.order_requests_for(order), asked);
    assert_eq!(web.told("granted"), [json!(null); 0]);
}
