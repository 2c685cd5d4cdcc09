//! Orders: how they begin, move on and end.

use super::*;

impl Machine {
    /// Follows an order of a player's.
    pub(crate) fn track(&mut self, user: &UserId, order_id: OrderId, now: Duration) {
        self.users.entry(user.clone()).or_insert_with(User::new);
        self.track_known(user, order_id, now);
        self.update_state(user);
        self.forget_user_if_unused(user);
    }

    pub(super) fn track_known(&mut self, user: &UserId, order_id: OrderId, now: Duration) {
        let mut was_granted = false;
        if let Some(order) = self.orders.get(&order_id) {
            was_granted = order.was_granted;
            match order.phase {
                Phase::Recording | Phase::Open if order.user == *user => return,
                // It is over, or a late `done` must not grant a second time what was refunded. Where
                // it stands is said again.
                Phase::Granted | Phase::Acknowledged => return self.tell_again(order_id),
                Phase::Ended if was_granted => return self.tell_again(order_id),
                // The order of another player, or one that ended or was given up: begin anew.
                Phase::Recording | Phase::Open | Phase::Ended | Phase::Failed => {}
            }
            self.forget(order_id);
        }
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        record.untracked.remove(&order_id);
        if record.open.len() + record.recording.len() + record.queued.len() >= MAX_OPEN {
            self.outputs.push_back(Output::Notice(Notice::Failed {
                order_id,
                user: user.clone(),
                error: TrackingError::TooManyOrders,
            }));
            return;
        }
        if record.ledger != LedgerState::Ready {
            // It may be in the ledger, acknowledged long ago.
            record.queued.insert(order_id);
            return;
        }
        record.recording.insert(order_id);
        let mut order = Order::new(user.clone(), now);
        order.was_granted = was_granted;
        let entry = order.entry().unwrap_or(Entry::Open);
        self.orders.insert(order_id, Box::new(order));
        self.timers
            .set(Timer::Record(order_id), now + LEDGER_PATIENCE);
        self.outputs.push_back(Output::Write {
            user: user.clone(),
            order_id,
            entry,
        });
    }

    pub(super) fn tell_again(&mut self, order_id: OrderId) {
        let Some(order) = self.orders.get(&order_id) else {
            return;
        };
        if order.phase == Phase::Granted {
            // A game that has put other `Orders` in place is to be able to acknowledge it.
            self.outputs.push_back(Output::Notice(Notice::Restored {
                order_id,
                user: order.user.clone(),
                entry: Entry::Granted,
            }));
        }
        if let Some(status) = &order.status {
            self.outputs.push_back(Output::Notice(Notice::Status {
                order_id,
                previous: Some(status.clone()),
                status: status.clone(),
                source: NewsSource::Request,
            }));
        }
    }

    /// Starts what it takes to follow an order.
    pub(super) fn begin(&mut self, order_id: OrderId, now: Duration) {
        self.timers.clear(&Timer::Record(order_id));
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if order.phase != Phase::Recording {
            return;
        }
        order.phase = Phase::Open;
        let user = order.user.clone();
        let record = self.users.entry(user.clone()).or_insert_with(User::new);
        if record.open.is_empty() {
            record.is_polling = false;
        }
        record.recording.remove(&order_id);
        record.open.insert(order_id);
        record.awaiting.insert(order_id);
        let strays = record.take_strays(order_id);
        self.schedule_give_up(order_id, now);
        self.ask_at(order_id, now);
        for status in strays {
            self.hear(order_id, &status, NewsSource::Socket, now);
        }
        self.open_socket_if_wanted(&user, now);
        self.update_state(&user);
    }

    /// The game has granted an order. Whether it was one to grant.
    pub(crate) fn acknowledge(&mut self, order_id: OrderId) -> bool {
        match self.orders.get_mut(&order_id) {
            Some(order) if order.phase == Phase::Granted => {
                order.phase = Phase::Acknowledged;
                let user = order.user.clone();
                self.outputs.push_back(Output::Write {
                    user,
                    order_id,
                    entry: Entry::Acknowledged,
                });
                true
            }
            Some(order) => order.phase == Phase::Acknowledged,
            None => false,
        }
    }

