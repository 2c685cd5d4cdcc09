//! What a frame costs in which nothing happens: Bevy alone, with the Tokio runtime, with the plugin, and
//! with orders that are followed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark that cannot go on is to stop"
)]

use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_tokio_tasks::TokioTasksPlugin;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    group
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));

    let mut bevy = App::new();
    bevy.add_plugins(MinimalPlugins);
    group.bench_function("MinimalPlugins", |bencher| bencher.iter(|| bevy.update()));
    drop(bevy);

    let mut tokio = App::new();
    tokio.add_plugins((MinimalPlugins, TokioTasksPlugin::default()));
    group.bench_function("TokioTasksPlugin", |bencher| {
        bencher.iter(|| tokio.update());
    });
    drop(tokio);

    for count in [0, 1, 1_000, 10_000] {
        let emulator = XsollaEmulator::start();
        let mut app = following(&emulator, count);
        let id = BenchmarkId::new("XsollaOrderPlugin, orders", count);
        group.bench_function(id, |bencher| bencher.iter(|| app.update()));
    }
    group.finish();
}

/// An app that follows as many orders, all of which the servers have told of.
fn following(emulator: &XsollaEmulator, count: usize) -> App {
    let alice = emulator.user("alice");
    let orders: Vec<OrderId> = (0..count)
        .map(|_| emulator.create_order(&alice, &[("sword", 1)]))
        .collect();
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaOrderPlugin))
        .insert_resource(emulator.config())
        .insert_resource(alice);
    for order in orders {
        app.world_mut().commands().track_order(order);
    }
    app.update();
    let deadline = Instant::now() + Duration::from_secs(120);
    let is_settled = |app: &App| {
        let orders = app.world().resource::<Orders>();
        let is_quiet = orders.iter().all(|order| order.items.is_some());
        is_quiet && (count == 0 || app.world().resource::<TrackerState>().is_live())
    };
    while !is_settled(&app) {
        assert!(Instant::now() < deadline, "the orders are not followed");
        app.update();
        std::thread::sleep(Duration::from_millis(1));
    }
    app
}

criterion_group!(benches, frames);
criterion_main!(benches);
