//! Measures what the plugin adds to a frame in which nothing happens, in a browser.

use std::time::Duration;

use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use gloo_timers::future::sleep;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};
use web_time::Instant;

wasm_bindgen_test_configure!(run_in_browser);

const FRAMES: u32 = 200;
const ROUNDS: usize = 500;

#[wasm_bindgen_test]
async fn frame() {
    let mut without = minimal();
    for orders in [0, 1, 1_000] {
        let mut with = following(orders).await;
        let (mut frames, mut differences) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let before = nanoseconds(&mut without);
            frames.push(before);
            differences.push(nanoseconds(&mut with) - before);
        }
        let followed = with.world().resource::<Orders>().iter().count();
        assert_eq!(followed, usize::try_from(orders).unwrap());
        let (frame, difference) = (median(frames), median(differences));
        console_log!(
            "{orders} orders: a frame of {frame:.0} ns takes {difference:.0} ns more with the plugin"
        );
    }
}

fn minimal() -> App {
    let mut app = App::new();
    app.add_plugins(MinimalPlugins);
    app
}

/// A game that follows orders, on servers that do not answer.
async fn following(orders: u64) -> App {
    let mut app = minimal();
    let mut config = XsollaConfig::new(1);
    config.ledger = bevy_xsolla::Ledger::disabled();
    config.store_url = "http://127.0.0.1:9/api".to_owned();
    config.socket_url = "ws://127.0.0.1:9/".to_owned();
    app.add_plugins(XsollaOrderPlugin)
        .insert_resource(config)
        .insert_resource(XsollaUser::new("token"));
    for id in 1..=orders {
        app.world_mut().commands().track_order(OrderId(id));
    }
    // The task runs between the frames, and begins to follow the orders.
    for _ in 0..20 {
        app.update();
        sleep(Duration::from_millis(20)).await;
    }
    app
}

/// The time that a frame takes.
fn nanoseconds(app: &mut App) -> f64 {
    let start = Instant::now();
    for _ in 0..FRAMES {
        app.update();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(FRAMES)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
