//! The plugin's socket against a real Centrifugo, the server that speaks the protocol of Xsolla's.
//!
//! The news comes from Centrifugo; Get Order is the emulator's, which keeps saying `new` until a test
//! has it say otherwise: so that an order is done, the game has heard over the socket.
//!
//! Needs `tests/interop/setup.sh`. Without it the tests are skipped, and say so; with
//! `BEVY_XSOLLA_REQUIRE_INTEROP=1` they fail.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod support;

use std::time::Duration;

use bevy::prelude::World;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use bevy_xsolla::{NewsSource, SocketError};
use serde_json::{Value, json};

use support::centrifugo::{self, Centrifugo, FORGETFUL, LONG, ORDERS, PRIVATE, Player};
use support::tap::{Seen, Tap, Way, What};
use support::{Game, interop, sword_order};

/// One player with one order, a server, a tap before it, and the emulator for Get Order.
struct Purchase {
    emulator: XsollaEmulator,
    token: String,
    user: XsollaUser,
    order: OrderId,
    server: Centrifugo,
    tap: Tap,
}

impl Purchase {
    /// `None`, where there is no Centrifugo, and that was said.
    fn begin(namespace: &str) -> Option<Self> {
        let binary = centrifugo::binary().ok_or("there is no Centrifugo");
        let binary = interop::found(binary)?;
        let emulator = XsollaEmulator::start();
        let token = emulator.token("alice");
        let user = XsollaUser::new(&token);
        let order = sword_order(&emulator);
        let player = Player {
            token,
            id: "alice".to_owned(),
            channel: format!("{namespace}:alice"),
        };
        let server = Centrifugo::start(&binary, &player);
        let tap = Tap::start(server.url());
        Some(Self {
            emulator,
            token: player.token,
            user,
            order,
            server,
            tap,
        })
    }

    /// Only the socket brings news in time: without one Get Order is asked so late that a test has failed
    /// by then.
    fn socket_only(&self) -> XsollaConfig {
        let mut config = self.emulator.config();
        config.socket_url = self.tap.url();
        config.socket_grace = Duration::from_secs(300);
        config.poll_interval = Duration::from_millis(50);
        config.retry_min = Duration::from_millis(50);
        config.retry_max = Duration::from_millis(200);
        config.ping_grace = Duration::from_millis(500);
        config
    }

    fn with_polling(&self) -> XsollaConfig {
        let mut config = self.socket_only();
        config.socket_grace = Duration::from_secs(1);
        config
    }

    fn play(&self, config: XsollaConfig) -> Game {
        let mut game = Game::logged_in(config, &self.user);
        game.track(self.order);
        game
    }

    fn publish(&self, status: &str) {
        self.server.publish(publication(self.order, status));
    }

    /// What the client asked to recover when it opened this connection, once it has.
    fn recovery_asked(&self, connection: usize) -> Value {
        let what = "the reconnect";
        let asks = |message: &Value| !message["connect"].is_null();
        let connect = self.tap.wait_for_message(what, connection, Way::Up, asks);
        only(&connect["connect"]["subs"])
    }

    /// What the server answered to that, once it has.
    fn recovery_answered(&self, connection: usize) -> Value {
        let what = "the answer to the reconnect";
        let answers = |message: &Value| !message["connect"].is_null();
        let reply = self
            .tap
            .wait_for_message(what, connection, Way::Down, answers);
        only(&reply["connect"]["subs"])
    }
}

fn publication(order: OrderId, status: &str) -> Value {
    json!({"order_id": order.0, "status": status})
}

/// The only value of a map.
#[track_caller]
fn only(map: &Value) -> Value {
    let map = map.as_object().expect("a map");
    assert_eq!(map.len(), 1, "{map:?}");
    map.values().next().unwrap().clone()
}

fn is_live(world: &World) -> bool {
    world.resource::<TrackerState>().is_live()
}

/// Runs until the order is known to be done, and says how that news came.
#[track_caller]
fn hear_done(game: &mut Game, order: OrderId) -> NewsSource {
    game.wait_for_status(order, "done");
    game.orders().get(order).unwrap().source.unwrap()
}

