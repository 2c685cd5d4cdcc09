//! The queue of events that Xsolla keeps for a player, which is read in place of a socket. The machine decides when it is
//! opened and closed, and when it is read often.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::machine::input::{ConnectionId, Input};
use crate::model::config::XsollaConfig;
use crate::model::error::{RequestError, SocketError};
use crate::model::http::Request;
use crate::model::order::{OrderId, OrderStatus};
use crate::model::user::XsollaUser;
use crate::platform::clock::Clock;
use crate::platform::http::Network;
use crate::tracker::source::inbox::put;
use crate::tracker::source::requests::ask;
use crate::tracker::source::socket::Open;
use crate::wire::events::EventQueue;
use crate::wire::rest;

/// How often the queue is read from its beginning. In between only what is new is asked for, and that may leave out an event
/// which was put into the queue late.
const READ_ALL: Duration = Duration::from_secs(60);

/// The number of pages that are read one after the other. A server that never comes to an end waits after them.
const MAX_PAGES: u32 = 100;

/// A handle to a queue's task. Dropping it ends the task.
#[derive(Debug)]
pub(in crate::tracker) struct Queue(mpsc::UnboundedSender<Command>);

#[derive(Debug)]
enum Command {
    Open(Open, Arc<Network>),
    Hurry {
        is_awaited: bool,
    },
    Settled {
        order_id: OrderId,
        status: OrderStatus,
    },
}

/// Makes the handle of a queue, and the task that reads it.
pub(in crate::tracker) fn open(
    open: Open,
    inbox: mpsc::Sender<Input>,
    network: Arc<Network>,
    clock: Clock,
) -> (Queue, impl Future<Output = ()> + use<>) {
    let (sender, commands) = mpsc::unbounded_channel();
    let queue = Queue(sender);
    queue.replace(open, network);
    let reader = Reader {
        connection: None,
        commands,
        inbox,
        clock,
    };
    (queue, reader.run())
}

impl Queue {
    /// Reads the queue with other credentials or settings, from its beginning.
    pub(in crate::tracker) fn replace(&self, open: Open, network: Arc<Network>) {
        self.send(Command::Open(open, network));
    }

    /// Reads the queue at once, and often while an order waits for news.
    pub(in crate::tracker) fn hurry(&self, is_awaited: bool) {
        self.send(Command::Hurry { is_awaited });
    }

    /// Takes the events of an order out of the queue.
    pub(in crate::tracker) fn settled(&self, order_id: OrderId, status: OrderStatus) {
        self.send(Command::Settled { order_id, status });
    }

    fn send(&self, command: Command) {
        // The task is gone only after a panic. The machine polls then.
        let _ = self.0.send(command);
    }
}

struct Reader {
    /// `None` until the machine opens the queue again, after an error.
    connection: Option<Connection>,
    commands: mpsc::UnboundedReceiver<Command>,
    inbox: mpsc::Sender<Input>,
    clock: Clock,
}

struct Connection {
    id: ConnectionId,
    user: XsollaUser,
    config: Arc<XsollaConfig>,
    network: Arc<Network>,
    events: EventQueue,
    is_awaited: bool,
    /// Whether the machine knows that the queue was read.
    is_up: bool,
    /// The pages that were read one after the other.
    pages: u32,
    last_read: Option<Duration>,
    next_read: Duration,
    next_read_of_all: Duration,
}

/// What is done next.
#[derive(Clone, Copy)]
enum Step {
    Read,
    Process(u64),
    WaitUntil(Option<Duration>),
}

/// The machine does not want the queue to be read any more.
struct Closed;

impl Reader {
    async fn run(mut self) {
        while self.step().await.is_ok() {}
    }

    async fn step(&mut self) -> Result<(), Closed> {
        let now = self.clock.now();
        let connection = self.connection.as_mut();
        let step = connection.map_or(Step::WaitUntil(None), |connection| {
            connection.next_step(now)
        });
        match step {
            Step::WaitUntil(deadline) => {
                tokio::select! {
                    command = self.commands.recv() => self.take(command.ok_or(Closed)?),
                    () = self.clock.sleep_until(deadline) => {}
                }
                Ok(())
            }
            Step::Read | Step::Process(_) => {
                let Some(answer) = self.ask(step).await? else {
                    return Ok(());
                };
                let Some(connection) = &mut self.connection else {
                    return Ok(());
                };
                let result = connection.answered(step, answer, self.clock.now());
                let (user, id) = (connection.user.id().clone(), connection.id);
                if result.is_err() {
                    self.connection = None;
                }
                let inputs = result.unwrap_or_else(|error| {
                    log::debug!("the queue of events: {error}");
                    vec![Input::Ended {
                        user,
                        connection: id,
                        reason: SocketError::EventQueue(error),
                    }]
                });
                for input in inputs {
                    put(&self.inbox, input).await;
                }
                Ok(())
            }
        }
    }

