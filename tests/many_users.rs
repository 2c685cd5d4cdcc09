//! A server follows the orders of many players.

mod support;

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::Game;

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
fn one_players_refused_token_leaves_the_others_alone() {
    let emulator = XsollaEmulator::start();
    let mut game = Game::new(emulator.config());
    let (alice, bob) = (emulator.user("alice"), emulator.user("bob"));
    let hers = emulator.create_order(&alice, &[("sword", 1)]);
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
        let told = world.resource::<support::Told>();
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
