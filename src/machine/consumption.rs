//! The use of an item, once.
//!
//! The store has no id by which a repeated request could be told from a new one. So the quantity is read before the
//! request, and where its answer is unclear, it is read again: if it fell by what was to be used up, that is done, and if
//! it is unchanged when the request cannot take effect any more, it is tried again.
//!
//! What this cannot tell apart is another device that uses up, or buys, the same number of the same item in the minute in
//! which an answer was lost.

use std::time::Duration;

use crate::machine::backoff::backoff;
use crate::model::error::RequestError;
use crate::model::inventory::ConsumeError;

/// How long a request may take effect after it was sent, whatever became of the connection. Gateways wait for a minute at
/// most.
const SETTLING: Duration = Duration::from_secs(60);
/// How long the inventory is read back after that while it cannot be had.
const READING: Duration = Duration::from_secs(4 * 60);
/// How often the item is asked to be used up.
const ATTEMPTS: u32 = 3;
/// How often the quantity is asked for before the first attempt, for a player who waits.
const READS: u32 = 3;
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Read how many pieces there are.
    Read,
    /// Ask the store to use the item up.
    Consume,
    /// Wait until then.
    WaitUntil(Duration),
    /// It is over: so many pieces are left, or why it failed.
    End(Result<u64, ConsumeError>),
}

/// The use of one item. `now` is the time on any clock that does not go back.
#[derive(Debug)]
pub(crate) struct Consumption {
    quantity: u64,
    /// How long after it was sent a request can still take effect.
    settling: Duration,
    phase: Phase,
    paused_until: Duration,
    /// The number of times that the item was asked to be used up.
    attempts: u32,
    /// The number of failures since the last success.
    failures: u32,
    random: fastrand::Rng,
}

#[derive(Clone, Debug)]
enum Phase {
    Reading,
    Consuming {
        before: u64,
    },
    ReadingBack {
        before: u64,
        /// When the request was sent.
        sent: Duration,
        /// When the reading was begun.
        began: Duration,
        /// Why the answer is unclear.
        error: RequestError,
    },
    Ended(Result<u64, ConsumeError>),
}

