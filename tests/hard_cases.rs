//! Games that do several things at once, and change their minds.

mod support;

use std::time::Duration;

use bevy::prelude::*;
use bevy_tokio_tasks::TokioTasksPlugin;
use bevy_xsolla::Tracking;
use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use bevy_xsolla::prelude::*;
use serde_json::json;
use support::{Game, Told, hurried};

/// Without frames, until the game's news must be under way: then a test sees what becomes of it.
fn pause_until(condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + support::DEADLINE;
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
    // The answer has left the server; this is for its way through the tracker. If it should not be
    // there yet, the test is weaker, and not wrong.
    std::thread::sleep(Duration::from_millis(300));
}

#[test]
fn forgetting_and_tracking_anew_does_not_grant_twice() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    let mut game = Game::new(hurried(emulator.config()));
    game.log_in(&alice);
    game.track(order);
    // No frame: whatever comes waits in the channel.
    pause_until(|| emulator.order_requests() == 1);
    // "Check my purchase again", in the same frame as the news.
    game.commands(|commands| {
        commands.untrack_order(order);
        commands.track_order(order);
    });
    game.wait_until_granted(order);
    game.run_for(Duration::from_secs(1));
    assert_eq!(game.grants(order), 1);
    game.commands(|commands| commands.acknowledge_order(order));
    game.wait_until("it is acknowledged", |world| {
        world
            .resource::<Orders>()
            .get(order)
            .unwrap()
            .is_acknowledged
    });
}

#[test]
fn news_that_was_under_way_at_log_out_waits_for_the_player_it_is_for() {
    let emulator = XsollaEmulator::start();
    let (alice, bob) = (emulator.user("alice"), emulator.user("bob"));
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    let mut game = Game::new(emulator.config());
    game.log_in(&alice);
    game.track(order);
    // No frame: whatever comes waits in the channel.
    pause_until(|| emulator.order_requests() == 1);
    game.log_in(&bob);
    game.run_for(Duration::from_millis(500));
    assert_eq!(game.grants(order), 0);
    game.log_in(&emulator.user("alice"));
    game.wait_until_granted(order);
    assert_eq!(game.grants(order), 1);
}

#[test]
fn inserting_the_same_refused_token_again_does_not_ask_again() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.fail_requests(Fault::status(401));
    let mut game = Game::new(hurried(emulator.config()));
    game.log_in(&alice);
    game.app.add_systems(
        Update,
        move |mut required: MessageReader<AuthorizationRequired>, mut commands: Commands| {
            if required.read().next().is_some() {
                // The saved token: this game's log-in knows no better.
                commands.insert_resource(alice.clone());
            }
        },
    );
    game.track(order);
    game.wait_until("it is refused", |world| {
        !world.resource::<Told>().authorization_required.is_empty()
    });
    let requests = emulator.order_requests();
    game.run_for(Duration::from_secs(1));
    assert_eq!(game.told().authorization_required.len(), 1);
    assert_eq!(emulator.order_requests(), requests);
}

#[test]
fn a_runtime_with_time_and_without_io_is_reported_and_so_is_each_order() {
    let emulator = XsollaEmulator::start();
    let mut app = App::new();
    app.add_plugins((
        MinimalPlugins,
        TokioTasksPlugin {
            make_runtime: Box::new(|| {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                builder.worker_threads(1).enable_time().build().unwrap()
            }),
            ..default()
        },
        XsollaOrderPlugin,
    ))
    .insert_resource(emulator.config())
    .insert_resource(emulator.user("alice"));
    let mut game = Game::of(app);
    game.track(OrderId(1));
    game.wait_until("the failure is told", |world| {
        let failed = |told: &Told| told.failed.iter().any(|f| f.order_id == OrderId(1));
        matches!(
            world.resource::<TrackerState>(),
            TrackerState::Failed { .. }
        ) && failed(world.resource())
    });
    game.track(OrderId(2));
    game.wait_until("so is the next order's", |world| {
        world.resource::<Told>().failed.len() == 2
    });
}

