//! What players do on the payment page, and what comes of it: money, time and balances.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::XsollaEmulator;
use super::control::{account_of, assert_user};
use super::order::Order;
use super::page;
use super::state::{Denied, Shared, State};
use super::token;
use crate::model::order::OrderId;
use crate::model::user::XsollaUser;

/// How long what the payment page starts takes.
pub(super) struct Delays {
    delivery: Duration,
    slow_payment: Duration,
    pub(super) token_lifetime: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            delivery: Duration::from_secs(1),
            slow_payment: Duration::from_secs(120),
            token_lifetime: token::LIFETIME,
        }
    }
}

/// The payment of an order.
#[derive(Default)]
pub(super) struct Payment {
    /// What opens its page, where it has one.
    pub(super) token: Option<String>,
    pub(super) is_sandbox: bool,
    attempt: Attempt,
}

/// What the player tried that has not changed the order's status.
#[derive(Clone, Copy, Default)]
enum Attempt {
    #[default]
    None,
    Declined,
    /// A payment is under way, as long as nothing else happens to the order.
    UnderWay {
        revision: usize,
    },
}

/// What a player can do on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Pay,
    PaySlowly,
    Decline,
    Cancel,
    Refund,
}

impl Action {
    pub(super) fn parse(name: &str) -> Option<Self> {
        [
            Self::Pay,
            Self::PaySlowly,
            Self::Decline,
            Self::Cancel,
            Self::Refund,
        ]
        .into_iter()
        .find(|action| action.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pay => "pay",
            Self::PaySlowly => "pay-slowly",
            Self::Decline => "decline",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
        }
    }
}

impl Order {
    /// What the player can do as things stand.
    pub(super) fn actions(&self) -> &'static [Action] {
        match self.status() {
            "new" if self.is_payment_under_way() => &[Action::Pay, Action::Cancel],
            "new" => &[
                Action::Pay,
                Action::PaySlowly,
                Action::Decline,
                Action::Cancel,
            ],
            "paid" | "done" => &[Action::Refund],
            _ => &[],
        }
    }

    pub(super) fn is_payment_under_way(&self) -> bool {
        let Attempt::UnderWay { revision } = self.payment.attempt else {
            return false;
        };
        revision == self.revision()
    }

    pub(super) fn was_declined(&self) -> bool {
        matches!(self.payment.attempt, Attempt::Declined)
    }
}

/// Does what the player asked for on the page. What the order does not allow any more, such as the
/// second half of a double click, changes nothing.
pub(super) fn act(shared: &Arc<Shared>, id: u64, action: Action) {
    let mut state = shared.lock();
    let Some(order) = state.orders.get_mut(&id) else {
        return;
    };
    if !order.actions().contains(&action) {
        return;
    }
    match action {
        Action::Pay => settle(shared, &mut state, id),
        Action::PaySlowly => {
            order.payment.attempt = Attempt::UnderWay {
                revision: order.revision(),
            };
            after(shared, &state, id, state.delays.slow_payment, settle);
        }
        Action::Decline => order.payment.attempt = Attempt::Declined,
        Action::Cancel | Action::Refund => {
            state.set_status(id, "canceled");
        }
    }
}

/// The money is there; delivery follows by itself.
fn settle(shared: &Arc<Shared>, state: &mut State, id: u64) {
    state.set_status(id, "paid");
    after(shared, state, id, state.delays.delivery, |_, state, id| {
        state.set_status(id, "done");
    });
}

/// Does this later, unless something else happens to the order meanwhile.
fn after(
    shared: &Arc<Shared>,
    state: &State,
    id: u64,
    delay: Duration,
    then: fn(&Arc<Shared>, &mut State, u64),
) {
    let revision = move |state: &State| state.orders.get(&id).map(Order::revision);
    let before = revision(state);
    let shared = Arc::clone(shared);
    // Ends with the emulator, whose runtime it is on.
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        let mut state = shared.lock();
        if revision(&state) == before {
            then(&shared, &mut state, id);
        }
    });
}

