//! News does not wait: counted in frames, not in seconds.

mod support;

use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use support::wait::DEADLINE;
use support::{Game, shop, shop_with, sword_order};

#[test]
fn a_paid_order_is_granted_within_two_frames_of_its_delivery() {
    let (emulator, mut game) = shop();
    for _ in 0..20 {
        let order = sword_order(&emulator);
        // Only an answer says this: its list is what is granted, and nothing is left to ask for.
        emulator.set_status_silently(order, "paid");
        game.track(order);
        game.wait_until_live();
        game.wait_for_status(order, "paid");

        let mut next_frame = Instant::now();
        emulator.deliver(order);
        let mut frames = 0;
        while game.grants(order) == 0 {
            next_frame += Duration::from_secs(1) / 60;
            std::thread::sleep(next_frame.saturating_duration_since(Instant::now()));
            game.update();
            frames += 1;
            assert!(frames <= 2, "not granted after {frames} frames");
        }
    }
}

#[test]
fn a_frame_takes_no_longer_over_news_than_its_budget_and_nothing_is_lost() {
    let (emulator, mut game) = shop_with(|config| {
        config.frame_budget = Duration::from_millis(10);
    });
    let orders = [(); 20].map(|()| sword_order(&emulator));
    // A game whose work on each piece of news takes as long as a frame may.
    game.app.add_observer(|_: On<OrderStatusChanged>| {
        std::thread::sleep(Duration::from_millis(10));
    });
    let heard = |game: &Game| game.told().statuses.len();
    for order in orders {
        game.track(order);
        emulator.deliver(order);
    }
    let deadline = Instant::now() + DEADLINE;
    while orders.iter().any(|order| game.grants(*order) == 0) {
        let before = heard(&game);
        game.update();
        assert!(heard(&game) - before <= 1, "one is all there is time for");
        assert!(Instant::now() < deadline);
    }
    assert!(orders.iter().all(|order| game.grants(*order) == 1));
}
