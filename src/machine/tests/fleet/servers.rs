//! What happens in a server, and what its machine and its game do.

use super::*;

impl Fleet {
    pub(super) fn happens_inside(&mut self, server: usize, inside: Inside) {
        match inside {
            Inside::Tick => {
                self.servers[server].next_tick = None;
                let now = self.now;
                self.servers[server].machine.tick(now);
                self.collect(server);
            }
            Inside::Ledger => self.write_ledger(server),
            Inside::Look => {
                self.look(server);
                self.inside(server, LOOK, Inside::Look);
            }
            Inside::Report(report) => {
                self.counts.taken += u32::from(matches!(report, LedgerReport::Taken(_)));
                self.handle(server, Input::Ledger(report));
            }
            Inside::Answer(request, order_id) => {
                if !self.servers[server].requests.remove(&request) {
                    return;
                }
                let answer =
                    match self.is_hard && self.is_in_trouble() && self.random.u32(0..8) == 0 {
                        true => Err(foreign(502)),
                        false => Ok(Report {
                            order_id,
                            ..report(self.orders[&order_id].status)
                        }),
                    };
                let answer = Answer::Order(answer);
                self.handle(server, Input::Answered { request, answer });
            }
            Inside::SocketOpens(user, connection) => {
                let socket = self.servers[server].sockets.get_mut(&user);
                if let Some((current, is_open)) = socket
                    && *current == connection
                {
                    *is_open = true;
                    let subscribed = Input::Subscribed {
                        user,
                        connection,
                        recovered: false,
                        heard_all: false,
                    };
                    self.handle(server, subscribed);
                }
            }
            Inside::Hear(user, connection, order_id, status) => {
                let report = Report {
                    order_id,
                    items: None,
                    ..report(status)
                };
                let news = Input::News {
                    user,
                    connection,
                    report,
                };
                self.handle(server, news);
            }
            Inside::Grant(order_id, user) => {
                if !self.is_database_there() {
                    return self.inside(server, seconds(1), Inside::Grant(order_id, user));
                }
                if self.note_grant(order_id, user) {
                    *self.grants.entry(order_id).or_default() += 1;
                    self.counts.granted += 1;
                }
                self.handle(server, Input::Acknowledge(order_id));
            }
            Inside::TakeBack(order_id, user) => {
                if !self.is_database_there() {
                    return self.inside(server, seconds(1), Inside::TakeBack(order_id, user));
                }
                self.note_refund(order_id, user);
            }
            Inside::Delivered(order_id) => self.handle(server, Input::Delivered(order_id)),
        }
    }

    pub(super) fn handle(&mut self, server: usize, input: Input) {
        let now = self.now;
        self.servers[server].machine.handle(input, now);
        self.collect(server);
    }

    pub(super) fn collect(&mut self, server: usize) {
        while let Some(output) = self.servers[server].machine.next_output() {
            match output {
                Output::Load(user) => self.job(server, Job::Load(user)),
                Output::Record {
                    user,
                    order_id,
                    entry,
                    claims,
                } => self.job(server, Job::Record(user, order_id, entry, claims)),
                Output::Erase { user, order_id } => self.job(server, Job::Erase(user, order_id)),
                Output::Connect {
                    connection, user, ..
                } => {
                    let user = user.id().clone();
                    self.servers[server]
                        .sockets
                        .insert(user.clone(), (connection, false));
                    let delay = self.some(seconds(2));
                    self.inside(server, delay, Inside::SocketOpens(user, connection));
                }
                Output::Disconnect(user) => drop(self.servers[server].sockets.remove(&user)),
                Output::Request {
                    request,
                    call: Call::GetOrder(order_id),
                    ..
                } => {
                    self.servers[server].requests.insert(request);
                    let delay = self.some(seconds(2));
                    self.inside(server, delay, Inside::Answer(request, order_id));
                }
                Output::CancelRequest(request) => {
                    self.servers[server].requests.remove(&request);
                }
                Output::Confirm(receipt) => {
                    let number = usize::try_from(receipt.0).unwrap();
                    self.confirmed.insert(self.webhooks[number]);
                }
                Output::Notice(notice) => self.hears(server, notice),
                Output::Request { .. }
                | Output::UseLedger(_)
                | Output::Release(_)
                | Output::OpenPage(_)
                | Output::Hurry { .. }
                | Output::Settled { .. } => {}
            }
        }
        let of = &mut self.servers[server];
        let deadline = of.machine.deadline();
        if let Some(deadline) = deadline
            && of.next_tick.is_none_or(|tick| deadline < tick)
        {
            of.next_tick = Some(deadline);
            let delay = deadline.saturating_sub(self.now);
            self.inside(server, delay, Inside::Tick);
        }
    }

    pub(super) fn job(&mut self, server: usize, job: Job) {
        let of = &mut self.servers[server];
        of.jobs.push_back(job);
        if !std::mem::replace(&mut of.is_ledger_busy, true) {
            let delay = Duration::from_millis(self.random.u64(0..100));
            self.inside(server, delay, Inside::Ledger);
        }
    }

    /// The game hears a notice, and writes its tables soon after it.
    pub(super) fn hears(&mut self, server: usize, notice: Notice) {
        let delay = Duration::from_millis(self.random.u64(1..1_000));
        match notice {
            Notice::Done(done) => {
                self.counts.told += 1;
                self.judge_telling(server, done.order_id);
                self.inside(server, delay, Inside::Grant(done.order_id, done.user));
            }
            Notice::Canceled(canceled) => {
                let order_id = canceled.order_id;
                let frame = Duration::from_millis(30);
                self.inside(server, frame, Inside::Delivered(order_id));
                if canceled.was_done {
                    self.inside(server, delay, Inside::TakeBack(order_id, canceled.user));
                }
            }
            Notice::Expired(expired) => {
                let frame = Duration::from_millis(30);
                self.inside(server, frame, Inside::Delivered(expired.order_id));
            }
            _ => {}
        }
    }
}
