//! Here the player pays, on the emulator's payment page.

use bevy::prelude::*;
use bevy_xsolla::prelude::*;

#[derive(Default, Resource)]
pub struct Payer;

impl Payer {
    pub fn is_busy(&self) -> bool {
        false
    }

    pub fn leaves_to_player(&self, _order_id: OrderId) -> bool {
        true
    }

    pub fn cancel(&self, _order_id: OrderId) -> bool {
        false
    }
}
