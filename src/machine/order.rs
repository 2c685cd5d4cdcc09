//! The state of one order: its phase, its status and its requests.

use std::time::Duration;

use crate::machine::input::{Receipt, RequestId};
use crate::machine::progress::Progress;
use crate::model::config::GrantAt;
use crate::model::message::NewsSource;
use crate::model::order::{OrderItem, OrderStatus, Price};
use crate::model::purchase::PageUrl;
use crate::model::record::LedgerEntry;
use crate::model::user::UserId;

/// The number of answers that must have had an empty list of items before the list is believed.
const EMPTY_ANSWERS: u8 = 60;
/// The time that must pass before an empty list of items is believed.
const EMPTY_PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct Order {
    pub(super) user: UserId,
    pub(super) phase: Phase,
    /// Whether the game was told to grant it, in this run or an earlier one.
    pub(super) was_granted: bool,
    pub(super) progress: Progress,
    /// The latest answers that had an empty list of items: the time of the first, and their number. It is boxed because it
    /// is rare.
    empty: Option<Box<(Duration, u8)>>,
    pub(super) inquiry: Inquiry,
    pub(super) attempts: Attempts,
    pub(super) patience: Patience,
    /// The items and the price; `None` until Get Order was answered.
    pub(super) details: Option<Box<Details>>,
    /// Whether this run can rule out that the order was granted unknown to it: the order was bought or seen
    /// unpaid in this run, or the ledger lists it. While another instance holds the ledger, no other order is
    /// granted.
    pub(super) is_vouched: bool,
    /// Until this time it waits to be granted, because the ledger has not said whether it was granted before.
    pub(super) unrecorded_until: Option<Duration>,
    /// Whether a webhook told of it, which may tell the same again long after its end.
    pub(super) is_pushed: bool,
    /// What a webhook told of it, until it is known what the ledger has, or what any source told, until a ledger that
    /// servers share has confirmed that it is this server's.
    pub(super) pushed: Option<(Pushed, NewsSource)>,
    pub(super) hold: Hold,
    /// How many claims of it the ledger has not reported yet.
    pub(super) claims: u16,
    /// Whether servers share the ledger that has it.
    pub(super) is_shared: bool,
    /// The webhooks that told of it and are not confirmed yet.
    pub(super) receipts: Vec<Receipt>,
    /// What was bought in this run; `None` once it is over, or if it was not bought in this run. It is boxed because most
    /// orders of a game were made in earlier runs.
    pub(super) bought: Option<Box<Bought>>,
    /// How far its end has come.
    pub(super) end: End,
}

#[derive(Debug)]
pub(super) struct Bought {
    pub(super) page: Option<PageUrl>,
    pub(super) skus: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Details {
    pub(super) items: Vec<OrderItem>,
    pub(super) price: Option<Price>,
    /// Whether the answer that lists the items itself says that the order is paid. Until then a promo
    /// code on the payment page may change them, so only such a list is granted.
    pub(super) is_final: bool,
}

/// The state of an order towards the game. `Machine::change_phase` changes it together with all that depends
/// on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The order is being written to the ledger. It counts as tracked only after that.
    Recording,
    /// The order is followed: it has no final status, or is done and its items are unknown.
    Open,
    /// The game was told to grant it, and has not acknowledged that.
    Granted,
    /// The game has acknowledged it. After a restart it is asked for once, because it may have been
    /// refunded meanwhile.
    Acknowledged {
        /// Whether the ledger has the acknowledgement, so that the order is never delivered again.
        is_recorded: bool,
    },
    /// It was canceled or has expired, and the game was told.
    Ended,
    /// The player did not want to pay it. News of it makes it followed again.
    Abandoned,
    /// It was given up, and the game was told. News of it makes it followed again.
    Failed {
        /// Whether it is tried again at the next start, and whenever the player's socket opens.
        keeps_entry: bool,
        /// Whether a socket is kept open for it, because it may yet be paid.
        listens: bool,
    },
}

