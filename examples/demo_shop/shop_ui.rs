//! The shop panel: a card for each item, with the headless buttons of `bevy_ui_widgets`.

use bevy::input_focus::tab_navigation::{TabGroup, TabIndex};
use bevy::input_focus::{InputFocus, InputFocusVisible};
use bevy::picking::hover::Hovered;
use bevy::prelude::*;
use bevy::ui::{InteractionDisabled, Pressed};
use bevy::ui_widgets::{Activate, Button};
use bevy_xsolla::prelude::*;

use crate::checkout::{Buy, Cancel, Checkout};
use crate::game::{Bag, ItemState, Purchases, Shelf, ShopItem};
use crate::theme::{BLUE, CARD, CARD_EDGE, DARK_TEXT, Fonts, GOLD, GREEN, MUTED, PANEL, RED, TEXT};
use crate::{connection, order_panel};

pub struct ShopUiPlugin;

impl Plugin for ShopUiPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Fonts>()
            .add_systems(Startup, spawn_panel)
            .add_systems(
                Update,
                (note_states, show_states, color_buttons, ring_focus).chain(),
            )
            .add_systems(Update, focus_nothing.run_if(run_once))
            .add_observer(click);
    }
}

/// The panel at the right of the window.
#[derive(Component)]
pub struct ShopPanel;

/// An item's card, and the parts of it that change. It has an [`ItemState`] too.
#[derive(Component)]
struct Card {
    item: ShopItem,
    line: Entity,
    button: Entity,
    label: Entity,
}

/// What a card's button does.
#[derive(Component)]
struct CardButton {
    sku: String,
    does: Action,
}

#[derive(Clone, Copy, PartialEq)]
enum Action {
    Buy,
    Cancel,
    /// It only says how things are.
    Nothing,
}

fn spawn_panel(
    mut commands: Commands,
    (fonts, assets): (Res<Fonts>, Res<AssetServer>),
    shelf: Res<Shelf>,
    config: Res<XsollaConfig>,
    checkout: Option<Res<Checkout>>,
) {
    let note = match checkout {
        Some(_) => "Demo: an emulator pays, no money moves. Tab and Enter work too.".to_owned(),
        None => format!(
            "Xsolla project {}: follows the orders given with --order. It cannot create orders yet.",
            config.project_id
        ),
    };
    let panel = commands
        .spawn((
            ShopPanel,
            TabGroup::default(),
            Node {
                position_type: PositionType::Absolute,
                right: px(0),
                width: percent(37),
                min_width: px(384),
                max_width: px(520),
                height: percent(100),
                padding: UiRect::axes(px(18), px(16)),
                flex_direction: FlexDirection::Column,
                row_gap: px(10),
                ..default()
            },
            BackgroundColor(PANEL.with_alpha(0.96)),
        ))
        .with_children(|panel| {
            panel
                .spawn(Node {
                    justify_content: JustifyContent::SpaceBetween,
                    align_items: AlignItems::Center,
                    ..default()
                })
                .with_children(|header| {
                    header.spawn(fonts.bold("Wanderer's Shop", 24.0, TEXT));
                    connection::spawn_light(header, &fonts);
                });
            panel.spawn(fonts.text(&note, 13.0, MUTED));
        })
        .id();
    for item in &shelf.0 {
        let icon = assets.load(format!("demo_shop/icon_{}.png", item.sku));
        let card = spawn_card(&mut commands, &fonts, item, icon);
        commands.entity(panel).add_child(card);
    }
    commands.entity(panel).with_children(|panel| {
        order_panel::spawn(panel, &fonts);
    });
}

fn spawn_card(
    commands: &mut Commands,
    fonts: &Fonts,
    item: &ShopItem,
    icon: Handle<Image>,
) -> Entity {
    let line = commands
        .spawn(fonts.text(&item.description, 13.0, MUTED))
        .id();
    let label = commands
        .spawn((fonts.bold("Buy", 15.0, DARK_TEXT), Pickable::IGNORE))
        .id();
    let button = commands
        .spawn((
            Button,
            CardButton {
                sku: item.sku.clone(),
                does: Action::Buy,
            },
            Hovered::default(),
            TabIndex(0),
            Node {
                width: px(92),
                height: px(32),
                justify_content: JustifyContent::Center,
                align_items: AlignItems::Center,
                border_radius: BorderRadius::all(px(8)),
                ..default()
            },
            BackgroundColor(GOLD),
            Outline::new(px(2), px(2), Color::NONE),
        ))
        .add_child(label)
        .id();
    let picture = commands
        .spawn((
            ImageNode::new(icon),
            Node {
                width: px(60),
                height: px(60),
                flex_shrink: 0.0,
                ..default()
            },
        ))
        .id();
    let middle = commands
        .spawn(Node {
            flex_direction: FlexDirection::Column,
            flex_grow: 1.0,
            flex_basis: px(0),
            row_gap: px(3),
            ..default()
        })
        .with_child(fonts.bold(&item.name, 17.0, TEXT))
        .add_child(line)
        .id();
    let right = commands
        .spawn(Node {
            flex_direction: FlexDirection::Column,
            align_items: AlignItems::Center,
            row_gap: px(7),
            ..default()
        })
        .with_child(fonts.bold(&item.price, 15.0, GOLD))
        .add_child(button)
        .id();
    commands
        .spawn((
            Card {
                item: item.clone(),
                line,
                button,
                label,
            },
            ItemState::Available,
            Node {
                flex_grow: 1.0,
                max_height: px(120),
                padding: UiRect::axes(px(12), px(8)),
                column_gap: px(12),
                align_items: AlignItems::Center,
                border: UiRect::all(px(1)),
                border_radius: BorderRadius::all(px(12)),
                ..default()
            },
            BackgroundColor(CARD),
            BorderColor::all(CARD_EDGE),
        ))
        .add_children(&[picture, middle, right])
        .id()
}

