//! An item's card shows its icon, name, price and the state of its purchase, and has the buttons for it.

use bevy::prelude::*;
use bevy::ui_widgets::Activate;
use bevy_xsolla::prelude::*;
use bevy_xsolla::{CatalogItem, IncludedItem};

use crate::bag::Bag;
use crate::buttons::{self, Label, Look};
use crate::checkout::{Buy, Cancel, Purchases, Resume};
use crate::game::ItemState;
use crate::payer::Payer;
use crate::theme::{BLUE, CARD, CARD_EDGE, Fonts, GOLD, GREEN, MUTED, RED, TEXT};

pub struct CardsPlugin;

impl Plugin for CardsPlugin {
    fn build(&self, app: &mut App) {
        // These run before the buttons get their looks in `PostUpdate`.
        app.add_systems(PreUpdate, (note_states, show_states).chain())
            .add_observer(click);
    }
}

/// The state that a card shows.
#[derive(Clone, Copy, PartialEq, Component)]
struct Shows {
    state: ItemState,
    /// Whether the player can open the payment page.
    page: bool,
}

/// An item's card, with the parts of it that change.
#[derive(Component)]
struct Card {
    sku: String,
    description: String,
    is_sold_out: bool,
    line: Entity,
    price: Entity,
    resume: Entity,
    button: Entity,
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
    Resume,
    Cancel,
    /// The button only shows a state.
    Nothing,
}

/// The items that have an icon among the assets.
const DRAWN: [&str; 4] = ["sword", "shield", "helmet", "lantern"];

pub fn spawn(
    commands: &mut Commands,
    fonts: &Fonts,
    assets: &AssetServer,
    item: &CatalogItem,
) -> Entity {
    let description = plain_text(item.description.as_deref().unwrap_or_default());
    let line = commands.spawn(fonts.text(&description, 13.0, MUTED)).id();
    let price = spawn_price(commands, fonts, item);
    let extras: Vec<Entity> = extras(item)
        .map(|(text, color)| commands.spawn(fonts.bold(&text, 12.0, color)).id())
        .collect();
    let [resume, button] =
        [("Pay page", Action::Resume), ("Buy", Action::Buy)].map(|(text, does)| {
            let size = (px(92), px(29));
            let button = buttons::spawn(commands, fonts, text, Look::Gold, size);
            let sku = item.sku.clone();
            commands.entity(button).insert(CardButton { sku, does });
            button
        });
    let picture = spawn_picture(commands, fonts, assets, item);
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
        .add_children(&extras)
        .id();
    let right = commands
        .spawn(Node {
            flex_direction: FlexDirection::Column,
            align_items: AlignItems::Center,
            row_gap: px(6),
            ..default()
        })
        .add_children(&[price, resume, button])
        .id();
    commands
        .spawn((
            Card {
                sku: item.sku.clone(),
                description,
                is_sold_out: item.is_sold_out() || !item.can_be_bought,
                line,
                price,
                resume,
                button,
            },
            Shows {
                state: ItemState::Available,
                page: false,
            },
            Node {
                flex_grow: 1.0,
                max_height: px(120),
                padding: UiRect::axes(px(12), px(8)),
                column_gap: px(12),
                align_items: AlignItems::Center,
                border: UiRect::all(px(1)),
                border_radius: BorderRadius::all(px(12)),
                overflow: Overflow::clip(),
                ..default()
            },
            BackgroundColor(CARD),
            BorderColor::all(CARD_EDGE),
        ))
        .add_children(&[picture, middle, right])
        .id()
}

/// The price, and before it the old one if there is a discount.
fn spawn_price(commands: &mut Commands, fonts: &Fonts, item: &CatalogItem) -> Entity {
    let mut row = commands.spawn(Node {
        column_gap: px(6),
        align_items: AlignItems::Center,
        ..default()
    });
    let Some(price) = &item.price else {
        return row.id();
    };
    // A bundle's old price is that of its contents.
    let mut old = price.clone();
    old.amount = price.amount_without_discount;
    if let Some(contents) = &item.contents_price {
        old.amount = old.amount.max(contents.amount);
    }
    if old.amount > price.amount {
        let old = fonts.text(&old.to_string(), 13.0, MUTED);
        row.with_child((old, Strikethrough));
    }
    row.with_child(fonts.bold(&price.to_string(), 15.0, GOLD))
        .id()
}

/// What is in a bundle or a package, and what a promotion adds.
fn extras(item: &CatalogItem) -> impl Iterator<Item = (String, Color)> {
    let bonus: Vec<&IncludedItem> = item.promotions.iter().flat_map(|p| &p.bonus).collect();
    let lines = [
        ("Has", item.contents.iter().collect(), BLUE),
        ("Bonus:", bonus, GREEN),
    ];
    let lines = lines.into_iter().filter(|(_, items, _)| !items.is_empty());
    lines.map(|(word, items, color)| {
        let names = items.iter().map(|item| match item.quantity {
            1 => item.name.clone(),
            quantity => format!("{quantity} {}", item.name),
        });
        let names: Vec<String> = names.collect();
        (format!("{word} {}", names.join(", ")), color)
    })
}

