//! A shop on a phone. A tap buys a sword: the payment page opens in the phone's browser and leads back to the game,
//! which was suspended meanwhile and grants the sword when it goes on.
//!
//! It is built with the project and a player's token (`XSOLLA_PROJECT_ID`, `XSOLLA_TOKEN`) and buys in Xsolla's sandbox.
//! Without them `XsollaEmulator` stands in for the servers. It runs in the game's own process, so its page is there for
//! as long as the system lets a game in the background run, which Android does and iOS hardly.

mod bag;

use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

use crate::bag::Bag;

/// The address that brings the player back. Its scheme is in the app's manifest.
const RETURN_URL: &str = "bevy-xsolla-mobile://shop";

/// The servers, for as long as the game runs.
#[derive(Resource)]
struct Servers {
    _emulator: XsollaEmulator,
}

/// The last thing that the player should know.
#[derive(Resource, Default)]
struct Note(String);

#[bevy_main]
fn main() {
    let mut app = App::new();
    app.add_plugins((DefaultPlugins, XsollaOrderPlugin))
        .init_resource::<Note>()
        .add_systems(Startup, draw)
        .add_systems(Update, (buy_at_a_tap, hear, grant, write).chain());
    match Bag::open() {
        Ok(bag) => app.insert_resource(bag),
        Err(error) => panic!("what the player has cannot be read: {error}"),
    };
    match (
        option_env!("XSOLLA_PROJECT_ID"),
        option_env!("XSOLLA_TOKEN"),
    ) {
        (Some(project), Some(token)) => {
            // A project that is no number is told in `TrackerState`.
            app.insert_resource(XsollaConfig::new(project.parse().unwrap_or_default()))
                // A real game has the token from its log-in.
                .insert_resource(XsollaUser::new(token));
        }
        _ => {
            let emulator = XsollaEmulator::start();
            app.insert_resource(emulator.config())
                .insert_resource(emulator.user("alice"))
                .insert_resource(Servers {
                    _emulator: emulator,
                });
        }
    }
    app.run();
}

fn draw(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((
        Text::default(),
        Node {
            margin: UiRect::all(px(48)),
            ..default()
        },
    ));
}

fn buy_at_a_tap(
    touches: Res<Touches>,
    emulator: Option<Res<Servers>>,
    mut note: ResMut<Note>,
    mut commands: Commands,
) {
    if touches.any_just_pressed() {
        let sword = Purchase::item("sword")
            .sandbox(emulator.is_none())
            .return_url(RETURN_URL);
        commands.purchase(sword);
        note.0 = "The order is being made.".to_owned();
    }
}

fn hear(
    mut started: MessageReader<PurchaseStarted>,
    mut failed: MessageReader<PurchaseFailed>,
    mut pages: MessageReader<PaymentPageFailed>,
    mut note: ResMut<Note>,
) {
    for _ in started.read() {
        note.0 = "The payment page is open. Come back when you have paid.".to_owned();
    }
    for failed in failed.read() {
        // A double tap.
        if !matches!(failed.error, PurchaseError::Repeated(_)) {
            note.0 = format!("Nothing was ordered: {}.", failed.error);
        }
    }
    for failed in pages.read() {
        note.0 = format!("The payment page cannot be shown: {}.", failed.error);
    }
}

fn grant(
    mut done: MessageReader<OrderDone>,
    mut bag: ResMut<Bag>,
    mut note: ResMut<Note>,
    mut commands: Commands,
) {
    for order in done.read() {
        match bag.grant(order) {
            Ok(()) => {
                commands.acknowledge_order(order.order_id);
                note.0 = "Thank you!".to_owned();
            }
            // It is not acknowledged, so it comes again at the next start.
            Err(error) => note.0 = format!("The sword cannot be kept: {error}."),
        }
    }
}

fn write(
    bag: Res<Bag>,
    note: Res<Note>,
    state: Res<TrackerState>,
    ledger: Res<LedgerState>,
    mut text: Single<&mut Text>,
) {
    let swords = bag.items();
    let ledger = match ledger.trouble() {
        Some(error) => format!("\n{error}"),
        None => String::new(),
    };
    let lines = format!(
        "You have {swords} swords.\nTap to buy one.\n\n{}\n\n{state:?}{ledger}",
        note.0
    );
    text.set_if_neq(Text(lines));
}
