//! What a random world's game hears, and whether it is right.

use super::*;

impl World {
    /// The game forgets an order, and hears no more of it until it tracks it again.
    pub(super) fn untrack(&mut self, order_id: OrderId) {
        self.tracked.remove(&order_id);
        // The entry of an account that is not known here stays in the ledger.
        let stored = self.ledger.get(&order_id);
        let is_own = stored.is_none_or(|(owner, ..)| *owner == self.player);
        let is_known = self.machine.players.contains_key(&self.player());
        self.untracked.insert(order_id, is_own && is_known);
        self.granted_now.remove(&order_id);
        self.safe.remove(&order_id);
        self.canceled_now.remove(&order_id);
        self.told_canceled.remove(&order_id);
        self.known_paid.remove(&order_id);
        self.listed.remove(&order_id);
        self.handle(Input::Untrack(order_id));
    }

    pub(super) fn told(&mut self, notice: Notice) {
        let seed = self.seed;
        match notice {
            Notice::Done(_) | Notice::Canceled(_) | Notice::Expired(_) | Notice::Failed(_)
                if notice
                    .order_id()
                    .is_some_and(|order_id| self.untracked.get(&order_id) == Some(&true)) =>
            {
                panic!("seed {seed}: the game has untracked the order: {notice:?}");
            }
            Notice::Done(OrderDone {
                order_id, items, ..
            }) => {
                assert!(
                    self.may_be_granted(order_id),
                    "seed {seed}: {order_id} is not done"
                );
                let order = &self.server[&order_id];
                assert_eq!(items, order.items[1], "seed {seed}: {order_id}");
                assert!(
                    self.granted_now.insert(order_id),
                    "seed {seed}: {order_id} was granted twice"
                );
                assert!(
                    !self.safe.contains(&order_id),
                    "seed {seed}: {order_id} was granted after its acknowledgement"
                );
                assert!(
                    !self.canceled_now.contains(&order_id),
                    "seed {seed}: {order_id} was granted after its cancellation"
                );
                self.granted_ever.insert(order_id);
                let process = self.process;
                self.after_some(seconds(30), Event::Acknowledge(process, order_id));
            }
            Notice::Phase {
                order_id,
                phase: OrderPhase::Acknowledged,
                ..
            } => {
                self.safe.insert(order_id);
            }
            Notice::Canceled(OrderCanceled {
                order_id,
                was_done,
                items,
                ..
            }) => {
                assert!(
                    self.server[&order_id].has_been("canceled"),
                    "seed {seed}: {order_id} is not canceled"
                );
                if self.granted_now.contains(&order_id) || self.safe.contains(&order_id) {
                    assert!(was_done, "seed {seed}: {order_id} was granted before");
                }
                // What was granted is what the game has to take back.
                let is_listed = self.listed.contains(&order_id);
                if was_done && (is_listed || self.granted_now.contains(&order_id)) {
                    let granted = &self.server[&order_id].items[1];
                    assert_eq!(items, *granted, "seed {seed}: the refund of {order_id}");
                }
                self.canceled_now.insert(order_id);
                self.told_canceled.insert(order_id, was_done);
                self.told_ended.insert(order_id);
                self.after(seconds(1), Event::Told(self.process, order_id));
            }
            Notice::Expired(OrderExpired { order_id, .. }) => {
                assert!(
                    self.server[&order_id].has_been("expired"),
                    "seed {seed}: {order_id} has not expired"
                );
                self.told_ended.insert(order_id);
                self.after(seconds(1), Event::Told(self.process, order_id));
            }
            Notice::Failed(OrderTrackingFailed {
                order_id, error, ..
            }) => {
                // A clock that jumps by a day may have it given up by an answer that lags behind the
                // payment. It is granted all the same, at the next start at the latest.
                assert!(
                    self.skew > Duration::ZERO,
                    "seed {seed}: {order_id} was given up: {error}"
                );
                self.given_up.insert(order_id);
                self.after(seconds(1), Event::Told(self.process, order_id));
            }
            Notice::PurchaseStarted(started) => {
                self.purchase_is_answered(started.purchase_id);
                // The player pays once they see the page.
                let order = self.server.get_mut(&started.order_id);
                if order.is_some_and(|order| std::mem::take(&mut order.waits_for_page)) {
                    self.after_some(seconds(400), Event::Move(started.order_id));
                }
                self.untracked.remove(&started.order_id);
                self.tracked.insert(started.order_id);
            }
            Notice::Discovered(discovered) if self.has_queue() => {
                let order_id = discovered.order_id;
                self.told_ended.remove(&order_id);
                self.after_some(seconds(30), Event::Track(order_id));
            }
            Notice::PurchaseFailed(failed) => self.purchase_is_answered(failed.purchase_id),
            Notice::AuthorizationRequired(_) => {
                let process = self.process;
                self.after_some(seconds(120), Event::LogIn(process));
            }
            _ => {}
        }
    }

