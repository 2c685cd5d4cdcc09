//! One order: where it stands, what was heard of it, and what is being asked.

use std::time::Duration;

use crate::machine::input::RequestId;
use crate::model::ledger::LedgerEntry;
use crate::model::order::{OrderItem, OrderStatus, Price};
use crate::model::user::UserId;

/// How many unknown statuses of one order are passed on. A server that makes up more of them must not
/// fill the game's memory.
const MAX_UNKNOWN: u8 = 32;
/// How many answers must have had it by then.
const EMPTY_ANSWERS: u8 = 60;
/// How long an empty list of items counts as one that is not there yet.
const EMPTY_PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct Order {
    pub(super) user: UserId,
    pub(super) phase: Phase,
    pub(super) progress: Progress,
    pub(super) inquiry: Inquiry,
    pub(super) attempts: Attempts,
    pub(super) patience: Patience,
    /// What it is for, once Get Order was answered.
    pub(super) details: Option<Box<Details>>,
    /// Whether this run knows that nobody was granted it: it was bought or seen unpaid in this run, or the
    /// ledger says so. While another instance holds the ledger no other order is granted.
    pub(super) is_vouched: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Details {
    pub(super) items: Vec<OrderItem>,
    pub(super) price: Option<Price>,
    /// Whether the answer that lists the items itself says that the order is paid. Until then a promo
    /// code on the payment page may change them, so only such a list is granted.
    pub(super) is_final: bool,
}

/// Where an order stands with the game. It is changed by `Machine::change_phase` alone.
///
/// `was_granted` says whether the game was told to grant it, in this run or an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is being written to the ledger. Only then does it count as tracked.
    Recording { was_granted: bool },
    /// It is followed: it has no final status, or is done and its items are unknown.
    Open { was_granted: bool },
    /// The game was told to grant it, and has not acknowledged that.
    Granted,
    /// The game has acknowledged it. After a restart it is asked for once, because it may have been
    /// refunded meanwhile.
    Acknowledged {
        /// Whether the ledger has that, so that it is never delivered again.
        is_recorded: bool,
    },
    /// It was canceled or has expired, and the game was told.
    Ended { was_granted: bool },
    /// The player did not want to pay it. News of it begins it anew.
    Abandoned { was_granted: bool },
    /// It was given up, and the game was told. News of it begins it anew.
    Failed {
        was_granted: bool,
        /// Whether it is tried again at the next start, and whenever the player's socket opens.
        keeps_entry: bool,
        /// Whether a socket is kept open for it, because it may yet be paid.
        listens: bool,
    },
}

impl Phase {
    pub(super) fn was_granted(self) -> bool {
        match self {
            Self::Recording { was_granted }
            | Self::Open { was_granted }
            | Self::Ended { was_granted }
            | Self::Abandoned { was_granted }
            | Self::Failed { was_granted, .. } => was_granted,
            Self::Granted | Self::Acknowledged { .. } => true,
        }
    }

    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Open { .. })
    }

    pub(super) fn is_recording(self) -> bool {
        matches!(self, Self::Recording { .. })
    }

    pub(super) fn is_acknowledged(self) -> bool {
        matches!(self, Self::Acknowledged { .. })
    }

    /// The same with the ledger's word that the game was told to grant it.
    pub(super) fn with_grant(self) -> Self {
        match self {
            Self::Recording { .. } => Self::Recording { was_granted: true },
            Self::Open { .. } => Self::Open { was_granted: true },
            Self::Ended { .. } => Self::Ended { was_granted: true },
            Self::Abandoned { .. } => Self::Abandoned { was_granted: true },
            Self::Failed {
                keeps_entry,
                listens,
                ..
            } => Self::Failed {
                was_granted: true,
                keeps_entry,
                listens,
            },
            Self::Granted | Self::Acknowledged { .. } => self,
        }
    }
}

/// What was heard of an order's status.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// What was last heard; `None` until the servers have spoken.
    status: Option<OrderStatus>,
    /// How far it is known to have come, whatever unknown status came since.
    reached: Stage,
    unknown: u8,
    /// Since when the answers of a paid order have had an empty list of items.
    empty_since: Option<Duration>,
    /// How many of them there were.
    empty_answers: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    New,
    Paid,
    Done,
    Over,
}

