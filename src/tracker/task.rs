//! The task: the machine's hands. It owns the sockets and the requests, and decides nothing.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::SystemTime;

use crossbeam_channel::SendError;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc};

use super::counters::{Counters, UpSocket};
use super::outbox::Outbox;
use super::requests::{Ended, Request, Requests};
use super::servers::Servers;
use super::shop::{Shop, StoreAnswer, StoreCommand};
use super::socket::{Open, SocketNews, follow};
use crate::game::wake::Bell;
use crate::ledger::writer::{Job, Report, Worker};
use crate::machine::notice::Notice;
use crate::machine::{Machine, Output};
use crate::model::config::XsollaConfig;
use crate::model::ledger::{Entry, Ledger, LedgerError};
use crate::model::order::OrderId;
use crate::model::user::{UserId, XsollaUser};
use crate::platform::clock::Clock;

/// How much socket news waits for the machine. When it is full the sockets are not read, so a flood
/// waits at its sender.
const MAX_SOCKET_NEWS: usize = 256;

/// What the game's side asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Configure(Option<Arc<XsollaConfig>>),
    LogIn(XsollaUser),
    LogOut(UserId),
    /// Follow an order of the logged-in player's.
    Track {
        user: UserId,
        order_id: OrderId,
    },
    /// Follow one of a player's who is logged in by it. In one step: the end of another order of theirs
    /// could come between two, and have them forgotten.
    TrackAs {
        user: XsollaUser,
        order_id: OrderId,
    },
    Acknowledge(OrderId),
    /// The game's systems had a frame to hear how this order ended.
    Told(OrderId),
    Untrack(OrderId),
    /// The player does not want to pay it now.
    Abandon(OrderId),
    Store(StoreCommand),
    /// Answer once all of the above is in the ledger.
    Flush(crossbeam_channel::Sender<()>),
}

/// The task's ends of the channels to the game's side.
pub(crate) struct Link {
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) notices: crossbeam_channel::Sender<Notice>,
    /// Told when the game has taken notices out.
    pub(crate) room: Arc<Notify>,
    /// Rung when there are notices, for a game that sleeps until something happens.
    pub(crate) bell: Bell,
    pub(crate) counters: Arc<Counters>,
}