    pub(super) fn purchase_is_answered(&mut self, id: PurchaseId) {
        let seed = self.seed;
        assert!(
            self.unanswered.remove(&id).is_some(),
            "seed {seed}: a purchase was answered twice"
        );
    }

    /// Checks what must hold once the world has been calm for long enough.
    pub(super) fn check(&mut self) {
        let seed = self.seed;
        for (order_id, order) in &self.server {
            let last = order.history.last().map(|(_, status)| status.as_str());
            match last {
                Some("done") => assert!(
                    self.granted_ever.contains(order_id),
                    "seed {seed}: {order_id} is done and was never granted"
                ),
                Some("canceled") if !order.has_been("done") => assert!(
                    self.told_canceled.contains_key(order_id),
                    "seed {seed}: {order_id} is canceled and nobody was told"
                ),
                _ => assert!(
                    !self.granted_ever.contains(order_id) || order.has_been("done"),
                    "seed {seed}: {order_id} was granted falsely"
                ),
            }
        }
        assert!(
            self.machine.is_idle(),
            "seed {seed}: something still runs: {:?}",
            self.machine.timers
        );
        assert_eq!(self.machine.state, TrackerState::Idle, "seed {seed}");
        assert_eq!(self.socket, None, "seed {seed}: a socket is open");
    }

    /// Checks what must hold of a harder world by then. An order that was given up there may be granted only
    /// at the next start.
    pub(super) fn check_promises(&self) {
        let seed = self.seed;
        assert!(
            self.unanswered.is_empty(),
            "seed {seed}: a purchase was not answered"
        );
        for order_id in self.server.keys() {
            assert!(
                !self.granted_ever.contains(order_id) || self.may_be_granted(*order_id),
                "seed {seed}: {order_id} was granted falsely"
            );
        }
    }

    /// Checks that the next start finds out refunds.
    pub(super) fn check_after_a_restart(&mut self) {
        let seed = self.seed;
        let was_safe = self.safe.clone();
        self.start();
        self.end_of_trouble = self.now;
        self.run();
        for (order_id, order) in &self.server {
            let last = order.history.last().map(|(_, status)| status.as_str());
            assert!(
                last != Some("done")
                    || self.granted_ever.contains(order_id)
                    || self.untracked.contains_key(order_id),
                "seed {seed}: {order_id} is done and was never granted"
            );
        }
        for (order_id, order) in &self.server {
            if order.has_been("canceled") && !self.untracked.contains_key(order_id) {
                let was_done = self.told_canceled.get(order_id);
                assert!(
                    was_done.is_some(),
                    "seed {seed}: {order_id}'s refund is not told"
                );
                if self.granted_ever.contains(order_id) && self.safe.contains(order_id) {
                    assert_eq!(was_done, Some(&true), "seed {seed}: {order_id}");
                }
            }
            assert!(
                !(was_safe.contains(order_id) && self.granted_now.contains(order_id)),
                "seed {seed}: {order_id} was granted after its acknowledgement"
            );
        }
        for (webhook, is_confirmed) in &self.webhooks {
            assert!(is_confirmed, "seed {seed}: {webhook:?} is not confirmed");
        }
        if self.has_queue() {
            self.check_queue();
            // The queue is read as long as the player is logged in.
            self.handle(Input::LogOut(self.player()));
        }
        // An unpaid order is still waited for.
        let mut orders = self.server.values();
        let is_unpaid = orders.any(|order| order.waits_for_page || !order.to_come.is_empty());
        assert!(
            is_unpaid || self.machine.is_idle(),
            "seed {seed}: something still runs: {:?}",
            self.machine.timers
        );
    }
}
