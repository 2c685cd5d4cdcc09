//! All that the emulator knows, under one lock that is never held while waiting.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::catalog::Catalog;
use super::counters::Counters;
use super::faults::Faults;
use super::frames::{Push, PushFrame, SubscribeResult, line};
use super::order::{self, Line, Order};
use super::payment::Delays;
use super::stream::{self, Stream};
use super::token::{self, Issued};

/// The project that the emulator speaks for.
pub(super) const PROJECT_ID: u64 = 77640;

/// Centrifuge's disconnect for a subscription that no longer fits its stream.
const INSUFFICIENT_STATE: (u16, &str) = (3010, "insufficient state");

/// For ever, and within every clock.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

pub(super) struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::new()),
            changed: watch::Sender::new(()),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A developer's test that panics while it controls the emulator is no reason for another
        // panic when the emulator is dropped.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes what waits for a fault to end.
    pub(super) fn faults_changed(&self) {
        self.changed.send_replace(());
    }

    pub(super) fn watch_faults(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

pub(super) struct State {
    pub(super) accounts: Vec<Account>,
    pub(super) orders: BTreeMap<u64, Order>,
    /// Above that of every order.
    pub(super) next_order_id: u64,
    pub(super) sockets: BTreeMap<u64, Socket>,
    pub(super) catalog: Catalog,
    pub(super) faults: Faults,
    pub(super) counters: Counters,
    pub(super) history_limit: usize,
    pub(super) ping_interval: Duration,
    pub(super) delays: Delays,
    /// By account and currency.
    pub(super) balances: HashMap<(usize, String), Decimal>,
    tokens: HashMap<String, Issued>,
}

pub(super) struct Account {
    pub(super) name: String,
    pub(super) subject: String,
    pub(super) channel: String,
    pub(super) stream: Stream,
}

/// Why a token does not open the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    Unknown,
    Expired,
}

impl State {
    fn new() -> Self {
        Self {
            accounts: Vec::new(),
            orders: BTreeMap::new(),
            next_order_id: order::first_id(SystemTime::now()),
            sockets: BTreeMap::new(),
            catalog: Catalog::included(),
            faults: Faults::default(),
            counters: Counters::default(),
            history_limit: stream::DEFAULT_SIZE,
            ping_interval: Duration::from_secs(25),
            delays: Delays::default(),
            balances: HashMap::new(),
            tokens: HashMap::new(),
        }
    }

    /// The account of this name, new if need be.
    fn account(&mut self, name: &str) -> usize {
        let known = self.accounts.iter().position(|a| a.name == name);
        known.unwrap_or_else(|| {
            self.accounts.push(Account {
                name: name.to_owned(),
                subject: subject_of(name),
                channel: new_channel(),
                stream: Stream::new(),
            });
            self.accounts.len() - 1
        })
    }

    pub(super) fn issue_token(&mut self, name: &str, lifetime: Duration) -> String {
        let account = self.account(name);
        let now = SystemTime::now();
        let expires_at = now + lifetime.min(CENTURY);
        let subject = self.accounts.get(account).map(|a| a.subject.as_str());
        let token = token::user_token(subject.unwrap_or_default(), now, expires_at);
        let issued = Issued {
            account,
            expires_at,
            pays_for: None,
        };
        self.tokens.insert(token.clone(), issued);
        token
    }

