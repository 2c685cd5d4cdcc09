//! The button that gives back what the player owns and the bag has not: after the save was lost, or on another device.

use bevy::prelude::*;
use bevy_xsolla::inventory::{Inventory, InventoryCommands, InventoryState};
use bevy_xsolla::prelude::*;

use crate::bag::Bag;
use crate::game::name_of;
use crate::theme::{GOLD, MUTED, RED};
use crate::toasts::Toast;
use crate::words;

pub struct RestorePlugin;

impl Plugin for RestorePlugin {
    fn build(&self, app: &mut App) {
        app.add_message::<Restore>()
            .init_resource::<Restoring>()
            .add_systems(
                Update,
                (
                    ask.run_if(on_message::<Restore>),
                    restore.run_if(resource_changed::<Inventory>),
                ),
            );
    }
}

/// The player wants back what they own.
#[derive(Message)]
pub struct Restore;

/// Whether the player waits for it.
#[derive(Default, Resource)]
struct Restoring(bool);

fn ask(mut restoring: ResMut<Restoring>, mut commands: Commands) {
    restoring.0 = true;
    commands.fetch_inventory();
}

fn restore(
    mut restoring: ResMut<Restoring>,
    inventory: Res<Inventory>,
    (mut bag, catalog): (ResMut<Bag>, Res<Catalog>),
    mut toasts: MessageWriter<Toast>,
) {
    let is_waiting = *inventory.state() == InventoryState::Loading;
    if is_waiting || !std::mem::take(&mut restoring.0) {
        return;
    }
    let mut toast = |title: &str, text: String, color| {
        let title = title.to_owned();
        toasts.write(Toast { title, text, color });
    };
    let owned = match inventory.state() {
        InventoryState::Ready => inventory.items().iter(),
        InventoryState::Failed(error) => {
            warn!("what the player owns: {error}");
            return toast("Nothing was restored", words::inventory(error), RED);
        }
        // Another player has logged in.
        _ => return,
    };
    let owned = owned.map(|item| (item.sku.as_str(), inventory.quantity(&item.sku)));
    match bag.restore(owned) {
        Ok(restored) if restored.is_empty() => {
            let text = "Your bag has all that you own.".to_owned();
            toast("Nothing was missing", text, MUTED);
        }
        Ok(restored) => {
            let names = restored.iter().map(|sku| name_of(sku, &catalog));
            let names: Vec<&str> = names.collect();
            toast("Restored", names.join(", "), GOLD);
        }
        Err(error) => {
            error!("what was restored cannot be saved: {error}");
            let text = "It could not be saved.".to_owned();
            toast("Nothing was restored", text, RED);
        }
    }
}
