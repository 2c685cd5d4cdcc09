//! The plugin among a game's schedules and states.

mod support;

use bevy::ecs::schedule::{LogLevel, ScheduleBuildSettings, ScheduleLabel};
use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::Game;

/// Two systems that want the same data and have no order make each frame a matter of luck. (Not in
/// `Update`: there `bevy-tokio-tasks` has a system that wants the whole world.)
#[test]
fn no_system_of_ours_is_ambiguous() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    emulator.deliver(order);
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaOrderPlugin))
        .insert_resource(emulator.config())
        .insert_resource(alice);
    let schedules = [PreStartup.intern(), PreUpdate.intern(), Last.intern()];
    for schedule in schedules {
        app.edit_schedule(schedule, |schedule| {
            schedule.set_build_settings(ScheduleBuildSettings {
                ambiguity_detection: LogLevel::Error,
                ..default()
            });
        });
    }
    let mut game = Game::of(app);
    game.track(order);
    game.wait_until_granted(order);
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, States)]
enum Screen {
    #[default]
    Menu,
    Shop,
}

#[derive(Resource)]
struct Wanted(OrderId);

#[test]
fn a_shop_may_be_a_state() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, StatesPlugin, XsollaOrderPlugin))
        .init_state::<Screen>()
        .insert_resource(emulator.config())
        .insert_resource(alice)
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
    let mut game = Game::of(app);
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
