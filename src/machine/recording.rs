//! Handles what the ledger is told and what it reports.

use std::time::Duration;

use crate::machine::order::{End, Hold, Inquiry, Order, Phase};
use crate::machine::output::{Notice, Output};
use crate::machine::player::Reading;
use crate::machine::tracking::LEDGER_PATIENCE;
use crate::machine::{Machine, Timer, sorted};
use crate::model::ledger::{LedgerError, LedgerReport, LedgerState, LoadOutcome};
use crate::model::message::NewsSource;
use crate::model::order::{OrderId, OrderPhase, OrderStatus};
use crate::model::record::{LedgerEntry, Restored};
use crate::model::user::UserId;

/// The time for which a silent ledger may turn out to be held by another instance.
const SILENCE_PATIENCE: Duration = Duration::from_secs(20);

/// Whether the machine slept when a timer was due, so that the time was not waited for.
fn has_slept(due: Duration, now: Duration) -> bool {
    now > due + LEDGER_PATIENCE
}

impl Machine {
    /// Records all orders in a ledger that does not have them.
    pub(super) fn record_all_anew(&mut self) {
        for order_id in sorted(self.orders.keys()) {
            if let Some(order) = self.orders.get_mut(&order_id)
                && let Some(entry) = order.entry()
            {
                // What an earlier ledger was to report does not come any more.
                order.claims = 0;
                order.hold = Hold::Unknown;
                self.record_entry(order_id, entry, true);
            }
        }
        let users: Vec<UserId> = self.players.keys().cloned().collect();
        for user in users {
            self.record_past(&user);
        }
    }

    pub(super) fn ledger_reports(&mut self, report: LedgerReport, now: Duration) {
        match report {
            // The same ids are other orders in another project.
            LedgerReport::Loaded { project_id, .. } | LedgerReport::Recorded { project_id, .. }
                if self.project != Some(project_id) => {}
            LedgerReport::Taken(taken) if self.project != Some(taken.project_id) => {}
            LedgerReport::Loaded {
                user,
                orders,
                outcome,
                ..
            } => self.loaded(&user, orders, outcome, now),
            LedgerReport::Recorded {
                order_id,
                entry,
                before,
                is_written,
                claims,
                ..
            } => {
                self.confirm_hold(order_id, entry, is_written, claims);
                self.recorded(order_id, entry, before, is_written, now);
                if let Some(order) = self.orders.get_mut(&order_id)
                    && order.hold == Hold::Confirmed
                {
                    order.hold = Hold::Unknown;
                }
            }
            LedgerReport::Taken(taken) => self.taken(taken, now),
            LedgerReport::Lost => self.record_all_anew(),
            LedgerReport::State(state) => self.ledger_says(state),
        }
    }

    /// Handles the orders that were read from the ledger. Open orders are followed again; acknowledged orders
    /// are asked for once, because they may have been refunded in the meantime. A ledger that was in use
    /// elsewhere may be read a second time, later.
    fn loaded(
        &mut self,
        user: &UserId,
        orders: Vec<Restored>,
        outcome: LoadOutcome,
        now: Duration,
    ) {
        self.ledger_is_silent(false);
        let reading = match outcome {
            LoadOutcome::Read => Reading::Done,
            LoadOutcome::Locked => Reading::Locked,
            LoadOutcome::Failed => Reading::Failed,
        };
        self.take_loaded(user, orders, reading, now);
    }

    /// Handles a ledger that has not answered. Tracking goes on, and grants the orders that it knows to be
    /// new. Orders that may have been granted before wait a little longer, because the delay may come from a
    /// machine that slept and not from the disk.
    pub(super) fn reading_is_late(&mut self, user: &UserId, due: Duration, now: Duration) {
        let player = self.players.get(user);
        if player.is_some_and(|player| player.reading == Reading::Locked) && !has_slept(due, now) {
            return self.take_loaded(user, Vec::new(), Reading::Failed, now);
        }
        self.ledger_is_silent(true);
        self.take_loaded(user, Vec::new(), Reading::Locked, now);
        if self.players.contains_key(user) {
            let at = now + SILENCE_PATIENCE;
            self.timers.set(Timer::Read(user.clone()), at);
        }
    }