/// The same; then has Get Order say so too and list what is granted, and runs until it is granted.
#[track_caller]
fn grant(purchase: &Purchase, game: &mut Game, order: OrderId) -> NewsSource {
    let source = hear_done(game, order);
    purchase.emulator.set_status_silently(order, "done");
    game.wait_until_granted(order);
    source
}

#[test]
fn the_connect_data_reaches_the_application_behind_the_server() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    let config = purchase.socket_only();
    let project_id = config.project_id;
    let user = purchase.user.clone().with_external_id("player-1");
    let mut game = Game::logged_in(config, &user);
    game.track(purchase.order);
    game.wait_until_live();

    let connects = purchase.server.connects();
    let [connect] = connects.as_slice() else {
        panic!("{connects:#?}");
    };
    assert_eq!(connect["transport"], "websocket");
    assert_eq!(connect["protocol"], "json");
    let data = connect["data"].as_object().unwrap();
    assert_eq!(data["user_external_id"], "player-1");
    // An integer, as the documentation has it, not a string.
    assert_eq!(data["project_id"], json!(project_id));
    assert!(data["auth"] == *purchase.token, "another token");
    assert_eq!(data.len(), 3, "nothing else is sent: {:?}", data.keys());
}

#[test]
fn what_was_published_before_the_connection_is_heard() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    purchase.publish("new");
    purchase.publish("paid");
    purchase.publish("done");

    let mut game = purchase.play(purchase.socket_only());
    assert_eq!(
        grant(&purchase, &mut game, purchase.order),
        NewsSource::Socket
    );
    let sword = &game.told().done[0].items[0];
    assert_eq!((sword.sku.as_str(), sword.quantity), ("sword", 1));
}

#[test]
fn a_history_of_many_pages_is_read_to_its_end() {
    let Some(purchase) = Purchase::begin(LONG) else {
        return;
    };
    // Other orders of this player, of another time: the game does not track them.
    let others = (1..=700).map(|id| publication(OrderId(id), "done"));
    purchase.server.publish_all(others);
    purchase.publish("done");

    let mut game = purchase.play(purchase.socket_only());
    assert_eq!(
        grant(&purchase, &mut game, purchase.order),
        NewsSource::Socket
    );
    assert_eq!(game.told().done.len(), 1);
    let asked = purchase.tap.messages(0, Way::Up);
    let asked = asked.iter().filter(|message| !message["history"].is_null());
    // 701 publications, 300 at a time.
    assert_eq!(asked.count(), 3);
}

#[test]
fn a_channel_that_is_subscribed_after_the_connection_is_followed() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    purchase.publish("paid");
    purchase.server.subscribe_at_connect(false);
    let mut game = purchase.play(purchase.socket_only());
    let is_connected = || {
        let messages = purchase.tap.messages(0, Way::Down);
        messages.iter().any(|message| !message["connect"].is_null())
    };
    game.wait_until("the connection", |_| is_connected());
    purchase.server.subscribe();

    game.wait_for_status(purchase.order, "paid");
    game.wait_until_live();
    purchase.publish("done");
    assert_eq!(
        grant(&purchase, &mut game, purchase.order),
        NewsSource::Socket
    );
    assert_eq!(purchase.tap.connections(), 1);
}

#[test]
fn live_publications_are_heard_in_their_order() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    // With nothing of ours between the plugin and the server.
    let mut config = purchase.socket_only();
    config.socket_url = purchase.server.url();
    let mut game = purchase.play(config);
    game.wait_until_live();

    purchase.publish("paid");
    game.wait_for_status(purchase.order, "paid");
    purchase.publish("done");
    assert_eq!(
        grant(&purchase, &mut game, purchase.order),
        NewsSource::Socket
    );
    let statuses = game.statuses(purchase.order);
    assert!(statuses.join(" ").ends_with("paid done"), "{statuses:?}");
}

