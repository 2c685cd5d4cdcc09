//! This game server follows the orders of many players and writes what they bought to a database.
//!
//! It is for games that have a server of their own and no web server that could take Xsolla's webhooks:
//! the players' games send it their token and the id of each order. Only the server grants, so a player
//! who cheats can grant themselves nothing.
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

#[path = "dedicated_server/args.rs"]
mod args;
#[path = "dedicated_server/database.rs"]
mod database;
#[path = "dedicated_server/players.rs"]
mod players;

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bevy::app::ScheduleRunnerPlugin;
use bevy::log::{Level, LogPlugin};
use bevy::prelude::*;
use bevy::time::common_conditions::on_timer;
use bevy_xsolla::prelude::*;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::args::Args;
use crate::database::Database;
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
    match server(&args) {
        Ok(mut app) => app.run(),
        Err(reason) => {
            eprintln!("dedicated_server: {reason}");
            AppExit::error()
        }
    }
}

fn server(args: &Args) -> Result<App, String> {
    // This comes first, because until it is done a signal kills the server.
    let stop = StopFlag::listen().map_err(|error| format!("signals: {error}"))?;
    let path = args.database.display();
    let database = Database::open(&args.database).map_err(|error| error.to_string())?;
    let players = Players::start(args).map_err(|error| format!("emulator: {error}"))?;

    // With Xsolla itself this is `XsollaConfig::new(your_project_id)`.
    let mut config = players.config();
    // Nobody pays on this machine.
    config.open_payment_page = false;
    let ledger = args.database.with_extension("ledger");
    say(format_args!(
        "The server runs until Ctrl-C. Database {path}, ledger {}.",
        ledger.display()
    ));
    config.ledger = Ledger::at(ledger);

    let mut app = App::new();
    let frame = ScheduleRunnerPlugin::run_loop(Duration::from_secs(1) / 30);
    let log = LogPlugin {
        level: Level::WARN,
        ..default()
    };
    // There is no `XsollaUser`: each player's token comes with their orders, in `track_order_as`.
    app.add_plugins((MinimalPlugins.set(frame), log, XsollaOrderPlugin))
        .insert_resource(config)
        .insert_resource(database)
        .insert_resource(stop)
        .init_resource::<Unwritten>()
        .add_systems(
            Update,
            (
                take_news,
                // A write that failed, because the disk is full, is tried again each second.
                write_news.run_if(has_news.or_else(on_timer(Duration::from_secs(1)))),
                report_trouble,
            )
                .chain(),
        )
        // These run after all of `Update`, so that the last frame still acknowledges what it granted.
        .add_systems(PostUpdate, (stop_on_signal, say_goodbye).chain());
    // By default a system's error ends the app. A query that fails must not end the game for everybody.
    app.set_error_handler(bevy::ecs::error::error);
    players.join(&mut app);
    Ok(app)
}

/// News that the database does not have yet, the oldest first. A message comes once, so it is kept here
/// until it is written.
#[derive(Default, Resource)]
struct Unwritten(VecDeque<News>);

enum News {
    Done(OrderDone),
    Refunded(OrderId),
}

fn take_news(
    mut done: MessageReader<OrderDone>,
    mut canceled: MessageReader<OrderCanceled>,
    mut news: ResMut<Unwritten>,
) {
    news.0.extend(done.read().cloned().map(News::Done));
    // An order that was never granted has nothing to take back.
    let refunds = canceled.read().filter(|order| order.was_done);
    news.0
        .extend(refunds.map(|order| News::Refunded(order.order_id)));
}

fn has_news(news: Res<Unwritten>) -> bool {
    news.is_changed() && !news.0.is_empty()
}

/// This blocks the frame for the few milliseconds that SQLite takes. A server with many sales gives the
/// work to a thread, and acknowledges an order when the thread says that the transaction is done.
fn write_news(mut news: ResMut<Unwritten>, mut database: ResMut<Database>, mut commands: Commands) {
    // Otherwise these changes would make `has_news` true in the next frame.
    let news = &mut news.bypass_change_detection().0;
    while let Some(next) = news.front() {
        let result = match next {
            News::Done(order) => database.grant(order).inspect(|_| {
                // The transaction is on the disk by now.
                commands.acknowledge_order(order.order_id);
            }),
            News::Refunded(order_id) => database.take_back(*order_id),
        };
        match result {
            Ok(line) => say(line),
            Err(error) => {
                error!("the database cannot be written, trying again: {error}");
                return;
            }
        }
        news.pop_front();
    }
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
    fn listen() -> std::io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }
}

fn stop_on_signal(stop: Res<StopFlag>, mut exit: MessageWriter<AppExit>) {
    if stop.0.load(Ordering::Relaxed) {
        exit.write(AppExit::Success);
    }
}

fn say_goodbye(mut exits: MessageReader<AppExit>, database: ResMut<Database>) {
    if exits.read().next().is_some() {
        match database.into_inner().summary() {
            Ok(summary) => say(format_args!("stopped: {summary}")),
            Err(error) => error!("the database cannot be read: {error}"),
        }
    }
}

/// Prints a line. `println!` would panic if the reader of the output has gone.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
