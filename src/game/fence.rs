//! Decides which notices the game may receive now.
//!
//! Notices are under way while the game goes on. A notice about an order from before the order was untracked
//! must be dropped. A notice for a player who has logged out must wait until they return, so that the current
//! player does not receive it.

use std::collections::VecDeque;

use litemap::LiteMap;

use crate::machine::output::Notice;
use crate::model::order::OrderId;
use crate::model::purchase::{PurchaseError, PurchaseFailed};
use crate::model::user::UserId;

#[derive(Debug, Default)]
pub(super) struct Fence {
    /// The number of times that each order was untracked and the task has not confirmed it.
    untracking: LiteMap<OrderId, u32>,
    logged_out: Vec<UserId>,
    /// Notices for players who have logged out.
    held: Vec<(UserId, Notice)>,
    /// Notices to deliver before the next ones of the task.
    released: VecDeque<Notice>,
}

impl Fence {
    /// Whether it lets everything pass, which is the usual case.
    pub(super) fn is_open(&self) -> bool {
        self.untracking.is_empty() && self.logged_out.is_empty()
    }

    pub(super) fn has_released(&self) -> bool {
        !self.released.is_empty()
    }

    pub(super) fn next_released(&mut self) -> Option<Notice> {
        self.released.pop_front()
    }

    /// Queues a notice for the next frame.
    pub(super) fn release(&mut self, notice: Notice) {
        self.released.push_back(notice);
    }

    /// Returns the notice if the game may receive it now.
    pub(super) fn admit(&mut self, notice: Notice) -> Option<Notice> {
        if let Some(order_id) = notice.order_id()
            && let Some(count) = self.untracking.get_mut(&order_id)
        {
            if matches!(notice, Notice::Untracked(_)) {
                *count -= 1;
                if *count == 0 {
                    self.untracking.remove(&order_id);
                }
            }
            return self.admit_dropped(notice);
        }
        match notice.user() {
            Some(user) if self.logged_out.contains(user) => {
                let user = user.clone();
                self.held.push((user, notice));
                None
            }
            _ => Some(notice),
        }
    }

    /// Drops a notice about an order that the game has untracked, except that its purchase is still answered.
    fn admit_dropped(&mut self, notice: Notice) -> Option<Notice> {
        let Notice::PurchaseStarted(started) = notice else {
            return None;
        };
        self.admit(Notice::PurchaseFailed(Box::new(PurchaseFailed {
            purchase_id: started.purchase_id,
            user: Some(started.user),
            sku: started.purchase.sku().to_owned(),
            purchase: started.purchase,
            error: PurchaseError::Untracked(started.order_id),
        })))
    }

    /// Handles an order that the game has untracked. `is_confirmed` says whether the task will confirm it.
    pub(super) fn untrack(&mut self, order_id: OrderId, is_confirmed: bool) {
        let is_of_another = |notice: &Notice| notice.order_id() != Some(order_id);
        let mut dropped = Vec::new();
        self.held.retain(|(_, notice)| {
            let is_kept = is_of_another(notice);
            if !is_kept {
                dropped.push(notice.clone());
            }
            is_kept
        });
        self.released.retain(|notice| {
            let is_kept = is_of_another(notice);
            if !is_kept {
                dropped.push(notice.clone());
            }
            is_kept
        });
        for notice in dropped {
            if let Some(notice) = self.admit_dropped(notice) {
                self.released.push_back(notice);
            }
        }
        if is_confirmed {
            *self.untracking.entry(order_id).or_insert(0) += 1;
        }
    }

    pub(super) fn log_out(&mut self, user: UserId) {
        if !self.logged_out.contains(&user) {
            self.logged_out.push(user);
        }
    }

    /// Handles a player's return, and releases the notices that were held for them.
    pub(super) fn log_in(&mut self, user: &UserId) {
        if let Some(place) = self.logged_out.iter().position(|out| out == user) {
            self.logged_out.swap_remove(place);
            let (theirs, others) = std::mem::take(&mut self.held)
                .into_iter()
                .partition(|(owner, _)| owner == user);
            self.held = others;
            let theirs: Vec<(UserId, Notice)> = theirs;
            self.released
                .extend(theirs.into_iter().map(|(_, notice)| notice));
        }
    }

    /// Handles the end of the task, which confirms nothing any more.
    pub(super) fn task_ended(&mut self) {
        self.untracking.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::model::message::OrderDone;

    const ORDER: OrderId = OrderId(7);

    fn player(name: &str) -> UserId {
        UserId::new('s', name)
    }

    fn done(order_id: u64, user: &str, life: u64) -> Notice {
        Notice::Done(OrderDone {
            order_id: OrderId(order_id),
            user: player(user),
            items: vec![crate::model::order::OrderItem::new("life", life)],
            price: None,
        })
    }

    /// The life of the order that a notice belongs to.
    fn life(notice: &Notice) -> Option<u64> {
        match notice {
            Notice::Done(done) => done.items.first().map(|item| item.quantity),
            _ => None,
        }
    }

    /// The task and the game act in any order, with any number of notices under way between them.
    #[test]
    fn in_any_interleaving_a_player_is_given_their_own_news_once_and_none_of_an_untracked_order() {
        for seed in 0..20_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut fence = Fence::default();
            // `commands` holds what the game has sent and the task has not taken; `channel` holds what the
            // task has sent and the game has not taken.
            let mut commands: VecDeque<&str> = VecDeque::new();
            let mut channel: VecDeque<Notice> = VecDeque::new();
            let (mut is_here, mut lives_untracked) = (true, 0);
            let (mut life_of_task, mut is_told) = (0, false);
            let mut given: Vec<u64> = Vec::new();
            let mut step = |action: u8, is_here: &mut bool| {
                match action {
                    // These actions are the game's.
                    0 => {
                        fence.untrack(ORDER, true);
                        commands.push_back("untrack");
                        lives_untracked += 1;
                    }
                    1 if *is_here => {
                        fence.log_out(player("alice"));
                        *is_here = false;
                    }
                    2 => {
                        fence.log_in(&player("alice"));
                        *is_here = true;
                    }
                    // This is a frame of the game.
                    3..=5 => loop {
                        let next = fence.next_released();
                        let notice = match next.or_else(|| channel.pop_front()) {
                            Some(notice) => fence.admit(notice),
                            None => break,
                        };
                        if let Some(life) = notice.as_ref().and_then(life) {
                            assert!(*is_here, "seed {seed}: bob was given what is alice's");
                            assert!(
                                life >= lives_untracked,
                                "seed {seed}: told of a life that was untracked"
                            );
                            given.push(life);
                        }
                    },
                    // These actions are the task's.
                    6 => {
                        if commands.pop_front().is_some() {
                            channel.push_back(Notice::Untracked(ORDER));
                            life_of_task += 1;
                            is_told = false;
                        }
                    }
                    _ => {
                        if !is_told {
                            channel.push_back(done(7, "alice", life_of_task));
                            is_told = true;
                        }
                    }
                }
            };
            for _ in 0..random.usize(..60) {
                step(random.u8(..8), &mut is_here);
            }
            // The task takes all commands, and the last life is told.
            for _ in 0..80 {
                step(6, &mut is_here);
            }
            for action in [7, 2, 3] {
                step(action, &mut is_here);
            }
            assert_eq!(given.last(), Some(&lives_untracked), "seed {seed}");
            assert!(
                given.is_sorted_by(|a, b| a < b),
                "seed {seed}: a life was told twice"
            );
            assert!(fence.is_open(), "seed {seed}: it stays closed");
        }
    }
}
