//! News does not wait: counted in frames, not in seconds.

mod support;

use std::time::{Duration, Instant};

use bevy_xsolla::emulator::XsollaEmulator;
use support::Game;

#[test]
fn a_delivered_order_is_granted_within_two_frames_at_60_hz() {
    let emulator = XsollaEmulator::start();
    let alice = emulator.user("alice");
    let mut game = Game::new(emulator.config());
    game.log_in(&alice);
    for _ in 0..20 {
        let order = emulator.create_order(&alice, &[("sword", 1)]);
        game.track(order);
        game.wait_until_live();
        game.wait_for_status(order, "new");

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
