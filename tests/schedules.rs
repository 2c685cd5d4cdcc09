//! The plugin among a game's schedules, states and conditions: which systems run when, which of them
//! hear of a message, and how one that does not always run catches up.

mod support;

use std::time::Duration;

use bevy::ecs::schedule::{LogLevel, ScheduleBuildSettings, ScheduleLabel};
use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy::time::TimeUpdateStrategy;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use bevy_xsolla::test_util::{self, XsollaTestPlugin};
use support::{Game, is_acknowledged, shop, sword_order};

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, States)]
enum Screen {
    #[default]
    Menu,
    Shop,
    Level,
}

/// Two systems that want the same data and have no order make each frame a matter of luck. (Not in
/// `Update`: there `bevy-tokio-tasks` has a system that wants the whole world.)
#[test]
fn no_system_of_ours_is_ambiguous() {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    emulator.deliver(order);
    let schedules = [PreStartup.intern(), PreUpdate.intern(), Last.intern()];
    for schedule in schedules {
        game.app.edit_schedule(schedule, |schedule| {
            schedule.set_build_settings(ScheduleBuildSettings {
                ambiguity_detection: LogLevel::Error,
                ..default()
            });
        });
    }
    game.track(order);
    game.wait_until_granted(order);
}

#[derive(Resource)]
struct Wanted(OrderId);

#[test]
fn a_shop_may_be_a_state() {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    game.app
        .add_plugins(StatesPlugin)
        .init_state::<Screen>()
        .insert_resource(Wanted(order))
        .add_systems(
            OnEnter(Screen::Shop),
            |wanted: Res<Wanted>, mut commands: Commands| commands.track_order(wanted.0),
        )
        .add_systems(
            Update,
            (|mut done: MessageReader<OrderDone>, mut screen: ResMut<NextState<Screen>>| {
                if done.read().next().is_some() {
                    screen.set(Screen::Menu);
                }
            })
            .run_if(in_state(Screen::Shop)),
        );
    game.update();
    assert!(game.orders().get(order).is_none(), "tracked too early");

    game.app
        .world_mut()
        .resource_mut::<NextState<Screen>>()
        .set(Screen::Shop);
    game.wait_until_live();
    emulator.deliver(order);
    game.wait_until("the shop is left", |world| {
        *world.resource::<State<Screen>>().get() == Screen::Menu
    });
    assert_eq!(game.grants(order), 1);
}

#[test]
fn a_log_in_is_noticed_although_the_plugin_did_not_run_in_that_state() {
    let emulator = XsollaEmulator::start();
    let order = sword_order(&emulator);
    emulator.deliver(order);
    let mut game = Game::new(emulator.config());
    game.app
        .add_plugins(StatesPlugin)
        .init_state::<Screen>()
        .configure_sets(
            PreUpdate,
            XsollaOrderSystems.run_if(not(in_state(Screen::Menu))),
        );
    game.track(order);
    game.log_in(&emulator.user("alice"));
    game.update();
    game.update();
    game.app
        .world_mut()
        .resource_mut::<NextState<Screen>>()
        .set(Screen::Level);
    game.wait_until_granted(order);
}

#[test]
fn a_game_whose_time_stands_still_is_told_all_the_same() {
    let (emulator, mut game) = shop();
    let order = sword_order(&emulator);
    game.app.world_mut().resource_mut::<Time<Virtual>>().pause();
    game.track(order);
    emulator.deliver(order);
    game.wait_until_granted(order);
}

#[derive(Resource, Default)]
struct Granted {
    in_fixed_update: Vec<OrderId>,
    in_update: Vec<OrderId>,
    on_entering_the_level: Vec<OrderId>,
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
    let (emulator, mut game) = shop();
    slow_and_fast(&mut game.app);
    let mut all = Vec::new();
    for _ in 0..5 {
        let order = sword_order(&emulator);
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

/// What is to be granted when the level begins, as the guide has it.
#[derive(Resource, Default)]
struct ToGrant(Vec<OrderDone>);

fn note(mut done: MessageReader<OrderDone>, mut to_grant: ResMut<ToGrant>) {
    to_grant.0.extend(done.read().cloned());
}

fn grant(mut to_grant: ResMut<ToGrant>, mut granted: ResMut<Granted>, mut commands: Commands) {
    for order in to_grant.0.drain(..) {
        granted.on_entering_the_level.push(order.order_id);
        commands.acknowledge_order(order.order_id);
    }
}

#[test]
fn a_reader_in_a_state_misses_what_came_before_and_a_system_that_always_runs_can_keep_it() {
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
    assert!(
        app.world()
            .resource::<Granted>()
            .on_entering_the_level
            .is_empty()
    );
    let mut next = app.world_mut().resource_mut::<NextState<Screen>>();
    next.set(Screen::Level);
    for _ in 0..3 {
        app.update();
    }
    let granted = app.world().resource::<Granted>();
    assert!(granted.in_update.is_empty(), "the message was gone");
    assert_eq!(
        granted.on_entering_the_level,
        [order],
        "and the note was not"
    );
    assert!(is_acknowledged(app.world(), order));
}

#[derive(Resource, Default)]
struct Ran {
    is_paid: bool,
    is_live: bool,
    /// Frames in which the condition and the resource disagreed.
    wrong: u32,
}

#[test]
fn systems_run_on_conditions() {
    let emulator = XsollaEmulator::start();
    let order = sword_order(&emulator);
    let mut game = Game::new(emulator.config());
    game.app.init_resource::<Ran>().add_systems(
        Update,
        (
            (move |mut ran: ResMut<Ran>, orders: Res<Orders>| {
                ran.is_paid = true;
                let status = &orders.get(order).unwrap().status;
                ran.wrong += u32::from(*status != OrderStatus::Paid);
            })
            .run_if(order_is(order, OrderStatus::Paid)),
            (|mut ran: ResMut<Ran>, state: Res<TrackerState>| {
                ran.is_live = true;
                ran.wrong += u32::from(!state.is_live());
            })
            .run_if(tracker_is_live),
            (|mut ran: ResMut<Ran>, state: Res<TrackerState>| {
                ran.wrong += u32::from(state.is_live());
            })
            .run_if(not(tracker_is_live)),
        )
            .chain(),
    );
    game.update();
    game.log_in(&emulator.user("alice"));
    game.track(order);
    game.wait_until_live();
    assert!(!game.app.world().resource::<Ran>().is_paid);
    emulator.pay(order);
    game.wait_until("it is paid", |world| world.resource::<Ran>().is_paid);
    emulator.deliver(order);
    game.wait_until_granted(order);
    let ran = game.app.world().resource::<Ran>();
    assert!(ran.is_live && ran.wrong == 0);
}

#[test]
fn without_the_plugin_no_condition_holds() {
    let mut app = App::new();
    app.add_plugins(MinimalPlugins)
        .init_resource::<Ran>()
        .add_systems(
            Update,
            (|mut ran: ResMut<Ran>| ran.wrong += 1)
                .run_if(order_is(OrderId(1), OrderStatus::New).or_else(tracker_is_live)),
        );
    app.update();
    assert_eq!(app.world().resource::<Ran>().wrong, 0);
}
