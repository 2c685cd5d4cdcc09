//! The figures that a game can show or log, and the conditions for its systems.

mod support;

use std::time::Duration;

use bevy::diagnostic::{DiagnosticPath, DiagnosticsStore};
use bevy::prelude::*;
use bevy_xsolla::XsollaDiagnosticsPlugin;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use support::{Game, hurried};

type Figures = XsollaDiagnosticsPlugin;

fn figure(world: &World, path: &DiagnosticPath) -> Option<f64> {
    world.resource::<DiagnosticsStore>().get(path)?.value()
}

#[test]
fn the_figures_follow_a_purchase() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let mut game = Game::new(hurried(emulator.config()));
    game.app.add_plugins(XsollaDiagnosticsPlugin);
    game.log_in(&alice);
    game.update();
    let world = game.app.world();
    for path in [Figures::ORDERS, Figures::ORDERS_OPEN, Figures::SOCKETS] {
        assert_eq!(figure(world, &path), Some(0.0), "{path}");
    }
    for path in [Figures::POLLS, Figures::RECONNECTS] {
        assert_eq!(figure(world, &path), Some(0.0), "{path}");
    }
    assert_eq!(figure(world, &Figures::NEWS_LATENCY), None);

    let orders: Vec<OrderId> = (0..3)
        .map(|_| emulator.create_order(&alice, &[("sword", 1)]))
        .collect();
    for order in &orders {
        game.track(*order);
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

    // The game sleeps while the news comes.
    game.run_for(Duration::from_millis(100));
    emulator.pay(orders[0]);
    std::thread::sleep(Duration::from_millis(200));
    game.update();
    let latency = figure(game.app.world(), &Figures::NEWS_LATENCY).unwrap();
    assert!((50.0..30_000.0).contains(&latency), "{latency} ms");

    for order in &orders {
        emulator.deliver(*order);
    }
    game.wait_until("all is over", |world| {
        figure(world, &Figures::ORDERS_OPEN) == Some(0.0)
            && figure(world, &Figures::SOCKETS) == Some(0.0)
    });
    assert_eq!(figure(game.app.world(), &Figures::ORDERS), Some(3.0));
    let reconnects = figure(game.app.world(), &Figures::RECONNECTS);

    // A purchase after that is no reconnection.
    let order = emulator.create_order(&alice, &[("sword", 1)]);
    game.track(order);
    game.wait_until_live();
    game.update();
    assert_eq!(figure(game.app.world(), &Figures::RECONNECTS), reconnects);
}

#[test]
fn the_figures_want_nothing_of_an_app_without_the_plugin() {
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaDiagnosticsPlugin));
    app.update();
    assert_eq!(figure(app.world(), &Figures::ORDERS), None);
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
    let alice = emulator.user("alice");
    let order = emulator.create_order(&alice, &[("sword", 1)]);
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
    game.log_in(&alice);
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
fn conditions_hold_for_nothing_without_the_plugin() {
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
