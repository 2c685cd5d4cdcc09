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
use support::{Game, sword_order};

#[test]
fn an_order_is_granted_among_the_default_plugins() {
    let emulator = XsollaEmulator::start();
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
    let bevys = DefaultPlugins
        .set(no_window)
        .set(no_graphics)
        .disable::<WinitPlugin>();
    let plugins = (bevys, XsollaOrderPlugin, XsollaDiagnosticsPlugin);
    let mut game = Game::with(plugins, &emulator);
    game.app.finish();
    game.app.cleanup();
    let order = sword_order(&emulator);
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
