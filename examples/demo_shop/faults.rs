//! A panel of faults for the player to cause, where the emulator stands in for Xsolla. The shop panel shows
//! what a fault does to an order. The keys F and 1 to 9 work too.

use bevy::input_focus::tab_navigation::TabGroup;
use bevy::prelude::*;
use bevy::ui_widgets::Activate;
use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use bevy_xsolla::prelude::*;

use crate::bag::Bag;
use crate::buttons::{self, Look};
use crate::game;
use crate::payer::Payer;
use crate::restart::Restart;
use crate::theme::{Fonts, MUTED};
use crate::toasts::Toast;
use crate::web_shop::BuyElsewhere;

pub struct FaultsPlugin;

impl Plugin for FaultsPlugin {
    fn build(&self, app: &mut App) {
        app.add_message::<Press>()
            .init_resource::<Trouble>()
            .add_systems(
                Startup,
                spawn_panel.run_if(resource_exists::<XsollaEmulator>),
            )
            .add_systems(
                Update,
                (read_keys, press, show.run_if(resource_changed::<Trouble>))
                    .chain()
                    .run_if(resource_exists::<XsollaEmulator>),
            )
            .add_observer(click);
    }
}

/// What a button of the panel does.
#[derive(Clone, Copy, PartialEq, Eq, Component)]
enum Does {
    /// Opens and closes the panel.
    Fold,
    DropSocket,
    RefuseSockets,
    FailRequests,
    PaySlowly,
    /// The player pays on the emulator's page, in a browser.
    PayByHand,
    Restart,
    StartAnew,
    /// The bag is empty, as if its file was deleted. The shop's button restores it.
    LoseSave,
    /// The player buys something without the game.
    BuyElsewhere,
}

/// The buttons, each with its key and its text.
const BUTTONS: [(Does, KeyCode, &str); 10] = [
    (Does::Fold, KeyCode::KeyF, "F  Make trouble"),
    (Does::DropSocket, KeyCode::Digit1, "1  Drop the socket"),
    (Does::RefuseSockets, KeyCode::Digit2, "2  Refuse sockets"),
    (Does::FailRequests, KeyCode::Digit3, "3  Fail requests"),
    (Does::PaySlowly, KeyCode::Digit4, "4  Slow payment"),
    (Does::PayByHand, KeyCode::Digit5, "5  Pay in browser"),
    (Does::Restart, KeyCode::Digit6, "6  Restart game"),
    (Does::StartAnew, KeyCode::Digit7, "7  Start anew"),
    (Does::LoseSave, KeyCode::Digit8, "8  Lose the save"),
    (Does::BuyElsewhere, KeyCode::Digit9, "9  Buy in Web Shop"),
];

/// A button or its key was pressed.
#[derive(Message)]
struct Press(Does);

/// Which faults are on, and whether the panel is open.
#[derive(Default, Resource)]
struct Trouble {
    is_open: bool,
    refuses_sockets: bool,
    fails_requests: bool,
    pays_slowly: bool,
    pays_by_hand: bool,
}

fn spawn_panel(mut commands: Commands, fonts: Res<Fonts>) {
    let panel = commands
        .spawn((
            TabGroup::new(1),
            Node {
                position_type: PositionType::Absolute,
                left: px(16),
                bottom: px(16),
                width: px(352),
                flex_wrap: FlexWrap::Wrap,
                column_gap: px(8),
                row_gap: px(8),
                padding: UiRect::all(px(8)),
                border_radius: BorderRadius::all(px(12)),
                ..default()
            },
        ))
        .id();
    for (does, _, text) in BUTTONS {
        let size = (px(164), px(30));
        let button = buttons::spawn(&mut commands, &fonts, text, Look::Plain, size);
        commands.entity(button).insert(does);
        commands.entity(panel).add_child(button);
    }
}

