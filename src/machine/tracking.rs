//! Decides how orders begin, end, and are given up.

use std::time::Duration;

use crate::model::maps::HashSet;

use crate::machine::order::{End, Hold, Inquiry, Order, Phase};
use crate::machine::output::{Notice, Output};
use crate::machine::player::{Player, Reading};
use crate::machine::{Machine, Timer};
use crate::model::error::TrackingError;
use crate::model::message::{NewsSource, OrderStatusChanged, OrderTrackingFailed};
use crate::model::order::{OrderId, OrderPhase, OrderStatus};
use crate::model::purchase::PurchaseError;
use crate::model::record::LedgerEntry;
use crate::model::user::UserId;

/// The number of orders of one player that are followed at a time.
pub(super) const MAX_OPEN: usize = 100_000;
/// The age up to which an unpaid order that was given up stays in the ledger, because vouchers are paid days
/// after the order.
const KEEP_UNPAID: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The time that tracking waits for the ledger. A disk that takes longer counts as hanging.
pub(super) const LEDGER_PATIENCE: Duration = Duration::from_secs(5);

impl Machine {
    /// Follows an order of a player.
    pub(super) fn track(&mut self, user: &UserId, order_id: OrderId, now: Duration) {
        self.players.entry(user.clone()).or_insert_with(Player::new);
        self.track_known(user, order_id, now);
        self.update_state(user);
        self.forget_player_if_unused(user);
    }

    /// Follows an order of a player who is known.
    pub(super) fn track_known(&mut self, user: &UserId, order_id: OrderId, now: Duration) {
        let (mut was_granted, mut was_vouched, mut bought) = (false, false, None);
        if let Some(order) = self.orders.get(&order_id) {
            was_granted = order.was_granted;
            let is_canceled = order.status() == Some(&OrderStatus::Canceled);
            was_vouched = order.is_vouched && order.user == *user;
            match order.phase {
                Phase::Recording | Phase::Open if order.user == *user => {
                    if self.is_shared() && order.claims == 0 {
                        // Another server may have taken it since this one knew it.
                        let entry = order.entry().unwrap_or(LedgerEntry::Open);
                        self.record_entry(order_id, entry, true);
                    }
                    return;
                }
                // The order is over, and a late `done` must not grant a refunded order a second time. The
                // game is told its phase again.
                Phase::Granted | Phase::Acknowledged { .. } => return self.tell_again(order_id),
                Phase::Ended if was_granted || is_canceled => return self.tell_again(order_id),
                // The order belongs to another player, or has ended or was given up, so it is followed from
                // the start.
                Phase::Recording
                | Phase::Open
                | Phase::Ended
                | Phase::Abandoned
                | Phase::Failed { .. } => {}
            }
            if self.waits_for_ledger(user) {
                // Nothing of it is forgotten meanwhile.
                return self.track_later(user, order_id);
            }
            let owner = order.user.clone();
            bought = self.remove_bought(order_id);
            self.forget(order_id);
            if owner != *user {
                // An order has one owner, so its ledger entry moves to this player.
                if let Some(user) = self.take_earlier_owner(order_id) {
                    self.outputs.push_back(Output::Erase { user, order_id });
                }
                self.moved.push((order_id, owner));
            }
        }
        self.track_anew(order_id);
        let Some(player) = self.players.get_mut(user) else {
            return;
        };
        if player.open.len() + player.recording.len() + player.queued.len() >= MAX_OPEN {
            let error = TrackingError::TooManyOrders;
            self.fail_purchases_of(order_id, &PurchaseError::Tracking(error.clone()));
            return self.tell(Notice::Failed(OrderTrackingFailed {
                order_id,
                user: user.clone(),
                error,
            }));
        }
        if self.waits_for_ledger(user) {
            return self.track_later(user, order_id);
        }
        let mut order = Order::new(user.clone(), was_granted, now);
        order.is_vouched = was_vouched || self.pending.has_recording(order_id);
        order.bought = bought;
        self.record(order_id, order, now);
    }

    /// Whether a player's ledger is read before anything of theirs is tracked: it may have the order as acknowledged.
    fn waits_for_ledger(&self, user: &UserId) -> bool {
        let player = self.players.get(user);
        player.is_some_and(|player| matches!(player.reading, Reading::NotBegun | Reading::UnderWay))
    }

