//! Decides when the game's provider is asked for a token: once at a time, and never in a loop.

use std::time::Duration;

use crate::machine::backoff::backoff;

/// The shortest time from one call to the next, whatever happens.
const GAP: Duration = Duration::from_secs(1);
/// The same where the game or the player asks while the provider fails.
const WISH_GAP: Duration = Duration::from_secs(10);
/// The first delay after a failure, and the longest.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(5 * 60);
/// A token that is refused within this time of its coming was no good.
const REFUSED_SOON: Duration = Duration::from_secs(60);
/// A token whose end is told within this time of its coming has lived short. Where the calendar of this machine is an
/// hour ahead, all of them do.
const ENDED_SOON: Duration = Duration::from_secs(30);
/// The number of tokens in a row that may live short before the calls become rare.
const SHORT_MAX: u32 = 5;

/// Names a call or a wait. An outdated one is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask the provider, and tell what came of it by [`Renewal::ended`].
    Call(Ticket),
    /// Wait, and tell that by [`Renewal::waited`].
    Wait(Ticket, Duration),
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Provided,
    Failed {
        /// The time for which the provider wants to be left alone.
        retry_after: Option<Duration>,
        /// The remaining life of the token that is to be replaced.
        left: Option<Duration>,
    },
    /// The player has to log in.
    NeedsLogin,
    /// Its token is not for whoever plays now.
    Outdated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Idle,
    Waiting { ticket: Ticket, until: Duration },
    Calling(Ticket),
}

#[derive(Debug)]
pub(crate) struct Renewal {
    work: Work,
    is_wanted: bool,
    needs_login: bool,
    /// The number of calls in a row without a token that the servers took.
    failures: u32,
    /// The number of tokens in a row that lived short.
    short: u32,
    /// The begin of the last call.
    began: Option<Duration>,
    /// When the last token came, until it was judged.
    provided: Option<Duration>,
    /// No call begins before this time.
    due: Duration,
    last_ticket: u64,
    random: fastrand::Rng,
}

impl Renewal {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            work: Work::Idle,
            is_wanted: false,
            needs_login: false,
            failures: 0,
            short: 0,
            began: None,
            provided: None,
            due: Duration::ZERO,
            last_ticket: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Whether a token is needed.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Whether the provider has said that the player has to log in.
    pub(crate) fn needs_login(&self) -> bool {
        self.needs_login
    }

    /// A token is needed, and there is none.
    pub(crate) fn absent(&mut self) {
        self.is_wanted = true;
    }

    /// The token has ended, or is about to.
    pub(crate) fn ending(&mut self, now: Duration) {
        if let Some(provided) = self.provided.take() {
            self.failures = 0;
            self.short = match now.saturating_sub(provided) < ENDED_SOON {
                true => self.short.saturating_add(1),
                false => 0,
            };
            if let Some(failures) = self.short.checked_sub(SHORT_MAX).filter(|count| *count > 0) {
                self.put_off(failures, now);
            }
        }
        self.is_wanted = true;
    }

    /// A server has refused the token.
    pub(crate) fn refused(&mut self, now: Duration) {
        if let Some(provided) = self.provided.take() {
            if now.saturating_sub(provided) < REFUSED_SOON {
                self.failures = self.failures.saturating_add(1);
                self.put_off(self.failures, now);
            } else {
                self.failures = 0;
            }
        }
        self.is_wanted = true;
    }

    /// The game or the player asks, and waits for it.
    pub(crate) fn hurry(&mut self, now: Duration) {
        let soonest = self.began.map_or(now, |began| began + WISH_GAP);
        self.due = self.due.min(soonest);
    }

    /// The game asks again after the player had to log in.
    pub(crate) fn restart(&mut self, now: Duration) {
        if std::mem::take(&mut self.needs_login) {
            self.due = self.began.map_or(now, |began| began + WISH_GAP);
        }
        self.hurry(now);
        self.is_wanted = true;
    }

    /// The game has inserted a token itself. A call that is under way goes on.
    pub(crate) fn settle(&mut self) {
        self.is_wanted = false;
        self.needs_login = false;
    }

    /// Begins anew for another player. A call that is under way goes on.
    pub(crate) fn begin_anew(&mut self) {
        self.settle();
        self.failures = 0;
        self.short = 0;
        self.provided = None;
        self.due = Duration::ZERO;
    }

    /// Begins anew with another provider, which is asked for what the last one did not give.
    pub(crate) fn change_provider(&mut self) {
        let is_wanted = self.is_wanted || self.needs_login;
        self.begin_anew();
        self.is_wanted = is_wanted;
    }

    /// Returns what is to be done now, if anything is.
    pub(crate) fn next(&mut self, now: Duration) -> Option<Step> {
        if !self.is_wanted || self.needs_login || matches!(self.work, Work::Calling(_)) {
            return None;
        }
        let due = self.due.max(self.began.map_or(now, |began| began + GAP));
        if due <= now {
            let ticket = self.next_ticket();
            self.work = Work::Calling(ticket);
            self.began = Some(now);
            return Some(Step::Call(ticket));
        }
        if let Work::Waiting { until, .. } = self.work
            && until <= due
        {
            return None;
        }
        let ticket = self.next_ticket();
        self.work = Work::Waiting { ticket, until: due };
        Some(Step::Wait(ticket, due - now))
    }

    /// A wait is over.
    pub(crate) fn waited(&mut self, over: Ticket) {
        if matches!(self.work, Work::Waiting { ticket, .. } if ticket == over) {
            self.work = Work::Idle;
        }
    }

    /// A call has ended.
    pub(crate) fn ended(&mut self, call: Ticket, outcome: Outcome, now: Duration) {
        if self.work != Work::Calling(call) {
            return;
        }
        self.work = Work::Idle;
        match outcome {
            Outcome::Provided => {
                self.is_wanted = false;
                self.provided = Some(now);
            }
            Outcome::Failed { retry_after, left } => {
                self.failures = self.failures.saturating_add(1);
                self.put_off(self.failures, now);
                // The token may still be replaced in time. A provider that keeps tokens may have the next one only then.
                if let Some(left) = left.filter(|left| !left.is_zero()) {
                    self.due = self.due.min(now + (left / 2).max(GAP));
                }
                let pause = retry_after.unwrap_or_default().min(RETRY_MAX);
                self.due = self.due.max(now + pause);
            }
            Outcome::NeedsLogin => {
                self.needs_login = true;
                self.is_wanted = false;
            }
            Outcome::Outdated => {}
        }
    }

    fn put_off(&mut self, failures: u32, now: Duration) {
        self.due = now + backoff(failures, RETRY_MIN, RETRY_MAX, &mut self.random);
    }

    fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }
}

#[cfg(test)]
mod tests;
