//! The task: the machine's hands. It owns the sockets and the requests, and decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::{OnceCell, Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::machine::{Machine, Output};
use super::notice::Notice;
use super::socket::{Open, SocketNews, follow};
use crate::api::{OrderReport, Store};
use crate::clock::Clock;
use crate::config::XsollaConfig;
use crate::error::RequestError;
use crate::ledger::{Job, Ledger, LedgerError, Report, Worker};
use crate::net::Tls;
use crate::order::OrderId;
use crate::user::{UserId, XsollaUser};

/// How many requests are under way at a time.
const MAX_REQUESTS: usize = 32;
/// How much socket news waits for the machine. When it is full the sockets are not read, so a flood
/// waits at its sender.
const MAX_SOCKET_NEWS: usize = 256;

/// What the game's side asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Configure(Option<Arc<XsollaConfig>>),
    LogIn(XsollaUser),
    LogOut(UserId),
    Track {
        user: UserId,
        order_id: OrderId,
    },
    Acknowledge(OrderId),
    /// The game's systems had a frame to hear how this order ended.
    Told(OrderId),
    Untrack(OrderId),
    /// Answer once all of the above is in the ledger.
    Flush(crossbeam_channel::Sender<()>),
}

/// The task's ends of the channels to the game's side.
pub(crate) struct Link {
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    /// Unbounded, because a full queue would have to drop a final status or hold up every other
    /// order. What it holds is bounded by the orders: each one's statuses move forward only.
    pub(crate) notices: crossbeam_channel::Sender<Notice>,
}

/// Runs until the game's side lets go of its ends of the channels.
pub(crate) async fn run(mut link: Link) {
    let (socket_news, mut sockets) = mpsc::channel(MAX_SOCKET_NEWS);
    let (ledger_reports, mut ledger) = mpsc::unbounded_channel();
    let mut task = Task {
        machine: Machine::new(fastrand::u64(..)),
        clock: Clock::new(),
        config: None,
        users: BTreeMap::new(),
        servers: Arc::default(),
        socket_news,
        requests: JoinSet::new(),
        under_way: BTreeMap::new(),
        permits: Arc::new(Semaphore::new(MAX_REQUESTS)),
        ledger: None,
        ledger_reports,
        ledger_error: None,
    };
    loop {
        let deadline = task.machine.deadline();
        tokio::select! {
            command = link.commands.recv() => match command {
                Some(command) => task.obey(command),
                None => return,
            },
            // The task keeps a sender of this and the next, so the channels never end.
            Some(report) = ledger.recv() => task.take_ledger_report(report),
            Some(news) = sockets.recv() => task.take_socket_news(news),
            Some(Ok(answer)) = task.requests.join_next() => task.take_answer(answer),
            () = task.clock.sleep_until(deadline) => task.machine.tick(task.clock.now()),
        }
        while let Some(output) = task.machine.next_output() {
            if let Some(notice) = task.perform(output)
                && link.notices.send(notice).is_err()
            {
                return;
            }
        }
        if let Some(trouble) = task.ledger_error.take()
            && link.notices.send(Notice::Ledger(trouble)).is_err()
        {
            return;
        }
    }
}

struct Task {
    machine: Machine,
    clock: Clock,
    config: Option<Arc<XsollaConfig>>,
    users: BTreeMap<UserId, Member>,
    servers: Arc<Servers>,
    socket_news: mpsc::Sender<SocketNews>,
    requests: JoinSet<Answer>,
    under_way: BTreeMap<u64, (UserId, AbortHandle)>,
    permits: Arc<Semaphore>,
    /// `None` where there is no ledger.
    ledger: Option<Worker>,
    ledger_reports: mpsc::UnboundedSender<Report>,
    /// News of the ledger's trouble that the game was not told yet.
    ledger_error: Option<Option<LedgerError>>,
}

/// A logged-in user.
struct Member {
    user: XsollaUser,
    /// Where connections are asked for; dropping it closes the socket.
    socket: Option<mpsc::UnboundedSender<Open>>,
}

struct Answer {
    order_id: OrderId,
    request: u64,
    result: Result<OrderReport, RequestError>,
}