/// Runs until the game's side lets go of its ends of the channels.
pub(crate) async fn run(mut link: Link) {
    // A runtime that was built without IO says so by a panic. Better here, where the end of this task
    // is noticed, than in each connection.
    drop(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await);
    let (socket_news, mut sockets) = mpsc::channel(MAX_SOCKET_NEWS);
    let (ledger_reports, mut ledger) = mpsc::unbounded_channel();
    let (shop_answers, mut shop) = mpsc::unbounded_channel();
    let mut task = Task {
        machine: Machine::new(fastrand::u64(..)),
        clock: Clock::new(),
        config: None,
        users: BTreeMap::new(),
        servers: Arc::default(),
        socket_news,
        requests: Requests::default(),
        ledger: None,
        ledger_reports,
        ledger_error: None,
        is_ledger_silent: false,
        ledger_news: false,
        counters: link.counters.clone(),
        shop: Shop::new(shop_answers),
    };
    let mut outbox = Outbox::new(link.notices, link.counters);
    let mut heard = Vec::new();
    loop {
        let deadline = task.machine.deadline();
        tokio::select! {
            command = link.commands.recv() => match command {
                Some(command) => task.obey(command),
                None => return,
            },
            // The task keeps a sender of this and the next, so the channels never end.
            Some(report) = ledger.recv() => task.take_ledger_report(report),
            1.. = sockets.recv_many(&mut heard, MAX_SOCKET_NEWS) => {
                for news in heard.drain(..) {
                    task.take_socket_news(news);
                }
            }
            Some(ended) = task.requests.next() => task.take_answer(ended),
            Some(answer) = shop.recv() => task.take_shop_answer(answer),
            () = task.clock.sleep_until(deadline) => task.machine.tick(task.clock.now()),
            () = link.room.notified(), if outbox.is_waiting() => {}
        }
        match task.report(&mut outbox) {
            Ok(is_news) if is_news => link.bell.ring(),
            Ok(_) => {}
            Err(SendError(())) => return,
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
    requests: Requests,
    /// `None` where there is no ledger.
    ledger: Option<Worker>,
    ledger_reports: mpsc::UnboundedSender<Report>,
    /// What is wrong with it, by its own word.
    ledger_error: Option<LedgerError>,
    is_ledger_silent: bool,
    /// Whether the game is to be told of that.
    ledger_news: bool,
    counters: Arc<Counters>,
    shop: Shop,
}

/// A logged-in user.
struct Member {
    user: XsollaUser,
    /// Where connections are asked for; dropping it closes the socket.
    socket: Option<mpsc::UnboundedSender<Open>>,
    /// The connection that was asked for last, if the socket was not closed since.
    connection: Option<u64>,
    up: Option<UpSocket>,
}

impl Member {
    fn new(user: XsollaUser) -> Self {
        Self {
            user,
            socket: None,
            connection: None,
            up: None,
        }
    }
}

impl Task {
    /// Does what the machine wants done, and tells the game. Whether there was news; fails when the
    /// game is gone.
    fn report(&mut self, outbox: &mut Outbox) -> Result<bool, SendError<()>> {
        let mut is_news = outbox.is_waiting();
        outbox.refill()?;
        while let Some(output) = self.machine.next_output() {
            if let Some(notice) = self.perform(output) {
                is_news = true;
                outbox.push(notice)?;
            }
        }
        for notice in self.shop.notices() {
            is_news = true;
            outbox.push(Notice::Store(Box::new(notice)))?;
        }
        if std::mem::take(&mut self.ledger_news) {
            is_news = true;
            outbox.push(Notice::Ledger(self.ledger_trouble()))?;
        }
        Ok(is_news)
    }

    fn obey(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Configure(config) => {
                self.requests.abort(None);
                self.config = config.clone();
                self.use_ledger();
                self.machine.configure(config, now);
            }
            Command::LogIn(user) => self.log_in(user, true),
            Command::TrackAs { user, order_id } => {
                let id = user.id().clone();
                self.log_in(user, false);
                self.machine.track(&id, order_id, now);
            }
            Command::LogOut(user) => {
                self.requests.abort(Some(&user));
                self.send_requests();
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
            Command::Abandon(order_id) => self.machine.abandon(order_id, now),
            Command::Store(command) => self.obey_store(command),
            // What the commands before it have the machine put out was performed after each.
            Command::Flush(done) => match &self.ledger {
                Some(ledger) => ledger.give(Job::Flush(done)),
                None => drop(done),
            },
        }
    }

    /// `is_resident`: whether they stay when none of their orders is open.
    fn log_in(&mut self, user: XsollaUser, is_resident: bool) {
        let id = user.id().clone();
        let expires_in = user.expires_at().map(|expires| {
            let left = expires.duration_since(SystemTime::now());
            left.unwrap_or_default()
        });
        // The same token again: whatever was said of it still holds.
        let is_known = self
            .users
            .get(&id)
            .is_some_and(|member| member.user == user);
        if !is_known {
            match self.users.get_mut(&id) {
                Some(member) => member.user = user,
                None => {
                    let member = Member::new(user);
                    self.users.insert(id.clone(), member);
                }
            }
            self.machine.log_in(&id, expires_in, self.clock.now());
        }
        if is_resident {
            self.machine.stay(&id);
        }
    }

    fn ledger_trouble(&self) -> Option<LedgerError> {
        match self.is_ledger_silent {
            true => Some(LedgerError::NoAnswer),
            false => self.ledger_error.clone(),
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
            } => {
                self.count_socket(&user, connection, true);
                self.machine
                    .socket_caught_up(&user, connection, gapless, now);
            }
            SocketNews::Ended {
                user,
                connection,
                reason,
            } => {
                self.count_socket(&user, connection, false);
                self.machine.socket_ended(&user, connection, reason, now);
            }
        }
    }

    fn count_socket(&mut self, user: &UserId, connection: u64, is_up: bool) {
        // What an earlier connection says does not count: another was asked for.
        if let Some(member) = self.users.get_mut(user)
            && member.connection == Some(connection)
        {
            member.up = is_up.then(|| UpSocket::new(&self.counters));
        }
    }

    fn take_ledger_report(&mut self, report: Report) {
        let now = self.clock.now();
        match report {
            Report::Loaded { user, orders } => self.machine.ledger_loaded(&user, orders, now),
            Report::Written { order_id, entry } => self.written(order_id, entry),
            Report::Trouble(trouble) => {
                self.ledger_error = trouble;
                self.ledger_news = true;
            }
        }
    }

    fn written(&mut self, order_id: OrderId, entry: Entry) {
        self.machine.written(order_id, entry, self.clock.now());
        if entry == Entry::Open {
            self.shop.start(order_id, self.config.as_deref());
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
                    self.ledger_error = Some(LedgerError::NoThread(error.to_string()));
                    self.ledger_news = true;
                }
            }
        }
        if let Some(ledger) = &self.ledger {
            ledger.give(Job::Use {
                ledger: config.ledger.clone(),
                project_id: config.project_id,
            });
        }
    }

    fn take_answer(&mut self, ended: Ended) {
        let Some((request, answer)) = self.requests.take(ended) else {
            return;
        };
        let order_id = request.order_id;
        if let Err(error) = &answer {
            log::debug!("order {order_id} was asked for in vain: {error}");
        }
        self.machine
            .answered(order_id, request.number, answer, self.clock.now());
        self.send_requests();
    }

    /// Sends as many of the requests that are wanted as may be under way.
    fn send_requests(&mut self) {
        let now = self.clock.now();
        while let Some(request) = self.requests.next_to_send() {
            if !(self.machine).may_send(request.order_id, request.number, now) {
                continue;
            }
            let (Some(config), Some(member)) = (&self.config, self.users.get(&request.user)) else {
                continue;
            };
            let (config, user) = (config.clone(), member.user.clone());
            let servers = self.servers.clone();
            let order_id = request.order_id;
            self.counters.request_sent();
            self.requests.send(request, async move {
                servers.get_order(&config, &user, order_id).await
            });
        }
    }

    fn take_shop_answer(&mut self, answer: StoreAnswer) {
        if let Some((user, order_id)) = self.shop.take(answer, self.config.as_deref()) {
            self.machine.track(&user, order_id, self.clock.now());
        }
    }

    fn obey_store(&mut self, command: StoreCommand) {
        let config = self.config.clone();
        let servers = self.servers.clone();
        match command {
            StoreCommand::FetchCatalog { user, request } => {
                let user = user.and_then(|user| self.users.get(&user));
                let user = user.map(|member| member.user.clone());
                self.shop.fetch_catalog(config, user, request, servers);
            }
            StoreCommand::Purchase { user: id, purchase } => {
                let user = self.users.get(&id).map(|member| member.user.clone());
                self.shop.purchase(config, (id, user), purchase, servers);
            }
            StoreCommand::ResumePayment(order_id) => {
                self.shop.open_page(order_id, config.as_deref());
            }
        }
    }

    /// Does what the machine wants done; what the game is to be told comes back.
    fn perform(&mut self, output: Output) -> Option<Notice> {
        match output {
            Output::OpenSocket { user, connection } => self.open_socket(&user, connection),
            Output::CloseSocket { user } => {
                if let Some(member) = self.users.get_mut(&user) {
                    member.socket = None;
                    member.connection = None;
                    member.up = None;
                }
            }
            Output::GetOrder {
                user,
                order_id,
                request,
            } => {
                self.requests.want(Request {
                    user,
                    order_id,
                    number: request,
                });
                self.send_requests();
            }
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
                None => self.written(order_id, entry),
            },
            Output::Erase { user, order_id } => {
                if let Some(ledger) = &self.ledger {
                    ledger.give(Job::Erase { user, order_id });
                }
            }
            Output::Forget { user } => {
                self.users.remove(&user);
                if let Some(ledger) = &self.ledger {
                    ledger.give(Job::Close { user });
                }
            }
            Output::LedgerSilent(is_silent) => {
                self.is_ledger_silent = is_silent;
                self.ledger_news = true;
            }
            Output::Notice(notice) => {
                if let Some(order_id) = notice.ended() {
                    self.shop.close(order_id);
                }
                return Some(notice);
            }
        }
        None
    }

    fn open_socket(&mut self, user: &UserId, connection: u64) {
        let (Some(config), Some(member)) = (self.config.clone(), self.users.get_mut(user)) else {
            return;
        };
        member.up = None;
        if member.connection.replace(connection).is_some() {
            self.counters.socket_opened_again();
        }
        let open = Open {
            connection,
            user: member.user.clone(),
            config,
        };
        let open = match &member.socket {
            Some(socket) => match socket.send(open) {
                Ok(()) => return,
                // Its task is gone, which it is after a panic only.
                Err(unsent) => unsent.0,
            },
            None => open,
        };
        let (socket, opens) = mpsc::unbounded_channel();
        tokio::spawn(follow(
            opens,
            self.socket_news.clone(),
            self.servers.clone(),
            self.clock.clone(),
        ));
        // The receiver is at hand still.
        let _ = socket.send(open);
        member.socket = Some(socket);
    }
}
