//! What is outside the machine in a random world: the store, the socket, and the disk.

use super::*;

impl World {
    /// The disk has written an entry.
    pub(super) fn record(&mut self, order_id: OrderId, number: u8) {
        let entry = [
            LedgerEntry::Open,
            LedgerEntry::Granted,
            LedgerEntry::Acknowledged,
            LedgerEntry::Canceled,
        ][usize::from(number)];
        let before = self.ledger.get(&order_id).map(|(_, entry, _)| *entry);
        self.write(order_id, entry);
        self.handle(Input::Ledger(LedgerReport::Recorded {
            project_id: PROJECT,
            order_id,
            entry,
            before,
            is_written: true,
            claims: false,
        }));
    }

    pub(super) fn move_on(&mut self, order_id: OrderId) {
        let now = self.now;
        let Some(order) = self.server.get_mut(&order_id) else {
            return;
        };
        let Some(status) = order.to_come.pop_front() else {
            return;
        };
        order.history.push((now, status.clone()));
        let is_paid_now = status == "paid" || status == "done";
        if is_paid_now && order.empty_until.is_zero() {
            let minutes = self.hard.as_mut().map_or(0, |hard| hard.u64(0..5));
            order.empty_until = now + seconds(minutes * 60);
        }
        let has_more = !order.to_come.is_empty();
        self.plan_webhook(order_id, &status);
        if self.has_queue() {
            if has_more {
                self.after_some(seconds(200), Event::Move(order_id));
            }
            return;
        }
        self.stream.push((order_id, status.clone()));
        if has_more {
            self.after_some(seconds(200), Event::Move(order_id));
        }
        if let Some(connection) = self.socket
            && self.has_opened()
            && self.project == PROJECT
        {
            self.sent = self.stream.len();
            let delay = Duration::from_millis(self.random.u64(0..2_000));
            self.after(delay, Event::Hear(connection, order_id, status.clone()));
            if self.chance(20) {
                let delay = Duration::from_millis(self.random.u64(0..9_000));
                self.after(delay, Event::Hear(connection, order_id, status));
            }
        }
    }

    /// Has Xsolla send a webhook when an order is paid, and when it is refunded.
    fn plan_webhook(&mut self, order_id: OrderId, status: &str) {
        let order = &self.server[&order_id];
        let is_first = !(order.has_been("paid") && status == "done");
        let is_paid = order.has_been("paid") || order.has_been("done");
        let status = match status {
            "paid" | "done" if is_first => "done",
            "canceled" if is_paid => "canceled",
            _ => return,
        };
        let webhook = Webhook { order_id, status };
        if self.has_queue() {
            self.queue_event(webhook);
        }
        if self.has_webhooks() {
            self.hard_after(seconds(100), Event::Webhook(webhook));
            if self.hard_chance(20) {
                self.hard_after(seconds(600), Event::Webhook(webhook));
            }
        }
    }

    pub(super) fn send_webhook(&mut self, webhook: Webhook) {
        let is_confirmed = *self.webhooks.entry(webhook).or_default();
        if is_confirmed && !self.hard_chance(50) {
            return;
        }
        let receipt = Receipt(self.random.u64(..));
        self.receipts.insert(receipt, webhook);
        #[cfg(feature = "webhook")]
        self.handle(Input::Pushed {
            user: self.player(),
            project_id: Some(PROJECT),
            report: Report {
                order_id: webhook.order_id,
                items: Some(self.server[&webhook.order_id].items[1].clone()),
                ..report(webhook.status)
            },
            source: crate::model::message::NewsSource::Webhook,
            receipt: Some(receipt),
        });
        // It comes again unless it is confirmed.
        self.after(seconds(300), Event::Webhook(webhook));
    }

    fn webhook_is_confirmed(&mut self, receipt: Receipt) {
        let seed = self.seed;
        let webhook = self.receipts.remove(&receipt).unwrap();
        let entry = self
            .ledger
            .get(&webhook.order_id)
            .map(|(_, entry, _)| *entry);
        let least = match webhook.status {
            "canceled" => LedgerEntry::Canceled,
            _ => LedgerEntry::Acknowledged,
        };
        assert!(
            entry >= Some(least),
            "seed {seed}: {webhook:?} is confirmed, and the ledger has {entry:?}"
        );
        self.webhooks.insert(webhook, true);
    }

