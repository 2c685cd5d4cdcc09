//! Handles a ledger that servers share, in which each order is followed by one of them.

use std::time::Duration;

use crate::machine::Machine;
use crate::machine::order::Hold;
use crate::machine::output::{Notice, Output};
use crate::model::ledger::TakenOrder;
use crate::model::order::{OrderId, OrderPhase};
use crate::model::record::LedgerEntry;

impl Machine {
    pub(super) fn is_shared(&self) -> bool {
        let config = self.config.as_ref();
        config.is_some_and(|config| config.ledger.is_shared())
    }

    /// Has the ledger record an order's entry. A claim makes the order this server's.
    pub(super) fn record_entry(&mut self, order_id: OrderId, entry: LedgerEntry, claims: bool) {
        let is_shared = self.is_shared();
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        if claims && is_shared {
            order.claims = order.claims.saturating_add(1);
        }
        // It may answer what was asked before, in place of the report that does not come any more.
        let entry = match order.hold {
            Hold::Asked(asked) => entry.max(asked),
            Hold::Unknown | Hold::Confirmed => entry,
        };
        self.outputs.push_back(Output::Record {
            user: order.user.clone(),
            order_id,
            entry,
            claims,
        });
    }

    /// Whether the game may be told that an order is done or canceled. Where servers share the ledger, it first has to
    /// have this entry: then no other server has taken the order.
    pub(super) fn is_held(&mut self, order_id: OrderId, entry: LedgerEntry) -> bool {
        if !self.is_shared() {
            return true;
        }
        let Some(order) = self.orders.get_mut(&order_id) else {
            return false;
        };
        match order.hold {
            Hold::Confirmed => true,
            Hold::Asked(asked) if asked >= entry => false,
            Hold::Asked(_) | Hold::Unknown => {
                order.hold = Hold::Asked(entry);
                self.record_entry(order_id, entry, false);
                false
            }
        }
    }

    /// Notes that the ledger has an entry of an order of this server's.
    pub(super) fn confirm_hold(
        &mut self,
        order_id: OrderId,
        entry: LedgerEntry,
        is_written: bool,
        claims: bool,
    ) {
        if let Some(order) = self.orders.get_mut(&order_id)
            && is_written
        {
            order.claims = order.claims.saturating_sub(u16::from(claims));
            if let Hold::Asked(asked) = order.hold
                && entry >= asked
            {
                order.hold = Hold::Confirmed;
            }
        }
    }

    /// Handles an order that another server has taken. It follows the order, so this one forgets it.
    pub(super) fn taken(&mut self, taken: TakenOrder, now: Duration) {
        let order_id = taken.order_id;
        let Some(order) = self.orders.get_mut(&order_id) else {
            return;
        };
        // What was asked was refused.
        order.hold = Hold::Unknown;
        if order.claims > 0 {
            // It is being taken back.
            return;
        }
        if taken.entry.is_none()
            && let Some(entry) = order.entry()
        {
            // Nobody has it: the ledger has lost it, or another server was done with it. What was granted is never
            // erased from a shared ledger.
            return self.record_entry(order_id, entry, true);
        }
        let user = order.user.clone();
        let phase = match taken.entry {
            Some(LedgerEntry::Acknowledged) => OrderPhase::Acknowledged,
            Some(LedgerEntry::Canceled) => OrderPhase::Ended,
            _ => OrderPhase::Elsewhere,
        };
        self.tell(Notice::Phase {
            order_id,
            user: user.clone(),
            phase,
        });
        self.settle_purchases(order_id, now);
        self.forget(order_id);
        self.update_state(&user);
        self.forget_player_if_unused(&user);
    }
}
