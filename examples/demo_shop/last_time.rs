//! After a restart this panel shows the orders that were open when the game ended, and what becomes of them.

use std::time::Duration;

use bevy::platform::time::Instant;
use bevy::prelude::*;
use bevy_xsolla::prelude::*;

use crate::bag::Bag;
use crate::checkout::Purchases;
use crate::game::{self, ItemState};
use crate::theme::{BLUE, CARD_EDGE, Fonts, GOLD, GREEN, MUTED, PANEL, RED, TEXT};
use crate::toasts::Stack;

/// How long the panel stays once all of its orders have ended.
const LINGERS: Duration = Duration::from_secs(8);

pub struct LastTimePlugin;

impl Plugin for LastTimePlugin {
    fn build(&self, app: &mut App) {
        // These run after `Update`, in which this run's own orders are noted.
        app.init_resource::<LastTime>().add_systems(
            PostUpdate,
            (
                note_orders,
                show.run_if(resource_changed::<LastTime>),
                leave,
            )
                .chain(),
        );
    }
}

/// The orders that the plugin has restored from its ledger.
#[derive(Default, Resource)]
pub struct LastTime {
    lines: Vec<Line>,
    /// The orders that were made elsewhere, in this run.
    discovered: Vec<OrderId>,
    over_since: Option<Instant>,
}

#[derive(PartialEq)]
struct Line {
    order_id: OrderId,
    name: String,
    state: ItemState,
}

impl LastTime {
    /// Whether the panel is to disappear soon. The game has to stay awake for that.
    pub fn is_leaving(&self) -> bool {
        self.over_since.is_some()
    }
}

#[derive(Component)]
struct Panel;

fn note_orders(
    mut last_time: ResMut<LastTime>,
    (orders, purchases): (Res<Orders>, Res<Purchases>),
    (bag, catalog): (Res<Bag>, Res<Catalog>),
    mut discovered: MessageReader<OrderDiscovered>,
) {
    let discovered = discovered.read().map(|order| order.order_id);
    last_time
        .bypass_change_detection()
        .discovered
        .extend(discovered);
    if !orders.is_changed() && !catalog.is_changed() && !bag.is_changed() {
        return;
    }
    let mut lines = Vec::new();
    for order in &orders {
        let is_shown = last_time.lines.iter().any(|l| l.order_id == order.order_id);
        // The orders of this run are left out, and those that were over before it.
        let is_of_this_run = purchases.sku_of(order.order_id).is_some()
            || last_time.discovered.contains(&order.order_id);
        let is_new = !is_of_this_run && !order.phase.is_acknowledged();
        if is_shown || is_new {
            let item = order.items.iter().flatten().next();
            lines.push(Line {
                order_id: order.order_id,
                name: match item {
                    Some(item) => game::name_of(&item.sku, &catalog).to_owned(),
                    None => format!("Order {}", order.order_id),
                },
                state: ItemState::of_order(order, &bag),
            });
        }
    }
    if lines != last_time.lines {
        let is_open = |line: &Line| matches!(line.state, ItemState::Waiting | ItemState::Paid);
        last_time.over_since = match lines.iter().any(is_open) {
            true => None,
            false => Some(Instant::now()),
        };
        last_time.lines = lines;
    }
}

fn leave(
    mut last_time: ResMut<LastTime>,
    panels: Query<Entity, With<Panel>>,
    mut commands: Commands,
) {
    let is_over = |since: Instant| since.elapsed() > LINGERS;
    if last_time.over_since.is_some_and(is_over) {
        // The lines stay, so that their orders do not count as new ones.
        last_time.bypass_change_detection().over_since = None;
        for panel in &panels {
            commands.entity(panel).despawn();
        }
    }
}

fn show(
    last_time: Res<LastTime>,
    (panels, stack): (Query<Entity, With<Panel>>, Single<Entity, With<Stack>>),
    fonts: Res<Fonts>,
    mut commands: Commands,
) {
    for panel in &panels {
        commands.entity(panel).despawn();
    }
    if last_time.lines.is_empty() {
        return;
    }
    let panel = Node {
        flex_direction: FlexDirection::Column,
        row_gap: px(4),
        padding: UiRect::axes(px(16), px(12)),
        border: UiRect::all(px(1)),
        border_radius: BorderRadius::all(px(10)),
        ..default()
    };
    let panel = commands
        .spawn((
            Panel,
            Pickable::IGNORE,
            panel,
            BackgroundColor(PANEL.with_alpha(0.94)),
            BorderColor::all(CARD_EDGE),
        ))
        .with_children(|panel| {
            panel.spawn((
                fonts.bold("Orders from last time", 15.0, TEXT),
                Pickable::IGNORE,
            ));
            for line in &last_time.lines {
                let (text, color) = describe(line.state);
                let row = Node {
                    justify_content: JustifyContent::SpaceBetween,
                    column_gap: px(12),
                    ..default()
                };
                panel.spawn((row, Pickable::IGNORE)).with_children(|row| {
                    row.spawn((fonts.text(&line.name, 14.0, TEXT), Pickable::IGNORE));
                    row.spawn((fonts.text(text, 14.0, color), Pickable::IGNORE));
                });
            }
        })
        .id();
    // The panel stands above the toasts.
    commands.entity(*stack).insert_children(0, &[panel]);
}

fn describe(state: ItemState) -> (&'static str, Color) {
    match state {
        ItemState::Unlocked => ("unlocked", GREEN),
        ItemState::Paid => ("being delivered", BLUE),
        ItemState::Canceled => ("canceled", RED),
        ItemState::Refunded => ("refunded", RED),
        ItemState::Expired => ("expired", RED),
        ItemState::Lost => ("not followed", RED),
        ItemState::Abandoned => ("not paid", MUTED),
        _ => ("waiting for payment", GOLD),
    }
}
