//! Figures about tracking for Bevy's diagnostics.

use bevy::diagnostic::{Diagnostic, DiagnosticPath, Diagnostics, RegisterDiagnostic};
use bevy::prelude::*;

use crate::game::orders::Orders;
use crate::game::plugin::XsollaOrderSystems;
use crate::game::tracking::Tracking;
use crate::tracker::counters::Counts;

/// Adds figures of the tracking to Bevy's [`DiagnosticsStore`](bevy::diagnostic::DiagnosticsStore), for a
/// log (`LogDiagnosticsPlugin`) or a screen of the game's own. Add it beside
/// [`XsollaOrderPlugin`](crate::XsollaOrderPlugin).
///
/// A figure is measured once at the start and whenever it changes; averages are taken over those
/// measurements. A frame in which orders change visits each order that the game knows. Other frames cost next
/// to nothing.
///
/// ```
/// use bevy::diagnostic::DiagnosticsStore;
/// use bevy::prelude::*;
/// use bevy_xsolla::XsollaDiagnosticsPlugin;
/// use bevy_xsolla::prelude::*;
///
/// let mut app = App::new();
/// app.add_plugins((MinimalPlugins, XsollaOrderPlugin, XsollaDiagnosticsPlugin));
/// app.update();
/// let figures = app.world().resource::<DiagnosticsStore>();
/// let sockets = figures.get(&XsollaDiagnosticsPlugin::SOCKETS);
/// assert_eq!(sockets.and_then(|sockets| sockets.value()), Some(0.0));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct XsollaDiagnosticsPlugin;

impl XsollaDiagnosticsPlugin {
    /// The number of orders that the game knows: `xsolla/orders`.
    pub const ORDERS: DiagnosticPath = DiagnosticPath::const_new("xsolla/orders");
    /// The number of orders that are followed: `xsolla/orders_open`.
    pub const ORDERS_OPEN: DiagnosticPath = DiagnosticPath::const_new("xsolla/orders_open");
    /// The number of sockets that are open and subscribed, at most one for a player: `xsolla/sockets`.
    pub const SOCKETS: DiagnosticPath = DiagnosticPath::const_new("xsolla/sockets");
    /// The number of Get Order requests that were sent since the start: `xsolla/polls`.
    pub const POLLS: DiagnosticPath = DiagnosticPath::const_new("xsolla/polls");
    /// The number of times that a socket was reopened since the start, because it broke, could not be opened
    /// or was renewed: `xsolla/reconnects`. A socket that is opened for a player's next purchase, after the
    /// last one was closed, does not count.
    pub const RECONNECTS: DiagnosticPath = DiagnosticPath::const_new("xsolla/reconnects");
}

impl Plugin for XsollaDiagnosticsPlugin {
    fn build(&self, app: &mut App) {
        app.register_diagnostic(Diagnostic::new(Self::ORDERS))
            .register_diagnostic(Diagnostic::new(Self::ORDERS_OPEN))
            .register_diagnostic(Diagnostic::new(Self::SOCKETS))
            .register_diagnostic(Diagnostic::new(Self::POLLS))
            .register_diagnostic(Diagnostic::new(Self::RECONNECTS))
            .add_systems(
                PreUpdate,
                measure.run_if(has_moved).after(XsollaOrderSystems),
            );
    }
}

/// Whether there is anything to measure. This is a condition, because Bevy allocates for each system that
/// runs.
fn has_moved(
    tracking: Option<Res<Tracking>>,
    orders: Option<Res<Orders>>,
    mut last: Local<Option<Counts>>,
) -> bool {
    let (Some(tracking), Some(orders)) = (tracking, orders) else {
        return false;
    };
    let counts = tracking.handle.counters.counts();
    last.replace(counts) != Some(counts) || orders.is_changed()
}

fn measure(
    mut diagnostics: Diagnostics,
    tracking: Option<Res<Tracking>>,
    orders: Option<Res<Orders>>,
    mut last: Local<Option<Counts>>,
) {
    let (Some(tracking), Some(orders)) = (tracking, orders) else {
        return;
    };
    type Paths = XsollaDiagnosticsPlugin;
    if orders.is_changed() {
        diagnostics.add_measurement(&Paths::ORDERS, || orders.len() as f64);
        diagnostics.add_measurement(&Paths::ORDERS_OPEN, || {
            let open = orders.iter().filter(|order| order.phase.is_open());
            open.count() as f64
        });
    }
    let counts = tracking.handle.counters.counts();
    let before = last.replace(counts);
    let mut add_changed = |path: &DiagnosticPath, figure: fn(Counts) -> u64| {
        if before.map(figure) != Some(figure(counts)) {
            diagnostics.add_measurement(path, || figure(counts) as f64);
        }
    };
    add_changed(&Paths::SOCKETS, |counts| counts.sockets);
    add_changed(&Paths::POLLS, |counts| counts.requests);
    add_changed(&Paths::RECONNECTS, |counts| counts.reconnects);
}