    pub(super) fn has_opened(&self) -> bool {
        self.machine
            .players
            .get(&self.player())
            .is_some_and(|player| player.is_live())
    }

    pub(super) fn hear(&mut self, connection: ConnectionId, order_id: OrderId, status: &str) {
        self.handle(Input::News {
            user: self.player(),
            connection,
            report: Report {
                order_id,
                items: None,
                ..report(status)
            },
        });
    }

    pub(super) fn socket_opens(&mut self, connection: ConnectionId) {
        if self.project == OTHER_PROJECT {
            // The other project has another order of the same id.
            for order_id in self.tracked.clone() {
                self.hear(connection, order_id, "paid");
                if order_id.0.is_multiple_of(2) {
                    self.hear(connection, order_id, "done");
                }
            }
            return self.handle(Input::Subscribed {
                user: self.player(),
                connection,
                recovered: true,
                heard_all: true,
            });
        }
        if self.now >= self.token_until {
            self.socket = None;
            self.is_token_refused = true;
            let reason = closed(3500);
            return self.handle(Input::Ended {
                user: self.player(),
                connection,
                reason,
            });
        }
        if self.has_queue() {
            self.told_events.clear();
            self.read_queue(connection);
            self.handle(Input::Subscribed {
                user: self.player(),
                connection,
                recovered: false,
                heard_all: true,
            });
            if self.chance(60) {
                self.after_some(seconds(200), Event::SocketDrops(connection));
            }
            return;
        }
        // The socket delivers history at first and recovery later. Either may be missing.
        let recovered = !self.chance(25);
        if recovered {
            let from = if self.has_connected { self.sent } else { 0 };
            for (order_id, status) in self.stream.clone().split_off(from) {
                self.hear(connection, order_id, &status);
            }
        }
        self.has_connected = true;
        self.sent = self.stream.len();
        self.handle(Input::Subscribed {
            user: self.player(),
            connection,
            recovered,
            heard_all: recovered,
        });
        if self.chance(60) {
            self.after_some(seconds(200), Event::SocketDrops(connection));
        }
    }

    pub(super) fn answer(&mut self, order_id: OrderId) -> Result<Report, RequestError> {
        if self.project == OTHER_PROJECT {
            return Ok(Report {
                order_id,
                items: Some(vec![OrderItem::new("shield", 1)]),
                ..report(if order_id.0.is_multiple_of(2) {
                    "done"
                } else {
                    "paid"
                })
            });
        }
        if self.hard_chance(10) {
            // A firewall or a CDN answers in the store's place.
            let status = [401, 403, 404, 502][self.hard_number(4) as usize];
            return Err(foreign(status));
        }
        if self.now >= self.token_until {
            self.is_token_refused = true;
            return Err(http(401));
        }
        if self.chance(30) {
            return Err(match self.random.u32(0..5) {
                0 => http(500),
                1 => RequestError::TimedOut,
                2 => RequestError::Malformed("test".to_owned()),
                3 => {
                    let wait = seconds(self.random.u64(1..60));
                    self.hold_until = self.hold_until.max(self.now + wait);
                    RequestError::Status {
                        status: 429,
                        code: None,
                        message: None,
                        transaction_id: None,
                        retry_after: Some(wait),
                    }
                }
                _ => RequestError::Network("test".to_owned()),
            });
        }
        let lag = if self.chance(30) {
            Duration::from_millis(self.random.u64(0..10_000))
        } else {
            Duration::ZERO
        };
        let order = &self.server[&order_id];
        // A new order is not visible everywhere yet.
        if self.now - order.history[0].0 < lag || self.now < order.hidden_until {
            return Err(http(404));
        }
        let status = order.status_at(self.now - lag).map(str::to_owned);
        let is_paid = status
            .as_deref()
            .is_some_and(|status| !matches!(status, "new" | "in_review" | "expired"));
        let items = match is_paid && self.now < order.empty_until {
            true => Vec::new(),
            false => order.items[usize::from(is_paid)].clone(),
        };
        let lacks_status = self.chance(5);
        let lacks_items = self.chance(10);
        if is_paid && !lacks_items && !items.is_empty() {
            self.listed.insert(order_id);
        }
        Ok(Report {
            order_id,
            status: status
                .filter(|_| !lacks_status)
                .map(|s| OrderStatus::parse(&s)),
            items: (!lacks_items).then_some(items),
            price: None,
        })
    }

