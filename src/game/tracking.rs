//! The game's side of the background task.

use std::time::{Duration, SystemTime};

use bevy::prelude::{DetectChangesMut, Resource, World};
use litemap::LiteMap;

use crate::game::fence::Fence;
use crate::game::history::History;
use crate::game::orders::{Order, Orders};
use crate::game::resources::resource_or_default;
use crate::game::settings::Settings;
use crate::machine::input::Input;
use crate::machine::output::Notice;
use crate::model::error::{RequestError, TrackingError};
use crate::model::message::OrderTrackingFailed;
use crate::model::order::OrderId;
use crate::model::purchase::{Purchase, PurchaseFailed, PurchaseId};
use crate::model::state::TrackerState;
use crate::model::user::UserId;
use crate::platform::runtime::BackgroundTask;
use crate::platform::thread::wait_for_task;
use crate::tracker::handle::Handle;

#[derive(Debug, Resource)]
pub(crate) struct Tracking {
    pub(super) handle: Handle,
    task: Option<BackgroundTask>,
    pub(super) settings: Settings,
    pub(super) fence: Fence,
    /// The state that the task last reported.
    pub(super) state: TrackerState,
    /// The orders whose end was delivered in this frame.
    pub(super) delivered: Vec<OrderId>,
    /// The purchases that the task has not answered yet.
    pub(super) purchases: LiteMap<PurchaseId, (UserId, Purchase)>,
    /// The purchases that wait for a player, if something logs players in.
    pub(super) held: Option<Vec<(PurchaseId, Purchase)>>,
    /// Whether the catalogue is being fetched.
    pub(super) is_fetching: bool,
    /// What a support report says of the past.
    pub(super) history: History,
}

impl Tracking {
    /// Makes the game's side. Without a task, commands are lost or read by a test.
    pub(super) fn new(handle: Handle, task: Option<BackgroundTask>) -> Self {
        Self {
            handle,
            task,
            settings: Settings::default(),
            fence: Fence::default(),
            state: TrackerState::Idle,
            delivered: Vec::new(),
            purchases: LiteMap::new(),
            held: None,
            is_fetching: false,
            history: History::default(),
        }
    }

    /// Makes the game's side of a task that could not start for this reason.
    pub(super) fn failed(handle: Handle, reason: String) -> Self {
        log::error!("no order can be tracked: {reason}");
        Self {
            state: TrackerState::Failed { reason },
            ..Self::new(handle, None)
        }
    }

    /// Whether there is anything to deliver, or to tell the task.
    pub(super) fn has_news(&self) -> bool {
        self.has_notices() || !self.delivered.is_empty() || self.has_died()
    }

    pub(super) fn has_notices(&self) -> bool {
        self.fence.has_released() || self.handle.has_notices()
    }

    /// Takes the next notice. The inner value is `None` if the game must not receive it now.
    pub(super) fn next_notice(&mut self, now: SystemTime) -> Option<Option<Notice>> {
        let notice = match self.fence.next_released() {
            Some(notice) => notice,
            None => self.handle.next_notice()?,
        };
        let notice = match self.fence.is_open() {
            true => Some(notice),
            false => self.fence.admit(notice),
        };
        if let Some(notice) = &notice {
            self.history.note(notice, now);
        }
        Some(notice)
    }

    /// Whether there is a task that could still write.
    pub(super) fn has_task(&self) -> bool {
        self.task.is_some()
    }

    /// Whether the task has ended. While the game runs, it ends only if it panicked.
    pub(super) fn has_died(&self) -> bool {
        self.task.as_ref().is_some_and(BackgroundTask::is_finished)
    }

    /// Tells the game that none of its orders is followed any more, and answers its open requests.
    pub(super) fn fail_all(&mut self, orders: &Orders) {
        self.task = None;
        self.fence.task_ended();
        let reason = "the background task has ended: does the runtime have IO and time enabled?";
        log::error!("no order can be tracked: {reason}");
        self.state = TrackerState::Failed {
            reason: reason.to_owned(),
        };
        for order in orders {
            self.fail_if_dead(order);
        }
        self.fail_requests_if_dead();
        self.handle.waker.wake();
    }

    pub(super) fn fail_if_dead(&mut self, order: &Order) {
        if let TrackerState::Failed { reason } = &self.state
            && order.phase.is_open()
            && let Some(user) = &order.user
        {
            self.fence.release(Notice::Failed(OrderTrackingFailed {
                order_id: order.order_id,
                user: user.clone(),
                error: TrackingError::TrackerFailed(reason.clone()),
            }));
        }
    }

    /// Fails purchases and the catalogue if there is no task to answer them.
    pub(super) fn fail_requests_if_dead(&mut self) {
        let TrackerState::Failed { reason } = &self.state else {
            return;
        };
        let error = RequestError::Network(reason.clone());
        for (purchase_id, (user, purchase)) in std::mem::take(&mut self.purchases) {
            let failed = PurchaseFailed {
                purchase_id,
                user: Some(user),
                sku: purchase.sku().to_owned(),
                purchase,
                error: error.clone().into(),
            };
            self.fence.release(Notice::PurchaseFailed(Box::new(failed)));
        }
        if std::mem::take(&mut self.is_fetching) {
            self.fence.release(Notice::Catalog(Err(error)));
        }
    }

    /// Passes the config and the user to the task when they are inserted, changed or removed.
    pub(super) fn pass_settings_on(&mut self, world: &mut World) {
        let tracked = self.settings.pass_on(world, &self.handle, &mut self.fence);
        for order_id in tracked {
            if let Some(order) = world
                .get_resource::<Orders>()
                .and_then(|orders| orders.get(order_id))
            {
                self.fail_if_dead(order);
            }
        }
    }

    /// Confirms the ends of orders that were sent in the last frame, because every system has had a frame to
    /// read them.
    pub(super) fn confirm_delivered(&mut self) {
        for order_id in std::mem::take(&mut self.delivered) {
            self.handle.send(Input::Delivered(order_id));
        }
    }

    /// Waits until the ledger has everything that the game did so far, but no longer than `patience`.
    pub(super) fn wait_for_ledger(&self, patience: Duration) {
        if self.has_task() {
            wait_for_task(&self.handle.flush(), patience);
        }
    }

    pub(super) fn untrack(&mut self, order_id: OrderId) {
        self.delivered.retain(|delivered| *delivered != order_id);
        self.fence.untrack(order_id, self.has_task());
        self.handle.send(Input::Untrack(order_id));
    }

    /// Updates the game's [`TrackerState`] if it has changed.
    pub(super) fn tell_state(&self, world: &mut World) {
        let overall = self.overall_state(&resource_or_default::<Orders>(world));
        resource_or_default::<TrackerState>(world).set_if_neq(overall);
    }

    /// The overall state of tracking. A problem with the settings takes precedence over the state of the
    /// task.
    pub(super) fn overall_state(&self, orders: &Orders) -> TrackerState {
        if let TrackerState::Failed { .. } = self.state {
            return self.state.clone();
        }
        if let Some(error) = &self.settings.config_error {
            return TrackerState::InvalidConfig(error.clone());
        }
        if self.settings.config.is_none() {
            return TrackerState::NoConfig;
        }
        // A server that tracks for many players needs no logged-in user.
        if self.state == TrackerState::Idle
            && self.settings.user.is_none()
            && (orders.is_empty() || self.settings.waits_for_user)
        {
            return TrackerState::NoUser;
        }
        self.state.clone()
    }
}
