//! The plugin: from the game to the tracker task, and back.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bevy::prelude::*;
use bevy_tokio_tasks::{TokioTasksPlugin, TokioTasksRuntime};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::{ConfigError, XsollaConfig};
use crate::deliver::{deliver_news, has_news};
use crate::error::TrackingError;
use crate::ledger::LedgerError;
use crate::message::{
    AuthorizationRequired, OrderCanceled, OrderDone, OrderExpired, OrderStatusChanged,
    OrderTrackingFailed,
};
use crate::order::OrderId;
use crate::orders::{Order, Orders, Tracking};
use crate::state::TrackerState;
use crate::tracker::{self, Command, Link, Notice};
use crate::user::{UserId, XsollaUser};
use crate::wake::Bell;

/// How long a game's end waits for the ledger.
const EXIT_PATIENCE: Duration = Duration::from_millis(50);

/// Tracks orders on a background task, and tells the game of their news. See the
/// [crate documentation](crate).
///
/// It runs on the [`TokioTasksRuntime`]: on the game's own where its `TokioTasksPlugin` was added
/// before, with IO and time enabled; otherwise on one that it brings along.
pub struct XsollaOrderPlugin;

/// The systems of [`XsollaOrderPlugin`]. They run in [`PreUpdate`], so every system in [`Update`] sees
/// this frame's news.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, SystemSet)]
pub struct XsollaOrderSystems;

impl Plugin for XsollaOrderPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Orders>()
            .add_message::<OrderStatusChanged>()
            .add_message::<OrderDone>()
            .add_message::<OrderCanceled>()
            .add_message::<OrderExpired>()
            .add_message::<OrderTrackingFailed>()
            .add_message::<AuthorizationRequired>()
            .add_systems(
                PreUpdate,
                // `deliver_news` takes the whole world, and may do so before or after what others do here.
                (
                    pass_settings_on,
                    deliver_news.run_if(has_news).ambiguous_with_all(),
                )
                    .chain()
                    .in_set(XsollaOrderSystems),
            )
            .add_systems(Last, finish_writing.run_if(on_message::<AppExit>));
        #[cfg(feature = "store")]
        crate::store::build(app);
        #[cfg(feature = "winit")]
        app.add_systems(PreStartup, crate::wake::connect_to_winit);
        if !app.world().contains_resource::<TokioTasksRuntime>() {
            match small_runtime() {
                Ok(runtime) => {
                    app.add_plugins(TokioTasksPlugin {
                        make_runtime: hand_over(runtime),
                        ..default()
                    });
                }
                Err(error) => {
                    let reason = format!("the background runtime cannot start: {error}");
                    return add_tracker(app, Tracker::failed(reason));
                }
            }
        }
        let tracker = Tracker::start(app.world().resource::<TokioTasksRuntime>());
        add_tracker(app, tracker);
    }
}

fn add_tracker(app: &mut App, tracker: Tracker) {
    app.insert_resource(tracker.overall_state(app.world().resource()))
        .insert_resource(tracker);
}

/// A thread is plenty for a few sockets, and leaves the cores to the game.
fn small_runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("xsolla")
        .enable_all()
        .build()
}

/// `TokioTasksPlugin` wants a function that makes a runtime, and calls it once. It is made before,
/// where a failure can be reported.
fn hand_over(runtime: Runtime) -> Box<dyn Fn() -> Runtime + Send + Sync> {
    let runtime = Mutex::new(Some(runtime));
    Box::new(move || {
        let ready = runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match ready {
            Some(runtime) => runtime,
            None => (TokioTasksPlugin::default().make_runtime)(),
        }
    })
}

/// The game's ends of the channels to the tracker task.
#[derive(Resource)]
pub(crate) struct Tracker {
    commands: mpsc::UnboundedSender<Command>,
    pub(crate) notices: crossbeam_channel::Receiver<Notice>,
    #[cfg_attr(
        not(feature = "winit"),
        expect(dead_code, reason = "the task has it too")
    )]
    pub(crate) bell: Bell,
    task: Option<JoinHandle<()>>,
    /// What the task was last told.
    config: Option<XsollaConfig>,
    user: Option<XsollaUser>,
    config_error: Option<ConfigError>,
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
    pub(crate) released: Vec<Notice>,
}