    pub(super) fn write(&mut self, order_id: OrderId, entry: LedgerEntry) {
        let (entry, since) = match self.ledger.get(&order_id) {
            // An entry is raised and never lowered.
            Some((_, known, since)) if *known >= entry => (*known, *since),
            _ => (entry, self.now),
        };
        // The entry of another player moves to this one.
        self.ledger.insert(order_id, (self.player, entry, since));
    }

    /// Carries out the machine's outputs, and checks its promises.
    pub(super) fn perform(&mut self) {
        while let Some(output) = self.machine.next_output() {
            match output {
                Output::Connect { connection, .. } => {
                    self.socket = Some(connection);
                    let delay = Duration::from_millis(self.random.u64(10..3_000));
                    if self.chance(30) {
                        self.after(delay, Event::SocketDrops(connection));
                    } else {
                        self.after(delay, Event::SocketOpens(connection));
                    }
                }
                Output::Disconnect(_) => self.socket = None,
                Output::Request {
                    request,
                    call: Call::GetOrder(order_id),
                    ..
                } => self.ask(order_id, request),
                Output::CancelRequest(request) => self.in_flight.retain(|_, of| *of != request),
                Output::Request {
                    request,
                    call: Call::CreateOrder(_),
                    ..
                } => self.create(request),
                Output::Load(_) => {
                    let process = self.process;
                    self.after_some(seconds(2), Event::Loaded(process));
                }
                Output::Record {
                    order_id, entry, ..
                } => {
                    let number = match entry {
                        LedgerEntry::Past if self.has_queue() => continue,
                        LedgerEntry::Past => panic!("nobody adopts orders here"),
                        LedgerEntry::Open => 0,
                        LedgerEntry::Granted => 1,
                        LedgerEntry::Acknowledged => 2,
                        LedgerEntry::Canceled => 3,
                    };
                    // Nothing is kept while another instance has the ledger, or in the other project.
                    if self.is_locked || self.project == OTHER_PROJECT {
                        let lost = match self.project {
                            PROJECT => UNWRITTEN,
                            _ => ELSEWHERE,
                        };
                        let lost = Event::Written(self.process, order_id, lost);
                        if number == 0 {
                            self.after(seconds(1), lost);
                        }
                        if self.is_locked && self.project == PROJECT {
                            self.unwritten.push((order_id, number));
                        }
                        continue;
                    }
                    // The machine waits for no disk longer than this one hangs.
                    if self.hard_chance(3) && self.now > self.disk_hangs_until + seconds(30) {
                        self.disk_hangs_until = self.now + seconds(self.hard_number(15));
                    }
                    // The disk takes its time, and keeps the sequence of the entries.
                    let hangs = self.disk_hangs_until.saturating_sub(self.now);
                    self.writing.push((order_id, number));
                    let written = Event::Written(self.process, order_id, number);
                    self.after(hangs + seconds(1), written);
                }
                Output::Erase { user, order_id } => {
                    let owner = self.ledger.get(&order_id).map(|(owner, ..)| *owner);
                    let is_own = owner.is_some_and(|owner| token(owner, 0).id() == &user);
                    if self.untracked.contains_key(&order_id) {
                        self.writing.retain(|(writing, _)| *writing != order_id);
                        self.unwritten.retain(|(writing, _)| *writing != order_id);
                    }
                    if is_own && self.project == PROJECT {
                        match self.is_locked && self.untracked.contains_key(&order_id) {
                            true => self.unerased.push(order_id),
                            false => drop(self.ledger.remove(&order_id)),
                        }
                    }
                }
                Output::Confirm(receipt) => self.webhook_is_confirmed(receipt),
                Output::Hurry { is_awaited, .. } => self.hurry(is_awaited),
                Output::Settled {
                    order_id, status, ..
                } if self.project == PROJECT => self.settle(order_id, &status),
                Output::Settled { .. } => {}
                Output::UseLedger(_)
                | Output::Release(_)
                | Output::Request { .. }
                | Output::OpenPage { .. } => {}
                // The same id is another order there.
                Output::Notice(Notice::Discovered(_)) if self.project != PROJECT => {}
                Output::Notice(notice) if self.hard.is_none() => self.told(notice),
                Output::Notice(notice) => {
                    if let Notice::StatusChanged(changed) = &notice
                        && matches!(changed.status, OrderStatus::Paid | OrderStatus::Done)
                        && self.project == PROJECT
                    {
                        self.known_paid.insert(changed.order_id);
                    }
                    if let Notice::AuthorizationRequired(required) = &notice {
                        let is_ahead = matches!(
                            required.error,
                            AuthorizationError::ExpiresSoon(_) | AuthorizationError::Expired
                        );
                        assert!(
                            is_ahead || self.is_token_refused,
                            "seed {}: no server has refused the token: {}",
                            self.seed,
                            required.error
                        );
                    }
                    if let Notice::Failed(failed) = &notice {
                        let (seed, order_id) = (self.seed, failed.order_id);
                        assert!(
                            !self.known_paid.contains(&order_id),
                            "seed {seed}: {order_id} was paid and is given up"
                        );
                    }
                    if let Notice::Untracked(order_id) = &notice {
                        let order_id = Some(*order_id);
                        self.outbox.retain(|earlier| {
                            let is_answer = earlier.answered_purchase().is_some();
                            earlier.order_id() != order_id || is_answer
                        });
                    }
                    self.outbox.push_back(notice);
                    if !std::mem::replace(&mut self.is_frame_due, true) {
                        let frame = Event::Frame(self.process);
                        let delay = match self.hard_chance(5) {
                            true => seconds(5),
                            false => Duration::from_millis(16),
                        };
                        self.after(delay, frame);
                    }
                }
            }
        }
        let deadline = self.machine.deadline();
        if let Some(at) = deadline.map(|at| at.saturating_sub(self.skew))
            && self.next_tick.is_none_or(|next| at < next)
        {
            self.next_tick = Some(at);
            self.after(at.saturating_sub(self.now), Event::Machine);
        }
    }

