//! The connection light: how tracking is doing, from [`TrackerState`].

use bevy::ecs::hierarchy::ChildSpawnerCommands;
use bevy::prelude::*;
use bevy_xsolla::prelude::*;

use crate::theme::{BLUE, Fonts, GOLD, GREEN, MUTED, RED};

pub struct ConnectionPlugin;

impl Plugin for ConnectionPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(
            Update,
            show_state.run_if(resource_exists_and_changed::<TrackerState>),
        );
    }
}

#[derive(Component)]
struct Light;

/// The texts that follow the state.
#[derive(Component)]
enum Says {
    /// In a word how things are.
    What,
    /// In a line why.
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
    state: Res<TrackerState>,
    mut light: Single<&mut BackgroundColor, With<Light>>,
    mut texts: Query<(&Says, &mut Text, &mut TextColor)>,
) {
    let (color, what, why) = describe(&state);
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

/// The light's color, the word beside it, and the reason.
pub fn describe(state: &TrackerState) -> (Color, &'static str, String) {
    match state {
        TrackerState::Idle => (
            MUTED,
            "Idle",
            "No order is open, so nothing is connected.".to_owned(),
        ),
        TrackerState::Connecting => (GOLD, "Connecting", "Opening the order socket.".to_owned()),
        TrackerState::Live => (GREEN, "Live", "News comes by socket, at once.".to_owned()),
        TrackerState::Reconnecting { reason } => (GOLD, "Reconnecting", reason.to_string()),
        TrackerState::Polling { reason: None } => (
            BLUE,
            "Polling",
            "The socket is slow: asking every few seconds.".to_owned(),
        ),
        TrackerState::Polling {
            reason: Some(reason),
        } => (
            BLUE,
            "Polling",
            format!("Asking every few seconds: {reason}"),
        ),
        TrackerState::NoConfig => (RED, "Not set up", "There is no XsollaConfig.".to_owned()),
        TrackerState::InvalidConfig(error) => (RED, "Not set up", error.to_string()),
        TrackerState::NoUser => (MUTED, "Logged out", "There is no XsollaUser.".to_owned()),
        TrackerState::Unauthorized { reason } => (RED, "Log in again", reason.to_string()),
        TrackerState::Failed { reason } => (RED, "Failed", reason.clone()),
        TrackerState::LedgerTrouble { reason, state } => {
            let (color, what, _) = describe(state);
            (color, what, format!("Orders are not kept: {reason}"))
        }
        // A state of a later version.
        other => (MUTED, "Unknown", format!("{other:?}")),
    }
}