impl Tracker {
    fn start(runtime: &TokioTasksRuntime) -> Self {
        let (commands, command_receiver) = mpsc::unbounded_channel();
        let (notice_sender, notices) = crossbeam_channel::unbounded();
        let bell = Bell::default();
        let link = Link {
            commands: command_receiver,
            notices: notice_sender,
            bell: bell.clone(),
        };
        let task = runtime.spawn_background_task(|_| tracker::run(link));
        Self {
            commands,
            notices,
            bell,
            task: Some(task),
            config: None,
            user: None,
            config_error: None,
            state: TrackerState::Idle,
            ledger_error: None,
            told: Vec::new(),
            untracking: HashMap::new(),
            logged_out: HashSet::new(),
            held: Vec::new(),
            released: Vec::new(),
        }
    }

    fn failed(reason: String) -> Self {
        log::error!("no order can be tracked: {reason}");
        Self {
            commands: mpsc::unbounded_channel().0,
            notices: crossbeam_channel::never(),
            bell: Bell::default(),
            task: None,
            config: None,
            user: None,
            config_error: None,
            state: TrackerState::Failed { reason },
            ledger_error: None,
            told: Vec::new(),
            untracking: HashMap::new(),
            logged_out: HashSet::new(),
            held: Vec::new(),
            released: Vec::new(),
        }
    }

