//! What the tests share: a headless game that notes down all that it is told, and the set-ups.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on is to stop"
)]

pub mod browser;
pub mod centrifugo;
pub mod certificates;
pub mod flood;
pub mod folder;
pub mod interop;
pub mod postgres;
pub mod process;
pub mod tap;
pub mod wait;

use std::time::{Duration, Instant};

use bevy::app::Plugins;
use bevy::prelude::*;
use bevy_tokio_tasks::TokioTasksPlugin;
use bevy_xsolla::LedgerError;
use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;

use wait::{DEADLINE, wait_until};

/// An emulator, and the game of alice, who is logged in.
pub fn shop() -> (XsollaEmulator, Game) {
    shop_with(|_| ())
}

/// The same, with short intervals.
pub fn hurried_shop() -> (XsollaEmulator, Game) {
    shop_with(hurry)
}

/// The same, with a config that the test changes.
pub fn shop_with(configure: impl FnOnce(&mut XsollaConfig)) -> (XsollaEmulator, Game) {
    let emulator = XsollaEmulator::start();
    let mut config = emulator.config();
    configure(&mut config);
    let game = Game::logged_in(config, &emulator.user("alice"));
    (emulator, game)
}

/// An order of one sword for alice.
pub fn sword_order(emulator: &XsollaEmulator) -> OrderId {
    emulator.create_order(&emulator.user("alice"), &[("sword", 1)])
}

/// Intervals of about a tenth of the usual, for tests that have to see them pass.
pub fn hurry(config: &mut XsollaConfig) {
    config.socket_grace = Duration::from_millis(400);
    config.poll_interval = Duration::from_millis(300);
    config.retry_min = Duration::from_millis(50);
    config.retry_max = Duration::from_millis(500);
}

pub fn hurried(mut config: XsollaConfig) -> XsollaConfig {
    hurry(&mut config);
    config
}

/// Waits, without a frame, until the server has answered, as the condition tells, and its answer has
/// reached the plugin: then the news waits for the next frame. Should the answer take longer on its
/// way, a test of what becomes of such news sees less, and is not wrong.
#[track_caller]
pub fn wait_without_frames(what: &str, has_answered: impl FnMut() -> bool) {
    wait_until(what, has_answered);
    std::thread::sleep(Duration::from_millis(300));
}

/// A config for servers at these addresses, without a ledger.
pub fn config_for(project_id: u64, store_url: &str, socket_url: &str) -> XsollaConfig {
    let mut config = XsollaConfig::new(project_id);
    config.store_url = store_url.to_owned();
    config.socket_url = socket_url.to_owned();
    config.ledger = Ledger::disabled();
    config
}

/// Tokio that can open no socket: the plugin's background task ends at once.
pub fn runtime_without_io() -> TokioTasksPlugin {
    runtime(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).build().unwrap()
    })
}

/// The game's own runtime.
pub fn runtime(
    make: impl Fn() -> tokio::runtime::Runtime + Send + Sync + 'static,
) -> TokioTasksPlugin {
    TokioTasksPlugin {
        make_runtime: Box::new(make),
        ..default()
    }
}

pub struct Game {
    pub app: App,
}

/// What the game was told, by message and by event.
#[derive(Resource, Default)]
pub struct Told {
    pub statuses: Vec<(OrderId, String)>,
    pub done: Vec<OrderDone>,
    pub canceled: Vec<OrderCanceled>,
    pub expired: Vec<OrderExpired>,
    pub failed: Vec<OrderTrackingFailed>,
    pub authorization_required: Vec<AuthorizationRequired>,
    /// The orders of the `OrderDone` events that an observer saw.
    pub observed_done: Vec<OrderId>,
    /// Each `OrderDone` that `Orders` did not agree with when it was read.
    pub disagreements: Vec<String>,
    pub states: Vec<TrackerState>,
}

impl Game {
    /// With the plugin, on these servers, and with nobody logged in.
    pub fn new(config: XsollaConfig) -> Self {
        let mut game = Self::bare();
        game.app.insert_resource(config);
        game
    }

