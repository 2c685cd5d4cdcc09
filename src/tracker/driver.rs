//! The loop of the task. It waits for four things: the game, the inbox, the deadline, and room in the outbox.
//! It carries out what the machine decides, and decides nothing itself.

use std::sync::Arc;

use crossbeam_channel::SendError;
use litemap::LiteMap;
use tokio::sync::{mpsc, oneshot};

use crate::ledger::Writer;
use crate::ledger::writer::Job;
use crate::machine::Machine;
use crate::machine::input::{Input, RequestId};
use crate::machine::output::Output;
use crate::model::ledger::{LedgerReport, LedgerState, LoadOutcome};
use crate::model::user::UserId;
use crate::platform::clock::Clock;
use crate::platform::http::Network;
use crate::platform::presence::Returns;
use crate::platform::{browser, runtime};
use crate::tracker::counters::Counters;
use crate::tracker::handle::{Command, Ports};
use crate::tracker::outbox::Outbox;
#[cfg(feature = "webhook")]
use crate::tracker::receipts::Receipts;
use crate::tracker::services::Services;
#[cfg(feature = "event_queue")]
use crate::tracker::source::queue;
use crate::tracker::source::{page, requests, socket};

/// The number of inputs that may wait for the machine. When the inbox is full the sockets are not read, so a
/// flood waits at its sender.
const INBOX: usize = 256;

/// Runs until the game drops its ends of the channels.
pub(crate) async fn run(mut ports: Ports) {
    runtime::require_io().await;
    let (sender, mut inbox) = mpsc::channel(INBOX);
    let mut driver = Driver {
        machine: Machine::new(fastrand::u64(..)),
        clock: Clock::new(),
        inbox: sender,
        network: Arc::default(),
        sockets: LiteMap::new(),
        #[cfg(feature = "event_queue")]
        queues: LiteMap::new(),
        requests: LiteMap::new(),
        ledger: None,
        project_id: 0,
        #[cfg(feature = "webhook")]
        receipts: Arc::default(),
        counters: ports.counters.clone(),
    };
    let mut outbox = Outbox::new(ports.notices);
    let mut inputs = Vec::new();
    let mut returns = Returns::new();
    loop {
        let deadline = driver.machine.deadline();
        tokio::select! {
            command = ports.commands.recv() => match command {
                Some(Command::Input(input)) => driver.handle(*input),
                Some(Command::Flush(done)) => driver.give(Job::Flush(done)),
                Some(Command::Start(start)) => start(driver.services()),
                None => return,
            },
            // The driver keeps a sender, so the inbox never ends.
            1.. = inbox.recv_many(&mut inputs, INBOX) => {
                for input in inputs.drain(..) {
                    driver.handle(input);
                }
            }
            () = driver.clock.sleep_until(deadline) => driver.machine.tick(driver.clock.now()),
            () = returns.next(deadline.is_some()) => driver.handle(Input::Resumed),
            () = ports.room.notified(), if outbox.is_waiting() => {}
        }
        match driver.perform(&mut outbox) {
            Ok(true) => ports.waker.wake(),
            Ok(false) => {}
            Err(SendError(())) => return,
        }
    }
}

impl From<LedgerReport> for Input {
    fn from(report: LedgerReport) -> Self {
        Self::Ledger(report)
    }
}

struct Driver {
    machine: Machine,
    clock: Clock,
    /// The sender with which sources put inputs into the inbox.
    inbox: mpsc::Sender<Input>,
    network: Arc<Network>,
    /// The sockets by player. Dropping one closes it.
    sockets: LiteMap<UserId, Box<socket::Socket>>,
    /// The queues of events that are read in place of sockets. Dropping one ends that.
    #[cfg(feature = "event_queue")]
    queues: LiteMap<UserId, queue::Queue>,
    /// The requests that are under way. Dropping one cancels it.
    requests: LiteMap<RequestId, oneshot::Sender<()>>,
    /// The ledger's writer, which starts with the first settings.
    ledger: Option<Writer>,
    /// The project that the ledger was last set to.
    project_id: u64,
    /// The webhooks that wait for an answer.
    #[cfg(feature = "webhook")]
    receipts: Arc<Receipts>,
    counters: Arc<Counters>,
}

impl Driver {
    fn handle(&mut self, input: Input) {
        match &input {
            Input::Answered { request, .. } => {
                self.requests.remove(request);
            }
            Input::Subscribed {
                user, connection, ..
            } => {
                if let Some(socket) = self.sockets.get_mut(user) {
                    socket.is_up(*connection);
                }
            }
            Input::Ended {
                user, connection, ..
            } => {
                if let Some(socket) = self.sockets.get_mut(user) {
                    socket.is_down(*connection);
                }
            }
            // The connections that were kept for the next requests may be dead.
            Input::Resumed => self.network = Arc::new(self.network.anew()),
            _ => {}
        }
        self.machine.handle(input, self.clock.now());
    }

