//! The plugin among all of Bevy's own, without a window.

mod support;

use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::settings::WgpuSettings;
use bevy::window::ExitCondition;
use bevy::winit::WinitPlugin;
use bevy_xsolla::XsollaDiagnosticsPlugin;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::Game;

#[test]
fn an_order_is_granted_among_the_default_plugins() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    let no_window = WindowPlugin {
        primary_window: None,
        exit_condition: ExitCondition::DontExit,
        ..default()
    };
    let no_graphics = RenderPlugin {
        render_creation: WgpuSettings {
            backends: None,
            ..default()
        }
        .into(),
        ..default()
    };
    let mut app = App::new();
    app.add_plugins((
        DefaultPlugins
            .set(no_window)
            .set(no_graphics)
            .disable::<WinitPlugin>(),
        XsollaOrderPlugin,
        XsollaDiagnosticsPlugin,
    ))
    .insert_resource(emulator.config())
    .insert_resource(alice);
    app.finish();
    app.cleanup();
    let mut game = Game::of(app);
    game.track(order);
    game.wait_until_live();
    emulator.deliver(order);
    game.wait_until_granted(order);
    assert_eq!(game.grants(order), 1);
    let figures = game
        .app
        .world()
        .resource::<bevy::diagnostic::DiagnosticsStore>();
    assert!(figures.get(&XsollaDiagnosticsPlugin::SOCKETS).is_some());
}
