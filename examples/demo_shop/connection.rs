//! The connection light shows how tracking is doing.

use bevy::ecs::hierarchy::ChildSpawnerCommands;
use bevy::prelude::*;
use bevy_xsolla::prelude::*;

use crate::theme::{BLUE, Fonts, GOLD, GREEN, MUTED, RED};
use crate::words;

pub struct ConnectionPlugin;

impl Plugin for ConnectionPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(
            Update,
            show_state
                .run_if(resource_changed::<TrackerState>.or_else(resource_changed::<LedgerState>)),
        );
    }
}

#[derive(Component)]
struct Light;

/// The texts that follow the state.
#[derive(Component)]
enum Says {
    /// A word for the state.
    What,
    /// A line that explains it.
    Why,
}

pub fn spawn_light(parent: &mut ChildSpawnerCommands, fonts: &Fonts) {
    parent
        .spawn(Node {
            align_items: AlignItems::Center,
            column_gap: px(8),
            ..default()
        })
        .with_children(|row| {
            row.spawn((
                Light,
                Node {
                    width: px(12),
                    height: px(12),
                    border_radius: BorderRadius::MAX,
                    ..default()
                },
                BackgroundColor(MUTED),
            ));
            row.spawn((Says::What, fonts.bold("", 15.0, MUTED)));
        });
}

pub fn spawn_reason(parent: &mut ChildSpawnerCommands, fonts: &Fonts) {
    parent.spawn((Says::Why, fonts.text("", 13.0, MUTED)));
}

fn show_state(
    (state, ledger): (Res<TrackerState>, Res<LedgerState>),
    mut light: Single<&mut BackgroundColor, With<Light>>,
    mut texts: Query<(&Says, &mut Text, &mut TextColor)>,
) {
    let color = color_of(&state);
    let (what, why) = words::state(&state, &ledger);
    light.0 = color;
    for (says, mut text, mut text_color) in &mut texts {
        match says {
            Says::What => {
                what.clone_into(&mut text.0);
                text_color.0 = color;
            }
            Says::Why => why.clone_into(&mut text.0),
        }
    }
}

fn color_of(state: &TrackerState) -> Color {
    match state {
        TrackerState::Live => GREEN,
        TrackerState::Connecting
        | TrackerState::Reconnecting { .. }
        | TrackerState::Polling {
            requests: Some(_), ..
        } => GOLD,
        TrackerState::Polling { .. } => BLUE,
        TrackerState::NoConfig
        | TrackerState::InvalidConfig(_)
        | TrackerState::Unauthorized { .. }
        | TrackerState::Failed { .. } => RED,
        _ => MUTED,
    }
}
