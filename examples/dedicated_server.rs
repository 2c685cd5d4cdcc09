//! This game server follows the orders of many players and writes what they bought to a database.
//!
//! It is for games that have a server of their own: the players' games send it their token and the id of
//! each order, or Xsolla sends it webhooks, or both. Only the server grants, so a player who cheats can
//! grant themselves nothing.
//!
//! `cargo run --example dedicated_server` needs no set-up: `XsollaEmulator` stands in for Xsolla, and
//! `dedicated_server/players.rs` for the players. It runs until Ctrl-C or SIGTERM. `--help` lists the
//! rest. You can stop it or kill it at any time and start it again with the same database: nothing that
//! was paid is lost, and nothing is granted twice.
//!
//! Three things make this true:
//!
//! 1. The ledger is kept beside the database, so open orders are followed again at the next start.
//! 2. A grant is one transaction with the order's id as its primary key. Where the server was killed
//!    after the transaction and before the acknowledgement, the grant comes again and changes nothing.
//! 3. The server calls `acknowledge_order` after the transaction, never before.
//!
//! With `--database postgres://…` several servers share the database and the ledger: see
//! `dedicated_server/README.md`.

#[path = "dedicated_server/args.rs"]
mod args;
#[path = "dedicated_server/background.rs"]
mod background;
#[path = "dedicated_server/fleet.rs"]
mod fleet;
#[path = "dedicated_server/join.rs"]
mod join;
#[path = "dedicated_server/players.rs"]
mod players;
#[path = "dedicated_server/postgres.rs"]
mod postgres;
#[path = "dedicated_server/sqlite.rs"]
mod sqlite;

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bevy::app::ScheduleRunnerPlugin;
use bevy::log::{Level, LogPlugin};
use bevy::prelude::*;
use bevy_xsolla::prelude::*;
use bevy_xsolla::webhook::{WebhookState, WebhookUser, XsollaWebhookPlugin};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::args::{Args, Place};
use crate::players::Players;

fn main() -> AppExit {
    let args = match Args::read(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(text) => {
            eprintln!("{text}");
            return AppExit::from_code(2);
        }
    };
    if args.help {
        say(args::HELP);
        return AppExit::Success;
    }
    let result = match (&args.database, args.fleet) {
        (Place::Postgres(address), Some(servers)) => fleet::run(address, servers, args.players),
        _ => server(&args).map(|mut app| app.run()),
    };
    result.unwrap_or_else(|reason| {
        eprintln!("dedicated_server: {reason}");
        AppExit::error()
    })
}

fn server(args: &Args) -> Result<App, String> {
    // This comes first, because until it is done a signal kills the server.
    let stop = StopFlag::listen()?;
    let players = match args.is_alone() {
        true => Some(Players::start(args).map_err(|error| format!("emulator: {error}"))?),
        false => None,
    };
    let mut config = match &players {
        Some(players) => players.config(),
        None => XsollaConfig::from_env().map_err(|error| error.to_string())?,
    };
    // Nobody pays on this machine.
    config.open_payment_page = false;

    let mut app = App::new();
    let frame = ScheduleRunnerPlugin::run_loop(Duration::from_secs(1) / 30);
    let log = LogPlugin {
        level: Level::WARN,
        ..default()
    };
    // There is no `XsollaUser`: each player's token comes with their orders, in `track_order_as`.
    app.add_plugins((MinimalPlugins.set(frame), log, XsollaOrderPlugin))
        .insert_resource(stop)
        .init_resource::<Unwritten>()
        .add_systems(Update, (take_news, report_trouble))
        // After all of `Update`, so that the last frame still acknowledges what it granted.
        .add_systems(PostUpdate, stop_on_signal);
    // By default a system's error ends the app. A query that fails must not end the game for everybody.
    app.set_error_handler(bevy::ecs::error::error);

    match &args.database {
        Place::File(path) => {
            let ledger = path.with_extension("ledger");
            say(format_args!(
                "The server runs until Ctrl-C. Database {}, ledger {}.",
                path.display(),
                ledger.display()
            ));
            sqlite::add(path, &mut app).map_err(|error| error.to_string())?;
            config.ledger = Ledger::at(ledger);
        }
        Place::Postgres(address) => {
            say("The server runs until Ctrl-C. Database and ledger in PostgreSQL.");
            postgres::add(address, config.project_id, &mut app)?;
            config.ledger = Ledger::postgres(address);
        }
    }
    app.insert_resource(config);
    if let Some(players) = players {
        players.join(&mut app);
    }
    if let Some(address) = args.join {
        let listening = join::listen(address, &mut app);
        listening.map_err(|error| format!("players cannot join at {address}: {error}"))?;
    }
    if let (Some(address), Some(secret)) = (args.webhooks, &args.secret) {
        take_webhooks(address, secret, &mut app);
    }
    Ok(app)
}