    pub(super) fn issue_payment_token(&mut self, account: usize, order_id: u64) -> String {
        let token = token::payment_token();
        let issued = Issued {
            account,
            expires_at: SystemTime::now() + self.delays.token_lifetime.min(CENTURY),
            pays_for: Some(order_id),
        };
        self.tokens.insert(token.clone(), issued);
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.payment.token = Some(token.clone());
        }
        token
    }

    pub(super) fn token(&self, token: &str) -> Option<&Issued> {
        self.tokens.get(token)
    }

    pub(super) fn revoke_tokens(&mut self, name: &str) {
        let Some(account) = self.accounts.iter().position(|a| a.name == name) else {
            return;
        };
        self.tokens.retain(|_, issued| issued.account != account);
    }

    /// Whose token this is.
    pub(super) fn authorize(&self, token: &str) -> Result<usize, Denied> {
        let issued = self.tokens.get(token).ok_or(Denied::Unknown)?;
        if issued.expires_at <= SystemTime::now() {
            return Err(Denied::Expired);
        }
        Ok(issued.account)
    }

    /// Whether this is a Pay Station token rather than a user's.
    pub(super) fn is_payment_token(&self, token: &str) -> bool {
        self.tokens.get(token).is_some_and(|t| t.pays_for.is_some())
    }

    /// Whose token this was, whether or not it is still accepted.
    pub(super) fn account_of_subject(&self, subject: &str) -> Option<usize> {
        self.accounts.iter().position(|a| a.subject == subject)
    }

    pub(super) fn create_order(&mut self, account: usize, lines: Vec<Line>) -> u64 {
        let id = self.next_order_id;
        self.next_order_id += 1;
        self.orders.insert(id, Order::new(account, lines));
        self.announce(id, "new");
        id
    }

    /// Moves an order on; whether it exists.
    pub(super) fn set_status(&mut self, id: u64, status: &str) -> bool {
        let Some(order) = self.orders.get_mut(&id) else {
            return false;
        };
        order.set_status(status);
        self.announce(id, status);
        true
    }

    /// Tells the socket of a status, true or not; whether the order exists.
    pub(super) fn announce(&mut self, id: u64, status: &str) -> bool {
        let Some(order) = self.orders.get(&id) else {
            return false;
        };
        let account = order.account;
        self.publish(account, [json!({"order_id": id, "status": status})]);
        true
    }

    /// Publishes on the channel of an account, all in one frame.
    pub(super) fn publish(&mut self, account: usize, data: impl IntoIterator<Item = Value>) {
        let Some(Account {
            channel, stream, ..
        }) = self.accounts.get_mut(account)
        else {
            return;
        };
        let frame: Vec<String> = data
            .into_iter()
            .map(|data| {
                let publication = stream.publish(data, self.history_limit);
                line(&PushFrame {
                    push: Push {
                        channel,
                        publication: Some(&publication),
                        subscribe: None,
                    },
                })
            })
            .collect();
        for socket in self.sockets.values_mut() {
            match &socket.subscription {
                Some(s) if s.account != account => {}
                Some(s) if s.epoch == stream.epoch() => socket.send(frame.clone()),
                Some(_) => socket.close(INSUFFICIENT_STATE.0, INSUFFICIENT_STATE.1),
                None => {}
            }
        }
    }
}

impl State {
    /// Subscribes the sockets that connected while channels were withheld.
    pub(super) fn subscribe_the_waiting(&mut self) {
        for socket in self.sockets.values_mut() {
            let Some(index) = socket.waits_as.take() else {
                continue;
            };
            let Some(account) = self.accounts.get(index) else {
                continue;
            };
            let push = Push {
                channel: &account.channel,
                publication: None,
                subscribe: Some(SubscribeResult::at_the_top_of(&account.stream)),
            };
            socket.send(vec![line(&PushFrame { push })]);
            socket.subscription = Some(Subscription {
                account: index,
                epoch: account.stream.epoch().to_owned(),
            });
        }
    }
}

/// A socket, seen from outside of its task. Dropping it cuts the connection.
pub(super) struct Socket {
    pub(super) subscription: Option<Subscription>,
    /// The account that it is connected for, while its channel is withheld.
    pub(super) waits_as: Option<usize>,
    is_closing: bool,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    _cut: oneshot::Sender<()>,
}

pub(super) struct Subscription {
    pub(super) account: usize,
    pub(super) epoch: String,
}

/// What a socket is to send, in order.
pub(super) enum Outgoing {
    /// Lines that travel in one frame; more may join them.
    Lines(Vec<String>),
    /// A frame of its own, whatever is in it.
    Frame(String),
    Close(u16, String),
}

impl Socket {
    pub(super) fn new(outgoing: mpsc::UnboundedSender<Outgoing>, cut: oneshot::Sender<()>) -> Self {
        Self {
            subscription: None,
            waits_as: None,
            is_closing: false,
            outgoing,
            _cut: cut,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.is_closing
    }

    pub(super) fn send(&self, lines: Vec<String>) {
        self.queue(Outgoing::Lines(lines));
    }

    pub(super) fn send_frame(&self, text: String) {
        self.queue(Outgoing::Frame(text));
    }

    pub(super) fn close(&mut self, code: u16, reason: &str) {
        self.queue(Outgoing::Close(code, reason.to_owned()));
        self.is_closing = true;
    }

    fn queue(&self, outgoing: Outgoing) {
        if !self.is_closing {
            // Fails where the task has just ended, which the registry is about to learn.
            let _ = self.outgoing.send(outgoing);
        }
    }
}

/// The same for the same name in every run, so that what a game wrote to disk about its player
/// holds when it is started again with another emulator.
fn subject_of(name: &str) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, name).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    token::uuid(half(0) << 64 | half(1))
}

/// Xsolla's channel names follow no documented rule, so these follow none.
fn new_channel() -> String {
    let length = fastrand::usize(14..26);
    let mut name: String = std::iter::repeat_with(fastrand::alphanumeric)
        .take(length)
        .collect();
    name.insert(
        fastrand::usize(1..length),
        fastrand::choice(['#', ':', '-', '$', '.', '_']).unwrap_or(':'),
    );
    name
}
