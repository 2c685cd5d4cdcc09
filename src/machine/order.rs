//! One order, and what a status means for it.

use std::time::Duration;

use crate::model::ledger::Entry;
use crate::model::order::{OrderItem, OrderStatus, Price};
use crate::model::user::UserId;

/// How many unknown statuses of one order are passed on. A server that makes up more of them is not
/// to fill the game's memory.
const MAX_UNKNOWN: u8 = 32;

#[derive(Debug)]
pub(super) struct Order {
    pub(super) user: UserId,
    pub(super) phase: Phase,
    /// What was last heard; `None` until the servers have spoken.
    pub(super) status: Option<OrderStatus>,
    /// How far it is known to have come, whatever unknown status came since.
    reached: Stage,
    unknown: u8,
    /// What it is for, once Get Order was answered.
    pub(super) details: Option<Box<Details>>,
    /// The request that is under way.
    pub(super) request: Option<u64>,
    /// Whether an answer is wanted even while there is a socket.
    pub(super) is_wanted: bool,
    /// Whether another one is, after the request that is under way.
    pub(super) is_wanted_again: bool,
    /// When the last request ended.
    pub(super) answered_at: Option<Duration>,
    pub(super) last_news: Duration,
    /// When this run began to follow it.
    pub(super) begun: Duration,
    /// How long it was followed before this run.
    pub(super) age: Duration,
    /// Whether there was no news of it for too long, so that the next answer decides.
    pub(super) is_overdue: bool,
    /// Which of the user's tokens the last request was sent with.
    pub(super) asked_with: u64,
    /// Answers in which a done order had an empty list of items.
    empty_answers: u8,
    /// Whether the game was told to grant it, in this run or an earlier one.
    pub(super) was_granted: bool,
    /// Whether it stays in the ledger though it was given up.
    pub(super) keeps_entry: bool,
    /// Requests that failed since one did not.
    pub(super) failures: u32,
    /// Requests that the server refused since one was answered.
    pub(super) refusals: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Details {
    pub(super) items: Vec<OrderItem>,
    pub(super) price: Option<Price>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is being written to the ledger: only then does it count as tracked.
    Recording,
    /// It is followed: not final, or done with its items unknown.
    Open,
    /// The game was told to grant it, and has not acknowledged that.
    Granted,
    Acknowledged,
    /// Canceled or expired; the game was told.
    Ended,
    /// Given up; the game was told. News of it begins it anew.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    New,
    Paid,
    Done,
    Over,
}

impl Order {
    pub(super) fn new(user: UserId, now: Duration) -> Self {
        Self {
            user,
            phase: Phase::Recording,
            status: None,
            reached: Stage::New,
            unknown: 0,
            details: None,
            request: None,
            is_wanted: true,
            is_wanted_again: false,
            answered_at: None,
            last_news: now,
            begun: now,
            age: Duration::ZERO,
            is_overdue: false,
            asked_with: 0,
            empty_answers: 0,
            was_granted: false,
            keeps_entry: false,
            failures: 0,
            refusals: 0,
        }
    }

    /// An order that an earlier run followed.
    pub(super) fn restored(user: UserId, age: Duration, now: Duration) -> Self {
        Self {
            age,
            ..Self::new(user, now)
        }
    }

    /// An order that the game acknowledged in an earlier run.
    pub(super) fn acknowledged(user: UserId, age: Duration, now: Duration) -> Self {
        Self {
            phase: Phase::Acknowledged,
            was_granted: true,
            status: Some(OrderStatus::Done),
            reached: Stage::Done,
            ..Self::restored(user, age, now)
        }
    }

    /// What the ledger is to have of it; nothing of what is over.
    pub(super) fn entry(&self) -> Option<Entry> {
        match self.phase {
            Phase::Recording | Phase::Open | Phase::Granted => Some(match self.was_granted {
                true => Entry::Granted,
                false => Entry::Open,
            }),
            Phase::Acknowledged => Some(Entry::Acknowledged),
            Phase::Ended | Phase::Failed => None,
        }
    }

    /// Whether it was paid for, as far as is known.
    pub(super) fn is_paid(&self) -> bool {
        self.reached >= Stage::Paid
    }

