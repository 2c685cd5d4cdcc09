//! The config and the user that the task was last told.

use std::sync::Arc;
use std::time::Duration;

use bevy::ecs::change_detection::Tick;
use bevy::prelude::{DetectChanges, Ref, World};

use crate::game::fence::Fence;
use crate::game::orders::Orders;
use crate::game::resources::resource_or_default;
use crate::machine::input::Input;
use crate::model::config::{ConfigError, XsollaConfig};
use crate::model::order::OrderId;
use crate::model::user::{UserId, XsollaUser};
use crate::platform::browser;
use crate::platform::time::calendar;
use crate::tracker::handle::Handle;

#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) config: Option<XsollaConfig>,
    pub(super) user: Option<XsollaUser>,
    pub(super) config_error: Option<ConfigError>,
    /// The change ticks of the config and the user that the task was last told.
    ticks: [Option<Tick>; 2],
    /// Whether there are orders that were tracked while nobody was logged in.
    pub(super) waits_for_user: bool,
}

impl Settings {
    /// The player who is logged in, as far as the task was told.
    pub(super) fn user_id(&self) -> Option<UserId> {
        self.user.as_ref().map(|user| user.id().clone())
    }

    /// Whether the config or the user was inserted, changed or removed. The ticks are compared as well,
    /// because a run condition of the game on these systems may have hidden a change.
    pub(super) fn have_moved(
        &self,
        config: Option<Ref<XsollaConfig>>,
        user: Option<Ref<XsollaUser>>,
    ) -> bool {
        let [config_tick, user_tick] = self.ticks;
        let has_config = self.config.is_some() || self.config_error.is_some();
        config.map_or(has_config, |config| {
            config.is_changed() || Some(config.last_changed()) != config_tick
        }) || user.map_or(self.user.is_some(), |user| {
            user.is_changed() || Some(user.last_changed()) != user_tick
        })
    }

    pub(super) fn have_moved_in(&self, world: &World) -> bool {
        self.have_moved(world.get_resource_ref(), world.get_resource_ref())
    }

    /// Passes the config and the user to the task when they are inserted, changed or removed. Follows the
    /// orders that waited for the user, and returns them.
    pub(super) fn pass_on(
        &mut self,
        world: &mut World,
        handle: &Handle,
        fence: &mut Fence,
    ) -> Vec<OrderId> {
        if !self.have_moved_in(world) {
            return Vec::new();
        }
        let [_, user_tick] = self.ticks;
        self.ticks = [
            (world.get_resource_ref::<XsollaConfig>()).map(|config| config.last_changed()),
            (world.get_resource_ref::<XsollaUser>()).map(|user| user.last_changed()),
        ];
        self.pass_config_on(world.get_resource(), handle);
        // Inserting the same token again asks to retry it where it was refused.
        let [_, new_tick] = self.ticks;
        let is_inserted = user_tick != new_tick;
        let user = world.get_resource::<XsollaUser>();
        if user == self.user.as_ref() && !is_inserted {
            return Vec::new();
        }
        let user = user.cloned();
        self.pass_user_on(
            user,
            &mut resource_or_default::<Orders>(world),
            handle,
            fence,
        )
    }

    fn pass_config_on(&mut self, config: Option<&XsollaConfig>, handle: &Handle) {
        // Writing the same value again is no reason to reconnect.
        if self.config_error.is_none() && config == self.config.as_ref() {
            return;
        }
        let error = config.and_then(|config| config.validate().err());
        if error != self.config_error {
            if let Some(error) = &error {
                log::error!("the XsollaConfig cannot be used: {error}");
            }
            self.config_error = error;
        }
        let config = config.filter(|_| self.config_error.is_none()).cloned();
        if config != self.config {
            self.config.clone_from(&config);
            handle.send(Input::Configure(config.map(Arc::new)));
        }
    }

    fn pass_user_on(
        &mut self,
        user: Option<XsollaUser>,
        orders: &mut Orders,
        handle: &Handle,
        fence: &mut Fence,
    ) -> Vec<OrderId> {
        let mut tracked = Vec::new();
        if let Some(old) = self.user.take()
            && user.as_ref().is_none_or(|user| user.id() != old.id())
        {
            // Whoever plays now must not see the page of another player.
            browser::close_page(None);
            handle.send(Input::LogOut(old.id().clone()));
            fence.log_out(old.id().clone());
        }
        let Some(user) = user else {
            return tracked;
        };
        self.user = Some(user.clone());
        fence.log_in(user.id());
        let expires_in = expires_in(&user);
        handle.send(Input::LogIn {
            user: user.clone(),
            expires_in,
        });
        if std::mem::take(&mut self.waits_for_user) {
            for order in orders.iter_mut().filter(|order| order.user.is_none()) {
                order.user = Some(user.id().clone());
                handle.send(Input::Track {
                    user: user.id().clone(),
                    order_id: order.order_id,
                });
                tracked.push(order.order_id);
            }
        }
        tracked
    }
}

/// The remaining life of a token, as the token itself states it.
pub(super) fn expires_in(user: &XsollaUser) -> Option<Duration> {
    let left = user.expires_at()?.duration_since(calendar());
    Some(left.unwrap_or_default())
}
