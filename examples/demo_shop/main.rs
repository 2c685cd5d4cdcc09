//! This is a small shop in a small game: the hero wears what you buy.
//!
//! `cargo run --example demo_shop` needs no set-up: an emulator stands in for Xsolla.
//! `--help` lists the rest.
//!
//! - `game.rs` has what every shop needs: the system that grants. `bag.rs` keeps what was granted, in the files of
//!   `save.rs`.
//! - `restore.rs` gives back what the player owns and the bag has lost.
//! - `checkout.rs` buys; `payer.rs` plays the payments where the emulator stands in.
//! - `scene.rs`, `shop_ui.rs`, `cards.rs`, `order_panel.rs`, `last_time.rs` and `toasts.rs` show it, with
//!   the looks of `theme.rs` and `buttons.rs`; `words.rs` says what went wrong.
//! - `faults.rs` causes faults, `restart.rs` starts the game again, `idle.rs` lets it sleep.
//! - `headless.rs` runs the same purchase in the terminal; `autoplay.rs` plays by itself.
//! - `args.rs` reads the command line.

mod args;
mod autoplay;
mod bag;
mod buttons;
mod cards;
mod checkout;
mod connection;
mod faults;
mod game;
mod headless;
mod idle;
mod last_time;
mod order_panel;
mod payer;
mod restart;
mod restore;
mod save;
mod scene;
mod shop_ui;
mod theme;
mod toasts;
mod web_shop;
mod words;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bevy::input_focus::tab_navigation::TabNavigationPlugin;
use bevy::prelude::*;
use bevy::window::WindowResizeConstraints;
use bevy_xsolla::XsollaDebugPanel;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::inventory::XsollaInventoryPlugin;
use bevy_xsolla::prelude::*;

use crate::args::{Args, Backend, Instead};
use crate::bag::Bag;
use crate::checkout::{CheckoutPlugin, TestPayments};
use crate::game::GamePlugin;
use crate::payer::{Payer, PayerPlugin};
use crate::shop_ui::ShopNote;

/// The items that the emulator sells.
const ITEMS: &str = include_str!("../../assets/demo_shop/items.json");

fn main() -> AppExit {
    let args = match Args::read(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(Instead::Help) => {
            // `println!` would panic if the reader of the output has gone.
            let _ = writeln!(std::io::stdout(), "{}", args::HELP);
            return AppExit::Success;
        }
        Err(Instead::Refuse(reason)) => {
            eprintln!("demo_shop: {reason}\n{}", args::USAGE);
            return AppExit::from_code(2);
        }
    };

    let folder = match prepare_folder(&args) {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("demo_shop: the game cannot be kept: {error}");
            return AppExit::error();
        }
    };
    let exit = match game(&args, &folder) {
        Ok(mut app) => app.run(),
        Err(error) => {
            eprintln!("demo_shop: {error}");
            AppExit::error()
        }
    };
    let exit = restart::obey(exit, &args, &folder);
    if args.is_by_itself() && args.save.is_none() {
        // The folder was made for this run.
        let _ = std::fs::remove_dir_all(&folder);
    }
    exit
}

/// The folder in which the game of this run is kept.
fn prepare_folder(args: &Args) -> io::Result<PathBuf> {
    let folder = match (&args.save, &args.backend) {
        (Some(folder), _) => folder.clone(),
        (None, _) if args.is_by_itself() => {
            let unique = format!("bevy_xsolla_demo_shop-{:016x}", fastrand::u64(..));
            std::env::temp_dir().join(unique)
        }
        (None, Backend::Emulator) => save::default_folder("emulator")?,
        (None, Backend::Xsolla { config, user, .. }) => {
            save::default_folder(&format!("{}-{}", config.project_id, user.id()))?
        }
    };
    std::fs::create_dir_all(&folder)?;
    if args.is_new {
        save::forget(&folder)?;
    }
    Ok(folder)
}

fn game(args: &Args, folder: &Path) -> io::Result<App> {
    let mut app = App::new();
    if args.headless {
        app.add_plugins(headless::HeadlessPlugin);
    } else {
        add_window(&mut app, args);
        if args.autoplay {
            app.add_plugins(autoplay::AutoplayPlugin {
                screenshots: args.screenshots.clone(),
                is_restarted: args.is_restarted,
            });
        }
    }
    app.insert_resource(Bag::open(folder)?).add_plugins((
        XsollaOrderPlugin,
        XsollaInventoryPlugin,
        GamePlugin,
        CheckoutPlugin,
        PayerPlugin,
    ));

    match &args.backend {
        Backend::Emulator => {
            let emulator = XsollaEmulator::try_start()?;
            emulator.set_items(serde_json::from_str(ITEMS).unwrap_or_default());
            let user = emulator.user(web_shop::PLAYER);
            let mut config = emulator.config();
            // The emulator's config has no ledger, because its orders end with it. `Payer` keeps them.
            config.ledger = Ledger::at(folder.join(save::LEDGER));
            listen(&mut config);
            let note = "An emulator pays, no money moves. Keys: Tab, Enter, F12.";
            app.insert_resource(ShopNote(note.to_owned()))
                .insert_resource(Payer::open(folder, &emulator, &user)?)
                .insert_resource(config)
                .insert_resource(user)
                .insert_resource(emulator);
        }
        Backend::Xsolla {
            config,
            user,
            orders,
            test_payments,
        } => {
            let mut config = config.as_ref().clone();
            config.ledger = Ledger::at(folder.join(save::LEDGER));
            listen(&mut config);
            let kind = if *test_payments { "test" } else { "real" };
            let note = format!("Xsolla project {}, {kind} payments.", config.project_id);
            app.insert_resource(ShopNote(note))
                .insert_resource(config)
                .insert_resource(user.clone())
                .insert_resource(TestPayments(*test_payments));
            for order_id in orders {
                app.world_mut().commands().track_order(*order_id);
            }
        }
    }
    Ok(app)
}

/// What the player buys in the Web Shop, or on another device, is unlocked here, too.
fn listen(config: &mut XsollaConfig) {
    config.listen = Listen::WhileLoggedIn;
    config.adopt_orders = true;
}

fn add_window(app: &mut App, args: &Args) {
    let window = Window {
        title: "The Wanderer's Shop".to_owned(),
        resolution: args.size.into(),
        resize_constraints: WindowResizeConstraints {
            min_width: 800.0,
            min_height: 600.0,
            ..default()
        },
        ..default()
    };
    app.add_plugins((
        DefaultPlugins
            .set(WindowPlugin {
                primary_window: Some(window),
                ..default()
            })
            .set(AssetPlugin {
                // The program finds its pictures wherever it is started from.
                file_path: concat!(env!("CARGO_MANIFEST_DIR"), "/assets").to_owned(),
                ..default()
            }),
        TabNavigationPlugin,
        XsollaDebugPanel::on_key(KeyCode::F12),
        scene::ScenePlugin,
        buttons::ButtonsPlugin,
        cards::CardsPlugin,
        shop_ui::ShopUiPlugin,
        faults::FaultsPlugin,
        connection::ConnectionPlugin,
        order_panel::OrderPanelPlugin,
        (
            toasts::ToastsPlugin,
            restore::RestorePlugin,
            last_time::LastTimePlugin,
            idle::IdlePlugin,
            web_shop::WebShopPlugin,
        ),
    ));
}