impl State {
    /// The order whose page this token opens.
    pub(super) fn order_of_payment(&self, token: &str) -> Result<u64, Denied> {
        let issued = self.token(token).ok_or(Denied::Unknown)?;
        let order_id = issued.pays_for.ok_or(Denied::Unknown)?;
        if issued.expires_at <= SystemTime::now() {
            return Err(Denied::Expired);
        }
        Ok(order_id)
    }

    /// Takes the price from a balance; whether there is enough.
    pub(super) fn spend(&mut self, account: usize, currency: &str, price: Decimal) -> bool {
        let key = (account, currency.to_owned());
        let Some(balance) = self.balances.get_mut(&key) else {
            // Nobody said that it is limited.
            return true;
        };
        if *balance < price {
            return false;
        }
        *balance -= price;
        true
    }
}

/// # The payment page
///
/// Where the player pays: what Pay Station is at Xsolla. It is at
/// [`payment_page_url`](Self::payment_page_url)`?token=…` with the token that creating the order
/// answered, and [`payment_url`](Self::payment_url) tells the whole address. A page in any browser,
/// with buttons for what players do and what becomes of their cards. [Faults](Self::heal) of requests
/// do not concern it.
impl XsollaEmulator {
    /// The address of the payment page of an order: for a browser, until the payment token expires.
    ///
    /// `None` for an order that has no page: there is no such order, or it was free or paid for in
    /// virtual currency.
    pub fn payment_url(&self, order_id: OrderId) -> Option<String> {
        let state = self.shared.lock();
        let payment = &state.orders.get(&order_id.0)?.payment;
        let token = payment.token.as_deref()?;
        let page = if payment.is_sandbox {
            self.sandbox_payment_page_url()
        } else {
            self.payment_page_url()
        };
        Some(format!("{page}?token={token}"))
    }

    /// What takes the place of `https://secure.xsolla.com/paystation4/`. It wants `?token=…`.
    pub fn payment_page_url(&self) -> String {
        format!("http://{}{}", self.address, page::PATH)
    }

    /// What takes the place of `https://sandbox-secure.xsolla.com/paystation4/`: the page for orders
    /// that were created with `"sandbox": true`, and for no others.
    pub fn sandbox_payment_page_url(&self) -> String {
        format!("http://{}{}", self.address, page::SANDBOX_PATH)
    }

    /// How long after the payment on the page Xsolla delivers: one second unless told otherwise.
    /// Counts for payments from now on.
    pub fn set_delivery_delay(&self, delay: Duration) {
        self.shared.lock().delays.delivery = delay;
    }

    /// How long a slow payment takes, such as one by mobile phone: two minutes unless told otherwise.
    /// Counts for payments from now on.
    pub fn set_slow_payment(&self, delay: Duration) {
        self.shared.lock().delays.slow_payment = delay;
    }

    /// How long the payment tokens of orders from now on live: a day unless told otherwise.
    pub fn set_payment_token_lifetime(&self, lifetime: Duration) {
        self.shared.lock().delays.token_lifetime = lifetime;
    }

    /// How much of a virtual currency a player has. What they buy for it is taken from that; an order
    /// for more than they have is refused (422, `0401-5006`), and a refund brings nothing back.
    ///
    /// Where it was never set, they can afford anything.
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn set_balance(&self, user: &XsollaUser, currency: &str, amount: u64) {
        let mut state = self.shared.lock();
        let account = account_of(&state, user);
        if let Ok(account) = account {
            let key = (account, currency.to_owned());
            state.balances.insert(key, amount.into());
        }
        drop(state);
        assert_user(account.map(drop));
    }

    /// What a player has left of a virtual currency, in whole coins; `None` where it was never
    /// [set](Self::set_balance).
    ///
    /// # Panics
    ///
    /// The user is not one of this emulator's.
    #[track_caller]
    pub fn balance(&self, user: &XsollaUser, currency: &str) -> Option<u64> {
        let state = self.shared.lock();
        let account = account_of(&state, user);
        let balance = account.as_ref().ok().and_then(|&account| {
            let key = (account, currency.to_owned());
            state.balances.get(&key).and_then(Decimal::to_u64)
        });
        drop(state);
        assert_user(account.map(drop));
        balance
    }
}
