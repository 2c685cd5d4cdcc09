//! Short notices over the scene.

use bevy::prelude::*;
use bevy_xsolla::prelude::*;

use crate::game::{ItemUnlocked, name_of};
use crate::theme::{BLUE, Fonts, GOLD, MUTED, PANEL, RED, TEXT};
use crate::words;

/// How many seconds a toast stays, and how many it takes to slide in or out.
const STAYS: f32 = 4.5;
const SLIDES: f32 = 0.25;

pub struct ToastsPlugin;

impl Plugin for ToastsPlugin {
    fn build(&self, app: &mut App) {
        app.add_message::<Toast>()
            .add_systems(Startup, spawn_stack)
            .add_systems(PostUpdate, (announce, spawn_toasts).chain())
            .add_systems(Update, move_toasts);
    }
}

/// A notice for the player.
#[derive(Message)]
pub struct Toast {
    pub title: String,
    pub text: String,
    pub color: Color,
}

/// The column that holds the notices.
#[derive(Component)]
pub struct Stack;

/// A toast, with the seconds for which it has been on the screen.
#[derive(Component)]
pub struct Shown(f32);

fn spawn_stack(mut commands: Commands) {
    commands.spawn((
        Stack,
        Pickable::IGNORE,
        Node {
            position_type: PositionType::Absolute,
            left: px(24),
            top: px(24),
            width: px(300),
            flex_direction: FlexDirection::Column,
            row_gap: px(10),
            ..default()
        },
    ));
}

fn announce(
    mut unlocked: MessageReader<ItemUnlocked>,
    (mut canceled, mut expired): (MessageReader<OrderCanceled>, MessageReader<OrderExpired>),
    mut failed: MessageReader<OrderTrackingFailed>,
    mut logins: MessageReader<AuthorizationRequired>,
    (mut refused, mut pages): (
        MessageReader<PurchaseFailed>,
        MessageReader<PaymentPageFailed>,
    ),
    catalog: Res<Catalog>,
    mut toasts: MessageWriter<Toast>,
) {
    let mut toast = |title: String, text: String, color: Color| {
        toasts.write(Toast { title, text, color });
    };
    for ItemUnlocked { sku } in unlocked.read() {
        let title = format!("{} unlocked", name_of(sku, &catalog));
        toast(title, "It is yours to keep.".to_owned(), GOLD);
    }
    for purchase in refused.read().filter(|failed| !words::is_repeated(failed)) {
        let title = format!("{} was not bought", name_of(&purchase.sku, &catalog));
        toast(title, words::purchase(&purchase.error), RED);
    }
    for page in pages.read() {
        let title = "The page cannot be opened".to_owned();
        toast(title, words::page(&page.error).to_owned(), BLUE);
    }
    for order in canceled.read() {
        let text = match order.was_done {
            true => "Your money is on its way back.",
            false => "Nothing was charged.",
        };
        toast("Order canceled".to_owned(), text.to_owned(), MUTED);
    }
    for _ in expired.read() {
        let text = "The time to pay has passed. Nothing was charged.";
        toast("Order expired".to_owned(), text.to_owned(), MUTED);
    }
    for order in failed.read() {
        let title = format!("Order {} is not followed", order.order_id);
        toast(title, words::tracking(&order.error).to_owned(), RED);
    }
    for _ in logins.read() {
        let title = "Please log in again".to_owned();
        toast(title, "Your orders wait for you.".to_owned(), BLUE);
    }
}

fn spawn_toasts(
    mut toasts: MessageReader<Toast>,
    stack: Single<Entity, With<Stack>>,
    fonts: Res<Fonts>,
    mut commands: Commands,
) {
    for Toast { title, text, color } in toasts.read() {
        commands.entity(*stack).with_children(|stack| {
            stack
                .spawn((
                    Shown(0.0),
                    Pickable::IGNORE,
                    Node {
                        flex_direction: FlexDirection::Column,
                        row_gap: px(2),
                        padding: UiRect::axes(px(16), px(12)),
                        border: UiRect::left(px(5)),
                        border_radius: BorderRadius::all(px(10)),
                        ..default()
                    },
                    BackgroundColor(PANEL.with_alpha(0.94)),
                    BorderColor::all(*color),
                    UiTransform::default(),
                ))
                .with_children(|toast| {
                    toast.spawn((fonts.bold(title, 17.0, TEXT), Pickable::IGNORE));
                    toast.spawn((fonts.text(text, 14.0, MUTED), Pickable::IGNORE));
                });
        });
    }
}

fn move_toasts(
    mut toasts: Query<(Entity, &mut Shown, &mut UiTransform)>,
    time: Res<Time>,
    mut commands: Commands,
) {
    for (entity, mut shown, mut transform) in &mut toasts {
        shown.0 += time.delta_secs();
        let edge = shown.0.min(STAYS - shown.0) / SLIDES;
        let slide = EaseFunction::CubicOut.sample_clamped(edge.clamp(0.0, 1.0));
        transform.translation.x = px(-340.0 * (1.0 - slide));
        if shown.0 >= STAYS {
            commands.entity(entity).despawn();
        }
    }
}
