//! Counts the instructions of what the crate does most often, so that a change which makes it slower fails. Counts do not
//! depend on what else the machine does. `.ci/instruction-counts` compares them with the file `counts` beside this one.
//!
//! What a case begins with is made before the count, and is dropped after it.

use bevy::ecs::schedule::{ScheduleLabel, SingleThreadedExecutor};
use bevy::prelude::*;
use bevy_tokio_tasks::TokioTasksPlugin;
use bevy_xsolla::instructions::{CHANNEL, Life, Tracker};
use bevy_xsolla::prelude::*;
use bevy_xsolla::test_util;
use gungraun::prelude::*;

/// How often a short case is repeated.
const REPEATED: u64 = 100;
/// The statuses of each order of a burst, as in the benchmark `burst`.
const STATUSES: [&str; 4] = ["paid", "on_hold", "paid", "done"];
const SIDE_BY_SIDE: usize = 50;
/// Centrifuge's writer puts at most so many publications in a frame.
const A_FRAME: usize = 16;

/// An app with the plugin, whose game knows this many orders. The background task never runs, because nothing drives the
/// runtime: all is done by one thread.
fn following(orders: u64) -> App {
    let runtime = TokioTasksPlugin {
        make_runtime: Box::new(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap()
        }),
        ..default()
    };
    let mut app = App::new();
    app.add_plugins((runtime, XsollaOrderPlugin))
        .insert_resource(XsollaConfig::new(77_640))
        .insert_resource(test_util::player("alice"));
    for schedule in [PreUpdate.intern(), Last.intern()] {
        app.edit_schedule(schedule, |schedule| {
            schedule.set_executor(SingleThreadedExecutor::new());
        });
    }
    run_ours(&mut app);
    for order in 1..=orders {
        app.world_mut().commands().track_order(OrderId(order));
        app.world_mut().flush();
        let is_new = test_util::order_status_changed(OrderId(order), None, OrderStatus::New);
        test_util::deliver(app.world_mut(), is_new);
    }
    run_ours(&mut app);
    assert_eq!(app.world().resource::<Orders>().len(), orders as usize);
    app
}

/// The schedules that the plugin has systems in.
fn run_ours(app: &mut App) {
    app.world_mut().run_schedule(PreUpdate);
    app.world_mut().run_schedule(Last);
}

// Frames in which nothing happens.
#[library_benchmark]
#[bench::of_1000_orders(args = (1_000), setup = following)]
fn idle_frames(mut app: App) -> App {
    for _ in 0..REPEATED {
        run_ours(&mut app);
    }
    app
}

/// A tracker, what its socket brings, and what the store answers.
struct Scene {
    tracker: Tracker,
    frames: Vec<String>,
    answers: Vec<(u64, String)>,
}

impl Scene {
    /// A tracker that follows this many orders, all of them new.
    fn new(orders: u64) -> Self {
        Self {
            tracker: Tracker::following(&answers(orders, "new")),
            frames: Vec::new(),
            answers: answers(orders, "paid"),
        }
    }

    fn with_frames(mut self, news: &[(u64, &str)], a_frame: usize) -> Self {
        let mut offset = 0;
        let publications = news.chunks(a_frame);
        self.frames = publications
            .map(|news| {
                let lines = news.iter().map(|(order, status)| {
                    offset += 1;
                    format!(
                        r#"{{"push":{{"channel":"{CHANNEL}","pub":{{"data":{{"order_id":{order},"status":"{status}"}},"offset":{offset}}}}}}}"#
                    )
                });
                lines.collect::<Vec<_>>().join("\n")
            })
            .collect();
        self
    }
}

/// What the store answers of each order.
fn answers(orders: u64, status: &str) -> Vec<(u64, String)> {
    let answer = |order| {
        format!(
            r#"{{"order_id":{order},"status":"{status}","content":{{"is_free":false,"price":{{"amount":"1.99","amount_without_discount":"1.99","currency":"USD"}},"virtual_price":null,"items":[{{"sku":"sword","quantity":1,"is_free":false,"price":{{"amount":"1.99","amount_without_discount":"1.99","currency":"USD"}}}}]}}}}"#
        )
    };
    (1..=orders).map(|order| (order, answer(order))).collect()
}

/// The first orders are paid.
fn paid(orders: u64) -> Scene {
    let news: Vec<_> = (1..=REPEATED).map(|order| (order, "paid")).collect();
    Scene::new(orders).with_frames(&news, 1)
}

// From the socket's text to the game's channel.
#[library_benchmark]
#[bench::of_1000_orders(args = (1_000), setup = paid)]
fn publications(mut scene: Scene) -> Scene {
    for frame in &scene.frames {
        scene.tracker.receive(frame);
    }
    assert!(scene.tracker.requests() > 0);
    scene
}

/// The store is asked for orders that are paid.
fn asked(orders: u64) -> Scene {
    let mut scene = paid(orders);
    for frame in std::mem::take(&mut scene.frames) {
        scene.tracker.receive(&frame);
    }
    scene
}

// From the text of an answer to Get Order to the game's channel. Each answer makes room for the next request.
#[library_benchmark]
#[bench::of_1000_orders(args = (1_000), setup = asked)]
fn order_answers(mut scene: Scene) -> Scene {
    scene.tracker.answer(&scene.answers);
    assert_eq!(scene.tracker.requests(), 0);
    scene
}

fn burst_of(orders: u64) -> Scene {
    let all: Vec<u64> = (1..=orders).collect();
    let mut news = Vec::new();
    for orders in all.chunks(SIDE_BY_SIDE) {
        for status in STATUSES {
            news.extend(orders.iter().map(|order| (*order, status)));
        }
    }
    Scene::new(orders).with_frames(&news, A_FRAME)
}

// A burst of changes, with the request for each order that is paid.
#[library_benchmark]
#[bench::of_5000_orders(args = (5_000), setup = burst_of)]
fn burst(mut scene: Scene) -> Scene {
    for frame in &scene.frames {
        scene.tracker.receive(frame);
        scene.tracker.answer(&scene.answers);
    }
    assert_eq!(scene.tracker.granted, scene.answers.len());
    scene
}

fn lives_beside(orders: u64) -> (Tracker, Vec<Life>) {
    let tracker = Tracker::following(&answers(orders, "new"));
    let all = orders + REPEATED;
    let pairs = answers(all, "new").into_iter().zip(answers(all, "paid"));
    let lives = pairs.skip(orders as usize);
    let lives = lives.map(|((order, new), (_, paid))| Life::read(order, &new, &paid));
    (tracker, lives.collect())
}

// The whole life of an order in the machine: it is tracked, new, paid, done and acknowledged.
#[library_benchmark]
#[bench::beside_1000_orders(args = (1_000), setup = lives_beside)]
fn lives((mut tracker, lives): (Tracker, Vec<Life>)) -> Tracker {
    for life in lives {
        tracker.live(life);
    }
    assert_eq!(tracker.granted, REPEATED as usize);
    tracker
}

library_benchmark_group!(
    name = counts,
    benchmarks = [idle_frames, publications, order_answers, burst, lives]
);
main!(library_benchmark_groups = counts);