    fn track_later(&mut self, user: &UserId, order_id: OrderId) {
        self.track_anew(order_id);
        if let Some(player) = self.players.get_mut(user) {
            player.queued.insert(order_id);
        }
    }

    /// Has the ledger record an order, which is followed once that is done.
    pub(super) fn record(&mut self, order_id: OrderId, order: Order, now: Duration) {
        let entry = order.entry().unwrap_or(LedgerEntry::Open);
        self.insert(order_id, order);
        self.timers
            .set(Timer::Record(order_id), now + LEDGER_PATIENCE);
        self.record_entry(order_id, entry, true);
    }

    /// Follows an order anew that has ended, or was given up, and was paid after that.
    pub(super) fn follow_again(&mut self, order_id: OrderId, now: Duration) {
        if let Some(order) = self.orders.get(&order_id) {
            let order = Order::new(order.user.clone(), order.was_granted, now);
            self.forget(order_id);
            self.record(order_id, order, now);
        }
    }

    /// Tells the game the status and the phase of an order that is over.
    fn tell_again(&mut self, order_id: OrderId) {
        let Some(order) = self.orders.get(&order_id) else {
            return;
        };
        let user = order.user.clone();
        let status = order.status().cloned();
        let phase = match order.phase {
            Phase::Granted => OrderPhase::Granted,
            Phase::Acknowledged { is_recorded: true } => OrderPhase::Acknowledged,
            Phase::Acknowledged { is_recorded: false } => OrderPhase::Granted,
            _ => OrderPhase::Ended,
        };
        if let Some(status) = status {
            self.tell(Notice::StatusChanged(OrderStatusChanged {
                order_id,
                user: user.clone(),
                previous: Some(status.clone()),
                status,
                source: NewsSource::Request,
            }));
        }
        self.tell(Notice::Phase {
            order_id,
            user,
            phase,
        });
    }

    /// Starts to follow an order, once the ledger has it or is too late.
    pub(super) fn begin(&mut self, order_id: OrderId, now: Duration) {
        let Some(order) = self.orders.get(&order_id) else {
            return;
        };
        if !order.phase.is_recording() {
            return;
        }
        let user = order.user.clone();
        let player = self.players.entry(user.clone()).or_insert_with(Player::new);
        if player.open.is_empty() {
            player.is_polling = false;
        }
        let early_news = player.early_news.take(order_id);
        self.leave_earlier_owner(order_id);
        self.change_phase(order_id, Phase::Open, now);
        self.schedule_give_up(order_id, now);
        self.schedule_request(order_id, now);
        let source = self.news_source();
        for status in early_news {
            self.apply_status(order_id, &status, source, now);
        }
        self.apply_pushed(order_id, now);
        self.connect_if_wanted(&user, now);
        self.update_state(&user);
    }

    fn take_earlier_owner(&mut self, order_id: OrderId) -> Option<UserId> {
        let place = self
            .moved
            .iter()
            .position(|(moved, _)| *moved == order_id)?;
        Some(self.moved.swap_remove(place).1)
    }

    /// Removes an order from the ledger of its earlier owner, if it has moved and not come back.
    pub(super) fn leave_earlier_owner(&mut self, order_id: OrderId) {
        if let Some(user) = self.take_earlier_owner(order_id)
            && self
                .orders
                .get(&order_id)
                .is_none_or(|order| order.user != user)
        {
            self.outputs.push_back(Output::Erase { user, order_id });
        }
    }