fn spawn_picture(
    commands: &mut Commands,
    fonts: &Fonts,
    assets: &AssetServer,
    item: &CatalogItem,
) -> Entity {
    let node = Node {
        width: px(60),
        height: px(60),
        flex_shrink: 0.0,
        justify_content: JustifyContent::Center,
        align_items: AlignItems::Center,
        border_radius: BorderRadius::all(px(12)),
        ..default()
    };
    if DRAWN.contains(&item.sku.as_str()) {
        let icon = assets.load(format!("demo_shop/icon_{}.png", item.sku));
        return commands.spawn((ImageNode::new(icon), node)).id();
    }
    // A game would fetch `image_url`. The demo shows the first letter of the name.
    let letter: String = item.name.chars().take(1).collect();
    commands
        .spawn((node, BackgroundColor(CARD_EDGE)))
        .with_child(fonts.bold(&letter, 28.0, TEXT))
        .id()
}

/// Descriptions may be HTML. This leaves the tags out, and cuts the text to what a card has room for.
fn plain_text(html: &str) -> String {
    let mut is_tag = false;
    let visible = html.chars().filter(|&letter| match letter {
        '<' => {
            is_tag = true;
            false
        }
        '>' => !std::mem::take(&mut is_tag),
        _ => !is_tag,
    });
    visible.take(90).collect()
}

/// Runs when a button was clicked, or Enter or Space was pressed on it.
fn click(
    activate: On<Activate>,
    buttons: Query<&CardButton>,
    mut buy: MessageWriter<Buy>,
    mut resume: MessageWriter<Resume>,
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
        Action::Resume => {
            resume.write(Resume { sku });
        }
        Action::Cancel => {
            cancel.write(Cancel { sku });
        }
        Action::Nothing => {}
    }
}

fn note_states(
    mut cards: Query<(&Card, &mut Shows)>,
    (bag, purchases, orders): (Res<Bag>, Res<Purchases>, Res<Orders>),
    payer: Res<Payer>,
) {
    for (card, mut shows) in &mut cards {
        let state = ItemState::of(&card.sku, &bag, &purchases, &orders);
        let order = purchases.newest(&card.sku, &orders);
        // Where the demo pays by itself, the order is paid before the player could use the page.
        let is_open = |order_id| payer.leaves_to_player(order_id);
        let page = state == ItemState::Waiting && order.is_some_and(|o| is_open(o.order_id));
        shows.set_if_neq(Shows { state, page });
    }
}

fn show_states(
    mut cards: Query<(&Card, &Shows, &mut BorderColor), Changed<Shows>>,
    mut texts: Query<(&mut Text, &mut TextColor)>,
    mut nodes: Query<&mut Node>,
    mut buttons: Query<(&mut CardButton, &mut Look, &Label)>,
) {
    for (card, &Shows { state, page }, mut edge) in &mut cards {
        for (entity, is_shown) in [(card.price, !page), (card.resume, page)] {
            if let Ok(mut node) = nodes.get_mut(entity) {
                node.display = if is_shown {
                    Display::Flex
                } else {
                    Display::None
                };
            }
        }
        let description = card.description.as_str();
        let (line, color, label) = match state {
            ItemState::Available => (description, MUTED, "Buy"),
            ItemState::Ordered => ("Creating your order", MUTED, "Opening\u{2026}"),
            ItemState::Waiting => ("Waiting for payment", GOLD, "Cancel"),
            ItemState::Paid => ("Paid, being delivered", BLUE, "Paid"),
            ItemState::Unlocked => (description, MUTED, "Unlocked"),
            ItemState::Canceled => ("Canceled. Nothing was charged.", RED, "Buy"),
            ItemState::Refunded => ("Refunded. The money is on its way.", RED, "Buy"),
            ItemState::Expired => ("Expired. Nothing was charged.", RED, "Buy"),
            ItemState::Abandoned => ("Not paid. You get it if you pay later.", MUTED, "Buy"),
            ItemState::Lost => ("The order is not followed any more.", RED, "Buy"),
        };
        let is_sold_out = card.is_sold_out && state.is_for_sale();
        let label = if is_sold_out { "Sold out" } else { label };
        let (does, look) = match state {
            _ if is_sold_out => (Action::Nothing, Look::Flat(MUTED)),
            ItemState::Waiting => (Action::Cancel, Look::Plain),
            _ if state.is_for_sale() => (Action::Buy, Look::Gold),
            ItemState::Unlocked => (Action::Nothing, Look::Flat(GREEN)),
            ItemState::Paid => (Action::Nothing, Look::Flat(BLUE)),
            _ => (Action::Nothing, Look::Flat(MUTED)),
        };
        if let Ok((mut text, mut old_color)) = texts.get_mut(card.line) {
            text.0 = line.to_owned();
            old_color.0 = color;
        }
        if let Ok((mut button, mut old_look, text)) = buttons.get_mut(card.button) {
            button.does = does;
            old_look.set_if_neq(look);
            if let Ok((mut text, _)) = texts.get_mut(text.0) {
                label.clone_into(&mut text.0);
            }
        }
        *edge = BorderColor::all(match state {
            ItemState::Waiting => GOLD,
            ItemState::Paid => BLUE,
            ItemState::Unlocked => GREEN.with_alpha(0.55),
            _ => CARD_EDGE,
        });
    }
}