/// A real server looks for the player among its accounts.
fn has_account(_: In<WebhookUser>) -> bool {
    true
}

fn take_webhooks(address: SocketAddr, secret: &str, app: &mut App) {
    let plugin = XsollaWebhookPlugin::new(address, secret).with_user_validation(has_account);
    app.add_plugins(plugin).add_systems(
        Update,
        (|state: Res<WebhookState>| {
            if let WebhookState::Listening(address) = &*state {
                say(format_args!("webhooks come to {address}"));
            }
        })
        .run_if(resource_changed::<WebhookState>),
    );
}

/// News that the database does not have yet, the oldest first. A message comes once, so it is kept here
/// until it is written.
#[derive(Default, Resource)]
struct Unwritten(VecDeque<News>);

enum News {
    Done(OrderDone),
    Refunded { order_id: OrderId, user: String },
}

fn take_news(
    mut done: MessageReader<OrderDone>,
    mut canceled: MessageReader<OrderCanceled>,
    mut news: ResMut<Unwritten>,
) {
    if done.is_empty() && canceled.is_empty() {
        // Otherwise the news would count as changed in each frame.
        return;
    }
    news.0.extend(done.read().cloned().map(News::Done));
    // An order that was never granted has nothing to take back.
    let refunds = canceled.read().filter(|order| order.was_done);
    news.0.extend(refunds.map(|order| News::Refunded {
        order_id: order.order_id,
        user: order.user.to_string(),
    }));
}

/// The line that says what was granted.
fn granted(order: &OrderDone, player: &str) -> String {
    let items = order.items.iter();
    let items: Vec<_> = items
        .map(|item| format!("{} {}", item.quantity, item.sku))
        .collect();
    let (order_id, items) = (order.order_id, items.join(", "));
    format!("order {order_id}: granted to {player}: {items}")
}

fn report_trouble(
    mut failed: MessageReader<OrderTrackingFailed>,
    mut logins: MessageReader<AuthorizationRequired>,
    ledger: Res<LedgerState>,
) {
    for order in failed.read() {
        let (id, error) = (order.order_id, &order.error);
        warn!("order {id} is not followed any more: {error}");
    }
    // A real server asks that player's game for a new token, and gives it to `track_order_as`.
    for login in logins.read() {
        warn!("{} needs a new token: {}", login.user, login.error);
    }
    if ledger.is_changed()
        && let Some(error) = ledger.trouble()
    {
        warn!("open orders are not kept: {error}");
    }
}

/// Becomes true at a SIGTERM, which service managers and containers send, and at Ctrl-C.
///
/// Bevy's `TerminalCtrlCHandlerPlugin` does not do, because it knows only Ctrl-C and exits with an error.
#[derive(Resource)]
struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    fn listen() -> Result<Self, String> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            let registered = signal_hook::flag::register(signal, Arc::clone(&flag));
            registered.map_err(|error| format!("signals: {error}"))?;
        }
        Ok(Self(flag))
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn stop_on_signal(stop: Res<StopFlag>, mut exit: MessageWriter<AppExit>) {
    if stop.is_set() {
        exit.write(AppExit::Success);
    }
}

/// Prints a line. `println!` would panic if the reader of the output has gone.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
