//! The panel that shows the support report over a game.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

use std::alloc::System;
use std::thread;
use std::time::{Duration, Instant};

use bevy::ecs::schedule::SingleThreadedExecutor;
use bevy::input::keyboard::{Key, KeyboardInput, NativeKey};
use bevy::input::mouse::{MouseScrollUnit, MouseWheel};
use bevy::input::touch::TouchPhase;
use bevy::input::{ButtonState, InputPlugin};
use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use bevy_xsolla::test_util::{self, XsollaTestPlugin};
use bevy_xsolla::{XsollaDebugPanel, support_report};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ORDER: OrderId = OrderId(7);

fn game() -> App {
    let mut app = App::new();
    app.add_plugins((
        MinimalPlugins,
        InputPlugin,
        XsollaTestPlugin,
        XsollaDebugPanel::on_key(KeyCode::F12),
    ));
    app.update();
    app
}

/// The player presses and releases a key.
fn press(app: &mut App, key_code: KeyCode) {
    for state in [ButtonState::Pressed, ButtonState::Released] {
        app.world_mut().write_message(KeyboardInput {
            key_code,
            logical_key: Key::Unidentified(NativeKey::Unidentified),
            state,
            text: None,
            repeat: false,
            window: Entity::PLACEHOLDER,
        });
        app.update();
    }
}

/// The text on the screen.
fn shown(app: &mut App) -> Option<String> {
    let mut texts = app.world_mut().query::<&Text>();
    texts.iter(app.world()).next().map(|text| text.0.clone())
}

/// The lines without times, which differ between two moments.
fn lines(text: &str) -> Vec<&str> {
    let is_timeless = |line: &&str| !line.contains("GMT") && !line.contains(" ago");
    text.lines().filter(is_timeless).collect()
}

fn change_status(app: &mut App, status: OrderStatus) {
    let change = test_util::order_status_changed(ORDER, None, status);
    test_util::deliver(app.world_mut(), change);
}

#[test]
fn a_key_shows_and_hides_what_the_report_says() {
    let mut app = game();
    assert_eq!(shown(&mut app), None);
    change_status(&mut app, OrderStatus::Paid);
    press(&mut app, KeyCode::F11);
    assert_eq!(shown(&mut app), None);
    press(&mut app, KeyCode::F12);
    let text = shown(&mut app).unwrap();
    assert_eq!(lines(&text), lines(&support_report(app.world())));
    assert!(
        text.contains("project 1\n") && text.contains("\n  7 "),
        "{text}"
    );
    press(&mut app, KeyCode::F12);
    assert_eq!(shown(&mut app), None);
}

#[test]
fn it_follows_an_order_in_the_same_frame() {
    let mut app = game();
    app.world_mut().resource_mut::<XsollaDebugPanel>().is_shown = true;
    app.update();
    assert!(!shown(&mut app).unwrap().contains("\n  7 "));
    for (status, word) in [(OrderStatus::New, " new "), (OrderStatus::Paid, " paid ")] {
        change_status(&mut app, status);
        app.update();
        let text = shown(&mut app).unwrap();
        let line = text.lines().find(|line| line.starts_with("  7 ")).unwrap();
        assert!(line.contains(word), "{text}");
    }
}

#[test]
fn the_times_in_it_go_on_while_nothing_happens() {
    let mut app = game();
    app.world_mut().resource_mut::<XsollaDebugPanel>().is_shown = true;
    app.update();
    let (first, deadline) = (shown(&mut app), Instant::now() + Duration::from_secs(30));
    while shown(&mut app) == first {
        assert!(Instant::now() < deadline, "it stays as it was");
        app.update();
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn nothing_is_there_while_it_is_hidden() {
    let mut app = game();
    let before = app.world().entities().count_spawned();
    press(&mut app, KeyCode::F12);
    assert!(app.world().entities().count_spawned() > before);
    press(&mut app, KeyCode::F12);
    change_status(&mut app, OrderStatus::Paid);
    app.update();
    assert_eq!(shown(&mut app), None);
    assert_eq!(app.world().entities().count_spawned(), before);
}

#[test]
fn no_report_is_made_while_it_is_hidden_or_nothing_happens() {
    let mut app = App::new();
    app.add_plugins((XsollaTestPlugin, XsollaDebugPanel::on_key(KeyCode::F12)))
        .init_resource::<ButtonInput<KeyCode>>()
        .edit_schedule(PreUpdate, |schedule| {
            // The executor for many threads allocates by itself.
            schedule.set_executor(SingleThreadedExecutor::new());
        });
    let frames = |app: &mut App, changes: bool| {
        let region = Region::new(ALLOCATOR);
        for _ in 0..100 {
            if changes {
                app.world_mut().resource_mut::<Orders>().set_changed();
            }
            app.world_mut().run_schedule(PreUpdate);
        }
        region.change().allocations
    };
    // What the other tests allocate meanwhile is counted too.
    let come_to_rest = |app: &mut App, changes| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while frames(app, changes) > 0 {
            assert!(Instant::now() < deadline, "each frame allocates");
        }
    };
    app.update();
    come_to_rest(&mut app, true);
    app.world_mut().resource_mut::<XsollaDebugPanel>().is_shown = true;
    app.update();
    assert!((0..20).all(|_| frames(&mut app, true) >= 100));
    come_to_rest(&mut app, false);
    app.world_mut().resource_mut::<XsollaDebugPanel>().is_shown = false;
    app.update();
    come_to_rest(&mut app, true);
}

#[test]
fn the_mouse_wheel_scrolls_what_is_higher_than_the_window_and_no_further() {
    let mut app = game();
    press(&mut app, KeyCode::F12);
    let mut panels = app
        .world_mut()
        .query::<(&mut ComputedNode, &ScrollPosition)>();
    for (mut node, _) in panels.iter_mut(app.world_mut()) {
        // As the layout sets them.
        node.size = Vec2::new(1280.0, 720.0);
        node.content_size = Vec2::new(1280.0, 1000.0);
    }
    let mut scroll = |lines| {
        app.world_mut().write_message(MouseWheel {
            unit: MouseScrollUnit::Line,
            x: 0.0,
            y: lines,
            window: Entity::PLACEHOLDER,
            phase: TouchPhase::Moved,
        });
        app.update();
        let positions = panels.iter(app.world());
        positions
            .map(|(_, position)| position.y)
            .fold(0.0, f32::max)
    };
    let first = scroll(-1.0);
    assert!(first > 0.0 && first < 280.0, "{first}");
    assert_eq!(scroll(-1_000.0), 280.0);
    assert_eq!(scroll(1.0), 280.0 - first);
    assert_eq!(scroll(1_000.0), 0.0);
}

#[test]
fn it_is_there_for_a_game_without_a_keyboard() {
    let mut app = App::new();
    app.add_plugins((
        MinimalPlugins,
        XsollaTestPlugin,
        XsollaDebugPanel::default(),
    ));
    app.update();
    assert_eq!(shown(&mut app), None);
    app.world_mut().resource_mut::<XsollaDebugPanel>().is_shown = true;
    app.update();
    app.update();
    assert!(shown(&mut app).unwrap().contains("project 1\n"));
    // The game may take the settings away.
    app.world_mut().remove_resource::<XsollaDebugPanel>();
    app.update();
}