    fn take_loaded(
        &mut self,
        user: &UserId,
        orders: Vec<Restored>,
        reading: Reading,
        now: Duration,
    ) {
        self.timers.clear(&Timer::Read(user.clone()));
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        if player.reading == Reading::NotBegun {
            return;
        }
        let waiting = sorted(&player.open);
        player.reading = reading;
        let queued = sorted(&std::mem::take(&mut player.queued));
        for restored in orders {
            let order_id = restored.order_id;
            let untracked = self.untracked.get(&self.project);
            if restored.entry == LedgerEntry::Past {
                self.load_past(user, order_id);
            } else if untracked.is_some_and(|untracked| untracked.contains(&order_id)) {
                self.outputs.push_back(Output::Erase {
                    user: user.clone(),
                    order_id,
                });
                self.forget_for_good(user, order_id);
            } else {
                self.restore(user, &restored, now);
            }
        }
        for order_id in queued {
            self.track_known(user, order_id, now);
            self.settle_purchases(order_id, now);
        }
        if reading.is_over() {
            self.end_doubts(&waiting, now);
        }
        self.check_acknowledged(user, now);
        self.look_for_discoveries(user);
        self.update_state(user);
        self.forget_player_if_unused(user);
    }

    /// Grants the orders that waited because they might have been granted before.
    fn end_doubts(&mut self, waiting: &[OrderId], now: Duration) {
        for &order_id in waiting {
            self.grant_if_ready(order_id, now);
            self.apply_pushed(order_id, now);
            let order = self.orders.get(&order_id);
            if order.is_some_and(|order| !order.inquiry.is_wanted()) {
                self.request_if_open(order_id, now);
            }
        }
    }

    /// Takes the state that the ledger reports, and tells the game.
    fn ledger_says(&mut self, state: LedgerState) {
        self.ledger = state;
        self.tell_ledger();
    }

    pub(super) fn ledger_is_silent(&mut self, is_silent: bool) {
        if is_silent != self.is_ledger_silent {
            self.is_ledger_silent = is_silent;
            self.tell_ledger();
        }
    }

    fn tell_ledger(&mut self) {
        let state = match self.is_ledger_silent {
            true => LedgerState::Trouble(LedgerError::NoAnswer),
            false => self.ledger.clone(),
        };
        self.tell(Notice::Ledger(state));
    }

    fn restore(&mut self, user: &UserId, restored: &Restored, now: Duration) {
        let Restored {
            order_id,
            entry,
            age,
        } = *restored;
        let phase = match entry {
            LedgerEntry::Past | LedgerEntry::Open => OrderPhase::Open,
            // The order is granted again once the servers say that it is done.
            LedgerEntry::Granted => OrderPhase::Open,
            LedgerEntry::Acknowledged => OrderPhase::Acknowledged,
            LedgerEntry::Canceled => OrderPhase::Ended,
        };
        let phase = Notice::Phase {
            order_id,
            user: user.clone(),
            phase,
        };
        // An acknowledged order is asked for once, because it may have been refunded in the meantime.
        let window = self.config.as_ref().map(|config| config.refund_window);
        let inquiry = Inquiry::Quiet {
            is_wanted: window.is_some_and(|window| age < window),
        };
        if let Some(order) = self.orders.get_mut(&order_id) {
            // The ledger was read late. It knows what earlier runs told the game.
            if order.user != *user {
                return;
            }
            order.is_vouched = true;
            let is_granted = order.phase == Phase::Granted || order.phase.is_acknowledged();
            if entry == LedgerEntry::Canceled && is_granted {
                // This run did not know that it was refunded.
                return self.apply_status(
                    order_id,
                    &OrderStatus::Canceled,
                    NewsSource::Request,
                    now,
                );
            }
            if order.phase.is_acknowledged() {
                return;
            }
            order.was_granted |= entry >= LedgerEntry::Granted;
            let is_ended = order.phase == Phase::Ended;
            // The player may have been forgotten in the meantime, and their lists with them.
            self.enlist(order_id);
            if entry < LedgerEntry::Acknowledged || is_ended {
                return;
            }
            self.tell(phase);
            let phase = match entry {
                LedgerEntry::Canceled => Phase::Ended,
                _ => Phase::Acknowledged { is_recorded: true },
            };
            self.change_phase(order_id, phase, now);
            if let Some(order) = self.orders.get_mut(&order_id) {
                order.assume_entry(entry);
                if entry == LedgerEntry::Acknowledged {
                    order.inquiry = inquiry;
                }
            }
            self.enlist(order_id);
            self.schedule_request(order_id, now);
        } else {
            let mut order = Order::restored(user.clone(), entry, age, now);
            match entry {
                LedgerEntry::Past | LedgerEntry::Open | LedgerEntry::Granted => {}
                LedgerEntry::Acknowledged => {
                    order.phase = Phase::Acknowledged { is_recorded: true };
                    order.inquiry = inquiry;
                }
                LedgerEntry::Canceled => order.phase = Phase::Ended,
            }
            self.insert(order_id, order);
            self.tell(phase);
            // This applies news that came before the ledger was read.
            self.begin(order_id, now);
        }
    }

