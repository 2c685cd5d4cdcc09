//! The time in which players order, pay and move, and everything fails.

use super::*;

impl Fleet {
    pub fn storm(&mut self) {
        let mut steps = Vec::new();
        for (step, count) in [
            (Step::Order, self.size),
            (Step::Advance, self.size * 7 / 2),
            (Step::Move, self.size),
            (Step::Race, self.size / 6),
            (Step::Kill, self.size / 10),
            (Step::Pause, (self.size / 50).max(2)),
            (Step::RestartDatabase, (self.size / 100).max(1)),
            (Step::Cut, self.size / 6),
            (Step::Trouble, self.size / 6),
        ] {
            steps.extend(std::iter::repeat_n(step, count));
        }
        self.random.shuffle(&mut steps);
        // Some time for each order, so that the storm is as thick whatever the size.
        let time = Duration::from_millis(220) * u32::try_from(self.size).unwrap();
        let (pace, webhooks) = (
            time / u32::try_from(steps.len()).unwrap(),
            REPEATED_FOR / u32::try_from(steps.len()).unwrap(),
        );
        for step in steps {
            self.step(step);
            self.emulator.pass_webhook_time(webhooks);
            std::thread::sleep(pace.mul_f64(self.random.f64() * 2.0));
            self.do_what_is_due();
        }
        // Servers that were paused are not to come back to a fleet at rest.
        while !self.paused.is_empty() {
            self.step(Step::Move);
            self.step(Step::Advance);
            std::thread::sleep(pace);
            self.do_what_is_due();
        }
    }

    pub fn step(&mut self, step: Step) {
        match step {
            Step::Order => self.order(),
            Step::Advance => {
                if let Some(order_id) = self.next_planned() {
                    self.advance(order_id);
                }
            }
            Step::Move => {
                let player = self.random.usize(..self.players.len());
                self.move_player(player);
            }
            Step::Race => self.race(),
            Step::Kill => self.kill(),
            Step::Pause => self.pause(),
            Step::RestartDatabase => {
                if self.database_is_due.take().is_some() {
                    self.postgres.go_on();
                }
                self.postgres.kill();
                self.figures.restarts += 1;
                let time = Duration::from_millis(self.random.u64(..3_000));
                self.database_is_due = Some(Instant::now() + time);
            }
            Step::Cut => self.cut(),
            Step::Trouble => self.make_trouble(),
        }
    }

    pub fn do_what_is_due(&mut self) {
        let now = Instant::now();
        if self.database_is_due.is_some_and(|due| due <= now) {
            self.database_is_due = None;
            self.postgres.go_on();
        }
        let (due, paused) = self.paused.iter().partition(|(at, _)| *at <= now);
        self.paused = paused;
        for (_, number) in due {
            self.resume(number);
        }
        let servers = &self.servers;
        let addresses = servers.iter().filter_map(Server::webhooks).collect();
        self.front.routes().servers = addresses;
    }

    pub fn order(&mut self) {
        let player = self.random.usize(..self.players.len());
        let user = XsollaUser::new(&self.players[player].token);
        let items = [("sword", 1), ("potion", self.random.u64(1..=9))];
        let order_id = self.emulator.create_order(&user, &items);
        let way = self.random.choice([Way::Webhook, Way::Socket, Way::Both]);
        let plan = match self.random.u32(..20) {
            0..11 => vec![OrderStatus::Done],
            11..16 => vec![OrderStatus::Canceled, OrderStatus::Done],
            16..18 => vec![OrderStatus::Canceled],
            18 => vec![OrderStatus::Expired],
            _ => Vec::new(),
        };
        let mut order = Order {
            player,
            way: way.unwrap(),
            plan,
            is_paid: false,
            is_refunded: false,
            is_refunded_late: self.random.u32(..4) > 0,
        };
        if order.plan.last() == Some(&OrderStatus::Done) && self.random.bool() {
            order.plan.push(OrderStatus::Paid);
        }
        if order.way == Way::Socket {
            self.front.routes().kept.insert(order_id);
        }
        let (joins, server) = (order.way != Way::Webhook, self.players[player].server);
        self.orders.insert(order_id, order);
        if joins {
            self.join(player, server, &[order_id]);
        }
    }

    /// An order to which something is to happen now.
    pub fn next_planned(&mut self) -> Option<OrderId> {
        let said = self.said.lock().unwrap();
        let planned = self.orders.iter().filter(|(order_id, order)| {
            !order.plan.is_empty() && (!order.waits_for_grant() || said.granted.contains(order_id))
        });
        let planned: Vec<OrderId> = planned.map(|(order_id, _)| *order_id).collect();
        self.random.choice(planned)
    }

