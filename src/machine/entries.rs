//! The ledger: what it is told, and what it knew of before.

use super::*;

impl Machine {
    /// Puts what is known of a user's orders into a ledger that does not have it.
    pub(super) fn write_anew(&mut self, user: &UserId) {
        for (order_id, order) in self.orders.iter().filter(|(_, order)| order.user == *user) {
            if let Some(entry) = order.entry() {
                self.outputs.push_back(Output::Write {
                    user: user.clone(),
                    order_id: *order_id,
                    entry,
                });
            }
        }
    }

    /// The ledger has been read: what was open is followed again, what was acknowledged is asked for
    /// once, because it may have been refunded meanwhile. A ledger that was in use elsewhere may be read
    /// a second time, later.
    pub(crate) fn ledger_loaded(&mut self, user: &UserId, orders: Vec<Restored>, now: Duration) {
        self.ledger_is_silent(false);
        self.take_loaded(user, orders, now);
    }

    pub(super) fn take_loaded(&mut self, user: &UserId, orders: Vec<Restored>, now: Duration) {
        self.timers.clear(&Timer::Read(user.clone()));
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        if record.ledger == LedgerState::Unknown {
            return;
        }
        record.ledger = LedgerState::Ready;
        let queued = std::mem::take(&mut record.queued);
        let untracked = std::mem::take(&mut record.untracked);
        for restored in orders {
            if !untracked.contains(&restored.order_id) {
                self.restore(user, restored, now);
            }
        }
        for order_id in queued {
            self.track_known(user, order_id, now);
        }
        self.check_acknowledged(user, now);
        self.update_state(user);
        self.forget_user_if_unused(user);
    }

    pub(super) fn ledger_is_silent(&mut self, is_silent: bool) {
        if is_silent != self.is_ledger_silent {
            self.is_ledger_silent = is_silent;
            self.outputs.push_back(Output::LedgerSilent(is_silent));
        }
    }

    pub(super) fn restore(&mut self, user: &UserId, restored: Restored, now: Duration) {
        let Restored {
            order_id,
            entry,
            age,
        } = restored;
        if let Some(order) = self.orders.get_mut(&order_id) {
            // The ledger was read late. It knows better what the game was told.
            if order.user != *user || order.phase == Phase::Acknowledged {
                return;
            }
            order.was_granted |= entry >= Entry::Granted;
            if entry != Entry::Acknowledged || order.phase == Phase::Ended {
                return;
            }
            order.phase = Phase::Acknowledged;
            self.close_order(order_id, user);
        } else if entry == Entry::Acknowledged {
            let order = Order::acknowledged(user.clone(), age, now);
            self.orders.insert(order_id, Box::new(order));
            let window = self.config.as_ref().map(|config| config.refund_window);
            if let Some(record) = self.users.get_mut(user)
                && window.is_some_and(|window| age < window)
            {
                record.checking.insert(order_id);
            }
        } else {
            let mut order = Order::restored(user.clone(), age, now);
            order.was_granted = entry == Entry::Granted;
            self.orders.insert(order_id, Box::new(order));
            self.begin(order_id, now);
        }
        self.outputs.push_back(Output::Notice(Notice::Restored {
            order_id,
            user: user.clone(),
            entry,
        }));
    }

    /// An order's entry is in the ledger, or will not be, for trouble that was told.
    pub(crate) fn written(&mut self, order_id: OrderId, entry: Entry, now: Duration) {
        self.ledger_is_silent(false);
        let phase = self.orders.get(&order_id).map(|order| order.phase);
        match (entry, phase) {
            (Entry::Open | Entry::Granted, Some(Phase::Recording)) => self.begin(order_id, now),
            (Entry::Acknowledged, Some(Phase::Acknowledged)) => self
                .outputs
                .push_back(Output::Notice(Notice::Acknowledged { order_id })),
            _ => {}
        }
    }

    pub(super) fn load_ledger(&mut self, user: &UserId, now: Duration) {
        let is_configured = self.config.is_some();
        if let Some(record) = self.users.get_mut(user)
            && record.ledger == LedgerState::Unknown
            && record.authorization == Authorization::Valid
            && is_configured
        {
            record.ledger = LedgerState::Loading;
            self.timers
                .set(Timer::Read(user.clone()), now + LEDGER_PATIENCE);
            let user = user.clone();
            self.outputs.push_back(Output::LoadLedger { user });
        }
    }

    /// Asks for the orders that were acknowledged in earlier runs, one after the other.
    pub(super) fn check_acknowledged(&mut self, user: &UserId, now: Duration) {
        let (Some(config), Some(record)) = (self.config.clone(), self.users.get(user)) else {
            return;
        };
        let mut at = now;
        for order_id in record.checking.clone() {
            at += config.poll_interval;
            self.ask_at(order_id, at);
        }
    }
}
