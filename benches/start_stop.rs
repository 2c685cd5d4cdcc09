//! Measures how long the main thread is held by adding the plugin, by `AppExit`, and by dropping the app.

mod support;

use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use support::{Servers, Times, game, is_settled, micros, run_until};

fn main() {
    support::serve_if_asked();
    let mut servers = Servers::start();

    let mut adding = Times::default();
    for _ in 0..200 {
        let mut app = App::new();
        app.add_plugins(MinimalPlugins);
        adding.add(time(|| {
            app.add_plugins(XsollaOrderPlugin);
        }));
    }
    println!("| the main thread is held by, µs | p50 | p99 | worst |");
    println!("|---|---|---|---|");
    line("adding the plugin", &adding);

    let folder = std::env::temp_dir().join(format!("bevy_xsolla-bench-{}", std::process::id()));
    for (name, ledger, acknowledges) in [
        ("nothing open", false, false),
        ("an order open", false, false),
        ("an order open, in the ledger", true, false),
        ("an acknowledgement in the last frame", true, true),
    ] {
        let mut exits = Times::default();
        let mut drops = Times::default();
        for round in 0..50 {
            let mut config = servers.config.clone();
            if ledger {
                config.ledger = Ledger::at(folder.join(format!("{name}{round}.redb")));
            }
            let mut app = game(config);
            let alice = servers.user(&format!("{name}{round}").replace([' ', ','], "-"));
            app.insert_resource(alice.clone());
            let orders = match name {
                "nothing open" => Vec::new(),
                _ => servers.create_orders(&format!("{name}{round}").replace([' ', ','], "-"), 1),
            };
            for order in &orders {
                app.world_mut().commands().track_order(*order);
            }
            match orders.first() {
                None => run_until(&mut app, "frames have passed", |_| true),
                Some(_) => run_until(&mut app, "the order is followed", is_settled),
            }
            if acknowledges && let Some(order) = orders.first() {
                servers.deliver_all();
                run_until(&mut app, "the order is granted", |world| {
                    let order = world.resource::<Orders>().get(*order);
                    order.is_some_and(|order| order.phase.is_granted())
                });
                app.world_mut().commands().acknowledge_order(*order);
                app.world_mut().flush();
            }
            app.world_mut().write_message(AppExit::Success);
            exits.add(time(|| app.update()));
            drops.add(time(|| drop(app)));
        }
        line(&format!("the frame of `AppExit`, {name}"), &exits);
        line(&format!("dropping the app, {name}"), &drops);
    }
    let _ = std::fs::remove_dir_all(folder);
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn line(name: &str, times: &Times) {
    let [p50, p99, worst] = [times.median(), times.quantile(0.99), times.max()].map(micros);
    println!("| {name} | {p50} | {p99} | {worst} |");
}