#[test]
fn every_message_of_a_frame_is_heard() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    let mut game = purchase.play(purchase.socket_only());
    let mut orders = vec![];
    for _ in 0..40 {
        let order = sword_order(&purchase.emulator);
        game.track(order);
        orders.push(order);
    }
    orders.push(purchase.order);
    game.wait_until_live();

    // Publications at once: the server has one write for those that queued up during the last.
    let is_shared = |seen: &Seen| seen.way == Way::Down && seen.messages().len() > 1;
    let all = |status: &str| {
        orders
            .iter()
            .map(|&order| publication(order, status))
            .collect()
    };
    let burst = |status: &str| {
        let all: Vec<_> = all(status);
        purchase.server.publish_all(all);
    };
    for _ in 0..50 {
        burst("paid");
        if purchase.tap.seen().iter().any(is_shared) {
            break;
        }
    }
    burst("done");
    purchase
        .tap
        .wait_for("a frame with several messages", is_shared);
    for &order in &orders {
        assert_eq!(hear_done(&mut game, order), NewsSource::Socket);
    }
    // One player's orders are not all asked for at once.
    for &order in &orders {
        purchase.emulator.set_status_silently(order, "done");
    }
    for &order in &orders {
        game.wait_until_granted(order);
    }
    assert_eq!(game.told().done.len(), orders.len(), "each is granted once");
}

#[test]
fn what_was_missed_while_the_link_was_down_is_recovered() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    purchase.publish("new");
    let mut game = purchase.play(purchase.socket_only());
    game.wait_until_live();
    purchase.publish("paid");
    game.wait_for_status(purchase.order, "paid");
    let (epoch, offset) = purchase.server.position();

    purchase.tap.lead_to("nowhere");
    purchase.tap.cut();
    game.wait_until("the loss is noticed", |world| !is_live(world));
    purchase.publish("done");
    let before = purchase.tap.connections();
    game.wait_until("another attempt", |_| purchase.tap.connections() > before);
    purchase.tap.lead_to(purchase.server.url());
    assert_eq!(
        grant(&purchase, &mut game, purchase.order),
        NewsSource::Socket
    );

    // On the wire: the position as the server knows it, and the server's word that nothing is missing.
    let seen = purchase.tap.seen();
    let talked = |seen: &&Seen| matches!(seen.what, What::Text(_));
    let last = seen.iter().rev().find(talked).unwrap().connection;
    let asked = purchase.recovery_asked(last);
    assert_eq!(
        asked,
        json!({"recover": true, "epoch": epoch, "offset": offset})
    );
    let answered = purchase.recovery_answered(last);
    assert_eq!(answered["recovered"], true, "{answered}");
    let done = publication(purchase.order, "done");
    assert_eq!(answered["publications"][0]["data"], done, "{answered}");
    assert_eq!(game.grants(purchase.order), 1);
}

#[test]
fn a_link_that_breaks_before_the_history_came_loses_nothing() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    purchase.publish("done");
    purchase.tap.cut_before("\"publications\"");
    let mut game = purchase.play(purchase.socket_only());
    assert_eq!(
        grant(&purchase, &mut game, purchase.order),
        NewsSource::Socket
    );
    assert!(purchase.tap.connections() > 1);
    let sent = purchase.tap.messages(0, Way::Down);
    assert!(sent.iter().all(|message| message["history"].is_null()));
    // Nothing was seen of the stream, so all of it is recovered.
    assert_eq!(purchase.recovery_asked(1)["offset"], 0);
    assert_eq!(purchase.recovery_answered(1)["recovered"], true);
    assert_eq!(game.grants(purchase.order), 1);
}

