//! A small shop in a small game: what you buy, the hero wears.
//!
//! `cargo run --example demo_shop` needs nothing set up: an emulator stands in for Xsolla.
//! `--help` lists the rest.
//!
//! - `game.rs` is what every shop has: the bag, and the system that grants.
//! - `checkout.rs` buys; `payer.rs` plays the payments where the emulator stands in.
//! - `scene.rs`, `shop_ui.rs`, `cards.rs`, `order_panel.rs` and `toasts.rs` show it, with the looks of
//!   `theme.rs` and `buttons.rs`. `faults.rs` makes trouble, `idle.rs` lets it sleep.
//! - `headless.rs` runs the same purchase in the terminal; `autoplay.rs` plays by itself.
//! - `args.rs` reads the command line.

mod args;
mod autoplay;
mod buttons;
mod cards;
mod checkout;
mod connection;
mod faults;
mod game;
mod headless;
mod idle;
mod order_panel;
mod payer;
mod scene;
mod shop_ui;
mod theme;
mod toasts;

use std::io::Write;

use bevy::input_focus::tab_navigation::TabNavigationPlugin;
use bevy::prelude::*;
use bevy::window::WindowResizeConstraints;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

use crate::args::{Args, Backend, Instead};
use crate::checkout::{CheckoutPlugin, TestPayments};
use crate::game::GamePlugin;
use crate::payer::PayerPlugin;

/// What the emulator sells: what the hero can wear.
const ITEMS: &str = include_str!("../../assets/demo_shop/items.json");

fn main() -> AppExit {
    let args = match Args::read(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(Instead::Help) => {
            // Not `println!`, which panics where nobody reads any more.
            let _ = writeln!(std::io::stdout(), "{}", args::HELP);
            return AppExit::Success;
        }
        Err(Instead::Refuse(reason)) => {
            eprintln!("demo_shop: {reason}\n{}", args::USAGE);
            return AppExit::from_code(2);
        }
    };

    let mut app = App::new();
    if args.headless {
        app.add_plugins(headless::HeadlessPlugin);
    } else {
        add_window(&mut app);
        if args.autoplay {
            app.add_plugins(autoplay::AutoplayPlugin {
                screenshots: args.screenshots,
            });
        }
    }
    app.add_plugins((XsollaOrderPlugin, GamePlugin, CheckoutPlugin, PayerPlugin));

    match args.backend {
        Backend::Emulator => {
            let emulator = match XsollaEmulator::try_start() {
                Ok(emulator) => emulator,
                Err(error) => {
                    eprintln!("demo_shop: the emulator cannot start: {error}");
                    return AppExit::error();
                }
            };
            emulator.set_items(serde_json::from_str(ITEMS).unwrap_or_default());
            app.insert_resource(emulator.config())
                .insert_resource(emulator.user("wanderer"))
                .insert_resource(emulator);
        }
        Backend::Xsolla {
            config,
            user,
            orders,
            test_payments,
        } => {
            app.insert_resource(*config)
                .insert_resource(user)
                .insert_resource(TestPayments(test_payments));
            for order_id in orders {
                app.world_mut().commands().track_order(order_id);
            }
        }
    }
    app.run()
}

fn add_window(app: &mut App) {
    let window = Window {
        title: "The Wanderer's Shop".to_owned(),
        resolution: (1280, 720).into(),
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
                // So that the program finds its pictures wherever it is started from.
                file_path: concat!(env!("CARGO_MANIFEST_DIR"), "/assets").to_owned(),
                ..default()
            }),
        TabNavigationPlugin,
        scene::ScenePlugin,
        buttons::ButtonsPlugin,
        cards::CardsPlugin,
        shop_ui::ShopUiPlugin,
        faults::FaultsPlugin,
        connection::ConnectionPlugin,
        order_panel::OrderPanelPlugin,
        toasts::ToastsPlugin,
        idle::IdlePlugin,
    ));
}