/// Whether a ledger that servers share has confirmed that the order is this server's. It counts for what the game is told
/// at once, and not for later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hold {
    #[default]
    Unknown,
    /// The ledger is to have this entry.
    Asked(LedgerEntry),
    Confirmed,
}

/// What was told of an order, and waits for the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
    not(feature = "webhook"),
    allow(dead_code, reason = "only webhooks push")
)]
pub(super) enum Pushed {
    Done,
    /// It was refunded, and is not paid again.
    Canceled,
}

impl Pushed {
    pub(super) fn status(self) -> OrderStatus {
        match self {
            Self::Done => OrderStatus::Done,
            Self::Canceled => OrderStatus::Canceled,
        }
    }
}

/// How far the end of an order has come, once it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// The game's systems may not have read it yet.
    Untold,
    /// The game's systems have had a whole frame to read it.
    Told,
    /// The ledger has it, where it [is kept](Order::keeps_end).
    Recorded,
}

impl Phase {
    pub(super) fn is_open(self) -> bool {
        self == Self::Open
    }

    pub(super) fn is_recording(self) -> bool {
        self == Self::Recording
    }

    pub(super) fn is_acknowledged(self) -> bool {
        matches!(self, Self::Acknowledged { .. })
    }
}

/// The state of the requests for an order.
///
/// `is_wanted` says that an answer is wanted even while a socket is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inquiry {
    /// No request waits or is under way. A timer may be set for one.
    Quiet { is_wanted: bool },
    /// A request waits for its turn among those of its player.
    Paced { is_wanted: bool },
    /// A request waits for a free place.
    Queued { is_wanted: bool },
    UnderWay {
        request: RequestId,
        /// The number of the player's token that the request was sent with.
        token: u32,
        is_wanted: bool,
        /// Whether another request is wanted after this one, because its answer may be older than the reason
        /// to ask.
        again: bool,
    },
}

impl Inquiry {
    pub(super) fn is_wanted(self) -> bool {
        match self {
            Self::Quiet { is_wanted }
            | Self::Paced { is_wanted }
            | Self::Queued { is_wanted }
            | Self::UnderWay { is_wanted, .. } => is_wanted,
        }
    }

    pub(super) fn is_under_way(self) -> bool {
        matches!(self, Self::UnderWay { .. })
    }

    /// Notes that an answer is wanted, and returns whether to schedule a request for it.
    pub(super) fn want(&mut self) -> bool {
        match self {
            Self::Quiet { is_wanted } | Self::Paced { is_wanted } | Self::Queued { is_wanted } => {
                *is_wanted = true;
                true
            }
            Self::UnderWay { again, .. } => {
                *again = true;
                false
            }
        }
    }

    /// Ends the request without an answer. An answer that was wanted stays wanted.
    pub(super) fn stop(&mut self) -> Option<RequestId> {
        let stopped = match *self {
            Self::UnderWay { request, .. } => Some(request),
            Self::Quiet { .. } | Self::Paced { .. } | Self::Queued { .. } => None,
        };
        let again = matches!(self, Self::UnderWay { again: true, .. });
        *self = Self::Quiet {
            is_wanted: self.is_wanted() || again,
        };
        stopped
    }

    /// Notes an answer, which satisfies what was wanted before the request was sent.
    pub(super) fn settle(&mut self) {
        let again = matches!(self, Self::UnderWay { again: true, .. });
        *self = Self::Quiet { is_wanted: again };
    }
}

/// The results of the requests for an order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    /// The time at which the last request ended.
    pub(super) answered_at: Option<Duration>,
    /// The number of failed requests since the last success.
    pub(super) failures: u16,
    /// The number of requests that the store refused since it last answered one.
    pub(super) refusals: u16,
    /// Whether the next request does not count against the player's rate, because the order is new, or was
    /// paid or done just now.
    pub(super) is_free: bool,
}

