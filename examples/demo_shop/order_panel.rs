//! This panel shows the newest order's way from created to delivered, and how and when the news of it came.

use bevy::ecs::hierarchy::ChildSpawnerCommands;
use bevy::platform::time::Instant;
use bevy::prelude::*;
use bevy_xsolla::NewsSource;
use bevy_xsolla::prelude::*;

use crate::checkout::Purchases;
use crate::theme::{BLUE, CARD, CARD_EDGE, Fonts, GOLD, GREEN, MUTED, RED, TEXT};
use crate::{connection, game};

pub struct OrderPanelPlugin;

impl Plugin for OrderPanelPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Timeline>()
            .add_systems(Update, note_news)
            .add_systems(PostUpdate, show.run_if(resource_changed::<Timeline>));
    }
}

/// The news of the newest order.
#[derive(Default, Resource)]
struct Timeline {
    order_id: Option<OrderId>,
    /// The name of its item, once that is known.
    name: String,
    /// When it was first seen. The game's own time stands still while the game sleeps.
    start: Option<Instant>,
    /// One piece of news for each status that it came to.
    news: Vec<News>,
}

struct News {
    status: OrderStatus,
    source: NewsSource,
    at: f32,
}

/// A text that follows the timeline. The number says which step.
#[derive(Component)]
enum Label {
    Order,
    Step(usize),
    News(usize),
}

/// The dot of a step, or the line that leads to it. It is colored once the step is reached.
#[derive(Component)]
struct Mark(usize);

pub fn spawn(parent: &mut ChildSpawnerCommands, fonts: &Fonts) {
    let panel = Node {
        flex_direction: FlexDirection::Column,
        row_gap: px(8),
        padding: UiRect::axes(px(14), px(11)),
        margin: UiRect::top(auto()),
        border: UiRect::all(px(1)),
        border_radius: BorderRadius::all(px(12)),
        ..default()
    };
    parent
        .spawn((panel, BackgroundColor(CARD), BorderColor::all(CARD_EDGE)))
        .with_children(|panel| {
            panel.spawn((Label::Order, fonts.bold("", 14.0, TEXT)));
            panel
                .spawn(Node {
                    justify_content: JustifyContent::SpaceBetween,
                    ..default()
                })
                .with_children(|row| {
                    for step in 0..3 {
                        spawn_step(row, fonts, step);
                    }
                });
            connection::spawn_reason(panel, fonts);
        });
}

fn spawn_step(row: &mut ChildSpawnerCommands, fonts: &Fonts, step: usize) {
    row.spawn(Node {
        flex_direction: FlexDirection::Column,
        align_items: AlignItems::Center,
        flex_grow: 1.0,
        flex_basis: px(0),
        row_gap: px(3),
        ..default()
    })
    .with_children(|column| {
        if step > 0 {
            // It goes from the middle of the step before to the middle of this one, without the dots.
            let lead = Node {
                position_type: PositionType::Absolute,
                left: percent(-50),
                right: percent(50),
                top: px(6),
                height: px(3),
                margin: UiRect::horizontal(px(13)),
                ..default()
            };
            column.spawn((Mark(step), lead, BackgroundColor(CARD_EDGE)));
        }
        let dot = Node {
            width: px(15),
            height: px(15),
            border_radius: BorderRadius::MAX,
            ..default()
        };
        column.spawn((Mark(step), dot, BackgroundColor(CARD_EDGE)));
        column.spawn((Label::Step(step), fonts.bold("", 14.0, MUTED)));
        // The line is as tall without news, so that nothing jumps when news comes.
        let line = Node {
            min_height: px(17),
            ..default()
        };
        column.spawn((Label::News(step), line, fonts.text("", 13.0, MUTED)));
    });
}

fn note_news(
    mut changes: MessageReader<OrderStatusChanged>,
    mut timeline: ResMut<Timeline>,
    orders: Res<Orders>,
    purchases: Res<Purchases>,
    catalog: Res<Catalog>,
) {
    // An order that was over before this run has no news to show.
    let shown = timeline.order_id;
    let is_of_now =
        |order: &&Order| !order.phase.is_acknowledged() || shown == Some(order.order_id);
    let newest = orders.iter().rfind(is_of_now);
    if let Some(order) = newest
        && timeline.order_id != Some(order.order_id)
    {
        *timeline = Timeline {
            order_id: Some(order.order_id),
            start: Some(Instant::now()),
            ..default()
        };
    }
    if let Some(order) = newest
        && timeline.name.is_empty()
    {
        let listed = order.items.iter().flatten().next();
        let bought = purchases.sku_of(order.order_id);
        if let Some(sku) = bought.or(listed.map(|item| item.sku.as_str())) {
            timeline.name = game::name_of(sku, &catalog).to_owned();
        }
    }
    for change in changes.read() {
        if timeline.order_id == Some(change.order_id) {
            let at = timeline
                .start
                .map_or(0.0, |start| start.elapsed().as_secs_f32());
            timeline.news.push(News {
                status: change.status.clone(),
                source: change.source,
                at,
            });
        }
    }
}

impl Timeline {
    fn title(&self) -> String {
        match self.order_id {
            None => "Buy something: here you see its order move.".to_owned(),
            Some(id) if self.name.is_empty() => format!("Order {id}"),
            Some(id) => format!("{}, order {id}", self.name),
        }
    }

    /// The step's name and color, and the news that brought it.
    fn step(&self, step: usize) -> (&'static str, Color, Option<&News>) {
        let find = |wanted: OrderStatus| self.news.iter().find(|news| news.status == wanted);
        let (name, color, status) = match step {
            0 => ("Created", GOLD, OrderStatus::New),
            1 => ("Paid", BLUE, OrderStatus::Paid),
            _ => {
                // The order may have ended without being delivered.
                for (name, status) in [
                    ("Canceled", OrderStatus::Canceled),
                    ("Expired", OrderStatus::Expired),
                ] {
                    if let Some(news) = find(status) {
                        return (name, RED, Some(news));
                    }
                }
                ("Delivered", GREEN, OrderStatus::Done)
            }
        };
        (name, color, find(status))
    }
}

fn describe(news: &News) -> String {
    let source = match news.source {
        NewsSource::Socket => "socket",
        _ => "request",
    };
    format!("{:.1} s, {source}", news.at)
}

fn show(
    timeline: Res<Timeline>,
    mut marks: Query<(&Mark, &mut BackgroundColor)>,
    mut labels: Query<(&Label, &mut Text, &mut TextColor)>,
) {
    for (Mark(step), mut background) in &mut marks {
        let (_, color, news) = timeline.step(*step);
        background.0 = if news.is_some() { color } else { CARD_EDGE };
    }
    for (label, mut text, mut text_color) in &mut labels {
        match *label {
            Label::Order => text.0 = timeline.title(),
            Label::Step(step) => {
                let (name, _, news) = timeline.step(step);
                name.clone_into(&mut text.0);
                text_color.0 = if news.is_some() { TEXT } else { MUTED };
            }
            Label::News(step) => {
                let (.., news) = timeline.step(step);
                text.0 = news.map(describe).unwrap_or_default();
            }
        }
    }
}
