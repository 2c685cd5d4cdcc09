//! The queue of events in a random world, which is read in place of a socket.

use super::*;

impl World {
    /// Whether the game reads the queue of events.
    pub(super) fn has_queue(&self) -> bool {
        cfg!(feature = "event_queue") && self.hard.is_some() && matches!(self.seed % 8, 1 | 2)
    }

    pub(super) fn config(&self, project: u64) -> XsollaConfig {
        let mut config = XsollaConfig::new(project);
        #[cfg(feature = "event_queue")]
        if self.has_queue() {
            config.source = crate::model::source::OrderSource::EventQueue;
            // Some games adopt what they find in the queue.
            config.adopt_orders = self.seed % 8 == 1 && project == PROJECT;
        }
        config
    }

    /// Xsolla puts an event into the queue.
    pub(super) fn queue_event(&mut self, event: Webhook) {
        self.last_queued += 1;
        let id = self.last_queued;
        if self.hard_chance(20) && !self.queue.is_empty() {
            // It overtakes the one before it.
            self.queue.insert(self.queue.len() - 1, (id, event));
        } else {
            self.queue.push((id, event));
        }
    }

    /// Has the queue read after this time at most.
    pub(super) fn plan_reading(&mut self, within: Duration) {
        if let Some(connection) = self.socket {
            self.hard_after(within, Event::ReadQueue(connection));
        }
    }

    pub(super) fn hurry(&mut self, is_awaited: bool) {
        self.is_awaited = is_awaited;
        self.plan_reading(seconds(1));
    }

    /// The game reads what is in the queue, and hears each event once or twice.
    pub(super) fn read_queue(&mut self, connection: ConnectionId) {
        for (id, event) in self.queue.clone() {
            self.told_events.insert(id);
            let copies = if self.hard_chance(20) { 2 } else { 1 };
            for _ in 0..copies {
                self.hear(connection, event.order_id, event.status);
            }
        }
        let pace = if self.is_awaited { 3 } else { 60 };
        self.after(seconds(pace), Event::ReadQueue(connection));
    }

    /// Takes the events of an order out of the queue, of which the game is done with what it was told.
    pub(super) fn settle(&mut self, order_id: OrderId, status: &OrderStatus) {
        let seed = self.seed;
        let entry = self.ledger.get(&order_id).map(|(_, entry, _)| *entry);
        let least = match status {
            OrderStatus::Canceled if self.granted_ever.contains(&order_id) => LedgerEntry::Canceled,
            OrderStatus::Canceled => LedgerEntry::Open,
            _ => LedgerEntry::Acknowledged,
        };
        let is_told = self.told_ended.contains(&order_id);
        assert!(
            entry >= Some(least) || is_told,
            "seed {seed}: {order_id} is processed as {status}, and the ledger has {entry:?}"
        );
        if self.hard_chance(20) {
            // The request did not get through.
            return;
        }
        let told = &self.told_events;
        self.queue.retain(|(id, event)| {
            let is_past = event.status == "done" || *status == OrderStatus::Canceled;
            event.order_id != order_id || !is_past || !told.contains(id)
        });
    }

    /// Checks that nothing is left in the queue that the game was done with.
    pub(super) fn check_queue(&self) {
        for (_, event) in &self.queue {
            let order_id = event.order_id;
            // A player who is known by another name here is another player, whose orders nobody tracks.
            let owner = self.ledger.get(&order_id).map(|(owner, ..)| *owner);
            let is_followed = owner == Some(self.player) && !self.untracked.contains_key(&order_id);
            let is_left = event.status == "done" && self.safe.contains(&order_id) && is_followed;
            assert!(
                !is_left,
                "seed {}: {order_id} is acknowledged, and in the queue",
                self.seed
            );
        }
    }
}
