//! Which systems hear of a message, and how one that does not always run catches up.

mod support;

use std::time::Duration;

use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy::time::TimeUpdateStrategy;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use bevy_xsolla::test_util::{self, XsollaTestPlugin};
use support::Game;

#[derive(Resource, Default)]
struct Granted {
    /// Or, in the tests of states, at the beginning of one.
    in_fixed_update: Vec<OrderId>,
    in_update: Vec<OrderId>,
}

fn grant_in_fixed_update(mut done: MessageReader<OrderDone>, mut granted: ResMut<Granted>) {
    let done = done.read().map(|done| done.order_id);
    granted.in_fixed_update.extend(done);
}

fn grant_in_update(mut done: MessageReader<OrderDone>, mut granted: ResMut<Granted>) {
    granted.in_update.extend(done.read().map(|d| d.order_id));
}

/// `FixedUpdate` once a second, and a hundred frames in that time.
fn slow_and_fast(app: &mut App) {
    app.init_resource::<Granted>()
        .insert_resource(Time::<Fixed>::from_hz(1.0))
        .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_millis(
            10,
        )))
        .add_systems(FixedUpdate, grant_in_fixed_update)
        .add_systems(Update, grant_in_update);
}

#[test]
fn fixed_update_hears_of_each_order_once_however_seldom_it_runs() {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaTestPlugin));
    slow_and_fast(&mut app);
    let mut all = Vec::new();
    for frame in 0..1_000 {
        // In every place between two fixed steps, and in frames that follow each other.
        if frame % 7 == 0 || frame % 50 == 1 {
            let order = OrderId(frame);
            all.push(order);
            let done = test_util::order_done(order, &[("sword", 1)]);
            test_util::deliver(app.world_mut(), done);
        }
        app.update();
    }
    for _ in 0..100 {
        app.update();
    }
    let granted = app.world().resource::<Granted>();
    assert_eq!(granted.in_fixed_update, all);
    assert_eq!(granted.in_update, all);
}

#[test]
fn fixed_update_hears_of_orders_that_the_servers_deliver() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let mut game = Game::new(emulator.config());
    slow_and_fast(&mut game.app);
    game.log_in(&alice);
    let mut all = Vec::new();
    for _ in 0..5 {
        let order = emulator.create_order(&alice, &[("sword", 1)]);
        emulator.deliver(order);
        game.track(order);
        game.wait_until_granted(order);
        all.push(order);
    }
    for _ in 0..300 {
        game.update();
    }
    let granted = game.app.world().resource::<Granted>();
    assert_eq!(granted.in_fixed_update, all);
    assert_eq!(granted.in_update, all);
}

#[test]
fn a_paused_game_keeps_messages_for_its_fixed_update() {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaTestPlugin));
    slow_and_fast(&mut app);
    app.update();
    app.world_mut().resource_mut::<Time<Virtual>>().pause();
    let order = OrderId(1);
    test_util::deliver(app.world_mut(), test_util::order_done(order, &[]));
    for _ in 0..500 {
        app.update();
    }
    assert_eq!(app.world().resource::<Granted>().in_update, [order]);
    assert!(app.world().resource::<Granted>().in_fixed_update.is_empty());
    app.world_mut().resource_mut::<Time<Virtual>>().unpause();
    for _ in 0..200 {
        app.update();
    }
    assert_eq!(app.world().resource::<Granted>().in_fixed_update, [order]);
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, States)]
enum Screen {
    #[default]
    Shop,
    Level,
}

/// The guide's: what is to be granted when the level begins.
#[derive(Resource, Default)]
struct ToGrant(Vec<OrderDone>);

fn note(mut done: MessageReader<OrderDone>, mut to_grant: ResMut<ToGrant>) {
    to_grant.0.extend(done.read().cloned());
}

fn grant(mut to_grant: ResMut<ToGrant>, mut granted: ResMut<Granted>, mut commands: Commands) {
    for order in to_grant.0.drain(..) {
        granted.in_fixed_update.push(order.order_id);
        commands.acknowledge_order(order.order_id);
    }
}

#[test]
fn a_reader_that_runs_in_a_state_misses_what_came_before_and_a_note_of_it_does_not() {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, StatesPlugin, XsollaTestPlugin))
        .init_state::<Screen>()
        .init_resource::<Granted>()
        .init_resource::<ToGrant>()
        .insert_resource(TimeUpdateStrategy::FixedTimesteps(1))
        .add_systems(Update, grant_in_update.run_if(in_state(Screen::Level)))
        .add_systems(Update, note)
        .add_systems(OnEnter(Screen::Level), grant);
    app.update();
    let order = OrderId(1);
    let done = test_util::order_done(order, &[("sword", 1)]);
    test_util::deliver(app.world_mut(), done);
    for _ in 0..5 {
        app.update();
    }
    assert!(app.world().resource::<Granted>().in_fixed_update.is_empty());
    let mut next = app.world_mut().resource_mut::<NextState<Screen>>();
    next.set(Screen::Level);
    for _ in 0..3 {
        app.update();
    }
    let granted = app.world().resource::<Granted>();
    assert!(granted.in_update.is_empty(), "the message was gone");
    assert_eq!(granted.in_fixed_update, [order], "and the note was not");
    let orders = app.world().resource::<Orders>();
    assert!(orders.get(order).unwrap().is_acknowledged);
}
