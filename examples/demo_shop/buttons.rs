//! The look of the buttons. Those of `bevy_ui_widgets` come without one.

use bevy::input_focus::tab_navigation::TabIndex;
use bevy::input_focus::{InputFocus, InputFocusVisible};
use bevy::picking::hover::Hovered;
use bevy::prelude::*;
use bevy::ui::{InteractionDisabled, Pressed};
use bevy::ui_widgets::Button;

use crate::theme::{CARD_EDGE, DARK_TEXT, Fonts, GOLD, RED, TEXT};

pub struct ButtonsPlugin;

impl Plugin for ButtonsPlugin {
    fn build(&self, app: &mut App) {
        // These run after `Update`, in which buttons come and go.
        app.add_systems(
            PostUpdate,
            (apply_looks, color, skip_hidden, ring_focus).chain(),
        )
        .add_systems(Update, focus_nothing.run_if(run_once));
    }
}

/// How a button looks. A flat one only shows a state and cannot be pressed.
#[derive(Clone, Copy, PartialEq, Component)]
pub enum Look {
    Gold,
    Plain,
    Red,
    Flat(Color),
}

/// The text on a button.
#[derive(Component)]
pub struct Label(pub Entity);

/// Spawns a button. The caller adds the component that says what it does.
pub fn spawn(
    commands: &mut Commands,
    fonts: &Fonts,
    text: &str,
    look: Look,
    size: (Val, Val),
) -> Entity {
    let label = commands
        .spawn((fonts.bold(text, 15.0, DARK_TEXT), Pickable::IGNORE))
        .id();
    commands
        .spawn((
            Button,
            look,
            Label(label),
            Hovered::default(),
            TabIndex(0),
            Node {
                width: size.0,
                height: size.1,
                flex_shrink: 0.0,
                padding: UiRect::horizontal(px(8)),
                justify_content: JustifyContent::Center,
                align_items: AlignItems::Center,
                border_radius: BorderRadius::all(px(8)),
                ..default()
            },
            BackgroundColor(Color::NONE),
            Outline::new(px(2), px(2), Color::NONE),
        ))
        .add_child(label)
        .id()
}

fn apply_looks(
    buttons: Query<(Entity, &Look, &Label), Changed<Look>>,
    mut texts: Query<&mut TextColor>,
    mut commands: Commands,
) {
    for (entity, look, label) in &buttons {
        let mut button = commands.entity(entity);
        match look {
            Look::Flat(_) => button.insert(InteractionDisabled),
            _ => button.remove::<InteractionDisabled>(),
        };
        if let Ok(mut color) = texts.get_mut(label.0) {
            color.0 = match look {
                Look::Gold | Look::Red => DARK_TEXT,
                Look::Plain => TEXT,
                Look::Flat(color) => *color,
            };
        }
    }
}

fn color(mut buttons: Query<(&Look, &Hovered, Has<Pressed>, &mut BackgroundColor)>) {
    for (look, hovered, is_pressed, mut color) in &mut buttons {
        let base = match look {
            Look::Gold => GOLD,
            Look::Plain => CARD_EDGE,
            Look::Red => RED,
            Look::Flat(_) => Color::NONE,
        };
        let shade = match (look, is_pressed, hovered.get()) {
            (Look::Flat(_), ..) => base,
            (_, true, _) => base.darker(0.08),
            (_, false, true) => base.lighter(0.07),
            (_, false, false) => base,
        };
        color.set_if_neq(BackgroundColor(shade));
    }
}

/// Has Tab pass over the buttons that are hidden.
fn skip_hidden(mut buttons: Query<(&Node, &mut TabIndex), Changed<Node>>) {
    for (node, mut index) in &mut buttons {
        index.0 = match node.display {
            Display::None => -1,
            _ => 0,
        };
    }
}

/// Bevy focuses the window at first, and Tab would log a warning about that.
fn focus_nothing(mut focus: ResMut<InputFocus>) {
    focus.clear();
}

/// Draws a ring around the button that Enter and Space press, for players who use the keyboard.
fn ring_focus(
    focus: Res<InputFocus>,
    is_visible: Res<InputFocusVisible>,
    mut buttons: Query<(Entity, &Look, &mut Outline)>,
) {
    for (entity, look, mut outline) in &mut buttons {
        let color = match look {
            _ if !is_visible.0 || focus.get() != Some(entity) => Color::NONE,
            // It cannot be pressed. The ring shows from where Tab goes on.
            Look::Flat(_) => CARD_EDGE,
            _ => TEXT,
        };
        outline.set_if_neq(Outline { color, ..*outline });
    }
}