/// A button was clicked, or Enter or Space was pressed on it.
fn click(
    activate: On<Activate>,
    buttons: Query<&CardButton>,
    mut buy: MessageWriter<Buy>,
    mut cancel: MessageWriter<Cancel>,
) {
    let Ok(button) = buttons.get(activate.entity) else {
        return;
    };
    let sku = button.sku.clone();
    match button.does {
        Action::Buy => {
            buy.write(Buy { sku });
        }
        Action::Cancel => {
            cancel.write(Cancel { sku });
        }
        Action::Nothing => {}
    }
}

fn note_states(
    mut cards: Query<(&Card, &mut ItemState)>,
    bag: Res<Bag>,
    purchases: Res<Purchases>,
    orders: Res<Orders>,
) {
    if !(bag.is_changed() || purchases.is_changed() || orders.is_changed()) {
        return;
    }
    for (card, mut state) in &mut cards {
        state.set_if_neq(ItemState::of(&card.item.sku, &bag, &purchases, &orders));
    }
}

fn show_states(
    mut cards: Query<(&Card, &ItemState, &mut BorderColor), Changed<ItemState>>,
    mut texts: Query<(&mut Text, &mut TextColor)>,
    mut buttons: Query<&mut CardButton>,
    checkout: Option<Res<Checkout>>,
    mut commands: Commands,
) {
    for (card, &state, mut edge) in &mut cards {
        let description = card.item.description.as_str();
        let (line, color, label) = match state {
            ItemState::Available => (description, MUTED, "Buy"),
            ItemState::Waiting => ("Waiting for payment", GOLD, "Cancel"),
            ItemState::Paid => ("Paid, being delivered", BLUE, "Paid"),
            ItemState::Unlocked => (description, MUTED, "Unlocked"),
            ItemState::Canceled => ("Canceled. Nothing was charged.", RED, "Buy"),
            ItemState::Expired => ("Expired. Nothing was charged.", RED, "Buy"),
            ItemState::Lost => ("The order is not followed any more.", RED, "Buy"),
        };
        let does = match state {
            _ if checkout.is_none() => Action::Nothing,
            ItemState::Waiting => Action::Cancel,
            _ if state.is_for_sale() => Action::Buy,
            _ => Action::Nothing,
        };
        let label = match does {
            Action::Nothing if state.is_for_sale() => "Locked",
            _ => label,
        };
        let text_color = match (state, does) {
            (ItemState::Unlocked, _) => GREEN,
            (ItemState::Paid, _) => BLUE,
            (_, Action::Buy) => DARK_TEXT,
            (_, Action::Cancel) => TEXT,
            (_, Action::Nothing) => MUTED,
        };
        for (entity, content, color) in [(card.line, line, color), (card.label, label, text_color)]
        {
            if let Ok((mut text, mut old_color)) = texts.get_mut(entity) {
                text.0 = content.to_owned();
                old_color.0 = color;
            }
        }
        *edge = BorderColor::all(match state {
            ItemState::Waiting => GOLD,
            ItemState::Paid => BLUE,
            ItemState::Unlocked => GREEN.with_alpha(0.55),
            _ => CARD_EDGE,
        });
        if let Ok(mut button) = buttons.get_mut(card.button) {
            button.does = does;
        }
        let mut button = commands.entity(card.button);
        if does == Action::Nothing {
            button.insert(InteractionDisabled);
        } else {
            button.remove::<InteractionDisabled>();
        }
    }
}

fn color_buttons(mut buttons: Query<(&CardButton, &Hovered, Has<Pressed>, &mut BackgroundColor)>) {
    for (button, hovered, is_pressed, mut color) in &mut buttons {
        let base = match button.does {
            Action::Buy => GOLD,
            Action::Cancel => CARD_EDGE,
            Action::Nothing => Color::NONE,
        };
        let shade = match (button.does, is_pressed, hovered.get()) {
            (Action::Nothing, ..) => base,
            (_, true, _) => base.darker(0.08),
            (_, false, true) => base.lighter(0.07),
            (_, false, false) => base,
        };
        color.set_if_neq(BackgroundColor(shade));
    }
}

/// Bevy focuses the window at first, which Tab would complain about.
fn focus_nothing(mut focus: ResMut<InputFocus>) {
    focus.clear();
}

/// The ring around the button that Enter and Space press, for those who use the keyboard.
fn ring_focus(
    focus: Res<InputFocus>,
    is_visible: Res<InputFocusVisible>,
    mut buttons: Query<(Entity, &CardButton, &mut Outline)>,
) {
    for (entity, button, mut outline) in &mut buttons {
        let color = match button.does {
            _ if !is_visible.0 || focus.get() != Some(entity) => Color::NONE,
            // There is nothing to press, and Tab goes on from here.
            Action::Nothing => CARD_EDGE,
            _ => TEXT,
        };
        outline.set_if_neq(Outline { color, ..*outline });
    }
}
