//! A headless game that notes down all it is told.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on is to stop"
)]

use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_tokio_tasks::TokioTasksPlugin;
use bevy_xsolla::prelude::*;

/// How long anything may take before a test fails. Generous: the machines of CI are slow, and a
/// condition that is met ends the wait at once.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Tokio that can open no socket: the plugin's background task ends at once.
pub fn runtime_without_io() -> TokioTasksPlugin {
    TokioTasksPlugin {
        make_runtime: Box::new(|| {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(1).build().unwrap()
        }),
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
    /// Whether `Orders` agreed with every message when it was read.
    pub disagreements: Vec<String>,
    pub states: Vec<TrackerState>,
}

impl Game {
    /// With the plugin, on these servers, and with nobody logged in.
    pub fn new(config: XsollaConfig) -> Self {
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, XsollaOrderPlugin))
            .insert_resource(config);
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

    pub fn commands(&mut self, work: impl FnOnce(&mut Commands)) {
        work(&mut self.app.world_mut().commands());
        self.app.world_mut().flush();
    }

    pub fn track(&mut self, order_id: OrderId) {
        self.commands(|commands| commands.track_order(order_id));
    }

    /// One frame.
    pub fn update(&mut self) {
        self.app.update();
    }

    /// Lets frames go by until the condition holds.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&World) -> bool) {
        let deadline = Instant::now() + DEADLINE;
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
    pub fn wait_for_status(&mut self, order_id: OrderId, status: &str) {
        self.wait_until(&format!("the order is {status}"), |world| {
            let orders = world.resource::<Orders>();
            orders
                .get(order_id)
                .is_some_and(|order| order.source.is_some() && order.status.as_str() == status)
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
            order.is_granted && order.items.as_deref() == Some(done.items.as_slice())
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

/// Timings of a tenth, for tests that have to see them pass.
pub fn hurried(mut config: XsollaConfig) -> XsollaConfig {
    config.socket_grace = Duration::from_millis(400);
    config.poll_interval = Duration::from_millis(300);
    config.retry_min = Duration::from_millis(50);
    config.retry_max = Duration::from_millis(500);
    config
}
