//! This is the shortest useful program: an order is paid and delivered, and its item is unlocked.
//! It runs in the terminal and needs no set-up: `XsollaEmulator` stands in for Xsolla's servers.

use std::time::Duration;

use bevy::app::ScheduleRunnerPlugin;
use bevy::prelude::*;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

fn main() -> AppExit {
    let emulator = XsollaEmulator::start();
    let player = emulator.user("alice");
    let order_id = emulator.create_order(&player, &[("sword", 1)]);

    let mut app = App::new();
    let frame = ScheduleRunnerPlugin::run_loop(Duration::from_millis(16));
    app.add_plugins((MinimalPlugins.set(frame), XsollaOrderPlugin))
        .insert_resource(emulator.config()) // in your game: XsollaConfig::new(your_project_id)
        .insert_resource(player) // in your game: XsollaUser::new(the_token_of_the_login)
        .add_systems(Update, unlock_items);
    app.world_mut().commands().track_order(order_id); // your game calls this when the payment page opens

    emulator.pay(order_id); // the player does this
    emulator.deliver(order_id); // Xsolla does this
    app.run()
}

fn unlock_items(mut done: MessageReader<OrderDone>, mut commands: Commands) {
    for order in done.read() {
        for item in &order.items {
            println!("unlocked: {} x{}", item.sku, item.quantity);
        }
        commands.acknowledge_order(order.order_id); // it was granted, and is never delivered again
        commands.write_message(AppExit::Success);
    }
}