    fn take(&mut self, command: Command) {
        let now = self.clock.now();
        match (command, &mut self.connection) {
            (Command::Open(open, network), connection) => {
                *connection = Some(Connection {
                    id: open.connection,
                    events: EventQueue::new(open.config.project_id),
                    user: open.user,
                    config: open.config,
                    network,
                    is_awaited: false,
                    is_up: false,
                    pages: 0,
                    last_read: None,
                    next_read: now,
                    next_read_of_all: now,
                });
            }
            (Command::Hurry { is_awaited }, Some(connection)) => {
                connection.is_awaited = is_awaited;
                let soonest = connection
                    .last_read
                    .map(|last| last + connection.config.retry_min);
                connection.next_read = soonest.unwrap_or_default().max(now);
            }
            (Command::Settled { order_id, status }, Some(connection)) => {
                connection.events.settle(order_id, &status);
            }
            // It is read from its beginning when it is opened again.
            (Command::Hurry { .. } | Command::Settled { .. }, None) => {}
        }
    }

    /// Sends the request of a step. Returns `None` if the queue was opened anew meanwhile.
    async fn ask(&mut self, step: Step) -> Result<Option<Result<Vec<u8>, RequestError>>, Closed> {
        let Some(connection) = &self.connection else {
            return Ok(None);
        };
        let network = connection.network.clone();
        let answer = ask(&network, connection.request(step));
        tokio::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return Ok(Some(answer)),
                command = self.commands.recv() => {
                    let command = command.ok_or(Closed)?;
                    let is_anew = matches!(command, Command::Open(..));
                    self.take(command);
                    if is_anew {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

impl Connection {
    fn next_step(&mut self, now: Duration) -> Step {
        if let Some(event) = self.events.next_settled() {
            return Step::Process(event);
        }
        if now < self.next_read {
            return Step::WaitUntil(Some(self.next_read));
        }
        if now >= self.next_read_of_all {
            self.next_read_of_all = now + READ_ALL;
            self.events.read_again();
        }
        Step::Read
    }

    fn request(&self, step: Step) -> Result<Request, RequestError> {
        match step {
            Step::Process(event) => rest::event_processed(&self.config, &self.user, event),
            Step::Read | Step::WaitUntil(_) => {
                rest::events(&self.config, &self.user, self.events.last())
            }
        }
    }

    /// Takes an answer, and returns what the machine is told.
    fn answered(
        &mut self,
        step: Step,
        answer: Result<Vec<u8>, RequestError>,
        now: Duration,
    ) -> Result<Vec<Input>, RequestError> {
        if let Step::Process(event) = step {
            match answer {
                // Another device may have processed it.
                Err(error) if error.is_refusal() => log::debug!("event {event}: {error}"),
                answer => drop(answer?),
            }
            self.events.processed(event);
            return Ok(Vec::new());
        }
        let has_more = self.events.take(&answer?);
        let has_more = has_more.map_err(RequestError::Malformed)?;
        self.pages = if has_more { self.pages + 1 } else { 0 };
        self.last_read = Some(now);
        let goes_on = has_more && self.pages < MAX_PAGES;
        self.next_read = match (goes_on, self.is_awaited) {
            (true, _) => now,
            (false, true) => now + self.config.poll_interval,
            (false, false) => now + self.config.poll_interval_max,
        };
        let (user, connection) = (self.user.id(), self.id);
        let news = self.events.news().into_iter();
        let news = news.map(|report| Input::News {
            user: user.clone(),
            connection,
            report,
        });
        let mut inputs: Vec<Input> = news.collect();
        if !goes_on && !std::mem::replace(&mut self.is_up, true) {
            inputs.push(Input::Subscribed {
                user: user.clone(),
                connection,
                // What another device has processed is not in the queue, so each order is asked for.
                recovered: false,
                heard_all: true,
            });
        }
        Ok(inputs)
    }
}