/// The times that decide when an order is given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) last_news: Duration,
    /// The time at which this run began to follow the order.
    pub(super) begun: Duration,
    /// The age of its ledger entry at the start, by the calendar. It decides only whether the entry is
    /// removed.
    pub(super) age_seconds: u32,
    /// Whether there was no news of it for too long, so that the next answer decides.
    pub(super) is_overdue: bool,
}

impl Order {
    pub(super) fn new(user: UserId, was_granted: bool, now: Duration) -> Self {
        Self {
            user,
            phase: Phase::Recording,
            was_granted,
            progress: Progress::default(),
            empty: None,
            inquiry: Inquiry::Quiet { is_wanted: true },
            attempts: Attempts {
                is_free: true,
                ..Attempts::default()
            },
            patience: Patience {
                last_news: now,
                begun: now,
                age_seconds: 0,
                is_overdue: false,
            },
            details: None,
            is_vouched: false,
            unrecorded_until: None,
            is_pushed: false,
            pushed: None,
            hold: Hold::Unknown,
            claims: 0,
            is_shared: false,
            receipts: Vec::new(),
            bought: None,
            end: End::Untold,
        }
    }

    /// Makes an order that an earlier run followed.
    pub(super) fn restored(user: UserId, entry: LedgerEntry, age: Duration, now: Duration) -> Self {
        let mut order = Self::new(user, entry > LedgerEntry::Open, now);
        order.patience.age_seconds = u32::try_from(age.as_secs()).unwrap_or(u32::MAX);
        order.is_vouched = true;
        order.assume_entry(entry);
        order
    }

    /// Assumes the status that an entry of the ledger implies.
    pub(super) fn assume_entry(&mut self, entry: LedgerEntry) {
        match entry {
            LedgerEntry::Past | LedgerEntry::Open | LedgerEntry::Granted => {}
            LedgerEntry::Acknowledged => drop(self.progress.advance(&OrderStatus::Done)),
            LedgerEntry::Canceled => {
                self.progress.advance(&OrderStatus::Canceled);
                self.end = End::Recorded;
            }
        }
    }

    /// Keeps what was told of it until the ledger has said what it has. The last of its statuses counts.
    pub(super) fn push(&mut self, pushed: Pushed, source: NewsSource) {
        if self.pushed.is_none_or(|(earlier, _)| earlier < pushed) {
            self.pushed = Some((pushed, source));
        }
    }

    /// Whether its end is kept in the ledger, so that nothing that comes late grants it.
    pub(super) fn keeps_end(&self) -> bool {
        let is_canceled = self.status() == Some(&OrderStatus::Canceled);
        is_canceled && (self.was_granted || self.is_pushed || self.is_shared)
    }

    pub(super) fn status(&self) -> Option<&OrderStatus> {
        self.progress.status()
    }

    /// The entry that the ledger is to have; `None` for an order that is over.
    pub(super) fn entry(&self) -> Option<LedgerEntry> {
        match self.phase {
            Phase::Acknowledged { .. } => Some(LedgerEntry::Acknowledged),
            Phase::Ended if self.end > End::Untold && self.keeps_end() => {
                Some(LedgerEntry::Canceled)
            }
            Phase::Ended
            | Phase::Failed {
                keeps_entry: false, ..
            } => None,
            _ if self.was_granted => Some(LedgerEntry::Granted),
            _ => Some(LedgerEntry::Open),
        }
    }

    /// Whether it was paid for, as far as is known.
    pub(super) fn is_paid(&self) -> bool {
        self.progress.is_paid() || self.pushed.is_some()
    }