impl Task {
    fn obey(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Configure(config) => {
                self.abort_requests(None);
                self.config = config.clone();
                self.use_ledger();
                self.machine.configure(config, now);
            }
            Command::LogIn(user) => {
                let id = user.id().clone();
                let expires_in = user.expires_at().map(|expires| {
                    expires
                        .duration_since(SystemTime::now())
                        .unwrap_or_default()
                });
                match self.users.get_mut(&id) {
                    // The same token again: whatever was said of it still holds.
                    Some(member) if member.user == user => return,
                    Some(member) => member.user = user,
                    None => {
                        let member = Member { user, socket: None };
                        self.users.insert(id.clone(), member);
                    }
                }
                self.machine.log_in(&id, expires_in, now);
            }
            Command::LogOut(user) => {
                self.abort_requests(Some(&user));
                self.machine.log_out(&user);
                self.users.remove(&user);
            }
            Command::Track { user, order_id } => self.machine.track(&user, order_id, now),
            Command::Acknowledge(order_id) => {
                if !self.machine.acknowledge(order_id) {
                    log::warn!("order {order_id} was acknowledged and is not done");
                }
            }
            Command::Told(order_id) => self.machine.told(order_id),
            Command::Untrack(order_id) => self.machine.untrack(order_id),
            // What the commands before it have the machine put out was performed after each.
            Command::Flush(done) => match &self.ledger {
                Some(ledger) => ledger.give(Job::Flush(done)),
                None => drop(done),
            },
        }
    }

    fn take_socket_news(&mut self, news: SocketNews) {
        let now = self.clock.now();
        match news {
            SocketNews::Publication { user, news } => self.machine.publication(&user, news, now),
            SocketNews::CaughtUp {
                user,
                connection,
                gapless,
            } => self
                .machine
                .socket_caught_up(&user, connection, gapless, now),
            SocketNews::Ended {
                user,
                connection,
                reason,
            } => self.machine.socket_ended(&user, connection, reason, now),
        }
    }

    fn take_ledger_report(&mut self, report: Report) {
        let now = self.clock.now();
        match report {
            Report::Loaded { user, orders } => self.machine.ledger_loaded(&user, orders, now),
            Report::Written { order_id, entry } => self.machine.written(order_id, entry, now),
            Report::Trouble(trouble) => self.ledger_error = Some(trouble),
        }
    }

    /// Sets up the ledger that the config names.
    fn use_ledger(&mut self) {
        let Some(config) = &self.config else {
            return;
        };
        if self.ledger.is_none() && config.ledger != Ledger::Disabled {
            match Worker::start(self.ledger_reports.clone()) {
                Ok(ledger) => self.ledger = Some(ledger),
                Err(error) => {
                    let error = LedgerError::NoThread(error.to_string());
                    self.ledger_error = Some(Some(error));
                }
            }
        }
        if let Some(ledger) = &self.ledger {
            ledger.give(Job::Use {
                ledger: config.ledger.clone(),
                project_id: config.project_id,
                keep: config.refund_window,
            });
        }
    }

    fn take_answer(&mut self, answer: Answer) {
        self.under_way.remove(&answer.request);
        if let Err(error) = &answer.result {
            log::debug!("order {} was asked for in vain: {error}", answer.order_id);
        }
        let now = self.clock.now();
        self.machine
            .answered(answer.order_id, answer.request, answer.result, now);
    }

    /// Does what the machine wants done; what the game is to be told comes back.
    fn perform(&mut self, output: Output) -> Option<Notice> {
        match output {
            Output::OpenSocket { user, connection } => self.open_socket(&user, connection),
            Output::CloseSocket { user } => {
                if let Some(member) = self.users.get_mut(&user) {
                    member.socket = None;
                }
            }
            Output::GetOrder {
                user,
                order_id,
                request,
            } => self.get_order(&user, order_id, request),
            Output::LoadLedger { user } => match &self.ledger {
                Some(ledger) => ledger.give(Job::Load { user }),
                None => {
                    let now = self.clock.now();
                    self.machine.ledger_loaded(&user, Vec::new(), now);
                }
            },
            Output::Write {
                user,
                order_id,
                entry,
            } => match &self.ledger {
                Some(ledger) => ledger.give(Job::Write {
                    user,
                    order_id,
                    entry,
                }),
                None => self.machine.written(order_id, entry, self.clock.now()),
            },
            Output::Erase { user, order_id } => {
                if let Some(ledger) = &self.ledger {
                    ledger.give(Job::Erase { user, order_id });
                }
            }
            Output::Notice(notice) => return Some(notice),
        }
        None
    }

    fn open_socket(&mut self, user: &UserId, connection: u64) {
        let (Some(config), Some(member)) = (self.config.clone(), self.users.get_mut(user)) else {
            return;
        };
        let open = Open {
            connection,
            user: member.user.clone(),
            config,
        };
        let socket = member.socket.get_or_insert_with(|| {
            let (socket, opens) = mpsc::unbounded_channel();
            tokio::spawn(follow(
                opens,
                self.socket_news.clone(),
                self.servers.clone(),
                self.clock.clone(),
            ));
            socket
        });
        // The receiver lives as long as the sender does.
        let _ = socket.send(open);
    }

    fn get_order(&mut self, user: &UserId, order_id: OrderId, request: u64) {
        let (Some(config), Some(member)) = (self.config.clone(), self.users.get(user)) else {
            return;
        };
        let user = member.user.clone();
        let id = user.id().clone();
        let servers = self.servers.clone();
        let permits = self.permits.clone();
        let handle = self.requests.spawn(async move {
            let _permit = permits.acquire().await;
            let result = servers.get_order(&config, &user, order_id).await;
            Answer {
                order_id,
                request,
                result,
            }
        });
        self.under_way.insert(request, (id, handle));
    }

    /// Ends a user's requests, or everybody's. The machine does not wait for their answers.
    fn abort_requests(&mut self, user: Option<&UserId>) {
        self.under_way.retain(|_, (owner, handle)| {
            let is_kept = user.is_some_and(|user| user != owner);
            if !is_kept {
                handle.abort();
            }
            is_kept
        });
    }
}

/// What it takes to reach the servers, made when it is first needed.
#[derive(Default)]
pub(super) struct Servers {
    tls: OnceCell<Tls>,
    store: OnceCell<Result<Store, RequestError>>,
}

impl Servers {
    pub(super) async fn tls(&self) -> &Tls {
        self.tls.get_or_init(Tls::load).await
    }

    async fn get_order(
        &self,
        config: &XsollaConfig,
        user: &XsollaUser,
        order_id: OrderId,
    ) -> Result<OrderReport, RequestError> {
        let store = self
            .store
            .get_or_init(|| async { Store::new(self.tls().await.clone()) })
            .await
            .as_ref()
            .map_err(Clone::clone)?;
        let endpoints = config
            .endpoints()
            .map_err(|error| RequestError::Network(error.to_string()))?;
        store
            .get_order(
                &endpoints.store,
                config.project_id,
                user,
                order_id,
                config.request_timeout,
            )
            .await
    }
}