fn click(activate: On<Activate>, buttons: Query<&Does>, mut presses: MessageWriter<Press>) {
    if let Ok(does) = buttons.get(activate.entity) {
        presses.write(Press(*does));
    }
}

fn read_keys(keys: Res<ButtonInput<KeyCode>>, mut presses: MessageWriter<Press>) {
    for (does, key, _) in BUTTONS {
        if keys.just_pressed(key) {
            presses.write(Press(does));
        }
    }
}

fn press(
    mut presses: MessageReader<Press>,
    mut trouble: ResMut<Trouble>,
    (mut payer, mut bag): (ResMut<Payer>, ResMut<Bag>),
    (emulator, mut config): (Res<XsollaEmulator>, ResMut<XsollaConfig>),
    mut exit: MessageWriter<AppExit>,
    (catalog, mut toasts): (Res<Catalog>, MessageWriter<Toast>),
    mut elsewhere: MessageWriter<BuyElsewhere>,
) {
    for Press(does) in presses.read() {
        match does {
            Does::Fold => trouble.is_open ^= true,
            Does::DropSocket => {
                let text = match emulator.open_sockets() {
                    0 => "No socket is open, because no order is.",
                    _ => "It broke as if a cable was pulled.",
                };
                emulator.drop_sockets();
                toasts.write(Toast {
                    title: "The socket was cut".to_owned(),
                    text: text.to_owned(),
                    color: MUTED,
                });
            }
            Does::RefuseSockets => {
                trouble.refuses_sockets ^= true;
                emulator.refuse_sockets(trouble.refuses_sockets);
            }
            Does::FailRequests => {
                trouble.fails_requests ^= true;
                emulator.fail_requests(trouble.fails_requests.then(|| Fault::status(503)));
            }
            Does::PaySlowly => {
                trouble.pays_slowly ^= true;
                payer.is_slow = trouble.pays_slowly;
            }
            Does::PayByHand => {
                trouble.pays_by_hand ^= true;
                payer.set_by_hand(trouble.pays_by_hand);
                // As with Xsolla, a purchase opens the page.
                config.open_payment_page = trouble.pays_by_hand;
            }
            Does::Restart => {
                exit.write(Restart::Continue.exit());
            }
            Does::StartAnew => {
                exit.write(Restart::Anew.exit());
            }
            Does::LoseSave => {
                if let Err(error) = bag.lose() {
                    warn!("the bag cannot be emptied: {error}");
                }
            }
            Does::BuyElsewhere => {
                let mut items = game::for_sale(&catalog);
                let item = items.find(|item| !bag.has(&item.sku) && !item.is_sold_out());
                let (title, text) = match item {
                    Some(item) => {
                        let sku = item.sku.clone();
                        elsewhere.write(BuyElsewhere { sku });
                        ("Bought in the Web Shop", item.name.as_str())
                    }
                    None => ("The Web Shop has nothing more", "You have it all."),
                };
                toasts.write(Toast {
                    title: title.to_owned(),
                    text: text.to_owned(),
                    color: MUTED,
                });
            }
        }
    }
}

fn show(trouble: Res<Trouble>, mut buttons: Query<(&Does, &mut Look, &mut Node)>) {
    for (does, mut look, mut node) in &mut buttons {
        let is_on = match does {
            Does::Fold
            | Does::DropSocket
            | Does::Restart
            | Does::StartAnew
            | Does::LoseSave
            | Does::BuyElsewhere => false,
            Does::RefuseSockets => trouble.refuses_sockets,
            Does::FailRequests => trouble.fails_requests,
            Does::PaySlowly => trouble.pays_slowly,
            Does::PayByHand => trouble.pays_by_hand,
        };
        look.set_if_neq(if is_on { Look::Red } else { Look::Plain });
        node.display = match does {
            // A fault that is on stays visible, so that nobody forgets it.
            Does::Fold => Display::Flex,
            _ if trouble.is_open || is_on => Display::Flex,
            _ => Display::None,
        };
    }
}