impl Consumption {
    pub(crate) fn new(quantity: u64, request_timeout: Duration, seed: u64) -> Self {
        Self {
            quantity,
            settling: SETTLING.max(request_timeout.saturating_mul(2)),
            phase: Phase::Reading,
            paused_until: Duration::ZERO,
            attempts: 0,
            failures: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// What is to be done now.
    pub(crate) fn step(&mut self, now: Duration) -> Step {
        if let Phase::Ended(result) = &self.phase {
            return Step::End(result.clone());
        }
        if now < self.paused_until {
            return Step::WaitUntil(self.paused_until);
        }
        match &mut self.phase {
            Phase::Consuming { .. } => Step::Consume,
            Phase::ReadingBack { began, .. } => {
                *began = now;
                Step::Read
            }
            Phase::Reading | Phase::Ended(_) => Step::Read,
        }
    }

    /// Handles the answer to [`Step::Read`]: how many pieces there are, or `None` if they are not counted.
    pub(crate) fn read(&mut self, answer: Result<Option<u64>, RequestError>, now: Duration) {
        match self.phase.clone() {
            Phase::Reading => self.read_before(answer, now),
            Phase::ReadingBack {
                before,
                sent,
                began,
                error,
            } => match answer {
                Ok(Some(after)) if after.checked_add(self.quantity) == Some(before) => {
                    self.end(Ok(after));
                }
                Ok(Some(after)) if after == before => {
                    if began < sent.saturating_add(self.settling) {
                        self.failures += 1;
                        self.pause(None, now);
                    } else if self.attempts < ATTEMPTS {
                        self.consume(before);
                    } else {
                        self.end(Err(ConsumeError::Request(error)));
                    }
                }
                Ok(after) => self.end(Err(ConsumeError::Unclear {
                    before,
                    after,
                    error,
                })),
                Err(error) => {
                    let patience = self.settling.saturating_add(READING);
                    if may_pass(&error) && now < sent.saturating_add(patience) {
                        self.failures += 1;
                        self.pause(error.pause(), now);
                    } else {
                        self.end(Err(ConsumeError::Unclear {
                            before,
                            after: None,
                            error,
                        }));
                    }
                }
            },
            Phase::Consuming { .. } | Phase::Ended(_) => {}
        }
    }

    fn read_before(&mut self, answer: Result<Option<u64>, RequestError>, now: Duration) {
        match answer {
            Ok(Some(owned)) if owned < self.quantity => {
                self.end(Err(ConsumeError::NotEnough { owned }));
            }
            Ok(Some(owned)) => self.consume(owned),
            Ok(None) => self.end(Err(ConsumeError::NotConsumable)),
            Err(error) => {
                self.failures += 1;
                if may_pass(&error) && self.failures < READS {
                    self.pause(error.pause(), now);
                } else {
                    self.end(Err(ConsumeError::Request(error)));
                }
            }
        }
    }

    fn consume(&mut self, before: u64) {
        self.attempts += 1;
        self.failures = 0;
        self.phase = Phase::Consuming { before };
    }

    /// Handles the answer to [`Step::Consume`], which was sent then.
    pub(crate) fn consumed(
        &mut self,
        answer: Result<(), RequestError>,
        sent: Duration,
        now: Duration,
    ) {
        let Phase::Consuming { before } = self.phase else {
            return;
        };
        let error = match answer {
            Ok(()) => return self.end(Ok(before.saturating_sub(self.quantity))),
            Err(error) => error,
        };
        match Meaning::of(&error) {
            Meaning::Refused => self.end(Err(ConsumeError::Refused(error))),
            Meaning::NotSent => self.end(Err(ConsumeError::Request(error))),
            Meaning::TooMany if self.attempts < ATTEMPTS => {
                self.pause(error.pause(), now);
                // The quantity may change during the pause.
                self.phase = Phase::Reading;
            }
            Meaning::TooMany => self.end(Err(ConsumeError::Request(error))),
            Meaning::Unclear => {
                self.failures = 1;
                self.pause(error.pause(), now);
                self.phase = Phase::ReadingBack {
                    before,
                    sent,
                    began: now,
                    error,
                };
            }
        }
    }

    fn end(&mut self, result: Result<u64, ConsumeError>) {
        self.phase = Phase::Ended(result);
    }

    /// Waits before the next request, and not less than the server has asked for.
    fn pause(&mut self, wanted: Option<Duration>, now: Duration) {
        let pause = backoff(self.failures, PAUSE_MIN, PAUSE_MAX, &mut self.random);
        self.paused_until = now.saturating_add(pause.max(wanted.unwrap_or_default()));
    }
}

/// What an error says of the request that was to use an item up.
enum Meaning {
    /// The store has refused it.
    Refused,
    /// Nothing was asked for, or nobody in particular has asked.
    NotSent,
    /// It was turned away because there are too many requests, before anything was done.
    TooMany,
    /// It may have been done.
    Unclear,
}

impl Meaning {
    fn of(error: &RequestError) -> Self {
        match error {
            RequestError::NotConfigured => Self::NotSent,
            error if error.is_unauthorized() => Self::NotSent,
            RequestError::Status { status: 429, .. } => Self::TooMany,
            // 408 is about a request that took too long.
            RequestError::Status {
                status: 400..=407 | 409..=499,
                ..
            } if !error.is_foreign() => Self::Refused,
            _ => Self::Unclear,
        }
    }
}

/// Whether a reading that failed may succeed later.
fn may_pass(error: &RequestError) -> bool {
    match Meaning::of(error) {
        Meaning::TooMany | Meaning::Unclear => true,
        Meaning::Refused | Meaning::NotSent => false,
    }
}

#[cfg(test)]
mod tests;
