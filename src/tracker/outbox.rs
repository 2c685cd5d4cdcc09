//! The queue of notices for the game.

use std::collections::VecDeque;

use crate::model::maps::HashMap;
use crossbeam_channel::SendError;

use crate::machine::output::Notice;
use crate::model::order::OrderId;
use crate::tracker::notices::NoticeSender;

/// The number of notices that are ready in the channel. They suffice for a frame to go on while more are put
/// in, and are few enough that the end of an order behind them is delivered in this frame or the next.
const READY_MAX: usize = 2048;

/// A burst waits here and not in the channel, so that the ends of orders overtake other news. The notices of
/// one order keep their sequence, and a status that is followed by another before the game had room for it is left out:
/// the later one has all that counts, and is told sooner.
///
/// Its length is bounded by the number of orders, because the statuses of an order only move forward.
pub(super) struct Outbox {
    ready: NoticeSender,
    /// Notices that go first: those of these orders, and those that are about no order.
    urgent: VecDeque<Next>,
    rest: VecDeque<OrderId>,
    waiting: HashMap<OrderId, Waiting>,
}

enum Next {
    Order(OrderId),
    Notice(Notice),
}

#[derive(Default)]
struct Waiting {
    notices: VecDeque<Notice>,
    is_urgent: bool,
}

impl Waiting {
    fn push(&mut self, mut notice: Notice) {
        if let Notice::StatusChanged(changed) = &mut notice
            && let Some(Notice::StatusChanged(overtaken)) = self.notices.back_mut()
        {
            // What the game was told last comes before the one status as it came before the other.
            changed.previous = overtaken.previous.take();
            self.notices.pop_back();
        }
        self.notices.push_back(notice);
    }
}

impl Outbox {
    pub(super) fn new(ready: NoticeSender) -> Self {
        Self {
            ready,
            urgent: VecDeque::new(),
            rest: VecDeque::new(),
            waiting: HashMap::default(),
        }
    }

    /// Whether news waits for room in the channel.
    pub(super) fn is_waiting(&self) -> bool {
        !self.urgent.is_empty() || !self.waiting.is_empty()
    }

    /// Takes a notice that is [sent](Self::send) as soon as there is room. Fails when the game is gone.
    pub(super) fn push(&mut self, notice: Notice) -> Result<(), SendError<()>> {
        if !self.is_waiting() && self.has_room() {
            return self.ready.push(notice);
        }
        let Some(order_id) = notice.order_id() else {
            self.urgent.push_back(Next::Notice(notice));
            return Ok(());
        };
        let waiting = self.waiting.entry(order_id).or_default();
        let is_first = waiting.notices.is_empty();
        if notice.is_urgent() && !waiting.is_urgent {
            waiting.is_urgent = true;
            self.urgent.push_back(Next::Order(order_id));
        } else if is_first {
            self.rest.push_back(order_id);
        }
        waiting.push(notice);
        Ok(())
    }

    /// Sends what there is room for. Fails when the game is gone.
    pub(super) fn send(&mut self) -> Result<(), SendError<()>> {
        self.ready.send()
    }

