//! Measures a frame in which nothing happens: with Bevy alone, with the Tokio runtime, with the plugin, and
//! with orders that are followed.

use std::time::{Duration, Instant};

use bevy::ecs::schedule::SingleThreadedExecutor;
use bevy::prelude::*;
use bevy_tokio_tasks::TokioTasksPlugin;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const ORDERS: [usize; 4] = [0, 1, 1_000, 10_000];

/// Measures the whole frame of an app that does nothing else.
fn frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    group.measurement_time(Duration::from_secs(3));

    let mut app = minimal();
    group.bench_function("Bevy", |bencher| bencher.iter(|| app.update()));

    let mut app = minimal();
    app.add_plugins(TokioTasksPlugin::default());
    group.bench_function("with TokioTasksPlugin", |bencher| {
        bencher.iter(|| app.update());
    });

    for count in ORDERS {
        let emulator = XsollaEmulator::start();
        let mut app = following(&emulator, count);
        let id = BenchmarkId::new("with XsollaOrderPlugin, orders", count);
        group.bench_function(id, |bencher| bencher.iter(|| app.update()));
    }
    group.finish();
}

/// Measures only the schedules that the plugin has systems in, empty and with the plugin's systems. Bevy's
/// executor for many threads takes microseconds for any schedule, so it is left out.
fn systems(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("systems");
    group.measurement_time(Duration::from_secs(3));

    let mut app = minimal();
    on_one_thread(&mut app);
    group.bench_function("none", |bencher| bencher.iter(|| run_ours(&mut app)));

    let mut app = minimal();
    app.add_systems(PreUpdate, (|| {}).run_if(|| false))
        .add_systems(Last, (|| {}).run_if(|| false));
    on_one_thread(&mut app);
    group.bench_function("two that never run", |bencher| {
        bencher.iter(|| run_ours(&mut app));
    });

    for count in ORDERS {
        let emulator = XsollaEmulator::start();
        let mut app = following(&emulator, count);
        on_one_thread(&mut app);
        group.bench_function(BenchmarkId::new("ours, orders", count), |bencher| {
            bencher.iter(|| run_ours(&mut app));
        });
    }
    group.finish();
}

/// Measures what the plugin adds, in pairs of batches that run one right after the other, so that other work
/// of the machine affects both alike.
fn differences(_: &mut Criterion) {
    println!("\n| orders | all our systems, ns a frame | the whole frame, ns |\n|---|---|---|");
    for count in ORDERS {
        let emulator = XsollaEmulator::start();
        let mut ours = following(&emulator, count);
        let mut tokio = minimal();
        tokio.add_plugins(TokioTasksPlugin::default());
        let frame = difference(&mut tokio, &mut ours, App::update);
        let mut none = minimal();
        on_one_thread(&mut none);
        on_one_thread(&mut ours);
        let systems = difference(&mut none, &mut ours, run_ours);
        println!("| {count} | {systems:.0} | {frame:.0} |");
    }
}

/// How many nanoseconds longer `work` takes on the second app; the median.
fn difference(one: &mut App, other: &mut App, work: impl Fn(&mut App)) -> f64 {
    const BATCH: u32 = 100;
    let time = |app: &mut App| {
        let start = Instant::now();
        for _ in 0..BATCH {
            work(app);
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH)
    };
    let mut differences: Vec<f64> = (0..2_000)
        .map(|_| {
            let before = time(one);
            time(other) - before
        })
        .collect();
    differences.sort_by(f64::total_cmp);
    differences[differences.len() / 2]
}

fn minimal() -> App {
    let mut app = App::new();
    app.add_plugins(MinimalPlugins);
    app
}

fn on_one_thread(app: &mut App) {
    app.edit_schedule(PreUpdate, |schedule| {
        schedule.set_executor(SingleThreadedExecutor::new());
    });
    app.edit_schedule(Last, |schedule| {
        schedule.set_executor(SingleThreadedExecutor::new());
    });
    app.update();
}

fn run_ours(app: &mut App) {
    app.world_mut().run_schedule(PreUpdate);
    app.world_mut().run_schedule(Last);
}

/// An app that follows this many orders and has news of each.
fn following(emulator: &XsollaEmulator, count: usize) -> App {
    let alice = emulator.user("alice");
    let orders: Vec<OrderId> = (0..count)
        .map(|_| emulator.create_order(&alice, &[("sword", 1)]))
        .collect();
    let mut app = minimal();
    app.add_plugins(XsollaOrderPlugin)
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

criterion_group!(benches, frame, systems, differences);
criterion_main!(benches);
