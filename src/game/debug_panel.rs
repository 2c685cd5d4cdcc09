//! A panel that shows the support report over the game.

use std::time::Duration;

use bevy::input::InputSystems;
use bevy::input::mouse::{AccumulatedMouseScroll, MouseScrollUnit};
use bevy::prelude::*;

use crate::game::orders::Orders;
use crate::game::plugin::XsollaOrderSystems;
use crate::game::support::SupportReport;
use crate::model::ledger::LedgerState;
use crate::model::state::TrackerState;
use crate::platform::clock::Stopwatch;

/// How old a shown report gets, for the times in it.
const REFRESH: Duration = Duration::from_millis(500);

/// How far a line of the mouse wheel scrolls, in logical pixels.
const LINE: f32 = 32.0;

/// Shows the [`SupportReport`] over the game while it is played, for developers and for support (feature
/// `debug_panel`).
///
/// This is both a plugin and the resource with the settings of that plugin. Add it beside
/// [`XsollaOrderPlugin`](crate::XsollaOrderPlugin), with a key or without one; the game may change the resource at any
/// time. The mouse wheel scrolls a report that is higher than the window.
///
/// While it is shown, it follows the orders and the states, and the times in it are renewed twice a second. While
/// it is hidden, there are no entities, and no system runs.
///
/// It needs Bevy's UI and its renderer (`bevy/bevy_ui_render`), both of which are among Bevy's default features. It uses
/// Bevy's own font.
///
/// ```
/// use bevy::prelude::*;
/// use bevy_xsolla::XsollaDebugPanel;
/// use bevy_xsolla::prelude::*;
///
/// # #[derive(Message)]
/// # struct SupportClicked;
/// fn toggle(mut clicks: MessageReader<SupportClicked>, mut panel: ResMut<XsollaDebugPanel>) {
///     for _ in clicks.read() {
///         panel.is_shown = !panel.is_shown;
///     }
/// }
///
/// let mut app = App::new();
/// app.add_plugins((MinimalPlugins, XsollaOrderPlugin, XsollaDebugPanel::on_key(KeyCode::F12)))
///     .add_systems(Update, toggle);
/// # app.add_message::<SupportClicked>().update();
/// ```
#[derive(Clone, Debug, Default, Resource)]
#[non_exhaustive]
pub struct XsollaDebugPanel {
    /// Whether the panel is shown. The default is `false`.
    pub is_shown: bool,
    /// The key that shows and hides the panel; the default is `None`.
    pub key: Option<KeyCode>,
}

impl XsollaDebugPanel {
    /// Creates a hidden panel, which this key shows and hides.
    pub fn on_key(key: KeyCode) -> Self {
        Self {
            is_shown: false,
            key: Some(key),
        }
    }
}

impl Plugin for XsollaDebugPanel {
    fn build(&self, app: &mut App) {
        app.insert_resource(self.clone()).add_systems(
            PreUpdate,
            (
                toggle.run_if(is_key_pressed),
                show_or_hide.run_if(resource_exists_and_changed::<XsollaDebugPanel>),
                (scroll, refresh.run_if(is_outdated)),
            )
                // Without a point of synchronization, which would cost each frame something.
                .chain_ignore_deferred()
                .after(InputSystems)
                .after(XsollaOrderSystems)
                .run_if(is_needed),
        );
    }
}

/// The background, which scrolls.
#[derive(Component)]
struct Panel;

/// The text, and when it was made.
#[derive(Component)]
struct Report(Stopwatch);

/// Whether anything is to be shown, hidden or kept up to date. Only this condition runs while the panel is hidden.
fn is_needed(
    panel: Option<Res<XsollaDebugPanel>>,
    keys: Option<Res<ButtonInput<KeyCode>>>,
) -> bool {
    let is_shown_or_moved = |panel: &Res<XsollaDebugPanel>| panel.is_shown || panel.is_changed();
    panel.as_ref().is_some_and(is_shown_or_moved) || is_key_pressed(panel, keys)
}

fn is_key_pressed(
    panel: Option<Res<XsollaDebugPanel>>,
    keys: Option<Res<ButtonInput<KeyCode>>>,
) -> bool {
    let key = panel.and_then(|panel| panel.key);
    key.is_some_and(|key| keys.is_some_and(|keys| keys.just_pressed(key)))
}

fn toggle(mut panel: ResMut<XsollaDebugPanel>) {
    panel.is_shown = !panel.is_shown;
}

fn show_or_hide(
    panel: Res<XsollaDebugPanel>,
    shown: Query<Entity, With<Panel>>,
    report: SupportReport,
    mut commands: Commands,
) {
    if panel.is_shown && shown.is_empty() {
        commands.spawn(panel_with(report.to_string()));
    } else if !panel.is_shown {
        for entity in shown {
            commands.entity(entity).despawn();
        }
    }
}

fn panel_with(text: String) -> impl Bundle {
    (
        Name::new("Xsolla debug panel"),
        Panel,
        Node {
            position_type: PositionType::Absolute,
            max_width: percent(100),
            max_height: percent(100),
            padding: UiRect::all(px(12)),
            overflow: Overflow::scroll_y(),
            ..default()
        },
        BackgroundColor(Color::srgba(0.02, 0.02, 0.05, 0.98)),
        // Under Bevy's overlay of the frame rate, and over the game's own.
        GlobalZIndex(i32::MAX - 64),
        children![(
            Report(Stopwatch::new()),
            Text(text),
            // All letters of Bevy's font are of one width, so columns stand under each other.
            TextFont::from_font_size(13.0),
            TextColor(Color::WHITE),
        )],
    )
}

/// Whether the shown text is not what a new report would say.
fn is_outdated(
    shown: Query<&Report>,
    orders: Option<Res<Orders>>,
    tracker: Option<Res<TrackerState>>,
    ledger: Option<Res<LedgerState>>,
) -> bool {
    shown.iter().any(|made| made.0.elapsed() >= REFRESH)
        || orders.is_some_and(|orders| orders.is_changed())
        || tracker.is_some_and(|tracker| tracker.is_changed())
        || ledger.is_some_and(|ledger| ledger.is_changed())
}

fn refresh(mut shown: Query<(&mut Report, &mut Text)>, report: SupportReport) {
    for (mut made, mut text) in &mut shown {
        made.0 = Stopwatch::new();
        text.0 = report.to_string();
    }
}

fn scroll(
    wheel: Option<Res<AccumulatedMouseScroll>>,
    mut shown: Query<(&mut ScrollPosition, &ComputedNode), With<Panel>>,
) {
    let Some(wheel) = wheel.filter(|wheel| wheel.delta.y != 0.0) else {
        return;
    };
    let up = match wheel.unit {
        MouseScrollUnit::Line => wheel.delta.y * LINE,
        MouseScrollUnit::Pixel => wheel.delta.y,
    };
    for (mut position, node) in &mut shown {
        let below = (node.content_size() - node.size()) * node.inverse_scale_factor();
        position.y = (position.y - up).clamp(0.0, below.y.max(0.0));
    }
}