/// What is being asked of an order.
///
/// `is_wanted`: an answer is wanted even while there is a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inquiry {
    /// No request waits or is under way. A timer may be set for one.
    Quiet { is_wanted: bool },
    /// A request waits for a free place.
    Queued { is_wanted: bool },
    UnderWay {
        request: RequestId,
        /// Which of the player's tokens it was sent with.
        token: u64,
        is_wanted: bool,
        /// Whether another one is wanted after it, because its answer may be older than the reason to
        /// ask.
        again: bool,
    },
}

impl Inquiry {
    pub(super) fn is_wanted(self) -> bool {
        match self {
            Self::Quiet { is_wanted }
            | Self::Queued { is_wanted }
            | Self::UnderWay { is_wanted, .. } => is_wanted,
        }
    }

    pub(super) fn is_under_way(self) -> bool {
        matches!(self, Self::UnderWay { .. })
    }

    /// Notes that an answer is wanted. Whether a request is to be scheduled for it.
    pub(super) fn want(&mut self) -> bool {
        match self {
            Self::Quiet { is_wanted } | Self::Queued { is_wanted } => {
                *is_wanted = true;
                true
            }
            Self::UnderWay { again, .. } => {
                *again = true;
                false
            }
        }
    }

    /// Ends what is asked without an answer: what was wanted is wanted still.
    pub(super) fn stop(&mut self) -> Option<RequestId> {
        let stopped = match *self {
            Self::UnderWay { request, .. } => Some(request),
            Self::Quiet { .. } | Self::Queued { .. } => None,
        };
        let again = matches!(self, Self::UnderWay { again: true, .. });
        *self = Self::Quiet {
            is_wanted: self.is_wanted() || again,
        };
        stopped
    }

    /// Takes note of an answer: what was wanted before the request was sent is answered by it.
    pub(super) fn settle(&mut self) {
        let again = matches!(self, Self::UnderWay { again: true, .. });
        *self = Self::Quiet { is_wanted: again };
    }
}

/// How the requests for an order went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    /// When the last one ended.
    pub(super) answered_at: Option<Duration>,
    /// How many failed since one did not.
    pub(super) failures: u32,
    /// How many the store refused since one was answered.
    pub(super) refusals: u32,
    /// Whether the next one is not counted against the player's rate, because the order is new or has
    /// moved on, which happens a few times.
    pub(super) is_free: bool,
}

/// How long an order has been waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) last_news: Duration,
    /// When this run began to follow it.
    pub(super) begun: Duration,
    /// How old its entry in the ledger was at the start, by the calendar: for tidying up, and for
    /// nothing else.
    pub(super) age: Duration,
    /// Whether there was no news of it for too long, so that the next answer decides.
    pub(super) is_overdue: bool,
}

impl Order {
    pub(super) fn new(user: UserId, was_granted: bool, now: Duration) -> Self {
        Self {
            user,
            phase: Phase::Recording { was_granted },
            progress: Progress::default(),
            inquiry: Inquiry::Quiet { is_wanted: true },
            attempts: Attempts {
                is_free: true,
                ..Attempts::default()
            },
            patience: Patience {
                last_news: now,
                begun: now,
                age: Duration::ZERO,
                is_overdue: false,
            },
            details: None,
            is_vouched: false,
        }
    }

    /// An order that an earlier run followed.
    pub(super) fn restored(user: UserId, entry: LedgerEntry, age: Duration, now: Duration) -> Self {
        let mut order = Self::new(user, entry > LedgerEntry::Open, now);
        order.patience.age = age;
        order.is_vouched = true;
        if entry == LedgerEntry::Acknowledged {
            order.progress.status = Some(OrderStatus::Done);
            order.progress.reached = Stage::Done;
        }
        order
    }

    pub(super) fn status(&self) -> Option<&OrderStatus> {
        self.progress.status.as_ref()
    }

    /// What the ledger is to have of it; nothing of what is over.
    pub(super) fn entry(&self) -> Option<LedgerEntry> {
        match self.phase {
            Phase::Acknowledged { .. } => Some(LedgerEntry::Acknowledged),
            Phase::Ended { .. }
            | Phase::Failed {
                keeps_entry: false, ..
            } => None,
            phase if phase.was_granted() => Some(LedgerEntry::Granted),
            _ => Some(LedgerEntry::Open),
        }
    }

    /// Whether it was paid for, as far as is known.
    pub(super) fn is_paid(&self) -> bool {
        self.progress.reached >= Stage::Paid
    }

