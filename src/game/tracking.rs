//! The game's end of the channels to the tracker task.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bevy::ecs::change_detection::Tick;
use bevy::prelude::{DetectChanges, DetectChangesMut, Resource, World};
use bevy_tokio_tasks::TokioTasksRuntime;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::game::orders::{Order, Orders, Tracking};
use crate::game::wake::Bell;
use crate::machine::notice::Notice;
use crate::model::config::{ConfigError, XsollaConfig};
use crate::model::error::TrackingError;
use crate::model::ledger::LedgerError;
use crate::model::order::OrderId;
use crate::model::state::TrackerState;
use crate::model::user::{UserId, XsollaUser};
use crate::tracker::counters::Counters;
use crate::tracker::task::{Command, Link, run};

/// After how many notices the task is told that there is room for more.
const REFILL: u32 = 256;

/// The game's side of the tracker task.
#[derive(Resource)]
pub(crate) struct Tracker {
    commands: mpsc::UnboundedSender<Command>,
    notices: crossbeam_channel::Receiver<Notice>,
    /// Where the task hears that notices were taken out.
    room: Arc<Notify>,
    /// How many there were.
    taken: u32,
    pub(crate) bell: Bell,
    /// What the task counts.
    pub(crate) counters: Arc<Counters>,
    /// How old the oldest of the last news was when it was delivered, until that is measured.
    pub(crate) news_latency: Option<Duration>,
    task: Option<JoinHandle<()>>,
    /// What the task was last told.
    config: Option<XsollaConfig>,
    user: Option<XsollaUser>,
    config_error: Option<ConfigError>,
    /// When the config and the user had changed that the task was told of.
    pub(crate) ticks: [Option<Tick>; 2],
    /// Whether there are orders that were tracked while nobody was logged in.
    pub(crate) waits_for_user: bool,
    /// How the task is doing.
    pub(crate) state: TrackerState,
    pub(crate) ledger_error: Option<LedgerError>,
    /// The orders whose end the game hears of in this frame.
    pub(crate) told: Vec<OrderId>,
    /// Orders that were untracked, and how often, until the task has taken note of it.
    untracking: HashMap<OrderId, u32>,
    /// Players who have logged out, and news of their orders that was under way then: whoever plays
    /// now must not be given it.
    logged_out: HashSet<UserId>,
    held: Vec<(UserId, Notice)>,
    /// To be delivered before what the task says next.
    released: VecDeque<Notice>,
}

impl Tracker {
    pub(crate) fn start(runtime: &TokioTasksRuntime) -> Self {
        let (commands, command_receiver) = mpsc::unbounded_channel();
        let (notice_sender, notices) = crossbeam_channel::unbounded();
        let tracker = Self::new(commands, notices, TrackerState::Idle);
        let link = Link {
            commands: command_receiver,
            notices: notice_sender,
            room: tracker.room.clone(),
            bell: tracker.bell.clone(),
            counters: tracker.counters.clone(),
        };
        let task = runtime.spawn_background_task(|_| run(link));
        Self {
            task: Some(task),
            ..tracker
        }
    }

    pub(crate) fn failed(reason: String) -> Self {
        log::error!("no order can be tracked: {reason}");
        Self::new(
            mpsc::unbounded_channel().0,
            crossbeam_channel::never(),
            TrackerState::Failed { reason },
        )
    }