    /// Handles a ledger that has not recorded an order. The order is followed. It may be another player's that was
    /// granted to them, so it waits a little longer to be granted, because the delay may come from a machine that
    /// slept and not from the disk.
    pub(super) fn recording_is_late(&mut self, order_id: OrderId, now: Duration) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if let Some(until) = order.unrecorded_until.take()
            && !has_slept(until, now)
        {
            return self.end_doubts(&[order_id], now);
        }
        let until = now + SILENCE_PATIENCE;
        order.unrecorded_until = Some(until);
        self.ledger_is_silent(true);
        self.begin(order_id, now);
        self.timers.set(Timer::Record(order_id), until);
    }

    /// Handles the report that an order's entry is in the ledger, or that it could not be written. `before` is the
    /// entry that the ledger had, which may be another player's: the order has moved from them to this one.
    fn recorded(
        &mut self,
        order_id: OrderId,
        entry: LedgerEntry,
        before: Option<LedgerEntry>,
        is_written: bool,
        now: Duration,
    ) {
        self.ledger_is_silent(false);
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        // What the ledger has of the order is known now, even if its player's orders were not read.
        order.is_vouched |= is_written;
        let was_unrecorded = order.unrecorded_until.take().is_some();
        let user = order.user.clone();
        self.leave_earlier_owner(order_id);
        if let Some(entry) = before {
            let restored = Restored {
                order_id,
                entry,
                age: Duration::ZERO,
            };
            self.restore(&user, &restored, now);
        }
        if was_unrecorded {
            self.timers.clear(&Timer::Record(order_id));
            self.end_doubts(&[order_id], now);
        }
        match (entry, self.orders.get(&order_id).map(|order| order.phase)) {
            (LedgerEntry::Open | LedgerEntry::Granted, Some(Phase::Recording)) => {
                self.begin(order_id, now);
            }
            (LedgerEntry::Acknowledged, Some(Phase::Acknowledged { is_recorded: false })) => {
                let phase = Phase::Acknowledged { is_recorded: true };
                self.change_phase(order_id, phase, now);
                self.tell(Notice::Phase {
                    order_id,
                    user: user.clone(),
                    phase: OrderPhase::Acknowledged,
                });
            }
            (LedgerEntry::Canceled, Some(Phase::Ended)) => {
                if let Some(order) = self.orders.get_mut(&order_id) {
                    order.end = End::Recorded;
                }
            }
            _ => {}
        }
        self.apply_pushed(order_id, now);
        if is_written && self.is_shared() {
            self.grant_if_ready(order_id, now);
            self.tell_again_if_confirmed(order_id);
        }
        self.confirm(order_id);
        self.update_state(&user);
        self.forget_player_if_unused(&user);
    }

    /// Handles the game's acknowledgement of a grant.
    pub(super) fn acknowledge(&mut self, order_id: OrderId, now: Duration) {
        let order = self.orders.get(&order_id);
        match order.map(|order| order.phase) {
            Some(Phase::Granted) => {
                let phase = Phase::Acknowledged { is_recorded: false };
                self.change_phase(order_id, phase, now);
                self.record_entry(order_id, LedgerEntry::Acknowledged, false);
            }
            Some(Phase::Acknowledged { .. }) => {}
            _ => log::warn!("order {order_id} was acknowledged and is not done"),
        }
    }

    pub(super) fn load(&mut self, user: &UserId, now: Duration) {
        let is_configured = self.config.is_some();
        if let Some(player) = self.players.get_mut(user)
            && player.reading == Reading::NotBegun
            && player.authorized().is_some()
            && is_configured
        {
            player.reading = Reading::UnderWay;
            self.timers
                .set(Timer::Read(user.clone()), now + LEDGER_PATIENCE);
            self.outputs.push_back(Output::Load(user.clone()));
        }
    }

    /// Has a player's ledger read anew, because it may be another one, or another instance of the game may have
    /// changed it. Nothing that this run knows of their orders stands against what it says.
    pub(super) fn read_anew(&mut self, user: &UserId) {
        self.timers.clear(&Timer::Read(user.clone()));
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        player.reading = Reading::NotBegun;
        for order_id in &player.open {
            if let Some(order) = self.orders.get_mut(order_id) {
                order.is_vouched = false;
            }
        }
    }

    /// Asks for the orders that were acknowledged in earlier runs, one after the other.
    pub(super) fn check_acknowledged(&mut self, user: &UserId, now: Duration) {
        let (Some(config), Some(player)) = (self.config.clone(), self.players.get(user)) else {
            return;
        };
        let mut at = now;
        for order_id in sorted(&player.checking) {
            at += config.poll_interval;
            self.schedule_request(order_id, at);
        }
    }
}
