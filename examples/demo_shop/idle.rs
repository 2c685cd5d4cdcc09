//! The game draws while something moves and sleeps when nothing does. Input wakes it, and so does the plugin
//! when it has news (its feature `winit`).

use std::time::Duration;

use bevy::input::keyboard::KeyboardInput;
use bevy::input::mouse::MouseButtonInput;
use bevy::prelude::*;
use bevy::window::WindowResized;
use bevy::winit::{UpdateMode, WinitSettings};
use bevy_xsolla::prelude::*;

use crate::bag::Bag;
use crate::checkout::Purchases;
use crate::last_time::LastTime;
use crate::payer::Payer;
use crate::toasts::Shown;

/// How long the scene lives on after the last thing that happened, and how long it takes to come to
/// rest then, in seconds.
const LIVES_ON: f32 = 6.0;
const RESTS_WITHIN: f32 = 1.5;

/// How long it sleeps at most.
const SLEEPS_FOR: Duration = Duration::from_secs(600);

pub struct IdlePlugin;

impl Plugin for IdlePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Life>()
            // They run last, to see what this frame brought. A sleeping game may have no next frame.
            .add_systems(
                Last,
                (age, notice_input, notice_news, sleep_or_wake).chain(),
            );
    }
}

/// How many seconds the scene moves on before it rests.
#[derive(Resource)]
pub struct Life(f32);

impl Default for Life {
    fn default() -> Self {
        Self(LIVES_ON)
    }
}

impl Life {
    /// How much the idle movements show: 1 while the scene lives, then less and less, and 0 at rest.
    pub fn liveliness(&self) -> f32 {
        EaseFunction::SmoothStep.sample_clamped(self.0 / RESTS_WITHIN)
    }
}

fn age(mut life: ResMut<Life>, time: Res<Time<Real>>) {
    life.0 = (life.0 - time.delta_secs()).max(0.0);
}

fn notice_input(
    mut life: ResMut<Life>,
    (mut moves, mut clicks): (MessageReader<CursorMoved>, MessageReader<MouseButtonInput>),
    (mut keys, mut sizes): (MessageReader<KeyboardInput>, MessageReader<WindowResized>),
) {
    let events =
        moves.read().count() + clicks.read().count() + keys.read().count() + sizes.read().count();
    if events > 0 {
        life.0 = LIVES_ON;
    }
}

fn notice_news(
    mut life: ResMut<Life>,
    (orders, purchases, bag): (Res<Orders>, Res<Purchases>, Res<Bag>),
    (catalog, state, ledger): (Res<Catalog>, Res<TrackerState>, Res<LedgerState>),
    toasts: Query<(), With<Shown>>,
    (payer, last_time): (Res<Payer>, Res<LastTime>),
) {
    let has_changed = orders.is_changed()
        || purchases.is_changed()
        || bag.is_changed()
        || catalog.is_changed()
        || state.is_changed()
        || ledger.is_changed();
    // The demo's own payments need frames to go on, and so does the panel that disappears by itself.
    let is_busy = payer.is_busy() || last_time.is_leaving();
    if has_changed || !toasts.is_empty() || is_busy {
        life.0 = LIVES_ON;
    }
}

fn sleep_or_wake(life: Res<Life>, mut settings: ResMut<WinitSettings>, mut sleeps: Local<bool>) {
    let is_at_rest = life.0 <= 0.0;
    if *sleeps != is_at_rest {
        *sleeps = is_at_rest;
        *settings = match is_at_rest {
            // `WinitSettings::desktop_app()` would wake every few seconds for no reason.
            true => WinitSettings {
                focused_mode: UpdateMode::reactive(SLEEPS_FOR),
                unfocused_mode: UpdateMode::reactive_low_power(SLEEPS_FOR),
            },
            false => WinitSettings::game(),
        };
    }
}
