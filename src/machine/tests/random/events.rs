//! What happens in a random world.

use super::*;

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Machine if self.next_tick.is_some_and(|at| at <= self.now) => {
                self.next_tick = None;
                self.machine.tick(self.machine_now());
            }
            Event::Move(order_id) => self.move_on(order_id),
            // A game does not track again what it heard to have ended.
            Event::Track(order_id) if self.told_ended.contains(&order_id) => {}
            // In the other project it would be another order.
            Event::Track(order_id) if self.project == OTHER_PROJECT => {
                self.after(seconds(30), Event::Track(order_id));
            }
            Event::Track(order_id) => {
                self.untracked.remove(&order_id);
                self.tracked.insert(order_id);
                self.handle(Input::Track {
                    user: self.player(),
                    order_id,
                });
            }
            Event::Untrack(order_id) if self.project == PROJECT => {
                self.untrack(order_id);
            }
            Event::SocketOpens(connection) if self.socket == Some(connection) => {
                self.socket_opens(connection);
            }
            Event::SocketDrops(connection) if self.socket == Some(connection) => {
                self.socket = None;
                let reason = match self.random.u32(0..8) {
                    0 => closed(3503),
                    1 => closed(3001),
                    2 => SocketError::PingMissing,
                    _ => lost(),
                };
                self.handle(Input::Ended {
                    user: self.player(),
                    connection,
                    reason,
                });
            }
            Event::Hear(connection, order_id, status)
                if self.socket == Some(connection) || self.hard.is_some() =>
            {
                self.hear(connection, order_id, &status);
            }
            Event::Answer(order_id, request) if self.in_flight.get(&order_id) == Some(&request) => {
                self.in_flight.remove(&order_id);
                self.answered_at.insert(order_id, self.now);
                let answer = self.answer(order_id);
                let answer = Answer::Order(answer);
                self.handle(Input::Answered { request, answer });
            }
            // Tracking does not wait for a ledger that another instance holds.
            Event::Written(process, order_id, UNWRITTEN | ELSEWHERE) if process == self.process => {
                let entry = LedgerEntry::Open;
                let project_id = match event {
                    Event::Written(_, _, ELSEWHERE) => OTHER_PROJECT,
                    _ => PROJECT,
                };
                self.handle(Input::Ledger(LedgerReport::Recorded {
                    project_id,
                    order_id,
                    entry,
                    before: None,
                    is_written: false,
                    claims: false,
                }));
            }
            Event::Written(process, order_id, number) if process == self.process => {
                let entry = (order_id, number);
                if let Some(at) = self.writing.iter().position(|writing| *writing == entry) {
                    self.writing.remove(at);
                    self.record(order_id, number);
                }
            }
            Event::Loaded(process) if process == self.process && self.is_locked => {
                self.handle(Input::Ledger(LedgerReport::Loaded {
                    project_id: self.project,
                    user: self.player(),
                    orders: Vec::new(),
                    outcome: LoadOutcome::Locked,
                }));
            }
            Event::Loaded(process) if process == self.process && self.project == OTHER_PROJECT => {
                self.handle(Input::Ledger(LedgerReport::Loaded {
                    project_id: self.project,
                    user: self.player(),
                    orders: Vec::new(),
                    outcome: LoadOutcome::Read,
                }));
            }
            Event::Loaded(process)
                if process == self.process && self.now < self.disk_hangs_until =>
            {
                let left = self.disk_hangs_until - self.now;
                self.after(left, Event::Loaded(process));
            }
            Event::Loaded(process) if process == self.process => {
                // What came before is written first.
                for (order_id, number) in std::mem::take(&mut self.writing) {
                    self.record(order_id, number);
                }
                // The calendar may be wrong by weeks.
                let days = self.hard_number(20);
                let own = self
                    .ledger
                    .iter()
                    .filter(|(_, (owner, ..))| *owner == self.player);
                let restored = own.map(|(order_id, (_, entry, at))| Restored {
                    order_id: *order_id,
                    entry: *entry,
                    age: self.now - *at + seconds(days * 24 * 3600),
                });
                let restored = restored.collect();
                self.handle(Input::Ledger(LedgerReport::Loaded {
                    project_id: self.project,
                    user: self.player(),
                    orders: restored,
                    outcome: LoadOutcome::Read,
                }));
            }
            Event::Acknowledge(process, order_id) if process == self.process => {
                self.handle(Input::Acknowledge(order_id));
            }
            Event::LogIn(process) if process == self.process => self.log_in(),
            Event::LogOut(process) if process == self.process => {
                self.is_logged_in = false;
                self.handle(Input::LogOut(self.player()));
                self.hard_after(seconds(100), Event::LogIn(process));
            }
            Event::ClockJumps => {
                let hours = self.hard_number(30);
                self.skew += seconds(hours * 3600);
                // The platform may notice the sleep before a timer does, or not at all.
                match self.hard_number(3) {
                    0 => self.handle(Input::Resumed),
                    1 => self.handle(Input::Returned),
                    _ => {}
                }
                self.machine.tick(self.machine_now());
            }
            Event::Buy if self.project == PROJECT => {
                self.last_purchase += 1;
                let id = PurchaseId::next();
                self.unanswered.insert(id, self.now);
                self.handle(Input::Purchase {
                    id,
                    user: self.player(),
                    purchase: Box::new(Purchase::item("sword")),
                });
            }
            Event::Created(request, order_id) => {
                let created = CreatedOrder {
                    order_id,
                    token: Some("token".to_owned()),
                };
                let answer = Answer::Created(Ok(created));
                self.handle(Input::Answered { request, answer });
                // The purchase tracks its order, unless it is given up already. The game may die before it hears of it.
                if let Some(is_gone) = self.untracked.get_mut(&order_id) {
                    *is_gone &= !self.machine.orders.contains_key(&order_id);
                }
            }
            Event::NotCreated(request) => {
                let answer = Answer::Created(Err(http(500)));
                self.handle(Input::Answered { request, answer });
            }
            Event::ChangeProject(process, project) if process == self.process => {
                self.project = project;
                let mut config = self.config(project);
                config.socket_url = format!("wss://{project}.test/");
                self.handle(Input::Configure(Some(Arc::new(config))));
                if project == OTHER_PROJECT {
                    for order_id in self.tracked.clone() {
                        if order_id.0 % 2 == 1 {
                            let user = self.player();
                            self.handle(Input::Track { user, order_id });
                        }
                    }
                    self.hard_after(seconds(100), Event::ChangeProject(process, PROJECT));
                }
            }
            Event::Unlock(process) if process == self.process => {
                self.is_locked = false;
                for order_id in std::mem::take(&mut self.unerased) {
                    self.ledger.remove(&order_id);
                }
                // The entries that waited are written before any are read.
                self.writing.append(&mut self.unwritten);
                self.after(seconds(1), Event::Loaded(process));
            }
            Event::Frame(process) if process == self.process => {
                self.is_frame_due = false;
                while let Some(notice) = self.outbox.pop_front() {
                    self.told(notice);
                }
            }
            Event::Told(process, order_id) if process == self.process => {
                // The game has to track an order again that was given up and is not in the ledger.
                let owner = self.ledger.get(&order_id).map(|(owner, ..)| *owner);
                if !self.given_up.contains(&order_id) || owner == Some(self.player) {
                    self.tracked.remove(&order_id);
                }
                self.handle(Input::Delivered(order_id));
            }
            Event::Webhook(webhook) => self.send_webhook(webhook),
            Event::ReadQueue(connection)
                if self.socket == Some(connection)
                    && self.has_opened()
                    && self.project == PROJECT =>
            {
                self.read_queue(connection);
            }
            Event::Kill => self.start(),
            // The event is for something that is gone.
            _ => {}
        }
    }
}
