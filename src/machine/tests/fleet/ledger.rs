//! The ledger that the servers share, with the notes of their games.

use super::*;

impl Fleet {
    /// As the SQL function of that name.
    pub(super) fn note_grant(&mut self, order_id: OrderId, user: UserId) -> bool {
        let process = 0;
        let row = self.ledger.entry(order_id).or_insert(Row {
            user,
            entry: LedgerEntry::Open,
            process,
            is_granted: false,
            is_taken_back: false,
            changed: self.now,
        });
        let grants = row.entry < LedgerEntry::Acknowledged && !row.is_granted && !row.is_taken_back;
        if grants {
            row.entry = LedgerEntry::Acknowledged;
            row.is_granted = true;
            row.changed = self.now;
        }
        grants
    }

    /// As the SQL function of that name.
    pub(super) fn note_refund(&mut self, order_id: OrderId, user: UserId) {
        let row = self.ledger.entry(order_id).or_insert(Row {
            user,
            entry: LedgerEntry::Canceled,
            process: 0,
            is_granted: false,
            is_taken_back: false,
            changed: self.now,
        });
        if !std::mem::replace(&mut row.is_taken_back, true) {
            row.entry = LedgerEntry::Canceled;
            if row.is_granted {
                *self.taken_back.entry(order_id).or_default() += 1;
                self.counts.taken_back += 1;
            }
        }
    }

    pub(super) fn write_ledger(&mut self, server: usize) {
        if !self.is_database_there() {
            let open: Vec<(OrderId, bool)> = self.servers[server]
                .jobs
                .iter()
                .filter_map(|job| match job {
                    Job::Record(_, order_id, LedgerEntry::Open, claims) => {
                        Some((*order_id, *claims))
                    }
                    _ => None,
                })
                .collect();
            // Tracking does not wait for a database that is away.
            for (order_id, claims) in open {
                self.report(
                    server,
                    LedgerReport::Recorded {
                        project_id: PROJECT,
                        order_id,
                        entry: LedgerEntry::Open,
                        before: None,
                        is_written: false,
                        claims,
                    },
                );
            }
            return self.inside(server, seconds(3), Inside::Ledger);
        }
        self.servers[server].is_ledger_busy = false;
        let process = self.servers[server].process;
        for job in std::mem::take(&mut self.servers[server].jobs) {
            match job {
                Job::Load(user) => {
                    let mut orders = Vec::new();
                    for (order_id, row) in &mut self.ledger {
                        if row.user == user {
                            if row.process != process {
                                row.changed = self.now;
                            }
                            row.process = process;
                            orders.push(Restored {
                                order_id: *order_id,
                                entry: row.entry,
                                age: seconds(5),
                            });
                        }
                    }
                    let loaded = LedgerReport::Loaded {
                        project_id: PROJECT,
                        user,
                        orders,
                        outcome: LoadOutcome::Read,
                    };
                    self.report(server, loaded);
                }
                Job::Record(user, order_id, entry, claims) => {
                    let before = self.ledger.get(&order_id);
                    let is_own = before.is_some_and(|row| row.process == process);
                    let before = before.map(|row| row.entry);
                    if !(claims || is_own) {
                        self.report(server, taken(order_id, before));
                        continue;
                    }
                    let row = self.ledger.entry(order_id).or_insert(Row {
                        user: user.clone(),
                        entry,
                        process,
                        is_granted: false,
                        is_taken_back: false,
                        changed: self.now,
                    });
                    if row.process != process {
                        row.changed = self.now;
                    }
                    row.user = user;
                    row.entry = row.entry.max(entry);
                    row.process = process;
                    row.is_granted |= entry == LedgerEntry::Acknowledged;
                    let recorded = LedgerReport::Recorded {
                        project_id: PROJECT,
                        order_id,
                        entry,
                        before,
                        is_written: true,
                        claims,
                    };
                    self.report(server, recorded);
                }
                Job::Erase(user, order_id) => {
                    let row = self.ledger.get(&order_id);
                    let is_own = row.is_some_and(|row| row.process == process && row.user == user);
                    if is_own && row.is_some_and(|row| !row.is_granted && !row.is_taken_back) {
                        self.ledger.remove(&order_id);
                    }
                }
            }
        }
    }

    pub(super) fn report(&mut self, server: usize, report: LedgerReport) {
        let delay = Duration::from_millis(self.random.u64(0..50));
        let at = (self.now + delay).max(self.servers[server].last_report);
        self.servers[server].last_report = at;
        self.inside(server, at - self.now, Inside::Report(report));
    }

    pub(super) fn look(&mut self, server: usize) {
        if !self.is_database_there() {
            return;
        }
        let of = &self.servers[server];
        let claimed = |order_id: &OrderId| {
            let mut jobs = of.jobs.iter();
            jobs.any(|job| matches!(job, Job::Record(_, of, _, true) if of == order_id))
        };
        let is_lost = |order_id: &OrderId| {
            let row = self.ledger.get(order_id);
            row.is_none_or(|row| row.process != of.process)
        };
        let is_open = |order: &&OrderId| {
            let phase = of.machine.orders.get(*order).map(|order| order.phase);
            phase.is_some_and(|phase| phase.is_open())
        };
        let open: Vec<OrderId> = of.machine.orders.keys().copied().collect();
        let lost: Vec<OrderId> = open
            .iter()
            .filter(is_open)
            .copied()
            .filter(|order_id| is_lost(order_id) && !claimed(order_id))
            .collect();
        for order_id in lost {
            let entry = self.ledger.get(&order_id).map(|row| row.entry);
            self.report(server, taken(order_id, entry));
        }
    }
}

fn taken(order_id: OrderId, entry: Option<LedgerEntry>) -> LedgerReport {
    LedgerReport::Taken(TakenOrder {
        project_id: PROJECT,
        order_id,
        entry,
    })
}
