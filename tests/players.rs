//! Several players: at once, on a server, and one after another, on one machine.

mod support;

use std::time::Duration;

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::{Game, Told, shop, sword_order, wait_without_frames};

#[test]
fn each_players_orders_come_over_a_socket_of_their_own() {
    let emulator = XsollaEmulator::start();
    let mut game = Game::new(emulator.config());
    let mut orders = Vec::new();
    for n in 0..10 {
        let user = emulator.user(&format!("player{n}"));
        for _ in 0..3 {
            let order = emulator.create_order(&user, &[("sword", 1)]);
            game.commands(|commands| commands.track_order_as(&user, order));
            orders.push((user.id().clone(), order));
        }
    }
    game.wait_until("every socket is live", |world| {
        world.resource::<TrackerState>().is_live() && emulator.open_sockets() == 10
    });
    for (_, order) in &orders {
        emulator.deliver(*order);
    }
    for (user, order) in &orders {
        game.wait_until_granted(*order);
        let done = game.told().done.iter().find(|done| done.order_id == *order);
        assert_eq!(&done.unwrap().user, user);
    }
    game.wait_until("every socket is closed", |_| emulator.open_sockets() == 0);
    assert_eq!(emulator.sockets_opened(), 10);
}

#[test]
fn the_refused_token_of_one_player_leaves_the_others_alone() {
    let emulator = XsollaEmulator::start();
    let mut game = Game::new(emulator.config());
    let (alice, bob) = (emulator.user("alice"), emulator.user("bob"));
    let hers = sword_order(&emulator);
    let his = emulator.create_order(&bob, &[("helmet", 1)]);
    emulator.revoke_tokens("bob");
    game.commands(|commands| {
        commands.track_order_as(&alice, hers);
        commands.track_order_as(&bob, his);
    });
    emulator.deliver(hers);
    emulator.deliver(his);
    game.wait_until_granted(hers);
    game.wait_until("bob's token is reported", |world| {
        let told = world.resource::<Told>();
        told.authorization_required
            .iter()
            .any(|required| required.user == *bob.id())
    });
    assert_eq!(game.grants(his), 0);
    // A newer token for the same player serves all their orders.
    let bob = emulator.user("bob");
    game.commands(|commands| commands.track_order_as(&bob, his));
    game.wait_until_granted(his);
}

#[test]
fn news_that_was_under_way_at_log_out_waits_for_the_player_it_is_for() {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    wait_without_frames("the order is answered", || emulator.order_requests() == 1);
    game.log_in(&emulator.user("bob"));
    game.run_for(Duration::from_millis(500));
    assert_eq!(game.grants(order), 0);
    game.log_in(&emulator.user("alice"));
    game.wait_until_granted(order);
    game.run_for(Duration::from_millis(300));
    assert_eq!(game.grants(order), 1);
}

#[test]
fn a_granted_order_stays_the_players_who_paid() {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    emulator.deliver(order);
    game.track(order);
    game.wait_until_granted(order);
    game.log_in(&emulator.user("bob"));
    game.track(order);
    game.run_for(Duration::from_millis(300));
    assert_eq!(game.grants(order), 1);
    let user = &game.orders().get(order).unwrap().user;
    assert_eq!(user.as_ref(), Some(emulator.user("alice").id()));
}