#[test]
fn an_order_paid_after_the_server_lost_its_memory_is_granted() {
    let Some(mut purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    purchase.publish("new");
    let mut game = purchase.play(purchase.socket_only());
    game.wait_until_live();
    let (old_epoch, _) = purchase.server.position();

    restart(&mut purchase, &mut game);
    game.wait_until("live again", is_live);
    let last = purchase.tap.connections() - 1;
    assert_eq!(purchase.recovery_asked(last)["epoch"], *old_epoch);
    let answered = purchase.recovery_answered(last);
    assert_ne!(answered["epoch"], *old_epoch);
    assert_ne!(answered["recovered"], true, "{answered}");

    purchase.publish("paid");
    purchase.publish("done");
    assert_eq!(
        grant(&purchase, &mut game, purchase.order),
        NewsSource::Socket
    );
    assert_eq!(game.grants(purchase.order), 1);
}

#[test]
fn what_the_server_forgot_is_asked_for() {
    let Some(mut purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    let mut game = purchase.play(purchase.socket_only());
    game.wait_until_live();

    purchase.publish("new");
    game.wait_until("the first answer", |_| {
        purchase.emulator.order_requests_for(purchase.order) > 0
    });
    // It is paid while the server is down, so the new server's stream does not have it.
    purchase.server.kill();
    purchase
        .emulator
        .set_status_silently(purchase.order, "done");
    restart(&mut purchase, &mut game);
    assert_eq!(
        grant(&purchase, &mut game, purchase.order),
        NewsSource::Request
    );
}

/// Ends the server as a crash does, and starts it anew behind the same address.
fn restart(purchase: &mut Purchase, game: &mut Game) {
    purchase.server.kill();
    game.wait_until("the loss is noticed", |world| !is_live(world));
    purchase.server.run();
    purchase.tap.lead_to(purchase.server.url());
}

#[test]
fn after_a_close_that_allows_it_the_socket_is_opened_again_at_once() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    let mut game = purchase.play(purchase.socket_only());
    game.wait_until_live();
    // The ends of both ranges that mean: come back. (Centrifugo sends no close frame for 3000.)
    for (count, code) in [3001, 3499, 4000, 4499].into_iter().enumerate() {
        purchase.recovery_answered(count);
        purchase.server.disconnect(code, "come back");
        let closed = closed_by_server(&purchase, count, code);
        game.wait_until("another connection", |_| {
            purchase.tap.connections() > count + 1
        });
        let what = "the reconnect";
        let opened = purchase.tap.wait_for(what, |seen| {
            seen.connection == count + 1 && matches!(seen.what, What::Opened)
        });
        let took = opened.at.duration_since(closed.at);
        assert!(took < Duration::from_secs(2), "{code}: {took:?}");
    }
    game.wait_until_live();
    purchase.publish("done");
    assert_eq!(
        grant(&purchase, &mut game, purchase.order),
        NewsSource::Socket
    );
}

#[test]
fn after_a_close_for_good_the_order_is_granted_by_polling() {
    for code in [3503, 4501] {
        let Some(purchase) = Purchase::begin(ORDERS) else {
            return;
        };
        let mut config = purchase.with_polling();
        config.socket_lifetime = Duration::from_secs(300);
        let mut game = purchase.play(config);
        game.wait_until_live();
        purchase.server.disconnect(code, "stay away");
        closed_by_server(&purchase, 0, code);

        // Long enough for several attempts to reconnect, at the pace of this game.
        let asked = || purchase.emulator.order_requests_for(purchase.order);
        let before = asked();
        game.wait_until("polling", |_| asked() > before + 20);
        assert_eq!(purchase.tap.connections(), 1, "{code} is obeyed");
        let reason = SocketError::Closed {
            code,
            reason: "stay away".to_owned(),
        };
        let polling = TrackerState::Polling {
            reason: Some(reason),
            requests: None,
        };
        assert_eq!(game.state(), polling);

        purchase
            .emulator
            .set_status_silently(purchase.order, "done");
        assert_eq!(
            grant(&purchase, &mut game, purchase.order),
            NewsSource::Request
        );
    }
}

/// The server's close frame on this connection, once it came.
fn closed_by_server(purchase: &Purchase, connection: usize, code: u32) -> Seen {
    let what = format!("close frame {code}");
    purchase.tap.wait_for(&what, |seen| {
        seen.connection == connection
            && seen.way == Way::Down
            && matches!(seen.what, What::Closed(closed) if u32::from(closed) == code)
    })
}

#[test]
fn a_link_without_pings_is_replaced() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    let mut game = purchase.play(purchase.socket_only());
    game.wait_until_live();
    purchase.tap.freeze();
    purchase.publish("done");

    assert_eq!(
        grant(&purchase, &mut game, purchase.order),
        NewsSource::Socket
    );
    let reason = SocketError::PingMissing;
    let reconnecting = TrackerState::Reconnecting { reason };
    let states = &game.told().states;
    assert!(states.contains(&reconnecting), "{states:?}");
    assert_eq!(purchase.recovery_answered(1)["recovered"], true);
}