#[test]
fn an_order_that_is_tracked_again_after_it_was_given_up_is_shown_as_followed() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    emulator.set_order_body(
        order,
        json!({"order_id": order.0, "status": "done", "content": null}),
    );
    let mut config = hurried(emulator.config());
    config.tracking_timeout = Duration::from_secs(1);
    let mut game = Game::new(config);
    game.log_in(&alice);
    game.track(order);
    game.wait_until("it is given up", |world| {
        let order = world.resource::<Orders>().get(order);
        matches!(order.unwrap().tracking, Tracking::Failed(_))
    });
    emulator.set_order_body(order, None);
    game.track(order);
    assert_eq!(game.orders().get(order).unwrap().tracking, Tracking::Active);
    game.wait_until_granted(order);
}

#[test]
fn a_granted_order_stays_the_players_who_paid() {
    let emulator = XsollaEmulator::start();
    let (alice, bob) = (emulator.user("alice"), emulator.user("bob"));
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    let mut game = Game::new(emulator.config());
    game.log_in(&alice);
    game.track(order);
    game.wait_until_granted(order);
    game.log_in(&bob);
    game.track(order);
    game.run_for(Duration::from_millis(300));
    assert_eq!(game.grants(order), 1);
    let user = &game.orders().get(order).unwrap().user;
    assert_eq!(user.as_ref(), Some(alice.id()));
}

#[test]
fn a_game_that_takes_the_resources_away_is_not_brought_down() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let mut game = Game::new(emulator.config());
    game.log_in(&alice);
    game.track(order);
    game.wait_until_live();
    game.app.insert_resource(Orders::default());
    emulator.deliver(order);
    game.wait_until_granted(order);
    game.app.insert_resource(Orders::default());
    game.commands(|commands| commands.acknowledge_order(order));
    game.wait_until("it is acknowledged", |world| {
        let order = world.resource::<Orders>().get(order);
        order.is_some_and(|order| order.is_acknowledged)
    });

    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaOrderPlugin))
        .insert_resource(emulator.config())
        .insert_resource(alice);
    app.world_mut().remove_resource::<TrackerState>();
    app.world_mut().remove_resource::<Orders>();
    app.world_mut().commands().track_order(order);
    app.update();
}

#[test]
fn a_game_whose_time_stands_still_is_told_all_the_same() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let mut game = Game::new(emulator.config());
    game.app.world_mut().resource_mut::<Time<Virtual>>().pause();
    game.log_in(&alice);
    game.track(order);
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[test]
fn an_order_that_was_granted_can_be_acknowledged_after_the_game_has_made_its_orders_anew() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    let mut game = Game::new(emulator.config());
    game.log_in(&alice);
    game.track(order);
    game.wait_until_granted(order);
    game.app.insert_resource(Orders::default());
    game.track(order);
    game.wait_until("it is known to be granted", |world| {
        let order = world.resource::<Orders>().get(order);
        order.is_some_and(|order| order.is_granted)
    });
    game.commands(|commands| commands.acknowledge_order(order));
    game.wait_until("it is acknowledged", |world| {
        let order = world.resource::<Orders>().get(order);
        order.is_some_and(|order| order.is_acknowledged)
    });
    assert_eq!(game.grants(order), 1);
}

#[test]
fn a_log_in_is_noticed_although_the_plugin_was_not_to_run_in_that_state() {
    #[derive(Resource)]
    struct Menu;
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    let mut game = Game::new(emulator.config());
    game.app.insert_resource(Menu).configure_sets(
        PreUpdate,
        XsollaOrderSystems.run_if(not(resource_exists::<Menu>)),
    );
    game.track(order);
    game.log_in(&alice);
    game.update();
    game.update();
    game.app.world_mut().remove_resource::<Menu>();
    game.wait_until_granted(order);
}

#[test]
fn a_purchase_that_nobody_can_make_fails_and_so_does_the_next() {
    #[derive(Resource, Default)]
    struct Failures(usize);
    let emulator = XsollaEmulator::start();
    let mut app = App::new();
    app.add_plugins((
        MinimalPlugins,
        support::runtime_without_io(),
        XsollaOrderPlugin,
    ))
    .insert_resource(emulator.config())
    .insert_resource(emulator.user("alice"))
    .init_resource::<Failures>()
    .add_observer(|_: On<PurchaseFailed>, mut failures: ResMut<Failures>| failures.0 += 1);
    let mut game = Game::of(app);
    for count in 1..=2 {
        game.commands(|commands| commands.purchase("sword"));
        game.wait_until("it has failed", |world| {
            world.resource::<Failures>().0 == count
        });
    }
}