    /// Whether an answer can matter. An acknowledged order needs one answer, which shows whether it was
    /// refunded. An order that was given up needs one now and then, which shows whether it was paid after
    /// all.
    pub(super) fn may_be_asked_for(&self) -> bool {
        match self.phase {
            Phase::Open => true,
            Phase::Acknowledged { .. } | Phase::Failed { .. } => self.inquiry.is_wanted(),
            Phase::Recording | Phase::Granted | Phase::Ended | Phase::Abandoned => false,
        }
    }

    /// Takes an answer's list of items, and returns whether to tell the game.
    ///
    /// An empty list is ignored until answers have had it for minutes, because the store may not be done yet.
    /// A list that was read after the payment replaces one that was read before it.
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
            let empty = &mut self.empty;
            let (since, answers) = &mut **empty.get_or_insert_with(|| Box::new((now, 0)));
            *answers = answers.saturating_add(1);
            // The time alone does not suffice, because it also passes while the machine sleeps.
            let is_late = now.saturating_sub(*since) >= EMPTY_PATIENCE && *answers >= EMPTY_ANSWERS;
            let is_known = self.details.as_deref().is_some_and(|known| known.is_final);
            if !is_final || !is_late || is_known {
                return false;
            }
        } else {
            self.empty = None;
        }
        let known = self.details.as_deref();
        if known.is_some_and(|known| known.is_final) && !is_final {
            // The answer lags behind what is known.
            return false;
        }
        let details = Details {
            items,
            price,
            is_final,
        };
        // Each poll repeats the list, which is no news.
        let is_news = known
            .is_none_or(|known| (&known.items, &known.price) != (&details.items, &details.price));
        if known != Some(&details) {
            self.details = Some(Box::new(details));
        }
        is_news
    }

    /// Whether the servers have said enough for it to be granted.
    pub(super) fn is_due(&self, grant_at: GrantAt) -> bool {
        match grant_at {
            GrantAt::Done => self.status() == Some(&OrderStatus::Done),
            GrantAt::Paid => self.progress.is_paid(),
        }
    }

    /// Whether only an answer brings what is missing: no news is to come, or what it waits for is the list of items.
    pub(super) fn needs_answer(&self, grant_at: GrantAt) -> bool {
        !self.awaits_news() || self.is_due(grant_at) && self.final_details().is_none()
    }

    /// The items to grant, once they are known.
    pub(super) fn final_details(&self) -> Option<&Details> {
        self.details.as_deref().filter(|details| details.is_final)
    }

    /// Whether it is not followed, though it has no final status.
    pub(super) fn is_given_up(&self) -> bool {
        matches!(self.phase, Phase::Abandoned | Phase::Failed { .. })
    }

    /// Whether it ended unpaid, as far as was known then.
    pub(super) fn has_expired(&self) -> bool {
        self.phase == Phase::Ended
            && self.status() != Some(&OrderStatus::Canceled)
            && !self.was_granted
    }

    /// Whether it waits for an answer that shows if it was refunded since an earlier run.
    pub(super) fn is_checked(&self) -> bool {
        self.phase.is_acknowledged() && self.inquiry.is_wanted()
    }

    /// Whether a socket can bring news that matters.
    pub(super) fn awaits_news(&self) -> bool {
        match self.phase {
            Phase::Open => !self.status().is_some_and(OrderStatus::is_final),
            Phase::Failed { listens, .. } => listens,
            _ => false,
        }
    }

    /// Takes the status if it is news, and returns whether it is. Answers and publications come late, twice
    /// and out of order, so an order only moves forward.
    pub(super) fn advance(&mut self, status: &OrderStatus, now: Duration) -> bool {
        let is_news = self.progress.advance(status);
        if is_news {
            self.patience.last_news = now;
            // Only these make a request necessary, and an order has each of them once.
            self.attempts.is_free |= matches!(status, OrderStatus::Paid | OrderStatus::Done);
        }
        is_news
    }

    /// Assumes the status `New` if there is none, so that a history which repeats it is no news.
    pub(super) fn assume_new(&mut self) {
        self.progress.assume_new();
    }
}
