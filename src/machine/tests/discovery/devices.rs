//! Several devices of one player, who buys elsewhere, at random.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A device of a player, who buys in the Web Shop. Each has a ledger of its own.
struct Device {
    sim: Sim,
    /// How many publications of the stream its socket was told.
    heard: usize,
    /// How long the stream was when it was first told all of it.
    first: Option<usize>,
    acknowledged: BTreeMap<OrderId, usize>,
}

impl Device {
    /// Has a socket be told what it has missed, or everything if it has no session.
    fn connect(&mut self, stream: &[(OrderId, &'static str)]) {
        for (order_id, status) in stream.iter().skip(self.heard) {
            self.sim.publish(*order_id, status);
        }
        self.heard = stream.len();
        self.first.get_or_insert(stream.len());
        self.sim.socket_is_live(true);
    }

    fn play(&mut self, statuses: &BTreeMap<OrderId, &'static str>) {
        let sim = &mut self.sim;
        sim.tick();
        while let Some((order_id, _)) = sim.requests.front().copied() {
            sim.answer(Ok(report(statuses[&order_id])));
            sim.tick();
        }
    }

    fn acknowledge(&mut self) {
        let done = self.sim.notices.iter().filter_map(|notice| match notice {
            Notice::Done(done) => Some(done.order_id),
            _ => None,
        });
        for order_id in done.collect::<Vec<_>>() {
            self.sim.acknowledge(order_id);
            *self.acknowledged.entry(order_id).or_default() += 1;
        }
        self.sim.notices.clear();
    }
}

#[test]
fn on_each_device_what_is_bought_elsewhere_is_granted_once_and_nothing_of_its_past() {
    let mut granted = 0;
    for seed in 0..600 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut stream: Vec<(OrderId, &'static str)> = Vec::new();
        let mut statuses: BTreeMap<OrderId, &'static str> = BTreeMap::new();
        let mut devices: Vec<Device> = Vec::new();
        for _ in 0..random.usize(20..200) {
            // Which of an order's statuses comes next.
            let order_id = OrderId(random.u64(1..=12));
            let next = match statuses.get(&order_id) {
                None => Some("new"),
                Some(&"new") => Some("paid"),
                Some(&"paid") => Some("done"),
                _ => None,
            };
            if let Some(next) = next
                && random.u8(..3) == 0
            {
                statuses.insert(order_id, next);
                stream.push((order_id, next));
                for device in &mut devices {
                    // A publication may be told twice.
                    if device.sim.socket.is_some() && device.heard + 1 == stream.len() {
                        device.heard = stream.len();
                        for _ in 0..random.u8(1..=2) {
                            device.sim.publish(order_id, next);
                        }
                    }
                }
            }
            if devices.len() < 3 && random.u8(..30) == 0 {
                devices.push(Device {
                    sim: listening(true),
                    heard: 0,
                    first: None,
                    acknowledged: BTreeMap::new(),
                });
            }
            for device in &mut devices {
                match random.u8(..12) {
                    0 => {
                        device.sim.restart();
                        device.heard = 0;
                    }
                    1 if device.sim.socket.is_some() => device.sim.socket_ends(lost()),
                    2..=4 if device.sim.socket.is_some() => device.connect(&stream),
                    5..=6 => device.play(&statuses),
                    7..=8 => device.acknowledge(),
                    _ => device.sim.pass(seconds(random.u64(..30))),
                }
            }
        }
        for device in &mut devices {
            for _ in 0..20 {
                device.sim.pass(seconds(30));
                if device.sim.socket.is_some() {
                    device.connect(&stream);
                }
                device.play(&statuses);
                device.acknowledge();
            }
            let first = device.first.expect("it has connected");
            let over = |order: &(OrderId, &str)| order.1 == "done";
            let (before, after) = stream.split_at(first);
            let before: BTreeSet<OrderId> = before
                .iter()
                .filter(|o| over(o))
                .map(|(id, _)| *id)
                .collect();
            let after: BTreeSet<OrderId> = after
                .iter()
                .filter(|o| over(o))
                .map(|(id, _)| *id)
                .collect();
            for order_id in &before {
                let count = device.acknowledged.get(order_id);
                assert_eq!(count, None, "seed {seed}: {order_id} was granted before");
            }
            for order_id in &after {
                let count = device.acknowledged.get(order_id);
                assert_eq!(count, Some(&1), "seed {seed}: order {order_id}");
                granted += 1;
            }
        }
    }
    assert!(granted > 2_000, "only {granted} orders were granted");
}