    /// Whether an answer can matter: of an acknowledged order's, one, to see whether it was refunded; of
    /// one that was given up, one now and then, to see whether it was paid after all.
    pub(super) fn may_be_asked_for(&self) -> bool {
        match self.phase {
            Phase::Open { .. } => true,
            Phase::Acknowledged { .. } | Phase::Failed { .. } => self.inquiry.is_wanted(),
            Phase::Recording { .. }
            | Phase::Granted
            | Phase::Ended { .. }
            | Phase::Abandoned { .. } => false,
        }
    }

    /// Takes an answer's list of items, and says whether it is to be told.
    ///
    /// An empty list is no list until answers have had it for minutes: the store may not be done yet. A
    /// list that was read before the payment gives way to one that was read after it.
    pub(super) fn accept_items(
        &mut self,
        items: Vec<OrderItem>,
        price: Option<Price>,
        status: Option<&OrderStatus>,
        now: Duration,
    ) -> bool {
        let is_final = matches!(
            status,
            Some(OrderStatus::Paid | OrderStatus::Done | OrderStatus::Canceled)
        );
        if items.is_empty() {
            let since = *self.progress.empty_since.get_or_insert(now);
            let answers = &mut self.progress.empty_answers;
            *answers = answers.saturating_add(1);
            // By time alone, a machine that has slept would have waited long enough.
            let is_late = now.saturating_sub(since) >= EMPTY_PATIENCE && *answers >= EMPTY_ANSWERS;
            let is_known = self.details.as_deref().is_some_and(|known| known.is_final);
            if !is_final || !is_late || is_known {
                return false;
            }
        } else {
            (self.progress.empty_since, self.progress.empty_answers) = (None, 0);
        }
        let known = self.details.as_deref();
        if known.is_some_and(|known| known.is_final) && !is_final {
            // It lags behind what is known.
            return false;
        }
        let details = Details {
            items,
            price,
            is_final,
        };
        // Each poll says it again.
        let is_news = known
            .is_none_or(|known| (&known.items, &known.price) != (&details.items, &details.price));
        if known != Some(&details) {
            self.details = Some(Box::new(details));
        }
        is_news
    }

    /// What is to be granted, once it is known.
    pub(super) fn final_details(&self) -> Option<&Details> {
        self.details.as_deref().filter(|details| details.is_final)
    }

    /// Whether it is not followed, though it has no final status.
    pub(super) fn is_given_up(&self) -> bool {
        matches!(self.phase, Phase::Abandoned { .. } | Phase::Failed { .. })
    }

    /// Whether it is to be found out if it was refunded since an earlier run.
    pub(super) fn is_checked(&self) -> bool {
        self.phase.is_acknowledged() && self.inquiry.is_wanted()
    }

    /// Whether a socket can bring news that matters.
    pub(super) fn awaits_news(&self) -> bool {
        match self.phase {
            Phase::Open { .. } => !self.status().is_some_and(OrderStatus::is_final),
            Phase::Failed { listens, .. } => listens,
            _ => false,
        }
    }

    /// Takes the status if it is news, and says whether it is. Answers and publications come late, twice
    /// and out of order, so an order moves forward only.
    pub(super) fn advance(&mut self, status: &OrderStatus, now: Duration) -> bool {
        let is_news = self.progress.advance(status);
        if is_news {
            self.patience.last_news = now;
            self.attempts.is_free = true;
        }
        is_news
    }

    /// Notes that the player knows of the order, so that a history which says so is no news.
    pub(super) fn assume_new(&mut self) {
        self.progress.status.get_or_insert(OrderStatus::New);
    }
}

impl Progress {
    fn advance(&mut self, status: &OrderStatus) -> bool {
        let is_news = match status {
            OrderStatus::New => self.reach(Stage::New),
            OrderStatus::Paid => self.reach(Stage::Paid),
            OrderStatus::Done => self.reach(Stage::Done),
            OrderStatus::Canceled => self.reach(Stage::Over),
            // A done order is not waiting to be paid any more.
            OrderStatus::Expired => self.reached < Stage::Done && self.reach(Stage::Over),
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
        }
        is_news
    }

    fn reach(&mut self, stage: Stage) -> bool {
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
        let mut order = Order::new(UserId::new('s', "u"), false, Duration::ZERO);
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
