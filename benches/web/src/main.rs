//! A game that does little, for its size.

use bevy::prelude::*;

fn main() {
    let mut app = App::new();
    #[cfg(not(feature = "picture"))]
    app.add_plugins(MinimalPlugins);
    #[cfg(feature = "picture")]
    app.add_plugins(DefaultPlugins)
        .add_systems(Startup, |mut commands: Commands| {
            commands.spawn(Camera2d);
            commands.spawn(Sprite::from_color(Color::WHITE, Vec2::ONE));
            commands.spawn(Text::new("a shop"));
        });
    #[cfg(feature = "plugin")]
    shop::add_to(&mut app);
    app.run();
}

#[cfg(feature = "plugin")]
mod shop {
    use bevy::prelude::*;
    use bevy_xsolla::prelude::*;

    /// Adds a shop that shows its catalogue, sells an item and unlocks it.
    pub fn add_to(app: &mut App) {
        app.add_plugins(XsollaOrderPlugin)
            .insert_resource(XsollaConfig::new(77_640))
            .insert_resource(XsollaUser::new("token"))
            .add_systems(Startup, |mut commands: Commands| {
                commands.fetch_catalog();
                commands.purchase("sword");
            })
            .add_systems(Update, unlock);
    }

    fn unlock(
        mut done: MessageReader<OrderDone>,
        mut failed: MessageReader<PurchaseFailed>,
        orders: Res<Orders>,
        catalog: Res<Catalog>,
        mut commands: Commands,
    ) {
        for order in done.read() {
            log::info!("{:?}: {:?}", order.items, orders.get(order.order_id));
            commands.acknowledge_order(order.order_id);
        }
        for purchase in failed.read() {
            log::warn!("{}: {:?}", purchase.error, catalog.items());
        }
    }
}
