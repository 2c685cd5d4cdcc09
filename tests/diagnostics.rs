//! The figures that a game can show or log.

mod support;

use bevy::diagnostic::{DiagnosticPath, DiagnosticsStore};
use bevy::prelude::*;
use bevy_xsolla::XsollaDiagnosticsPlugin;
use support::{hurried_shop, sword_order};

type Figures = XsollaDiagnosticsPlugin;

fn figure(world: &World, path: &DiagnosticPath) -> Option<f64> {
    world.resource::<DiagnosticsStore>().get(path)?.value()
}

#[test]
fn the_figures_follow_a_purchase() {
    let (emulator, mut game) = hurried_shop();
    game.app.add_plugins(XsollaDiagnosticsPlugin);
    game.update();
    let world = game.app.world();
    for path in [Figures::ORDERS, Figures::ORDERS_OPEN, Figures::SOCKETS] {
        assert_eq!(figure(world, &path), Some(0.0), "{path}");
    }
    for path in [Figures::POLLS, Figures::RECONNECTS] {
        assert_eq!(figure(world, &path), Some(0.0), "{path}");
    }

    let orders = [(); 3].map(|()| sword_order(&emulator));
    for order in orders {
        game.track(order);
    }
    game.wait_until("a socket is up", |world| {
        figure(world, &Figures::SOCKETS) == Some(1.0)
    });
    let world = game.app.world();
    assert_eq!(figure(world, &Figures::ORDERS), Some(3.0));
    assert_eq!(figure(world, &Figures::ORDERS_OPEN), Some(3.0));
    assert_eq!(figure(world, &Figures::RECONNECTS), Some(0.0));

    emulator.refuse_sockets(true);
    emulator.drop_sockets();
    game.wait_until("the socket is down and the orders polled", |world| {
        figure(world, &Figures::SOCKETS) == Some(0.0)
            && figure(world, &Figures::POLLS) > Some(6.0)
            && figure(world, &Figures::RECONNECTS) >= Some(1.0)
    });
    emulator.heal();
    game.wait_until("the socket is up again", |world| {
        figure(world, &Figures::SOCKETS) == Some(1.0)
    });

    for order in orders {
        emulator.deliver(order);
    }
    game.wait_until("all is over", |world| {
        figure(world, &Figures::ORDERS_OPEN) == Some(0.0)
            && figure(world, &Figures::SOCKETS) == Some(0.0)
    });
    assert_eq!(figure(game.app.world(), &Figures::ORDERS), Some(3.0));
    let reconnects = figure(game.app.world(), &Figures::RECONNECTS);

    // A purchase after that is no reconnection.
    let order = sword_order(&emulator);
    game.track(order);
    game.wait_until_live();
    game.update();
    assert_eq!(figure(game.app.world(), &Figures::RECONNECTS), reconnects);
}

#[test]
fn without_the_order_plugin_there_are_no_figures() {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaDiagnosticsPlugin));
    app.update();
    assert_eq!(figure(app.world(), &Figures::ORDERS), None);
}