    /// Takes as many of the notices that wait as there is room for.
    pub(super) fn refill(&mut self) -> Result<(), SendError<()>> {
        while self.has_room()
            && let Some(notice) = self.next()
        {
            self.ready.push(notice)?;
        }
        if !self.is_waiting() {
            // This frees the memory that a burst has taken.
            self.urgent = VecDeque::new();
            self.rest = VecDeque::new();
            self.waiting = HashMap::default();
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.ready.len() < READY_MAX
    }

    fn next(&mut self) -> Option<Notice> {
        loop {
            match self.urgent.pop_front() {
                Some(Next::Notice(notice)) => return Some(notice),
                Some(Next::Order(order_id)) => {
                    if let Some(notice) = self.take(order_id) {
                        self.urgent.push_front(Next::Order(order_id));
                        return Some(notice);
                    }
                }
                None => {
                    let order_id = *self.rest.front()?;
                    if let Some(notice) = self.take(order_id) {
                        return Some(notice);
                    }
                    // All notices of the order were sent, perhaps because they became urgent.
                    self.rest.pop_front();
                }
            }
        }
    }

    fn take(&mut self, order_id: OrderId) -> Option<Notice> {
        let waiting = self.waiting.get_mut(&order_id)?;
        let notice = waiting.notices.pop_front();
        if waiting.notices.is_empty() {
            self.waiting.remove(&order_id);
        }
        notice
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::message::{NewsSource, OrderExpired, OrderStatusChanged};
    use crate::model::order::OrderStatus;
    use crate::model::state::TrackerState;
    use crate::model::user::UserId;
    use crate::tracker::notices::{NoticeReceiver, channel};

    fn outbox() -> (Outbox, NoticeReceiver) {
        let (sender, receiver) = channel();
        (Outbox::new(sender), receiver)
    }

    fn all(game: &mut NoticeReceiver) -> impl Iterator<Item = Notice> {
        std::iter::from_fn(|| game.next())
    }

    fn status(order: u64, count: u64) -> Notice {
        changed(order, None, count)
    }

    fn changed(order: u64, previous: Option<u64>, count: u64) -> Notice {
        let status = |count: u64| OrderStatus::Other(count.to_string());
        Notice::StatusChanged(OrderStatusChanged {
            order_id: OrderId(order),
            user: UserId::new('s', "alice"),
            previous: previous.map(status),
            status: status(count),
            source: NewsSource::Socket,
        })
    }

    fn end(order: u64) -> Notice {
        Notice::Expired(OrderExpired {
            order_id: OrderId(order),
            user: UserId::new('s', "alice"),
        })
    }

    #[test]
    fn news_goes_straight_to_the_game_that_keeps_up() {
        let (mut outbox, mut game) = outbox();
        for count in 0..10 {
            outbox.push(status(1, count)).unwrap();
            outbox.send().unwrap();
            assert!(!outbox.is_waiting());
            assert_eq!(game.next(), Some(status(1, count)));
        }
    }

    #[test]
    fn the_end_of_an_order_waits_for_no_more_than_what_lies_ready() {
        let (mut outbox, mut game) = outbox();
        for order in 0..10_000 {
            outbox.push(status(order, 0)).unwrap();
        }
        outbox.push(end(9_999)).unwrap();
        assert_eq!(all(&mut game).count(), READY_MAX);
        outbox.refill().unwrap();
        let next = [status(9_999, 0), end(9_999), status(READY_MAX as u64, 0)];
        assert!(all(&mut game).take(3).eq(next));
    }

    #[test]
    fn what_came_before_the_end_of_the_task_is_delivered() {
        let (mut outbox, mut game) = outbox();
        outbox.push(status(1, 0)).unwrap();
        drop(outbox);
        assert_eq!(game.next(), Some(status(1, 0)));
    }

    #[test]
    fn a_game_that_is_gone_is_noticed() {
        let (mut outbox, game) = outbox();
        drop(game);
        outbox.push(end(1)).unwrap();
        assert!(outbox.send().is_err());
    }

    #[test]
    fn a_status_that_is_overtaken_while_it_waits_is_left_out() {
        let (mut outbox, mut game) = outbox();
        for order in 0..READY_MAX as u64 {
            outbox.push(status(order, 0)).unwrap();
        }
        for (previous, count) in [(None, 1), (Some(1), 2), (Some(2), 3)] {
            outbox.push(changed(9_999, previous, count)).unwrap();
        }
        outbox.push(end(9_999)).unwrap();
        assert_eq!(all(&mut game).count(), READY_MAX);
        outbox.refill().unwrap();
        outbox.send().unwrap();
        assert!(all(&mut game).eq([changed(9_999, None, 3), end(9_999)]));
    }

    /// What may not be left out: all but the statuses that another one follows. What came before a status depends on what
    /// was left out.
    fn essence(notices: &[Notice]) -> Vec<Notice> {
        let mut all: Vec<Notice> = Vec::new();
        for (place, notice) in notices.iter().enumerate() {
            let mut notice = notice.clone();
            if let Notice::StatusChanged(changed) = &mut notice {
                changed.previous = None;
                if let Some(Notice::StatusChanged(_)) = notices.get(place + 1) {
                    continue;
                }
            }
            all.push(notice);
        }
        all
    }

    #[test]
    fn in_any_burst_nothing_else_is_lost_and_each_orders_news_keeps_its_order() {
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut outbox, mut game) = outbox();
            let mut pushed: BTreeMap<Option<OrderId>, Vec<Notice>> = BTreeMap::new();
            let mut heard: BTreeMap<Option<OrderId>, Vec<Notice>> = BTreeMap::new();
            let mut statuses: BTreeMap<u64, u64> = BTreeMap::new();
            let mut take = |count: usize| {
                for notice in all(&mut game).take(count) {
                    heard.entry(notice.order_id()).or_default().push(notice);
                }
            };
            for count in 0..2_000 {
                let order = random.u64(..200);
                let notice = match random.u8(..20) {
                    0 => end(order),
                    1 => Notice::State(TrackerState::Failed {
                        reason: count.to_string(),
                    }),
                    _ => changed(order, statuses.insert(order, count), count),
                };
                let all = pushed.entry(notice.order_id()).or_default();
                all.push(notice.clone());
                outbox.push(notice).unwrap();
                if random.u8(..100) == 0 {
                    take(random.usize(..600));
                    outbox.refill().unwrap();
                }
            }
            while outbox.is_waiting() {
                take(usize::MAX);
                outbox.refill().unwrap();
            }
            outbox.send().unwrap();
            take(usize::MAX);
            for (order, heard) in heard {
                let pushed = pushed.remove(&order).unwrap_or_default();
                // Each status tells the one that was told before it.
                let told = heard.iter().filter_map(|notice| match notice {
                    Notice::StatusChanged(changed) => Some(changed),
                    _ => None,
                });
                let told: Vec<_> = told.collect();
                for pair in told.windows(2) {
                    assert_eq!(
                        pair[1].previous.as_ref(),
                        Some(&pair[0].status),
                        "seed {seed}"
                    );
                }
                assert_eq!(essence(&heard), essence(&pushed), "seed {seed}");
            }
            assert!(pushed.is_empty(), "seed {seed}");
        }
    }
}