    /// The store creates an order, or answers with one that is known.
    pub(super) fn create(&mut self, request: RequestId) {
        let number = self.hard_number(10);
        if number < 2 {
            return self.hard_after(seconds(5), Event::NotCreated(request));
        }
        // An order whose end was told is not known any more.
        let known: Vec<OrderId> = self.server.keys().copied().collect();
        let known: Vec<OrderId> = known
            .into_iter()
            .filter(|order_id| !self.told_ended.contains(order_id) && !self.is_locked)
            .collect();
        let order_id = if number < 5 && !known.is_empty() {
            known[self.hard_number(known.len() as u64) as usize]
        } else {
            let order_id = OrderId(1_000 + self.last_purchase);
            if !self.server.contains_key(&order_id) {
                self.create_order(order_id);
                if let Some(order) = self.server.get_mut(&order_id) {
                    order.waits_for_page = true;
                }
            }
            order_id
        };
        self.hard_after(seconds(5), Event::Created(request, order_id));
    }

    pub(super) fn ask(&mut self, order_id: OrderId, request: RequestId) {
        let seed = self.seed;
        let other = self.in_flight.insert(order_id, request);
        assert_eq!(other, None, "seed {seed}: two requests for {order_id}");
        if let Some(answered) = self.answered_at.get(&order_id) {
            let distance = self.now - *answered;
            assert!(
                distance >= Duration::from_millis(250) || self.hard.is_some(),
                "seed {seed}: {order_id} was asked for again after {distance:?}"
            );
        }
        assert!(
            self.now >= self.hold_until || self.process > 1 || self.hard.is_some(),
            "seed {seed}: asked before Retry-After was over"
        );
        self.after_some(seconds(5), Event::Answer(order_id, request));
    }
}
