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
    /// Whether it was to be read at once since the last reading began.
    is_hurried: bool,
    /// Whether the machine knows that the queue was read.
    is_up: bool,
    /// The pages that were read one after the other.
    pages: u32,
    /// However often it is to be read at once, it is not read before this time.
    soonest: Duration,
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
        // What was said by now is not said while the queue is being read, which would be read once more.
        while let Ok(command) = self.commands.try_recv() {
            self.take(command);
        }
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
                *connection = Some(Connection::new(open, network, now));
            }
            (Command::Hurry { is_awaited }, Some(connection)) => {
                connection.hurry(is_awaited, now);
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
    fn new(open: Open, network: Arc<Network>, now: Duration) -> Self {
        Self {
            id: open.connection,
            events: EventQueue::new(open.config.project_id),
            user: open.user,
            config: open.config,
            network,
            is_awaited: false,
            is_hurried: false,
            is_up: false,
            pages: 0,
            soonest: now,
            next_read: now,
            next_read_of_all: now,
        }
    }

    fn hurry(&mut self, is_awaited: bool, now: Duration) {
        self.is_awaited = is_awaited;
        // What is being read may not have what it is hurried for.
        self.is_hurried = true;
        self.next_read = self.next_read.min(self.soonest.max(now));
    }

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
        self.is_hurried = false;
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
        let goes_on = has_more && self.pages < MAX_PAGES;
        self.soonest = now + self.config.retry_min;
        self.next_read = if goes_on {
            now
        } else if self.is_hurried {
            self.soonest
        } else if self.is_awaited {
            now + self.config.poll_interval
        } else {
            now + self.config.poll_interval_max
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Makes a connection that has read a page with these events at the time zero.
    fn connection(ids: &[u64]) -> Connection {
        let open = Open {
            connection: ConnectionId(1),
            user: XsollaUser::new("token"),
            config: Arc::new(XsollaConfig::new(77_640)),
        };
        let mut connection = Connection::new(open, Arc::default(), Duration::ZERO);
        read(&mut connection, ids, Duration::ZERO);
        if !ids.is_empty() {
            // The next page is empty.
            read(&mut connection, &[], Duration::ZERO);
        }
        connection
    }

    /// Reads a page with these events, which is due at this time.
    fn read(connection: &mut Connection, ids: &[u64], now: Duration) {
        assert!(matches!(connection.next_step(now), Step::Read));
        answer(connection, ids, now);
    }

    fn answer(connection: &mut Connection, ids: &[u64], now: Duration) {
        let events: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        let page = format!(r#"{{"events":[{}]}}"#, events.join(","));
        let answer = connection.answered(Step::Read, Ok(page.into_bytes()), now);
        assert!(answer.is_ok());
    }

    fn waits_until(connection: &mut Connection, now: Duration) -> Option<Duration> {
        match connection.next_step(now) {
            Step::WaitUntil(time) => time,
            Step::Read | Step::Process(_) => None,
        }
    }

    #[test]
    fn it_is_read_from_its_beginning_each_minute_because_an_event_may_be_put_in_late() {
        let mut connection = connection(&[7]);
        connection.hurry(true, SECOND);
        for second in (1..60).step_by(3) {
            read(&mut connection, &[], SECOND * second);
            assert_eq!(connection.events.last(), 7);
        }
        assert!(matches!(connection.next_step(SECOND * 61), Step::Read));
        assert_eq!(connection.events.last(), 0);
    }

    #[test]
    fn what_is_hurried_while_it_is_read_is_read_again_soon() {
        let mut connection = connection(&[]);
        assert_eq!(waits_until(&mut connection, SECOND), Some(SECOND * 60));
        connection.hurry(false, SECOND);
        assert!(matches!(connection.next_step(SECOND), Step::Read));
        // Its answer may have left the server before.
        connection.hurry(false, SECOND);
        answer(&mut connection, &[], SECOND * 2);
        let soon = SECOND * 2 + connection.config.retry_min;
        assert_eq!(waits_until(&mut connection, SECOND * 2), Some(soon));
        read(&mut connection, &[], soon);
        assert_eq!(waits_until(&mut connection, soon), Some(soon + SECOND * 60));
    }

    #[test]
    fn however_often_it_is_hurried_it_is_read_twice_a_second_at_most() {
        let (mut connection, mut reads) = (connection(&[]), 0);
        for step in 1..1_000 {
            let now = Duration::from_millis(10) * step;
            connection.hurry(true, now);
            if let Step::Read = connection.next_step(now) {
                answer(&mut connection, &[], now);
                reads += 1;
            }
        }
        assert!((19..=20).contains(&reads), "{reads}");
    }

    #[test]
    fn a_queue_that_does_not_end_is_left_alone_for_a_while() {
        let (mut connection, mut id, mut pages) = (connection(&[]), 0, 0);
        connection.hurry(true, SECOND);
        while let Step::Read = connection.next_step(SECOND) {
            id += 1;
            pages += 1;
            answer(&mut connection, &[id], SECOND);
        }
        assert_eq!(pages, MAX_PAGES);
    }
}
