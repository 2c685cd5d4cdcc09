//! Tokens that the servers refuse: the game is asked for another once, and nothing is granted without.

mod support;

use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::AuthorizationError;
use bevy_xsolla::emulator::Fault;
use bevy_xsolla::prelude::*;
use support::{Told, hurried, hurried_shop, sword_order};

#[test]
fn a_refused_token_is_asked_for_once_and_a_new_one_goes_on() {
    let (emulator, mut game) = hurried_shop();
    let order = sword_order(&emulator);
    emulator.deliver(order);
    emulator.revoke_tokens("alice");
    game.track(order);
    game.wait_until("the refusal is told", |world| {
        matches!(
            world.resource::<TrackerState>(),
            TrackerState::Unauthorized { .. }
        )
    });
    let requests = emulator.order_requests();
    game.run_for(Duration::from_secs(1));
    assert_eq!(game.told().authorization_required.len(), 1);
    assert_eq!(emulator.order_requests(), requests, "no loop");
    game.log_in(&emulator.user("alice"));
    game.wait_until_granted(order);
    assert!(game.told().failed.is_empty());
}

#[test]
fn the_same_refused_token_inserted_again_is_tried_once_more() {
    let (emulator, mut game) = hurried_shop();
    let alice = emulator.user("alice");
    let order = sword_order(&emulator);
    emulator.fail_requests(Fault::status(401));
    game.log_in(&alice);
    game.app.add_systems(
        Update,
        move |mut required: MessageReader<AuthorizationRequired>, mut commands: Commands| {
            if required.read().next().is_some() {
                // This game has only the token that it saved.
                commands.insert_resource(alice.clone());
            }
        },
    );
    game.track(order);
    game.wait_until_authorization_is_required();
    game.wait_until("it is tried again", |_| emulator.order_requests() == 2);
    // Its second refusal is no news, so that the game does not insert it in a loop.
    game.run_for(Duration::from_secs(1));
    assert_eq!(game.told().authorization_required.len(), 1);
    assert_eq!(emulator.order_requests(), 2);
}

#[test]
fn a_token_of_any_text_is_refused_and_breaks_nothing() {
    for token in ["", "x\ny", "ü", "Bearer", &"a".repeat(100_000)] {
        let (emulator, mut game) = hurried_shop();
        let order = sword_order(&emulator);
        game.log_in(&XsollaUser::new(token));
        game.track(order);
        game.wait_until_authorization_is_required();
        assert_eq!(game.grants(order), 0);
    }
}

#[test]
fn a_token_that_the_servers_call_expired_is_a_refused_one() {
    let (emulator, mut game) = hurried_shop();
    game.log_in(&emulator.user_for("alice", Duration::ZERO));
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until_authorization_is_required();
    assert_ne!(
        game.told().authorization_required[0].error,
        AuthorizationError::Expired,
        "this reason is for what the clock says; here a server spoke"
    );
}

#[test]
fn an_order_of_another_player_cannot_be_had() {
    let (emulator, mut game) = hurried_shop();
    let order = emulator.create_order(&emulator.user("bob"), &[("sword", 1)]);
    emulator.deliver(order);
    game.track(order);
    game.wait_until("it was asked for several times", |_| {
        emulator.order_requests_for(order) > 3
    });
    assert_eq!(game.grants(order), 0);
}

#[test]
fn a_project_that_the_token_is_not_for_grants_nothing() {
    let (emulator, mut game) = hurried_shop();
    let order = sword_order(&emulator);
    emulator.deliver(order);
    let mut config = hurried(emulator.config());
    config.project_id += 1;
    game.app.insert_resource(config);
    game.track(order);
    game.wait_until("the failure is told", |world| {
        let told = world.resource::<Told>();
        !told.failed.is_empty() || !told.authorization_required.is_empty()
    });
    assert_eq!(game.grants(order), 0);
}