    /// Carries out the machine's outputs, and returns whether there is news for the game. Fails when the game
    /// is gone.
    fn perform(&mut self, outbox: &mut Outbox) -> Result<bool, SendError<()>> {
        let mut is_news = outbox.is_waiting();
        outbox.refill()?;
        while let Some(output) = self.machine.next_output() {
            match output {
                Output::Notice(notice) => {
                    is_news = true;
                    if let Some(purchase) = notice.answered_purchase() {
                        // A purchase that has failed, or that costs nothing, opens no page.
                        browser::release_tab(purchase);
                    }
                    outbox.push(notice)?;
                }
                Output::Connect {
                    connection,
                    user,
                    config,
                } => {
                    let id = user.id().clone();
                    let open = socket::Open {
                        connection,
                        user,
                        config,
                    };
                    self.connect(id, open);
                }
                Output::Disconnect(user) => {
                    self.sockets.remove(&user);
                    #[cfg(feature = "event_queue")]
                    self.queues.remove(&user);
                }
                Output::Request {
                    request,
                    user,
                    call,
                    config,
                } => {
                    let (cancel, canceled) = oneshot::channel();
                    self.requests.insert(request, cancel);
                    self.counters.request_sent(&call);
                    let network = self.network.clone();
                    let answer =
                        async move { requests::answer(&network, &config, user, call).await };
                    let inbox = self.inbox.clone();
                    runtime::spawn(requests::run(request, answer, inbox, canceled));
                }
                Output::CancelRequest(request) => drop(self.requests.remove(&request)),
                Output::UseLedger(config) => {
                    self.start_ledger();
                    self.project_id = config.project_id;
                    self.give(Job::Configure {
                        ledger: config.ledger.clone(),
                        project_id: config.project_id,
                    });
                }
                Output::Load(user) => self.give(Job::Load(user)),
                Output::Record {
                    user,
                    order_id,
                    entry,
                    claims,
                } => self.give(Job::Record {
                    user,
                    order_id,
                    entry,
                    claims,
                }),
                Output::Erase { user, order_id } => self.give(Job::Erase { user, order_id }),
                Output::Release(user) => self.give(Job::Release(user)),
                #[cfg(feature = "event_queue")]
                Output::Hurry { user, is_awaited } => {
                    if let Some(queue) = self.queues.get(&user) {
                        queue.hurry(is_awaited);
                    }
                }
                #[cfg(feature = "event_queue")]
                Output::Settled {
                    user,
                    order_id,
                    status,
                } => {
                    if let Some(queue) = self.queues.get(&user) {
                        queue.settled(order_id, status);
                    }
                }
                #[cfg(not(feature = "event_queue"))]
                Output::Hurry { .. } | Output::Settled { .. } => {}
                #[cfg(feature = "webhook")]
                Output::Confirm(receipt) => self.receipts.confirm(receipt),
                #[cfg(not(feature = "webhook"))]
                Output::Confirm(_) => {}
                Output::OpenPage(request) => {
                    // A phone opens it in the game's next frame.
                    is_news = true;
                    runtime::spawn(page::open(request, self.inbox.clone()));
                }
            }
        }
        outbox.send()?;
        Ok(is_news)
    }

    fn services(&self) -> Services {
        Services {
            network: self.network.clone(),
            #[cfg(feature = "webhook")]
            inbox: self.inbox.clone(),
            #[cfg(feature = "webhook")]
            ledger: self.ledger.clone(),
            #[cfg(feature = "webhook")]
            receipts: self.receipts.clone(),
        }
    }

    /// Opens a player's socket, or their queue of events, in place of an earlier one.
    fn connect(&mut self, user: UserId, open: socket::Open) {
        #[cfg(feature = "event_queue")]
        if open.config.source.is_event_queue() {
            return self.read_queue(user, open);
        }
        let open = match self.sockets.get_mut(&user) {
            Some(socket) => match socket.replace(open) {
                None => return self.counters.socket_opened_again(),
                // The socket's task is gone, which happens only after a panic.
                Some(open) => open,
            },
            None => open,
        };
        let (inbox, network) = (self.inbox.clone(), self.network.clone());
        let (socket, task) = socket::open(open, inbox, network, self.clock.clone(), &self.counters);
        runtime::spawn(task);
        self.sockets.insert(user, Box::new(socket));
    }

    #[cfg(feature = "event_queue")]
    fn read_queue(&mut self, user: UserId, open: socket::Open) {
        let network = self.network.clone();
        if let Some(queue) = self.queues.get(&user) {
            return queue.replace(open, network);
        }
        let (queue, task) = queue::open(open, self.inbox.clone(), network, self.clock.clone());
        runtime::spawn(task);
        self.queues.insert(user, queue);
    }

    fn start_ledger(&mut self) {
        if self.ledger.is_some() {
            return;
        }
        match Writer::start(self.inbox.clone()) {
            Ok(ledger) => self.ledger = Some(ledger),
            Err(error) => {
                log::warn!("{error}; tracking goes on without it");
                self.handle(Input::Ledger(LedgerReport::State(LedgerState::Trouble(
                    error,
                ))));
            }
        }
    }

    /// Gives the ledger a job. Without a ledger, the machine gets its answer at once: there is nothing to
    /// load, and nothing to wait for.
    fn give(&mut self, job: Job) {
        if let Some(ledger) = &self.ledger {
            return ledger.give(job);
        }
        match job {
            Job::Load(user) => self.handle(Input::Ledger(LedgerReport::Loaded {
                project_id: self.project_id,
                user,
                orders: Vec::new(),
                outcome: LoadOutcome::Failed,
            })),
            Job::Record {
                order_id,
                entry,
                claims,
                ..
            } => self.handle(Input::Ledger(LedgerReport::Recorded {
                project_id: self.project_id,
                order_id,
                entry,
                before: None,
                is_written: false,
                claims,
            })),
            Job::Configure { .. } | Job::Erase { .. } | Job::Release(_) | Job::Flush(_) => {}
            // Who asks sees that nobody answers.
            #[cfg(feature = "webhook")]
            Job::Find { .. } => {}
        }
    }
}