    /// Stops following an order that the player does not want to pay now. It stays in the ledger, and
    /// news of it begins it anew.
    pub(crate) fn abandon(&mut self, order_id: OrderId, now: Duration) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        let is_unpaid = matches!(order.phase, Phase::Recording | Phase::Open) && !order.is_paid();
        if !is_unpaid {
            return;
        }
        order.phase = Phase::Failed;
        order.keeps_entry = true;
        // That it is there, a history may yet say: it is no news.
        order.status.get_or_insert(OrderStatus::New);
        order.age += now.saturating_sub(order.begun);
        let user = order.user.clone();
        self.outputs
            .push_back(Output::Notice(Notice::Abandoned { order_id }));
        self.close_order(order_id, &user);
        self.update_state(&user);
        self.forget_user_if_unused(&user);
    }

    /// The game's systems have had a whole frame to hear how an order ended: it need not be told
    /// after a restart.
    pub(crate) fn told(&mut self, order_id: OrderId) {
        if let Some(order) = self.orders.get(&order_id)
            && matches!(order.phase, Phase::Ended | Phase::Failed)
            && !order.keeps_entry
        {
            let user = order.user.clone();
            self.outputs.push_back(Output::Erase { user, order_id });
        }
    }

    /// Forgets an order, in the ledger as well.
    pub(crate) fn untrack(&mut self, order_id: OrderId) {
        match self.orders.get(&order_id).map(|order| order.user.clone()) {
            Some(user) => {
                self.forget(order_id);
                self.outputs.push_back(Output::Erase {
                    user: user.clone(),
                    order_id,
                });
                self.forget_user_if_unused(&user);
            }
            // A ledger that is being read, or is read late, may have it.
            None => {
                for (user, record) in &mut self.users {
                    record.queued.remove(&order_id);
                    if record.ledger != LedgerState::Ready {
                        record.untracked.insert(order_id);
                    }
                    self.outputs.push_back(Output::Erase {
                        user: user.clone(),
                        order_id,
                    });
                }
            }
        }
        // Whatever was said of the order before this is of its life before.
        self.outputs
            .push_back(Output::Notice(Notice::Untracked { order_id }));
    }

    pub(super) fn forget(&mut self, order_id: OrderId) {
        if let Some(order) = self.orders.remove(&order_id) {
            self.close_order(order_id, &order.user);
            self.update_state(&order.user);
        }
    }

    /// Takes what a server said of an order's status.
    pub(super) fn hear(
        &mut self,
        order_id: OrderId,
        status: &OrderStatus,
        source: NewsSource,
        now: Duration,
    ) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        let previous = order.status.clone();
        if !order.advance(status, now) {
            return self.grant_if_ready(order_id);
        }
        self.outputs.push_back(Output::Notice(Notice::Status {
            order_id,
            previous,
            status: status.clone(),
            source,
        }));
        let user = order.user.clone();
        let was_done = order.was_granted;
        if status.is_final()
            && let Some(record) = self.users.get_mut(&user)
        {
            record.awaiting.remove(&order_id);
        }
        match status {
            OrderStatus::Canceled => {
                order.phase = Phase::Ended;
                let details = order.details.as_ref();
                let items = details.map(|details| details.items.clone());
                self.outputs.push_back(Output::Notice(Notice::Canceled {
                    order_id,
                    user: user.clone(),
                    was_done,
                    items: items.unwrap_or_default(),
                }));
                self.close_order(order_id, &user);
            }
            OrderStatus::Expired => {
                order.phase = Phase::Ended;
                self.outputs.push_back(Output::Notice(Notice::Expired {
                    order_id,
                    user: user.clone(),
                }));
                self.close_order(order_id, &user);
            }
            OrderStatus::Done => {
                self.grant_if_ready(order_id);
                self.close_socket_if_unused(&user);
                // What to grant may be unknown still: then nothing but an answer can tell.
                self.schedule_give_up(order_id, now);
                self.want(order_id, now);
            }
            // That an order is there hurries nothing.
            OrderStatus::New => {}
            OrderStatus::Paid | OrderStatus::Other(_) => self.schedule_give_up(order_id, now),
        }
    }

    pub(super) fn grant_if_ready(&mut self, order_id: OrderId) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if order.phase != Phase::Open || order.status != Some(OrderStatus::Done) {
            return;
        }
        let Some(Details { items, price }) = order.details.as_deref().cloned() else {
            return;
        };
        order.phase = Phase::Granted;
        order.was_granted = true;
        let user = order.user.clone();
        self.outputs.push_back(Output::Write {
            user: user.clone(),
            order_id,
            entry: Entry::Granted,
        });
        self.outputs.push_back(Output::Notice(Notice::Done {
            order_id,
            user: user.clone(),
            items,
            price,
        }));
        self.close_order(order_id, &user);
    }

    /// When an order's time for news is over. What an order from the ledger has waited before counts
    /// until it is paid.
    fn give_up_at(&self, order_id: OrderId) -> Option<Duration> {
        let (config, order) = (self.config.as_ref()?, self.orders.get(&order_id)?);
        let waited = match order.is_paid() {
            true => Duration::ZERO,
            false => order.age,
        };
        let patience = config.tracking_timeout.saturating_sub(waited);
        (order.phase == Phase::Open).then(|| order.last_news + patience)
    }

    pub(super) fn schedule_give_up(&mut self, order_id: OrderId, now: Duration) {
        let Some(at) = self.give_up_at(order_id) else {
            return;
        };
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.is_overdue = false;
        }
        // A timer that goes off sooner looks again. News comes far more often.
        let (timer, at) = (Timer::GiveUp(order_id), at.max(now));
        if self.timers.get(&timer).is_none_or(|set| set > at) {
            self.timers.set(timer, at);
        }
    }

    /// The time for news is over. An order is given up by an answer, though, and not by a clock: the
    /// machine may have slept since it was last asked for, or the clock been set.
    pub(super) fn give_up(&mut self, order_id: OrderId, now: Duration) {
        let Some(at) = self.give_up_at(order_id) else {
            return;
        };
        let (Some(config), Some(order)) = (self.config.clone(), self.orders.get_mut(&order_id))
        else {
            return;
        };
        if at > now && !order.is_overdue {
            return self.timers.set(Timer::GiveUp(order_id), at);
        }
        let waits_for_a_token = self
            .users
            .get(&order.user)
            .is_none_or(|record| record.authorization != Authorization::Valid);
        if waits_for_a_token {
            let at = now + config.poll_interval_max;
            return self.timers.set(Timer::GiveUp(order_id), at);
        }
        order.is_overdue = true;
        let at = now + config.tracking_timeout;
        self.timers.set(Timer::GiveUp(order_id), at);
        self.want(order_id, now);
    }

    pub(super) fn time_out(&mut self, order_id: OrderId, now: Duration) {
        if let Some(config) = &self.config {
            let error = TrackingError::TimedOut(config.tracking_timeout);
            self.fail(order_id, error, now);
        }
    }

    pub(super) fn fail(&mut self, order_id: OrderId, error: TrackingError, now: Duration) {
        let timeout = self.config.as_ref().map(|config| config.tracking_timeout);
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        order.phase = Phase::Failed;
        // After a restart it is tried again: what was paid for always, the rest for a day.
        let age = order.age + now.saturating_sub(order.begun);
        // One that was refused may have been paid in an earlier run, for all that is known.
        let patience = match &error {
            TrackingError::Refused(_) => Some(KEEP_REFUSED),
            _ => timeout,
        };
        order.keeps_entry =
            order.is_paid() || order.was_granted || patience.is_none_or(|patience| age < patience);
        let user = order.user.clone();
        self.outputs.push_back(Output::Notice(Notice::Failed {
            order_id,
            user: user.clone(),
            error,
        }));
        self.close_order(order_id, &user);
    }

    /// Stops what runs for an order.
    pub(super) fn close_order(&mut self, order_id: OrderId, user: &UserId) {
        self.timers.clear(&Timer::Ask(order_id));
        self.timers.clear(&Timer::GiveUp(order_id));
        if let Some(order) = self.orders.get_mut(&order_id) {
            order.request = None;
        }
        if let Some(record) = self.users.get_mut(user) {
            record.open.remove(&order_id);
            record.awaiting.remove(&order_id);
            record.recording.remove(&order_id);
            record.checking.remove(&order_id);
        }
        self.timers.clear(&Timer::Record(order_id));
        self.close_socket_if_unused(user);
    }
}