    /// Whether an answer can matter: of an acknowledged order's, one, to see whether it was refunded.
    pub(super) fn may_be_asked_for(&self) -> bool {
        match self.phase {
            Phase::Open => true,
            Phase::Acknowledged => self.is_wanted,
            Phase::Recording | Phase::Granted | Phase::Ended | Phase::Failed => false,
        }
    }

    /// Whether this is what the order is for. A list may be empty because the answer came too early:
    /// it counts once a done order has been answered with it twice, and never against a full one.
    pub(super) fn trusts(&mut self, items: &[OrderItem], status: Option<&OrderStatus>) -> bool {
        if !items.is_empty() {
            return true;
        }
        let is_done = status == Some(&OrderStatus::Done);
        self.empty_answers = self.empty_answers.saturating_add(u8::from(is_done));
        self.empty_answers >= 2 && self.details.is_none()
    }

    /// Whether a socket can bring news that matters.
    pub(super) fn awaits_news(&self) -> bool {
        self.phase == Phase::Open && !self.status.as_ref().is_some_and(OrderStatus::is_final)
    }

    /// Takes the status if it is news. Answers and publications come late, twice and out of order,
    /// so an order moves forward only.
    pub(super) fn advance(&mut self, status: &OrderStatus, now: Duration) -> bool {
        let is_news = match status {
            OrderStatus::New => self.moves_to(Stage::New),
            OrderStatus::Paid => self.moves_to(Stage::Paid),
            OrderStatus::Done => self.moves_to(Stage::Done),
            OrderStatus::Canceled => self.moves_to(Stage::Over),
            // A done order is not waiting to be paid any more.
            OrderStatus::Expired => self.reached < Stage::Done && self.moves_to(Stage::Over),
            OrderStatus::Other(_) => {
                let is_news = self.reached < Stage::Done
                    && self.status.as_ref() != Some(status)
                    && self.unknown < MAX_UNKNOWN;
                self.unknown += u8::from(is_news);
                is_news
            }
        };
        if is_news {
            self.status = Some(status.clone());
            self.last_news = now;
        }
        is_news
    }

    fn moves_to(&mut self, stage: Stage) -> bool {
        let moves = match &self.status {
            None => true,
            // From an unknown status, what was reached before may be where it stands again.
            Some(OrderStatus::Other(_)) => stage >= self.reached,
            Some(_) => stage > self.reached,
        };
        if moves {
            self.reached = stage;
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(statuses: &[&str]) -> Vec<String> {
        let mut order = Order::new(UserId::new('s', "u"), Duration::ZERO);
        let statuses = statuses.iter().map(|status| OrderStatus::parse(status));
        statuses
            .filter(|status| order.advance(status, Duration::ZERO))
            .map(|status| status.to_string())
            .collect()
    }

    #[test]
    fn statuses_move_forward_only() {
        for (heard, expected) in [
            (
                &["new", "new", "paid", "new", "done", "paid"][..],
                &["new", "paid", "done"][..],
            ),
            (&["done", "new", "done"], &["done"]),
            (
                &["paid", "canceled", "done", "expired"],
                &["paid", "canceled"],
            ),
            (&["done", "canceled", "canceled"], &["done", "canceled"]),
            (&["done", "expired", "shipped"], &["done"]),
            (&["new", "expired", "canceled", "paid"], &["new", "expired"]),
        ] {
            assert_eq!(told(heard), expected, "{heard:?}");
        }
    }

    #[test]
    fn an_unknown_status_is_told_and_hinders_nothing() {
        assert_eq!(
            told(&["paid", "on_hold", "on_hold", "new", "paid", "done"]),
            ["paid", "on_hold", "paid", "done"]
        );
    }

    #[test]
    fn a_flood_of_unknown_statuses_ends_and_the_final_one_still_comes() {
        let mut flood: Vec<String> = (0..10_000).map(|n| format!("s{n}")).collect();
        flood.push("done".to_owned());
        let flood: Vec<&str> = flood.iter().map(String::as_str).collect();
        let told = told(&flood);
        assert_eq!(told.len(), usize::from(MAX_UNKNOWN) + 1);
        assert_eq!(told.last().unwrap(), "done");
    }
}