    /// Whether the task has ended, which it does while the game runs only if it panicked.
    pub(crate) fn has_died(&self) -> bool {
        self.task.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Tells the game that none of its orders is followed any more.
    pub(crate) fn bury(&mut self, orders: &Orders) {
        let reason = "the background task has ended: does the runtime have IO and time enabled?";
        *self = Self::failed(reason.to_owned());
        for order in orders {
            self.fail_if_dead(order);
        }
    }

    fn fail_if_dead(&mut self, order: &Order) {
        if let TrackerState::Failed { reason } = &self.state
            && order.tracking == Tracking::Active
            && let Some(user) = &order.user
        {
            self.released.push(Notice::Failed {
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

    fn forget(&mut self, order_id: OrderId) {
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
    fn welcome(&mut self, user: &UserId) {
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

    fn tell(&self, command: Command) {
        // A task that has ended is reported by `TrackerState::Failed`.
        let _ = self.commands.send(command);
    }

    /// Every system has had a frame for what was sent in the last one.
    pub(crate) fn confirm_told(&mut self) {
        for order_id in std::mem::take(&mut self.told) {
            self.tell(Command::Told(order_id));
        }
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
        let is_waiting = |orders: &Orders| orders.iter().any(|order| order.user.is_none());
        if self.state == TrackerState::Idle
            && self.user.is_none()
            && (orders.is_empty() || is_waiting(orders))
        {
            return TrackerState::NoUser;
        }
        self.state.clone()
    }
}

/// Gives the ledger a moment to take in what the game did in its last frame. What it cannot take in
/// is told again after the restart, so this need not wait longer than a player would notice.
fn finish_writing(mut tracker: ResMut<Tracker>) {
    // Of the last frame's news every system has heard by now.
    tracker.confirm_told();
    let (done, is_done) = crossbeam_channel::bounded(1);
    tracker.tell(Command::Flush(done));
    let _ = is_done.recv_timeout(EXIT_PATIENCE);
}

/// Passes the config and the user on when they come, change, or go.
fn pass_settings_on(
    config: Option<Res<XsollaConfig>>,
    user: Option<Res<XsollaUser>>,
    mut tracker: ResMut<Tracker>,
    orders: Option<ResMut<Orders>>,
    state: Option<ResMut<TrackerState>>,
) {
    let config_changed = match &config {
        Some(config) => config.is_changed(),
        None => tracker.config.is_some() || tracker.config_error.is_some(),
    };
    let user_changed = match &user {
        Some(user) => user.is_changed(),
        None => tracker.user.is_some(),
    };
    if !config_changed && !user_changed {
        return;
    }
    // A game that takes these away is told nothing, and loses nothing.
    let (Some(mut orders), Some(mut state)) = (orders, state) else {
        return;
    };
    if config_changed {
        tracker.set_config(config.as_deref());
    }
    if user_changed {
        tracker.set_user(user.as_deref(), &mut orders);
    }
    state.set_if_neq(tracker.overall_state(&orders));
}

impl Tracker {
    fn set_config(&mut self, config: Option<&XsollaConfig>) {
        let error = config.and_then(|config| config.validate().err());
        if error != self.config_error {
            if let Some(error) = &error {
                log::error!("the XsollaConfig cannot be used: {error}");
            }
            self.config_error = error;
        }
        let config = config.filter(|_| self.config_error.is_none()).cloned();
        // Writing the same value anew is no reason to reconnect.
        if config != self.config {
            self.config.clone_from(&config);
            self.tell(Command::Configure(config.map(Arc::new)));
        }
    }

    fn set_user(&mut self, user: Option<&XsollaUser>, orders: &mut Orders) {
        if user == self.user.as_ref() {
            return;
        }
        let old = self.user.take();
        if let Some(old) = old
            && user.is_none_or(|user| user.id() != old.id())
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
        // What was tracked before anybody was logged in.
        for order in orders.iter_mut() {
            if order.user.is_none() {
                order.user = Some(user.id().clone());
                self.tell(Command::Track {
                    user: user.id().clone(),
                    order_id: order.order_id,
                });
            }
        }
    }
}

/// Runs `work` with the tracker and the orders, if the plugin is there.
fn with_tracker(world: &mut World, work: impl FnOnce(&mut World, &mut Tracker, &mut Orders)) {
    if !world.contains_resource::<Tracker>() || !world.contains_resource::<Orders>() {
        log::error!("no order can be tracked: XsollaOrderPlugin is not added");
        return;
    }
    world.resource_scope(|world, mut tracker: Mut<Tracker>| {
        world.resource_scope(|world, mut orders: Mut<Orders>| {
            // What was inserted in this frame counts in this frame: games set up and buy in `Startup`.
            tracker.set_config(world.get_resource());
            tracker.set_user(world.get_resource(), &mut orders);
            work(world, &mut tracker, &mut orders);
            let overall = tracker.overall_state(&orders);
            if let Some(mut state) = world.get_resource_mut::<TrackerState>() {
                state.set_if_neq(overall);
            }
        });
    });
}

pub(crate) fn track(world: &mut World, user: Option<XsollaUser>, order_id: OrderId) {
    with_tracker(world, |world, tracker, orders| {
        let is_explicit = user.is_some();
        let user = user.or_else(|| world.get_resource::<XsollaUser>().cloned());
        let has_ended = |order: &Order| order.tracking != Tracking::Active && !order.is_granted;
        if orders.get(order_id).is_some_and(has_ended) {
            orders.remove(order_id);
        }
        let order = orders.entry(order_id);
        // A granted one stays the player's who paid.
        if let Some(user) = user {
            if !order.is_granted {
                order.user = Some(user.id().clone());
            }
            if is_explicit {
                tracker.welcome(user.id());
                tracker.tell(Command::TrackAs { user, order_id });
            } else {
                let user = user.id().clone();
                tracker.tell(Command::Track { user, order_id });
            }
        }
        tracker.fail_if_dead(orders.entry(order_id));
    });
}

pub(crate) fn acknowledge(world: &mut World, order_id: OrderId) {
    with_tracker(world, |_, tracker, orders| match orders.get_mut(order_id) {
        // `is_acknowledged` becomes true once that is in the ledger.
        // Where the game has put other `Orders` in place, the task still knows.
        None => tracker.tell(Command::Acknowledge(order_id)),
        Some(order) if order.is_granted => tracker.tell(Command::Acknowledge(order_id)),
        Some(_) => log::warn!("order {order_id} was acknowledged and is not done"),
    });
}

/// Passes a command of the store's on.
#[cfg(feature = "store")]
pub(crate) fn tell(world: &mut World, command: Command) {
    with_tracker(world, |_, tracker, _| tracker.tell(command));
}

#[cfg(feature = "store")]
pub(crate) fn abandon(world: &mut World, order_id: OrderId) {
    // To buy the same again now is no double click.
    world
        .get_resource_or_init::<crate::store::Checkout>()
        .forget_last();
    tell(world, Command::Abandon(order_id));
}

pub(crate) fn untrack(world: &mut World, order_id: OrderId) {
    with_tracker(world, |_, tracker, orders| {
        orders.remove(order_id);
        tracker.forget(order_id);
    });
}
