//! A small shop in a small game: what you buy, the hero wears.
//!
//! `cargo run --example demo_shop` needs nothing set up: an emulator stands in for Xsolla.
//! `--help` lists the rest.
//!
//! - `game.rs` is what every shop has: the items, the bag, and the system that grants.
//! - `checkout.rs` buys on the emulator; `args.rs` chooses between it and Xsolla.
//! - `scene.rs`, `shop_ui.rs`, `order_panel.rs` and `toasts.rs` show it, in the colours of `theme.rs`.
//! - `headless.rs` runs the same purchase in the terminal; `autoplay.rs` plays by itself.

mod args;
mod autoplay;
mod checkout;
mod connection;
mod game;
mod headless;
mod order_panel;
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
use crate::checkout::{Checkout, CheckoutPlugin};
use crate::game::GamePlugin;

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
    app.add_plugins((XsollaOrderPlugin, GamePlugin, CheckoutPlugin));

    match args.backend {
        Backend::Emulator => {
            let emulator = match XsollaEmulator::try_start() {
                Ok(emulator) => emulator,
                Err(error) => {
                    eprintln!("demo_shop: the emulator cannot start: {error}");
                    return AppExit::error();
                }
            };
            let player = emulator.user("wanderer");
            app.insert_resource(emulator.config())
                .insert_resource(player.clone())
                .insert_resource(Checkout::new(emulator, player));
        }
        Backend::Xsolla {
            config,
            user,
            orders,
        } => {
            app.insert_resource(*config).insert_resource(user);
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
        shop_ui::ShopUiPlugin,
        connection::ConnectionPlugin,
        order_panel::OrderPanelPlugin,
        toasts::ToastsPlugin,
    ));
}
