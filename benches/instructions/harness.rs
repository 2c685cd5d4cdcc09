//! What the guard counts: the way of news from a server's text to the game's channel, without sockets, threads and
//! clocks. The code is a part of the tracker, because all that it calls is private.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    missing_debug_implementations,
    reason = "a guard that cannot go on is to stop, and no game sees it"
)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::centrifuge::session::{Session, Settings};
use crate::machine::Machine;
use crate::machine::input::{Answer, ConnectionId, Input, RequestId};
use crate::machine::output::{Call, Notice, Output};
use crate::model::config::XsollaConfig;
use crate::model::error::RequestError;
use crate::model::ledger::{LedgerReport, LoadOutcome};
use crate::model::order::{OrderId, Report};
use crate::model::user::{UserId, XsollaUser};
use crate::tracker::notices::{self, NoticeReceiver};
use crate::tracker::outbox::Outbox;
use crate::tracker::source::socket::read;
use crate::wire::order::{read_order, read_publication};

/// The channel of the player's orders.
pub const CHANNEL: &str = "orders:alice";
const PROJECT: u64 = 77_640;
/// The time that passes from one input to the next.
const STEP: Duration = Duration::from_micros(10);
/// The least time from an answer to the next request for the same order, `XsollaConfig::retry_min`.
const PAUSE: Duration = Duration::from_millis(500);

/// A player's tracker, with a ledger that writes at once.
pub struct Tracker {
    session: Session,
    machine: Machine,
    outbox: Outbox,
    notices: NoticeReceiver,
    user: UserId,
    connection: ConnectionId,
    now: Duration,
    /// The requests that have no answer yet.
    requests: VecDeque<(RequestId, OrderId)>,
    /// How many orders the game was told to grant.
    pub granted: usize,
}

/// What an order goes through, as it was read.
pub struct Life {
    order_id: OrderId,
    new: Report,
    paid: [Report; 2],
    done: Report,
}

impl Life {
    /// Reads the answers to Get Order of a new and of a paid order.
    pub fn read(order: u64, new: &str, paid: &str) -> Self {
        let order_id = OrderId(order);
        let answer = |body: &str| read_order(body.as_bytes(), order_id).expect("an order");
        let news = |status: &str| {
            let text = format!(r#"{{"order_id":{order},"status":"{status}"}}"#);
            read_publication(&text).expect("a publication")
        };
        Self {
            order_id,
            new: answer(new),
            paid: [news("paid"), answer(paid)],
            done: news("done"),
        }
    }
}

impl Tracker {
    /// Makes a tracker that follows orders, and whose socket is live.
    pub fn following(answers: &[(u64, String)]) -> Self {
        let user = XsollaUser::new("token").with_external_id("alice");
        let (sender, notices) = notices::channel();
        let mut tracker = Self {
            session: Session::new(Settings {
                step_timeout: Duration::from_secs(10),
                ping_grace: Duration::from_secs(10),
            }),
            machine: Machine::new(7),
            outbox: Outbox::new(sender),
            notices,
            user: user.id().clone(),
            connection: ConnectionId(0),
            now: Duration::from_secs(1_000),
            requests: VecDeque::new(),
            granted: 0,
        };
        tracker.handle(Input::Configure(Some(Arc::new(XsollaConfig::new(PROJECT)))));
        tracker.handle(Input::LogIn {
            user,
            expires_in: None,
        });
        for (order, _) in answers {
            tracker.track(OrderId(*order));
            tracker.answer(answers);
        }
        tracker.session.open("{}", tracker.now);
        tracker.receive(&format!(
            r#"{{"id":1,"connect":{{"subs":{{"{CHANNEL}":{{"recoverable":true,"positioned":true,"epoch":"e"}}}},"ping":25,"pong":true}}}}"#
        ));
        tracker.receive(r#"{"id":2,"history":{"publications":[],"epoch":"e","offset":0}}"#);
        tracker.now += PAUSE;
        tracker
    }

    /// Takes a frame of the socket.
    pub fn receive(&mut self, frame: &str) {
        self.session.receive(frame, self.now).expect("a frame");
        while self.session.next_frame().is_some() {}
        while self.session.has_event() {
            let event = self.session.next_event();
            if let Some(input) = event.and_then(|event| read(event, &self.user, self.connection)) {
                self.handle(input);
            }
        }
    }

    /// Answers each request with the text for its order. The texts are sorted by their orders.
    pub fn answer(&mut self, answers: &[(u64, String)]) {
        while let Some((request, order_id)) = self.requests.pop_front() {
            let place = answers.binary_search_by_key(&order_id.0, |(order, _)| *order);
            let body = answers[place.expect("an answer")].1.as_bytes();
            let answer = read_order(body, order_id).map_err(RequestError::Malformed);
            let answer = Answer::Order(answer);
            self.handle(Input::Answered { request, answer });
        }
    }

    /// Takes an order from its start to its acknowledgement.
    pub fn live(&mut self, life: Life) {
        let [paid, answer] = life.paid;
        self.track(life.order_id);
        self.answer_with(life.new);
        self.news(paid);
        self.now += PAUSE;
        self.tick();
        self.answer_with(answer);
        self.news(life.done);
        self.handle(Input::Delivered(life.order_id));
        self.handle(Input::Acknowledge(life.order_id));
    }

    /// How many orders wait for an answer.
    pub fn requests(&self) -> usize {
        self.requests.len()
    }

    fn track(&mut self, order_id: OrderId) {
        let user = self.user.clone();
        self.handle(Input::Track { user, order_id });
    }

    fn news(&mut self, report: Report) {
        self.handle(Input::News {
            user: self.user.clone(),
            connection: self.connection,
            report,
        });
    }

    fn answer_with(&mut self, report: Report) {
        let (request, _) = self.requests.pop_front().expect("a request");
        let answer = Answer::Order(Ok(report));
        self.handle(Input::Answered { request, answer });
    }

    fn handle(&mut self, input: Input) {
        self.now += STEP;
        self.machine.handle(input, self.now);
        self.tick();
    }

    fn tick(&mut self) {
        self.perform();
        while self.machine.deadline().is_some_and(|at| at <= self.now) {
            self.machine.tick(self.now);
            self.perform();
        }
    }

    /// Does what the driver does with the outputs, and what the game does with the notices.
    fn perform(&mut self) {
        self.outbox.refill().expect("a game");
        while let Some(output) = self.machine.next_output() {
            match output {
                Output::Notice(notice) => self.outbox.push(notice).expect("a game"),
                Output::Connect { connection, .. } => self.connection = connection,
                Output::Request {
                    request,
                    call: Call::GetOrder(order_id),
                    ..
                } => self.requests.push_back((request, order_id)),
                Output::CancelRequest(canceled) => {
                    self.requests.retain(|(request, _)| *request != canceled);
                }
                Output::Load(user) => self.report(LedgerReport::Loaded {
                    project_id: PROJECT,
                    user,
                    orders: Vec::new(),
                    outcome: LoadOutcome::Read,
                }),
                Output::Record {
                    order_id,
                    entry,
                    claims,
                    ..
                } => self.report(LedgerReport::Recorded {
                    project_id: PROJECT,
                    order_id,
                    entry,
                    before: None,
                    is_written: true,
                    claims,
                }),
                _ => {}
            }
        }
        self.outbox.send().expect("a game");
        while let Some(notice) = self.notices.next() {
            self.granted += usize::from(matches!(notice, Notice::Done(_)));
        }
    }

    fn report(&mut self, report: LedgerReport) {
        self.machine.handle(Input::Ledger(report), self.now);
    }
}
