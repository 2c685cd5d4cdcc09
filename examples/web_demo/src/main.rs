//! The demo shop in a browser. Its sources are those of the demo for desktops, but for the files (`save.rs`) and the
//! payer (`payer.rs`), who is the player here. `cargo run --example web_demo` builds and serves it.

#[path = "../../demo_shop/bag.rs"]
#[allow(dead_code, reason = "the panel of faults is for desktops")]
mod bag;
#[path = "../../demo_shop/buttons.rs"]
#[allow(dead_code, reason = "the panel of faults is for desktops")]
mod buttons;
#[path = "../../demo_shop/cards.rs"]
mod cards;
#[path = "../../demo_shop/checkout.rs"]
mod checkout;
#[path = "../../demo_shop/connection.rs"]
mod connection;
#[path = "../../demo_shop/game.rs"]
mod game;
#[path = "../../demo_shop/idle.rs"]
mod idle;
#[path = "../../demo_shop/last_time.rs"]
mod last_time;
#[path = "../../demo_shop/order_panel.rs"]
mod order_panel;
mod payer;
#[path = "../../demo_shop/restore.rs"]
mod restore;
mod save;
#[path = "../../demo_shop/scene.rs"]
mod scene;
#[path = "../../demo_shop/shop_ui.rs"]
mod shop_ui;
#[path = "../../demo_shop/theme.rs"]
mod theme;
#[path = "../../demo_shop/toasts.rs"]
mod toasts;
#[path = "../../demo_shop/words.rs"]
mod words;

use std::path::Path;

use bevy::asset::AssetMetaCheck;
use bevy::input_focus::tab_navigation::TabNavigationPlugin;
use bevy::prelude::*;
use bevy_xsolla::inventory::XsollaInventoryPlugin;
use bevy_xsolla::prelude::*;
use serde::Deserialize;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::bag::Bag;
use crate::shop_ui::ShopNote;

/// The smallest windows that the shop is made for. In a smaller one everything is drawn smaller.
const SMALLEST: Vec2 = Vec2::new(800.0, 600.0);
const SMALLEST_UPRIGHT: Vec2 = Vec2::new(384.0, 780.0);

#[wasm_bindgen]
extern "C" {
    /// What the server tells the page of its emulator.
    #[wasm_bindgen(thread_local_v2, js_namespace = window, js_name = shop)]
    static SHOP: String;
}

/// The emulator, and the player.
#[derive(Deserialize)]
struct Shop {
    project_id: u64,
    store_url: String,
    socket_url: String,
    payment_url: String,
    sandbox_payment_url: String,
    token: String,
}

fn main() {
    let shop = SHOP.with(|json| serde_json::from_str::<Shop>(json));
    let (shop, bag) = match (shop, Bag::open(Path::new(""))) {
        (Ok(shop), Ok(bag)) => (shop, bag),
        (Err(error), _) => panic!("the server's settings cannot be read: {error}"),
        (_, Err(error)) => panic!("what the hero has cannot be read: {error}"),
    };
    let mut config = XsollaConfig::new(shop.project_id);
    config.store_url = shop.store_url;
    config.socket_url = shop.socket_url;
    config.payment_url = shop.payment_url;
    // What the player buys in the Web Shop, or on another device, is unlocked here, too.
    config.listen = Listen::WhileLoggedIn;
    config.adopt_orders = true;
    config.sandbox_payment_url = shop.sandbox_payment_url;
    let window = Window {
        title: "The Wanderer's Shop".to_owned(),
        canvas: Some("#game".to_owned()),
        fit_canvas_to_parent: true,
        ..default()
    };
    App::new()
        .add_plugins((
            DefaultPlugins
                .set(WindowPlugin {
                    primary_window: Some(window),
                    ..default()
                })
                .set(AssetPlugin {
                    // A picture has no file of settings beside it.
                    meta_check: AssetMetaCheck::Never,
                    ..default()
                }),
            TabNavigationPlugin,
            XsollaOrderPlugin,
            XsollaInventoryPlugin,
            game::GamePlugin,
            checkout::CheckoutPlugin,
            scene::ScenePlugin,
            buttons::ButtonsPlugin,
            cards::CardsPlugin,
            shop_ui::ShopUiPlugin,
            connection::ConnectionPlugin,
            order_panel::OrderPanelPlugin,
            (
                toasts::ToastsPlugin,
                restore::RestorePlugin,
                last_time::LastTimePlugin,
                idle::IdlePlugin,
            ),
        ))
        .insert_resource(bag)
        .init_resource::<payer::Payer>()
        .insert_resource(ShopNote("An emulator's shop: no money moves.".to_owned()))
        .insert_resource(config)
        .insert_resource(XsollaUser::new(shop.token))
        .add_systems(PreUpdate, fit_the_window)
        .run();
}

fn fit_the_window(window: Single<&Window>, mut scale: ResMut<UiScale>) {
    let size = Vec2::new(window.width(), window.height());
    let smallest = match size.y > size.x {
        true => SMALLEST_UPRIGHT,
        false => SMALLEST,
    };
    let fitting = (size / smallest).min_element().clamp(0.1, 1.0);
    if scale.0 != fitting {
        scale.0 = fitting;
    }
}