    /// The same, with this user logged in.
    pub fn logged_in(config: XsollaConfig, user: &XsollaUser) -> Self {
        let mut game = Self::new(config);
        game.log_in(user);
        game
    }

    /// With the plugin, and neither a config nor a user.
    pub fn bare() -> Self {
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, XsollaOrderPlugin));
        Self::of(app)
    }

    /// Of these plugins, on the emulator, with alice logged in.
    pub fn with<M>(plugins: impl Plugins<M>, emulator: &XsollaEmulator) -> Self {
        let mut app = App::new();
        app.add_plugins(plugins)
            .insert_resource(emulator.config())
            .insert_resource(emulator.user("alice"));
        Self::of(app)
    }

    pub fn of(mut app: App) -> Self {
        app.init_resource::<Told>()
            .add_systems(Update, (note_messages, note_state))
            .add_observer(|done: On<OrderDone>, mut told: ResMut<Told>| {
                told.observed_done.push(done.order_id);
            });
        Self { app }
    }

    pub fn log_in(&mut self, user: &XsollaUser) {
        self.app.insert_resource(user.clone());
    }

    pub fn log_out(&mut self) {
        self.app.world_mut().remove_resource::<XsollaUser>();
    }

    pub fn commands<T>(&mut self, work: impl FnOnce(&mut Commands) -> T) -> T {
        let result = work(&mut self.app.world_mut().commands());
        self.app.world_mut().flush();
        result
    }

    pub fn track(&mut self, order_id: OrderId) {
        self.commands(|commands| commands.track_order(order_id));
    }

    pub fn acknowledge(&mut self, order_id: OrderId) {
        self.commands(|commands| commands.acknowledge_order(order_id));
    }

    /// One frame.
    pub fn update(&mut self) {
        self.app.update();
    }

    /// Lets frames go by until the condition holds.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, condition: impl FnMut(&World) -> bool) {
        self.wait_for_so_long(DEADLINE, what, condition);
    }

    #[track_caller]
    fn wait_for_so_long(
        &mut self,
        patience: Duration,
        what: &str,
        mut condition: impl FnMut(&World) -> bool,
    ) {
        let deadline = Instant::now() + patience;
        loop {
            self.app.update();
            if condition(self.app.world()) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain until {what}; the tracker is {:?}, told {:?}",
                self.state(),
                self.told().statuses,
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets frames go by for this long, to see that something does not happen.
    pub fn run_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.app.update();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[track_caller]
    pub fn wait_until_live(&mut self) {
        self.wait_until("the socket is live", |world| {
            world.resource::<TrackerState>().is_live()
        });
    }

    #[track_caller]
    pub fn wait_until_granted(&mut self, order_id: OrderId) {
        self.wait_until("the order is granted", |world| {
            let told = world.resource::<Told>();
            told.done.iter().any(|done| done.order_id == order_id)
        });
    }

    #[track_caller]
    pub fn wait_until_acknowledged(&mut self, order_id: OrderId) {
        self.wait_until("the order is acknowledged", |world| {
            is_acknowledged(world, order_id)
        });
    }

    #[track_caller]
    pub fn wait_for_status(&mut self, order_id: OrderId, status: &str) {
        self.wait_until(&format!("the order is {status}"), |world| {
            let order = world.resource::<Orders>().get(order_id);
            order.is_some_and(|order| order.source.is_some() && order.status.as_str() == status)
        });
    }

    /// Lets frames go by until the game was told that tracking this order has failed. That may take a
    /// minute: the store's refusals of a fresh order are not believed sooner.
    #[track_caller]
    pub fn wait_until_failed(&mut self, order_id: OrderId) {
        let patience = Duration::from_secs(60) + DEADLINE;
        self.wait_for_so_long(patience, "the failure of the order is told", |world| {
            let told = world.resource::<Told>();
            told.failed.iter().any(|failed| failed.order_id == order_id)
        });
    }

    /// Lets frames go by until the game was told that some player has to log in again.
    #[track_caller]
    pub fn wait_until_authorization_is_required(&mut self) {
        self.wait_until("authorization is required", |world| {
            !world.resource::<Told>().authorization_required.is_empty()
        });
    }

    pub fn told(&self) -> &Told {
        self.app.world().resource()
    }

    pub fn orders(&self) -> &Orders {
        self.app.world().resource()
    }

    pub fn state(&self) -> TrackerState {
        self.app.world().resource::<TrackerState>().clone()
    }

    /// What is wrong with the ledger; `None` where nothing is.
    pub fn ledger_error(&self) -> Option<LedgerError> {
        ledger_error(self.app.world())
    }

    /// Lets frames go by until something is wrong with the ledger. That its disk takes seconds to answer is not meant.
    #[track_caller]
    pub fn wait_for_ledger_error(&mut self) -> LedgerError {
        let mut told = None;
        self.wait_until("an error of the ledger is told", |world| {
            told = ledger_error(world).filter(|error| *error != LedgerError::NoAnswer);
            told.is_some()
        });
        told.unwrap()
    }

    /// The statuses that the game was told of an order.
    pub fn statuses(&self, order_id: OrderId) -> Vec<String> {
        self.told()
            .statuses
            .iter()
            .filter(|(id, _)| *id == order_id)
            .map(|(_, status)| status.clone())
            .collect()
    }

    /// How often the game was told to grant an order.
    pub fn grants(&self, order_id: OrderId) -> usize {
        let done = self.told().done.iter();
        done.filter(|done| done.order_id == order_id).count()
    }

    /// The game's last frame, in which `AppExit` is sent, and the end of its app.
    pub fn quit(mut self) {
        self.app.world_mut().write_message(AppExit::Success);
        self.update();
    }
}

// What `Orders` says of the tracking of an order. It is false of an order that `Orders` does not have.

pub fn is_granted(world: &World, order_id: OrderId) -> bool {
    let order = world.resource::<Orders>().get(order_id);
    order.is_some_and(|order| order.phase.is_granted())
}

fn ledger_error(world: &World) -> Option<LedgerError> {
    world.resource::<LedgerState>().trouble().cloned()
}

pub fn is_acknowledged(world: &World, order_id: OrderId) -> bool {
    let order = world.resource::<Orders>().get(order_id);
    order.is_some_and(|order| order.phase.is_acknowledged())
}

pub fn is_followed(world: &World, order_id: OrderId) -> bool {
    let order = world.resource::<Orders>().get(order_id);
    order.is_some_and(|order| order.phase.is_open())
}

pub fn is_given_up(world: &World, order_id: OrderId) -> bool {
    let order = world.resource::<Orders>().get(order_id);
    order.is_some_and(|order| matches!(order.phase, OrderPhase::Failed(_)))
}

pub fn is_abandoned(world: &World, order_id: OrderId) -> bool {
    let order = world.resource::<Orders>().get(order_id);
    order.is_some_and(|order| order.phase == OrderPhase::Abandoned)
}

#[expect(clippy::too_many_arguments, reason = "a reader for each message")]
fn note_messages(
    mut told: ResMut<Told>,
    orders: Res<Orders>,
    mut statuses: MessageReader<OrderStatusChanged>,
    mut done: MessageReader<OrderDone>,
    mut canceled: MessageReader<OrderCanceled>,
    mut expired: MessageReader<OrderExpired>,
    mut failed: MessageReader<OrderTrackingFailed>,
    mut authorization: MessageReader<AuthorizationRequired>,
) {
    for change in statuses.read() {
        told.statuses
            .push((change.order_id, change.status.to_string()));
    }
    for done in done.read() {
        let is_known = orders.get(done.order_id).is_some_and(|order| {
            order.phase.is_granted() && order.items.as_deref() == Some(done.items.as_slice())
        });
        if !is_known {
            let disagreement = format!("{done:?} and {:?}", orders.get(done.order_id));
            told.disagreements.push(disagreement);
        }
        told.done.push(done.clone());
    }
    told.canceled.extend(canceled.read().cloned());
    told.expired.extend(expired.read().cloned());
    told.failed.extend(failed.read().cloned());
    told.authorization_required
        .extend(authorization.read().cloned());
}

fn note_state(mut told: ResMut<Told>, state: Res<TrackerState>) {
    if state.is_changed() {
        told.states.push(state.clone());
    }
}