#[test]
fn pings_are_answered_and_nothing_else_is() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    let mut game = purchase.play(purchase.socket_only());
    game.wait_until_live();
    let count = |way| {
        let messages = purchase.tap.messages(0, way);
        messages
            .iter()
            .filter(|message| **message == json!({}))
            .count()
    };
    // The server closes with 3012 where a pong is missing, and with 3501 where one comes unasked.
    game.wait_until("three pings", |_| count(Way::Down) >= 4);
    assert!(count(Way::Up) >= 3);
    assert!(count(Way::Up) <= count(Way::Down));
    assert_eq!(purchase.tap.connections(), 1);
    assert!(game.state().is_live());
}

#[test]
fn a_server_that_gives_no_history_away_is_followed_live() {
    // Permission denied (103), and not available (108).
    for (namespace, code) in [(PRIVATE, 103), (FORGETFUL, 108)] {
        let Some(purchase) = Purchase::begin(namespace) else {
            return;
        };
        let mut game = purchase.play(purchase.socket_only());
        game.wait_until_live();
        let what = "the refusal of the history";
        purchase
            .tap
            .wait_for_message(what, 0, Way::Down, |message| {
                message["error"]["code"] == code
            });
        game.wait_until_live();
        purchase.publish("paid");
        game.wait_for_status(purchase.order, "paid");
        purchase.publish("done");
        assert_eq!(
            grant(&purchase, &mut game, purchase.order),
            NewsSource::Socket
        );
        assert_eq!(purchase.tap.connections(), 1);
    }
}

#[test]
fn an_order_is_granted_though_the_server_ends_the_subscription() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    let mut config = purchase.with_polling();
    config.connect_timeout = Duration::from_secs(1);
    let mut game = purchase.play(config);
    game.wait_until_live();
    purchase.server.unsubscribe();
    let what = "the end of the subscription";
    purchase
        .tap
        .wait_for_message(what, 0, Way::Down, |message| {
            !message["push"]["unsubscribe"].is_null()
        });
    purchase.publish("done");
    purchase
        .emulator
        .set_status_silently(purchase.order, "done");
    grant(&purchase, &mut game, purchase.order);
    assert_eq!(game.grants(purchase.order), 1);
}

#[test]
fn a_refused_token_is_asked_for_anew_and_the_new_one_opens_the_socket() {
    for refusal in [
        json!({"disconnect": {"code": 3500, "reason": "invalid token"}}),
        json!({"error": {"code": 101, "message": "unauthorized"}}),
        json!({"error": {"code": 109, "message": "token expired"}}),
    ] {
        let Some(purchase) = Purchase::begin(ORDERS) else {
            return;
        };
        purchase.server.refuse_with(refusal.clone());
        // A token of the same player, which the backend behind Centrifugo does not know.
        let old = purchase.emulator.user("alice");
        let mut game = Game::logged_in(purchase.socket_only(), &old);
        game.track(purchase.order);
        game.wait_until_authorization_is_required();
        assert_eq!(game.told().authorization_required[0].user, *old.id());
        assert_eq!(purchase.tap.connections(), 1, "{refusal}");

        game.log_in(&purchase.user);
        game.wait_until_live();
        purchase.publish("done");
        assert_eq!(
            grant(&purchase, &mut game, purchase.order),
            NewsSource::Socket
        );
        assert_eq!(
            game.told().authorization_required.len(),
            1,
            "asked once for each token"
        );
        assert_eq!(purchase.tap.connections(), 2);
    }
}

#[test]
fn the_socket_is_closed_once_no_order_is_open() {
    let Some(purchase) = Purchase::begin(ORDERS) else {
        return;
    };
    let mut game = purchase.play(purchase.socket_only());
    game.wait_until_live();
    purchase.publish("done");
    grant(&purchase, &mut game, purchase.order);
    game.wait_until("rest", |world| {
        *world.resource::<TrackerState>() == TrackerState::Idle
    });
    let what = "a goodbye";
    let closed = purchase.tap.wait_for(what, |seen| {
        seen.way == Way::Up && matches!(seen.what, What::Closed(_))
    });
    assert!(matches!(closed.what, What::Closed(1000)), "{closed}");
    assert_eq!(purchase.tap.connections(), 1);
}