    /// Stops following an order that the player does not want to pay now. It stays in the ledger, and is
    /// followed again when there is news of it.
    pub(super) fn abandon(&mut self, order_id: OrderId, now: Duration) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        let is_followed = matches!(order.phase, Phase::Recording | Phase::Open);
        if !is_followed || order.is_paid() {
            return;
        }
        order.assume_new();
        let user = order.user.clone();
        self.tell(Notice::Phase {
            order_id,
            user: user.clone(),
            phase: OrderPhase::Abandoned,
        });
        self.change_phase(order_id, Phase::Abandoned, now);
        self.update_state(&user);
        self.forget_player_if_unused(&user);
    }

    /// Removes an order from the ledger whose end need not be told after a restart, because the game's
    /// systems have had a whole frame to read it.
    pub(super) fn delivered(&mut self, order_id: OrderId) {
        if let Some(order) = self.orders.get_mut(&order_id)
            && matches!(
                order.phase,
                Phase::Ended
                    | Phase::Failed {
                        keeps_entry: false,
                        ..
                    }
            )
        {
            order.end = End::Told;
            if !order.keeps_end() {
                let (user, has_ended) = (order.user.clone(), order.phase == Phase::Ended);
                self.outputs.push_back(Output::Erase {
                    user: user.clone(),
                    order_id,
                });
                if has_ended && !self.has_queue() {
                    // The history may name it as it was before its end.
                    self.forget_for_good(&user, order_id);
                }
            }
            self.record_end(order_id);
            self.confirm(order_id);
        }
    }

    /// Records the end of an order that was refunded, once the game was told.
    pub(super) fn record_end(&mut self, order_id: OrderId) {
        if let Some(order) = self.orders.get(&order_id)
            && order.phase == Phase::Ended
            && order.end == End::Told
            && order.keeps_end()
        {
            self.record_entry(order_id, LedgerEntry::Canceled, false);
        }
    }

    pub(super) fn forget(&mut self, order_id: OrderId) {
        if let Some(order) = self.orders.get(&order_id) {
            let user = order.user.clone();
            self.set_phase(order_id, Phase::Ended);
            self.orders.remove(&order_id);
            self.update_state(&user);
        }
    }

    /// Puts the orders of the earlier project aside, because the new project may use the same ids, and takes
    /// up the orders that were put aside for the new one. The ledger also keeps projects apart.
    pub(super) fn change_project(&mut self, before: u64, project: u64, now: Duration) {
        let users: Vec<UserId> = self.players.keys().cloned().collect();
        for user in &users {
            self.stop(user);
        }
        for order_id in self.orders.keys() {
            self.timers.clear(&Timer::Record(*order_id));
            self.timers.clear(&Timer::GiveUp(*order_id));
        }
        let orders = self.elsewhere.remove(&project).unwrap_or_default();
        let orders = std::mem::replace(&mut self.orders, orders);
        self.elsewhere.insert(before, orders);
        for (_, player) in self.players.iter_mut() {
            player.forget_orders();
        }
        self.moved.clear();
        for pending in self.pending.change_project() {
            self.fail_purchase(pending, PurchaseError::ProjectChanged);
        }
        let orders: Vec<OrderId> = self.orders.keys().copied().collect();
        for order_id in orders {
            self.enlist(order_id);
            let waits_for_ledger =
                |order: &Order| order.phase.is_recording() || order.unrecorded_until.is_some();
            if self
                .orders
                .get(&order_id)
                .is_some_and(|order| waits_for_ledger(order))
            {
                let at = now + LEDGER_PATIENCE;
                self.timers.set(Timer::Record(order_id), at);
            }
        }
    }

    pub(super) fn insert(&mut self, order_id: OrderId, mut order: Order) {
        order.is_shared = self.is_shared();
        self.orders.insert(order_id, Box::new(order));
        self.enlist(order_id);
    }

    /// Moves an order to another phase, and answers its purchase.
    pub(super) fn change_phase(&mut self, order_id: OrderId, phase: Phase, now: Duration) {
        if matches!(
            phase,
            Phase::Granted | Phase::Acknowledged { .. } | Phase::Ended
        ) {
            self.remove_bought(order_id);
        }
        self.set_phase(order_id, phase);
        self.settle_purchases(order_id, now);
    }

    /// Sets an order's phase and all that depends on it: the player's lists, the order's timers and request,
    /// and the player's socket.
    fn set_phase(&mut self, order_id: OrderId, phase: Phase) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        order.phase = phase;
        order.hold = Hold::Unknown;
        order.was_granted |= matches!(phase, Phase::Granted | Phase::Acknowledged { .. });
        let user = order.user.clone();
        if !phase.is_recording() {
            self.timers.clear(&Timer::Record(order_id));
        }
        if !phase.is_recording() && !phase.is_open() {
            let request = order.inquiry.stop();
            order.inquiry = Inquiry::Quiet { is_wanted: false };
            self.timers.clear(&Timer::Request(order_id));
            self.timers.clear(&Timer::GiveUp(order_id));
            self.pending.order_ended(order_id);
            if let Some(request) = request {
                self.cancel(request);
            }
        }
        self.enlist(order_id);
        self.disconnect_if_unused(&user);
    }

    /// Puts an order on the lists of its player that it belongs to, and removes it from the others.
    pub(super) fn enlist(&mut self, order_id: OrderId) {
        let Some(order) = self.orders.get(&order_id) else {
            return;
        };
        let Some(player) = self.players.get_mut(&order.user) else {
            return;
        };
        let was_awaiting = !player.awaiting.is_empty();
        let list = |list: &mut HashSet<OrderId>, is_on_it| match is_on_it {
            true => list.insert(order_id),
            false => list.remove(&order_id),
        };
        list(&mut player.recording, order.phase.is_recording());
        list(&mut player.open, order.phase.is_open());
        list(&mut player.awaiting, order.awaits_news());
        list(&mut player.checking, order.is_checked());
        let is_kept = matches!(
            order.phase,
            Phase::Failed {
                keeps_entry: true,
                ..
            }
        );
        list(&mut player.given_up, is_kept);
        if was_awaiting == player.awaiting.is_empty() {
            let user = order.user.clone();
            self.hurry(&user);
        }
    }

    /// The time at which an order without news is given up. A paid order is never given up. The calendar does
    /// not count, so each run waits as long as the first.
    fn give_up_at(&self, order_id: OrderId) -> Option<Duration> {
        let (config, order) = (self.config.as_ref()?, self.orders.get(&order_id)?);
        match order.phase {
            Phase::Open if !order.is_paid() => {
                Some(order.patience.last_news + config.tracking_timeout)
            }
            // The store did not know the order, and a socket is kept open for it.
            Phase::Failed { listens: true, .. } => {
                Some(order.patience.begun + config.tracking_timeout)
            }
            _ => None,
        }
    }

    pub(super) fn schedule_give_up(&mut self, order_id: OrderId, now: Duration) {
        let Some(at) = self.give_up_at(order_id) else {
            return;
        };
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.patience.is_overdue = false;
        }
        // A timer that fires too early is set again. News comes far more often, so it does not move the
        // timer.
        let (timer, at) = (Timer::GiveUp(order_id), at.max(now));
        if self.timers.get(&timer).is_none_or(|set| set > at) {
            self.timers.set(timer, at);
        }
    }

    /// Handles an order whose time for news is over. The next answer gives it up, and not the clock, because
    /// the machine may have slept since the last request, or its clock may have been set.
    pub(super) fn give_up(&mut self, order_id: OrderId, now: Duration) {
        let Some(at) = self.give_up_at(order_id) else {
            return;
        };
        let (Some(config), Some(order)) = (self.config.clone(), self.orders.get_mut(&order_id))
        else {
            return;
        };
        if at > now && !order.patience.is_overdue {
            return self.timers.set(Timer::GiveUp(order_id), at);
        }
        if let Phase::Failed { keeps_entry, .. } = order.phase {
            let user = order.user.clone();
            let phase = Phase::Failed {
                keeps_entry,
                listens: false,
            };
            self.change_phase(order_id, phase, now);
            self.update_state(&user);
            return self.forget_player_if_unused(&user);
        }
        let player = self.players.get(&order.user);
        if player.is_none_or(|player| player.authorized().is_none()) {
            // The order waits for a token.
            let at = now + config.poll_interval_max;
            return self.timers.set(Timer::GiveUp(order_id), at);
        }
        order.patience.is_overdue = true;
        let at = now + config.tracking_timeout;
        self.timers.set(Timer::GiveUp(order_id), at);
        self.request_soon(order_id, now);
    }

    pub(super) fn time_out(&mut self, order_id: OrderId, now: Duration) {
        if let Some(config) = &self.config {
            let error = TrackingError::TimedOut(config.tracking_timeout);
            self.fail(order_id, error, now);
        }
    }

    /// Gives an order up.
    pub(super) fn fail(&mut self, order_id: OrderId, error: TrackingError, now: Duration) {
        let Some(order) = self.orders.get(&order_id) else {
            return;
        };
        let before = Duration::from_secs(order.patience.age_seconds.into());
        let age = before + now.saturating_sub(order.patience.begun);
        let phase = Phase::Failed {
            // An unpaid order may be paid later, and a granted order may be refunded.
            keeps_entry: order.is_paid() || order.was_granted || age < KEEP_UNPAID,
            listens: matches!(error, TrackingError::Refused(_)),
        };
        let user = order.user.clone();
        self.tell(Notice::Failed(OrderTrackingFailed {
            order_id,
            user,
            error,
        }));
        self.change_phase(order_id, phase, now);
        self.schedule_give_up(order_id, now);
    }
}
