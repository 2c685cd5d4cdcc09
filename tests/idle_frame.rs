//! A frame in which nothing happens allocates nothing, whatever the number of orders.

mod support;

use std::alloc::System;

use bevy::ecs::schedule::{ScheduleLabel, SingleThreadedExecutor};
use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{Game, shop, sword_order};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_frame_without_news_allocates_nothing() {
    let (emulator, mut game) = shop();
    for _ in 0..100 {
        game.track(sword_order(&emulator));
    }
    game.wait_until("all are followed", |world| {
        let orders = world.resource::<Orders>();
        orders.iter().all(|order| order.items.is_some())
            && world.resource::<TrackerState>().is_live()
    });
    // The executor for many threads allocates by itself.
    for schedule in [PreUpdate.intern(), Last.intern()] {
        game.app.edit_schedule(schedule, |schedule| {
            schedule.set_executor(SingleThreadedExecutor::new());
        });
    }
    game.update();

    let frames = |game: &mut Game| {
        let region = Region::new(ALLOCATOR);
        for _ in 0..100 {
            game.app.world_mut().run_schedule(PreUpdate);
            game.app.world_mut().run_schedule(Last);
        }
        region.change().allocations
    };
    // Other threads are counted too: the servers', and a socket's now and then.
    let least = (0..50).map(|_| frames(&mut game)).min();
    assert_eq!(least, Some(0));

    // And the count counts: a frame with news does allocate.
    let order = sword_order(&emulator);
    let before = Region::new(ALLOCATOR);
    game.track(order);
    assert!(before.change().allocations > 0);
}
