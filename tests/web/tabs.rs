//! The payment page in another tab, and in the game's own.

use std::time::{Duration, Instant};

use bevy_xsolla::emulator::Fault;
use bevy_xsolla::prelude::*;
use serde_json::json;

use crate::support::wait::wait_until;
use crate::{GAME, Web};

#[test]
fn a_tab_that_the_browser_blocks_is_told_and_the_next_click_opens_the_page() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({}));
    // Nobody has clicked.
    web.call(json!({"buy": "sword"}));
    assert_eq!(web.wait_for("page_failed", 1), "Blocked");
    web.wait_for("started_purchase", 1);
    assert_eq!(web.tabs().len(), 1);
    web.click("#resume");
    web.press_in_tab("Pay $30.00");
    web.show();
    web.wait_until_granted();
    assert_eq!(web.told("page_failed").len(), 1);
    web.assert_page_is_in_a_tab();
}

#[test]
fn the_tab_of_a_slow_store_opens_in_the_click_and_closes_if_the_purchase_fails() {
    let Some(mut web) = Web::start() else { return };
    // The browser forgets a click after five seconds.
    web.emulator.delay_requests(Duration::from_secs(7));
    web.open(json!({}));
    web.click("#buy");
    web.wait("there is an empty tab", |web| web.tabs().len() == 2);
    web.press_in_tab("Pay $30.00");
    web.emulator.heal();
    web.show();
    web.wait_until_granted();
    web.assert_page_is_in_a_tab();
    assert_eq!(web.told("page_failed"), [json!(null); 0]);

    web.emulator.fail_requests(Fault::status(503));
    web.click("#buy");
    web.wait_for("purchase_failed", 1);
    web.wait("the empty tab is closed", |web| web.tabs().len() == 2);
    assert_eq!(web.evaluate("document.visibilityState"), "visible");
}

/// Buys an item, whose payment page hides the game.
fn buy_and_leave(web: &mut Web) -> OrderId {
    web.open(json!({}));
    web.click("#buy");
    web.wait("the payment page is open", |web| web.tabs().len() == 2);
    let emulator = web.emulator.clone();
    wait_until("the socket is open", || emulator.open_sockets() == 1);
    web.order()
}

#[test]
fn a_tab_that_was_hidden_for_a_minute_delivers_all_in_its_first_frame() {
    let Some(mut web) = Web::start() else { return };
    let order = buy_and_leave(&mut web);
    let emulator = web.emulator.clone();
    let frames = web.frames_so_far();
    std::thread::sleep(Duration::from_secs(60));
    emulator.pay(order);
    emulator.deliver(order);
    wait_until("the task has heard of it", || emulator.open_sockets() == 0);
    web.show();
    let granted = web.wait_until_granted();
    // One frame may have been under way when the tab was hidden.
    let frame = granted["frame"].as_u64().unwrap();
    assert!(frame <= frames + 2, "frame {frame} after {frames}");
}

#[test]
fn an_order_of_which_the_socket_tells_nothing_is_asked_for_when_the_player_returns() {
    let Some(mut web) = Web::start() else { return };
    let order = buy_and_leave(&mut web);
    let emulator = web.emulator.clone();
    wait_until("the order was asked for", || emulator.order_requests() >= 1);
    emulator.set_status_silently(order, "done");
    web.show();
    let returned = Instant::now();
    web.wait_until_granted();
    assert!(returned.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_purchase_leaves_the_game_for_the_page_in_its_tab_which_leads_back() {
    let Some(mut web) = Web::start() else { return };
    web.open(json!({"page": "same_tab"}));
    web.click("#buy");
    web.press_in_tab("Pay $30.00");
    assert_eq!(web.tabs().len(), 1);
    // The game was told before it was left.
    assert_eq!(web.told("started_purchase"), [json!(web.order().0)]);
    web.press_in_tab("Back to the game");
    web.wait_for_start(GAME, 1);
    web.wait_until_granted();
    let added = "location.search.match(/user_id=/g).length";
    assert_eq!(web.evaluate(added), 1);
    assert_eq!(web.tabs().len(), 1);

    // What the page has added to the address does not add up.
    web.click("#buy");
    web.press_in_tab("Back to the game");
    web.wait_for_start(GAME, 2);
    assert_eq!(web.evaluate(added), 1);

    web.click("#buy");
    web.wait("the payment page is there", |web| web.is_at_page());
    web.browser
        .command(json!({"command": "back", "name": GAME}));
    web.wait_for_start(GAME, 3);
}
