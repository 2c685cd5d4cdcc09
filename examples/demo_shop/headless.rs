//! The same purchase in the terminal, for machines without a display.

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

use bevy::app::ScheduleRunnerPlugin;
use bevy::log::{Level, LogPlugin};
use bevy::prelude::*;
use bevy_xsolla::NewsSource;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

use crate::checkout::Buy;
use crate::game::{self, ItemUnlocked, name_of};
use crate::words;

/// How long a purchase on the emulator may take. It takes 3 s.
const DEADLINE: Duration = Duration::from_secs(30);

pub struct HeadlessPlugin;

impl Plugin for HeadlessPlugin {
    fn build(&self, app: &mut App) {
        let frame = ScheduleRunnerPlugin::run_loop(Duration::from_millis(16));
        let log = LogPlugin {
            level: Level::WARN,
            ..default()
        };
        app.add_plugins((MinimalPlugins.set(frame), log))
            .add_systems(
                Update,
                buy_something.run_if(
                    resource_exists::<XsollaEmulator>.and_then(resource_changed::<Catalog>),
                ),
            )
            // These run after `Update`, in which the game grants.
            .add_systems(
                PostUpdate,
                (print_connection, print_news, print_unlocked, quit).chain(),
            );
    }
}

/// Buys the first item, once the catalogue is there.
fn buy_something(
    catalog: Res<Catalog>,
    mut requests: MessageWriter<Buy>,
    mut exit: MessageWriter<AppExit>,
) {
    match catalog.state() {
        CatalogState::Ready => {}
        CatalogState::Failed(error) => {
            say(format_args!("the catalogue cannot be fetched: {error}"));
            exit.write(AppExit::error());
            return;
        }
        _ => return,
    }
    if let Some(item) = game::for_sale(&catalog).next() {
        say(format_args!("buying {}", item.name));
        requests.write(Buy {
            sku: item.sku.clone(),
        });
    }
}

/// Prints the connection's state to those who follow orders at Xsolla. On the emulator it tells little.
fn print_connection(
    (state, ledger): (Res<TrackerState>, Res<LedgerState>),
    emulator: Option<Res<XsollaEmulator>>,
) {
    if (state.is_changed() || ledger.is_changed()) && emulator.is_none() {
        let (what, why) = words::state(&state, &ledger);
        say(format_args!("{what}: {why}"));
    }
}

fn print_news(
    mut changes: MessageReader<OrderStatusChanged>,
    mut failures: MessageReader<OrderTrackingFailed>,
    mut refusals: MessageReader<PurchaseFailed>,
    mut logins: MessageReader<AuthorizationRequired>,
) {
    for change in changes.read() {
        let source = match change.source {
            NewsSource::Socket => "socket",
            _ => "request",
        };
        say(format_args!(
            "order {}: {} (by {source})",
            change.order_id, change.status
        ));
    }
    for refusal in refusals.read() {
        say(format_args!(
            "{} was not bought: {}",
            refusal.sku, refusal.error
        ));
    }
    for failure in failures.read() {
        say(format_args!(
            "order {}: not followed any more: {}",
            failure.order_id, failure.error
        ));
    }
    for login in logins.read() {
        say(format_args!("a new token is needed: {}", login.error));
    }
}

fn print_unlocked(mut unlocked: MessageReader<ItemUnlocked>, catalog: Res<Catalog>) {
    for ItemUnlocked { sku } in unlocked.read() {
        say(format_args!("unlocked: {}", name_of(sku, &catalog)));
    }
}

/// Quits when every order has come to its end, well or not, or when none can any more.
fn quit(
    orders: Res<Orders>,
    (state, ledger): (Res<TrackerState>, Res<LedgerState>),
    emulator: Option<Res<XsollaEmulator>>,
    time: Res<Time<Real>>,
    mut exit: MessageWriter<AppExit>,
) {
    let is_over = !orders.is_empty() && orders.iter().all(|order| !order.phase.is_open());
    if is_over {
        let all_granted = orders.iter().all(|order| order.phase.is_granted());
        exit.write(if all_granted {
            AppExit::Success
        } else {
            AppExit::error()
        });
    } else if let TrackerState::Unauthorized { .. } | TrackerState::Failed { .. } = *state {
        let (what, why) = words::state(&state, &ledger);
        say(format_args!("giving up: {what}: {why}"));
        exit.write(AppExit::error());
    } else if emulator.is_some() && time.elapsed() > DEADLINE {
        say("giving up: the purchase took too long");
        exit.write(AppExit::error());
    }
}

/// Prints a line. `println!` would panic if the reader of the output has gone.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