    pub fn advance(&mut self, order_id: OrderId) {
        let order = self.orders.get_mut(&order_id).unwrap();
        let Some(status) = order.plan.pop() else {
            return;
        };
        let is_over = status == OrderStatus::Canceled;
        order.is_refunded |= is_over && order.is_paid;
        order.is_paid |= matches!(status, OrderStatus::Paid | OrderStatus::Done);
        match self.random.u32(..6) {
            // The socket says nothing of it.
            0 => self.emulator.set_status_silently(order_id, status.as_str()),
            _ => self.emulator.set_status(order_id, status.as_str()),
        }
    }

    pub fn move_player(&mut self, player: usize) {
        let server = self.random.usize(..SERVERS);
        self.players[player].server = server;
        let orders = self.orders_of(player);
        self.join(player, server, &orders);
    }

    /// Both servers may be told to grant: the other comes between the steps of the first, which is held up.
    pub fn race(&mut self) {
        let is_to_be_done = |(_, order): &(&OrderId, &mut Order)| {
            order.way != Way::Webhook && order.plan.contains(&OrderStatus::Done)
        };
        let mut orders = self.orders.iter_mut().filter(is_to_be_done);
        let Some((&order_id, order)) = orders.next() else {
            return;
        };
        order.plan.retain(|status| *status != OrderStatus::Paid);
        let player = order.player;
        let first = self.players[player].server;
        let other = (first + 1) % SERVERS;
        self.networks[other].set(Mode::Open);
        let lock = if self.random.bool() {
            self.networks[first].set(Mode::Slow);
            None
        } else {
            self.networks[first].set(Mode::Open);
            Some(self.lock_grants())
        };
        self.advance(order_id);
        std::thread::sleep(Duration::from_millis(self.random.u64(400..1_000)));
        self.players[player].server = other;
        self.join(player, other, &[order_id]);
        self.networks[first].set(Mode::Open);
        if let Some(mut lock) = lock {
            lock.wait_for_end();
        }
    }

    /// Lets no server write a grant for a while, unless the database is down.
    pub fn lock_grants(&self) -> Process {
        let lock = "LOCK TABLE grants; SELECT pg_sleep(1.5)";
        let lock = Process::start(&mut self.postgres.slow_query(lock));
        let is_locked = "SELECT count(*) FROM pg_locks WHERE relation = 'grants'::regclass \
            AND mode = 'AccessExclusiveLock' AND granted";
        let patience = Instant::now() + Duration::from_secs(1);
        while self
            .postgres
            .ask(is_locked)
            .is_some_and(|count| count == "0")
            && Instant::now() < patience
        {
            std::thread::yield_now();
        }
        lock
    }

    /// Mostly in the moments after a server was told something.
    pub fn kill(&mut self) {
        let number = self.random.usize(..SERVERS);
        if self.random.u32(..4) > 0
            && let Some(order_id) = self.next_planned()
        {
            let lines = self.said().lines.len();
            self.advance(order_id);
            let patience = Instant::now() + Duration::from_millis(300);
            while self.said().lines.len() == lines && Instant::now() < patience {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_micros(self.random.u64(..20_000)));
        }
        assert!(self.servers[number].is_alive(), "server {number} has ended");
        self.paused.retain(|(_, paused)| *paused != number);
        // The old one is dropped, which kills it.
        self.servers[number] = self.new_server(number);
        self.figures.kills += 1;
    }

    pub fn pause(&mut self) {
        let number = self.random.usize(..SERVERS);
        if self.servers[number].is_paused {
            self.resume(number);
        }
        self.servers[number].signal("-STOP");
        self.servers[number].is_paused = true;
        self.paused.retain(|(_, paused)| *paused != number);
        self.paused.push((Instant::now() + PAUSE, number));
        self.figures.pauses += 1;
    }

    pub fn resume(&mut self, number: usize) {
        self.servers[number].signal("-CONT");
        self.servers[number].is_paused = false;
    }

    pub fn cut(&mut self) {
        let network = &self.networks[self.random.usize(..SERVERS)];
        self.figures.cuts += 1;
        match self.random.u32(..10) {
            0 => network.cut(),
            1 => network.set(Mode::Stalled),
            2..4 => network.set(Mode::LosesAnswer),
            4..7 => network.set(Mode::Slow),
            _ => {
                for network in &self.networks {
                    network.set(Mode::Open);
                }
            }
        }
    }

    pub fn make_trouble(&mut self) {
        match self.random.u32(..6) {
            0..2 => self.emulator.drop_sockets(),
            2 => self.emulator.fail_requests(Fault::status(503).times(5)),
            3 => self.emulator.drop_requests(true),
            4 => self.emulator.cut_webhooks(true),
            _ => {
                self.emulator.drop_requests(false);
                self.emulator.cut_webhooks(false);
            }
        }
    }
}
