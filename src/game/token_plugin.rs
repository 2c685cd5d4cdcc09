//! The plugin that a provider of tokens is, and its command.

use bevy::prelude::*;

use crate::game::answers::add_answers;
use crate::game::deliver::deliver_news;
use crate::game::plugin::XsollaOrderSystems;
use crate::game::renewing::{Renewing, is_due, note_required, renew};
use crate::game::token_provider::TokenProvider;
use crate::game::tracking::Tracking;
use crate::model::login::RefreshTokenChanged;
use crate::model::renewal::LoginRequired;

impl Plugin for TokenProvider {
    fn build(&self, app: &mut App) {
        add_answers(app);
        if let Some(mut tracking) = app.world_mut().get_resource_mut::<Tracking>() {
            tracking.held.get_or_insert_default();
        }
        app.insert_resource(Renewing::new())
            .insert_resource(self.clone())
            .add_message::<LoginRequired>()
            .add_message::<RefreshTokenChanged>()
            .add_observer(note_required)
            .add_systems(
                PreUpdate,
                renew
                    .run_if(is_due)
                    .after(deliver_news)
                    .ambiguous_with_all()
                    .in_set(XsollaOrderSystems),
            );
    }
}

/// The command that asks for a token, which extends [`Commands`].
pub trait TokenCommands {
    /// Asks the [`TokenProvider`] for a player, if nobody is logged in. A game calls it at its start, or when the player
    /// clicks "log in".
    ///
    /// The answer is an [`XsollaUser`](crate::XsollaUser), which is inserted, or a [`LoginRequired`] message. After a failure that may pass,
    /// the provider is asked again.
    fn request_token(&mut self);
}

impl TokenCommands for Commands<'_, '_> {
    fn request_token(&mut self) {
        self.queue(
            |world: &mut World| match world.get_resource_mut::<Renewing>() {
                Some(mut renewing) => {
                    renewing.is_asked = true;
                    world.resource::<Tracking>().handle.waker.wake();
                }
                None => log::error!("no token can be asked for: TokenProvider is not added"),
            },
        );
    }
}