    /// Without a task: what the game asks of it comes back.
    #[cfg(feature = "test_util")]
    pub(crate) fn alone() -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let notices = crossbeam_channel::never();
        (Self::new(commands, notices, TrackerState::Idle), receiver)
    }

    fn new(
        commands: mpsc::UnboundedSender<Command>,
        notices: crossbeam_channel::Receiver<Notice>,
        state: TrackerState,
    ) -> Self {
        Self {
            commands,
            notices,
            room: Arc::default(),
            taken: 0,
            bell: Bell::default(),
            counters: Arc::default(),
            news_latency: None,
            task: None,
            config: None,
            user: None,
            config_error: None,
            ticks: [None; 2],
            waits_for_user: false,
            state,
            ledger_error: None,
            told: Vec::new(),
            untracking: HashMap::new(),
            logged_out: HashSet::new(),
            held: Vec::new(),
            released: VecDeque::new(),
        }
    }

    /// Whether there is anything to deliver, or to tell the task.
    pub(crate) fn has_news(&self) -> bool {
        self.has_notices() || !self.told.is_empty() || self.has_died()
    }

    pub(crate) fn has_notices(&self) -> bool {
        !self.released.is_empty() || !self.notices.is_empty()
    }

    /// The next notice, and whether it is for the game for sure: the usual case.
    pub(crate) fn next_notice(&mut self) -> Option<(Notice, bool)> {
        let notice = match self.released.pop_front() {
            Some(notice) => notice,
            None => self.notices.try_recv().ok()?,
        };
        // The task refills the channel while the frame goes on.
        self.taken = self.taken.wrapping_add(1);
        if self.taken.is_multiple_of(REFILL) {
            self.make_room();
        }
        Some((
            notice,
            self.untracking.is_empty() && self.logged_out.is_empty(),
        ))
    }

    /// To be delivered in the next frame.
    #[cfg(feature = "test_util")]
    pub(crate) fn release(&mut self, notice: Notice) {
        self.released.push_back(notice);
    }

    /// Notices were taken out of the channel.
    pub(crate) fn make_room(&self) {
        self.room.notify_one();
    }

    /// Whether the task knows of a config, or the game of an invalid one.
    pub(crate) fn has_config(&self) -> bool {
        self.config.is_some() || self.config_error.is_some()
    }

    pub(crate) fn has_user(&self) -> bool {
        self.user.is_some()
    }

    /// Whether there is a task that could still write.
    pub(crate) fn has_task(&self) -> bool {
        self.task.is_some()
    }

    /// Whether the task has ended, which it does while the game runs only if it panicked.
    pub(crate) fn has_died(&self) -> bool {
        self.task.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Tells the game that none of its orders is followed any more.
    pub(crate) fn bury(&mut self, orders: &Orders) {
        let reason = "the background task has ended: does the runtime have IO and time enabled?";
        let failed = Self::failed(reason.to_owned());
        let dead = std::mem::replace(self, failed);
        // What was heard for a player who is away is theirs all the same.
        self.held = dead.held;
        self.logged_out = dead.logged_out;
        self.user = dead.user;
        self.config = dead.config;
        self.ticks = dead.ticks;
        self.bell = dead.bell;
        for order in orders {
            self.fail_if_dead(order);
        }
        self.bell.ring();
    }

    pub(crate) fn fail_if_dead(&mut self, order: &Order) {
        if let TrackerState::Failed { reason } = &self.state
            && order.tracking == Tracking::Active
            && let Some(user) = &order.user
        {
            self.released.push_back(Notice::Failed {
                order_id: order.order_id,
                user: user.clone(),
                error: TrackingError::TrackerFailed(reason.clone()),
            });
        }
    }

    /// Whether this notice is for the game, now. What is for a player who has logged out is kept for
    /// their return; what was said of an order before it was forgotten is dropped.
    pub(crate) fn admit(&mut self, notice: Notice, orders: &Orders) -> Option<Notice> {
        let Some(order_id) = notice.order_id() else {
            return Some(notice);
        };
        if let Some(count) = self.untracking.get_mut(&order_id) {
            if matches!(notice, Notice::Untracked { .. }) {
                *count -= 1;
                if *count == 0 {
                    self.untracking.remove(&order_id);
                }
            }
            return None;
        }
        // Its own word first: the game may have put other `Orders` in place.
        let owner = notice
            .user()
            .or_else(|| orders.get(order_id)?.user.as_ref());
        match owner {
            Some(user) if self.logged_out.contains(user) => {
                let user = user.clone();
                self.held.push((user, notice));
                None
            }
            _ => Some(notice),
        }
    }

    pub(crate) fn forget(&mut self, order_id: OrderId) {
        let is_of_another = |notice: &Notice| notice.order_id() != Some(order_id);
        self.held.retain(|(_, notice)| is_of_another(notice));
        self.released.retain(is_of_another);
        self.told.retain(|told| *told != order_id);
        if self.task.is_some() {
            *self.untracking.entry(order_id).or_default() += 1;
            self.tell(Command::Untrack(order_id));
        }
    }

    /// A player is back: what was held for them is theirs.
    pub(crate) fn welcome(&mut self, user: &UserId) {
        if self.logged_out.remove(user) {
            let (theirs, others) = std::mem::take(&mut self.held)
                .into_iter()
                .partition(|(owner, _)| owner == user);
            self.held = others;
            let theirs: Vec<(UserId, Notice)> = theirs;
            self.released
                .extend(theirs.into_iter().map(|(_, notice)| notice));
        }
    }

    pub(crate) fn tell(&self, command: Command) {
        // A task that has ended is reported by `TrackerState::Failed`.
        let _ = self.commands.send(command);
    }

    /// Every system has had a frame for what was sent in the last one.
    pub(crate) fn confirm_told(&mut self) {
        for order_id in std::mem::take(&mut self.told) {
            self.tell(Command::Told(order_id));
        }
    }

    /// Tells the game how tracking is doing, if that has changed.
    pub(crate) fn tell_state(&self, world: &mut World) {
        let overall = self.overall_state(&world.get_resource_or_init::<Orders>());
        world
            .get_resource_or_init::<TrackerState>()
            .set_if_neq(overall);
    }

    /// How tracking is doing as a whole.
    pub(crate) fn overall_state(&self, orders: &Orders) -> TrackerState {
        let state = self.tracking_state(orders);
        match &self.ledger_error {
            Some(reason) => TrackerState::LedgerTrouble {
                reason: reason.clone(),
                state: Box::new(state),
            },
            None => state,
        }
    }

    /// The settings' state before the task's.
    fn tracking_state(&self, orders: &Orders) -> TrackerState {
        if let TrackerState::Failed { .. } = self.state {
            return self.state.clone();
        }
        if let Some(error) = &self.config_error {
            return TrackerState::InvalidConfig(error.clone());
        }
        if self.config.is_none() {
            return TrackerState::NoConfig;
        }
        // A server that tracks for many players needs no one to be logged in.
        if self.state == TrackerState::Idle
            && self.user.is_none()
            && (orders.is_empty() || self.waits_for_user)
        {
            return TrackerState::NoUser;
        }
        self.state.clone()
    }

    /// Passes the config and the user on when they come, change, or go.
    pub(crate) fn pass_settings_on(&mut self, world: &mut World) {
        self.ticks = [
            (world.get_resource_ref::<XsollaConfig>()).map(|config| config.last_changed()),
            (world.get_resource_ref::<XsollaUser>()).map(|user| user.last_changed()),
        ];
        self.set_config(world.get_resource());
        // Writing the same value anew is no log-in.
        if world.get_resource::<XsollaUser>() != self.user.as_ref() {
            let user = world.get_resource::<XsollaUser>().cloned();
            self.set_user(user, &mut world.get_resource_or_init::<Orders>());
        }
    }

    fn set_config(&mut self, config: Option<&XsollaConfig>) {
        // Writing the same value anew is no reason to reconnect.
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
            self.tell(Command::Configure(config.map(Arc::new)));
        }
    }

    fn set_user(&mut self, user: Option<XsollaUser>, orders: &mut Orders) {
        let old = self.user.take();
        if let Some(old) = old
            && user.as_ref().is_none_or(|user| user.id() != old.id())
        {
            self.tell(Command::LogOut(old.id().clone()));
            self.logged_out.insert(old.id().clone());
        }
        let Some(user) = user else {
            return;
        };
        self.user = Some(user.clone());
        self.welcome(user.id());
        self.tell(Command::LogIn(user.clone()));
        if !std::mem::take(&mut self.waits_for_user) {
            return;
        }
        for order in orders.iter_mut() {
            if order.user.is_none() {
                order.user = Some(user.id().clone());
                self.tell(Command::Track {
                    user: user.id().clone(),
                    order_id: order.order_id,
                });
                self.fail_if_dead(order);
            }
        }
    }
}
