//! Simulated time: each test asks and answers, and reads off when the provider is called.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A failure that says nothing more.
const FAILED: Outcome = Outcome::Failed {
    retry_after: None,
    left: None,
};

/// A renewal, the time, and the times of the calls.
struct World {
    renewal: Renewal,
    now: Duration,
    wait: Option<(Ticket, Duration)>,
    call: Option<Ticket>,
    calls: Vec<Duration>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            renewal: Renewal::new(seed),
            now: HOUR,
            wait: None,
            call: None,
            calls: Vec::new(),
        }
    }

    fn proceed(&mut self) {
        match self.renewal.next(self.now) {
            Some(Step::Call(ticket)) => {
                assert_eq!(self.call, None, "two calls at once");
                self.call = Some(ticket);
                self.calls.push(self.now);
            }
            Some(Step::Wait(ticket, time)) => {
                assert!(!time.is_zero() && time <= RETRY_MAX, "{time:?}");
                self.wait = Some((ticket, self.now + time));
            }
            None => {}
        }
    }

    fn refuse(&mut self) {
        self.renewal.refused(self.now);
        self.proceed();
    }

    fn end(&mut self) {
        self.renewal.ending(self.now);
        self.proceed();
    }

    fn answer(&mut self, outcome: Outcome) {
        let call = self.call.take().unwrap();
        self.renewal.ended(call, outcome, self.now);
        self.proceed();
    }

    /// Lets time pass, and waits end.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((ticket, at)) = self.wait.filter(|(_, at)| *at <= end) {
            self.wait = None;
            self.now = self.now.max(at);
            self.renewal.waited(ticket);
            self.proceed();
        }
        self.now = end;
    }

    /// Lets time pass until there is a call. Returns how long that took.
    fn until_call(&mut self) -> Duration {
        let began = self.now;
        while self.call.is_none() {
            let (_, at) = self.wait.expect("nothing is waited for");
            self.pass(at.saturating_sub(self.now));
        }
        self.now - began
    }
}

/// A call after ten failures.
fn failing() -> World {
    let mut world = World::new(1);
    world.refuse();
    for _ in 0..10 {
        world.answer(FAILED);
        world.until_call();
    }
    world
}

#[test]
fn a_token_that_ends_or_is_refused_is_asked_for_at_once_and_one_time() {
    for is_refused in [true, false] {
        let mut world = World::new(1);
        for _ in 0..3 {
            match is_refused {
                true => world.refuse(),
                false => world.end(),
            }
        }
        assert_eq!(world.calls, [HOUR]);
        world.pass(MINUTE);
        world.answer(Outcome::Provided);
        world.pass(24 * HOUR);
        assert_eq!(world.calls.len(), 1);
    }
}

#[test]
fn delays_after_failures_grow_to_five_minutes_and_a_token_that_lasts_ends_them() {
    let mut world = World::new(1);
    world.refuse();
    let mut longest = Duration::ZERO;
    for failures in 1..60_u32 {
        world.answer(FAILED);
        let delay = world.until_call();
        let doubled = RETRY_MIN * 2_u32.pow(failures.min(20));
        assert!(delay <= doubled.min(RETRY_MAX), "{failures}: {delay:?}");
        assert!(delay >= RETRY_MIN / 2);
        longest = longest.max(delay);
    }
    assert!(longest > RETRY_MAX / 2);
    world.answer(Outcome::Provided);
    world.pass(HOUR);
    world.end();
    world.pass(Duration::ZERO);
    assert!(world.call.is_some(), "the next token is asked for at once");
    world.answer(FAILED);
    assert!(world.until_call() <= RETRY_MIN, "the delays begin anew");
}

#[test]
fn tokens_that_are_refused_at_once_are_failures() {
    let mut world = World::new(1);
    world.refuse();
    for _ in 0..20 {
        world.answer(Outcome::Provided);
        world.pass(Duration::from_millis(300));
        world.refuse();
        world.until_call();
    }
    let took = world.now - HOUR;
    assert!(took > 10 * MINUTE, "20 calls within {took:?}");
}

#[test]
fn a_token_that_is_refused_after_an_hour_was_good() {
    let mut world = failing();
    for _ in 0..20 {
        world.answer(Outcome::Provided);
        world.pass(HOUR);
        world.refuse();
        assert!(world.call.is_some());
    }
    world.answer(FAILED);
    assert!(world.until_call() <= RETRY_MIN, "the delays began anew");
}

#[test]
fn a_wait_that_is_over_too_early_is_followed_by_another() {
    let mut world = failing();
    world.answer(Outcome::Provided);
    world.renewal.absent();
    world.proceed();
    world.refuse();
    assert!(world.until_call() > GAP);
}

#[test]
fn a_few_tokens_may_live_short_and_then_the_calls_become_rare() {
    let mut world = World::new(1);
    world.end();
    for number in 1..30_u32 {
        world.answer(Outcome::Provided);
        world.pass(Duration::from_secs(2));
        world.end();
        if number <= SHORT_MAX {
            assert!(world.call.is_some(), "{number}");
        }
        world.until_call();
    }
    assert!(world.now - HOUR > 20 * MINUTE);
    world.answer(Outcome::Provided);
    world.pass(MINUTE);
    world.end();
    assert!(world.call.is_some(), "one that lives longer ends it");
}

#[test]
fn a_failing_provider_is_asked_more_often_towards_the_end_of_the_token() {
    let mut world = World::new(1);
    let end = world.now + 5 * MINUTE;
    world.end();
    loop {
        let left = end.saturating_sub(world.now);
        let retry_after = None;
        world.answer(Outcome::Failed {
            retry_after,
            left: Some(left),
        });
        world.until_call();
        if world.now >= end {
            break;
        }
    }
    assert!(world.now <= end + GAP, "it was asked when the token ended");
    assert!(world.calls.len() < 25, "{:?}", world.calls);
}

#[test]
fn a_provider_is_left_alone_for_as_long_as_it_wants_but_not_for_ever() {
    let mut world = World::new(1);
    world.refuse();
    for (wanted, expected) in [(90, 90), (24 * 60 * 60, 5 * 60)] {
        let retry_after = Some(Duration::from_secs(wanted));
        world.answer(Outcome::Failed {
            retry_after,
            left: None,
        });
        assert_eq!(world.until_call(), Duration::from_secs(expected));
    }
}

#[test]
fn a_player_who_waits_is_waited_for_ten_seconds_at_most() {
    let mut world = World::new(1);
    world.renewal.absent();
    world.proceed();
    for _ in 0..20 {
        world.answer(FAILED);
        world.until_call();
    }
    world.answer(FAILED);
    for _ in 0..1_000 {
        world.renewal.hurry(world.now);
        world.proceed();
    }
    assert!(world.until_call() <= WISH_GAP);
}

#[test]
fn nothing_is_asked_once_the_player_has_to_log_in_until_somebody_asks_or_has_logged_in() {
    let over = |seed| {
        let mut world = World::new(seed);
        world.refuse();
        world.answer(Outcome::NeedsLogin);
        world.refuse();
        world.renewal.absent();
        world.renewal.hurry(world.now);
        world.proceed();
        world.pass(24 * HOUR);
        assert_eq!(world.calls.len(), 1);
        world
    };
    let mut world = over(1);
    world.renewal.restart(world.now);
    world.proceed();
    assert_eq!(world.calls.len(), 2);

    let mut world = over(2);
    world.renewal.settle();
    world.refuse();
    assert_eq!(world.calls.len(), 2);

    let mut world = over(3);
    world.renewal.change_provider();
    world.proceed();
    assert_eq!(world.calls.len(), 2, "the token is still needed");
}

#[test]
fn a_game_that_asks_without_end_is_heard_every_ten_seconds() {
    let mut world = World::new(1);
    for _ in 0..600 {
        world.renewal.restart(world.now);
        world.proceed();
        if world.call.is_some() {
            world.answer(Outcome::NeedsLogin);
        }
        world.pass(Duration::from_millis(100));
    }
    assert!(world.calls.len() <= 7, "{:?}", world.calls);
}

#[test]
fn a_call_for_somebody_who_has_left_is_waited_for_and_then_another_is_made() {
    let mut world = World::new(1);
    world.refuse();
    world.pass(MINUTE);
    world.renewal.begin_anew();
    world.refuse();
    assert_eq!(world.calls.len(), 1);
    world.answer(Outcome::Outdated);
    assert_eq!(world.calls.len(), 2);
}

#[test]
fn a_token_that_the_game_has_inserted_itself_ends_the_need() {
    let mut world = World::new(1);
    world.refuse();
    world.answer(FAILED);
    world.renewal.settle();
    world.pass(HOUR);
    assert_eq!(world.calls.len(), 1);
}

/// Whatever happens in whatever sequence: there are never two calls at once, never many in any time, and a provider that
/// recovers is asked and its token stays.
#[test]
fn in_any_sequence_the_calls_are_single_and_few_and_a_good_provider_is_asked_in_the_end() {
    for seed in 0..3_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::new(seed);
        // Without the game's own changes, failures alone decide.
        let is_calm = random.bool();
        for _ in 0..random.usize(..200) {
            match random.u8(..if is_calm { 8 } else { 14 }) {
                0 | 1 => world.refuse(),
                2..=4 => {
                    let outcome = random.choice([FAILED, Outcome::Provided]).unwrap();
                    if world.call.is_some() {
                        let is_token = outcome == Outcome::Provided;
                        world.answer(outcome);
                        if is_token {
                            world.refuse();
                        }
                    }
                }
                5 | 6 => world.pass(Duration::from_millis(random.u64(..2_000))),
                7 => world.pass(Duration::from_secs(random.u64(..20))),
                8 => world.end(),
                9 => world.renewal.absent(),
                10 => world.renewal.hurry(world.now),
                11 => world.renewal.settle(),
                12 => world.renewal.begin_anew(),
                _ => {
                    let outcome = random.choice([Outcome::NeedsLogin, Outcome::Outdated]);
                    if world.call.is_some() {
                        world.answer(outcome.unwrap());
                    }
                    world.renewal.restart(world.now);
                }
            }
            world.proceed();
        }
        for pair in world.calls.windows(2) {
            assert!(pair[1] - pair[0] >= GAP, "seed {seed}: {pair:?}");
        }
        if is_calm {
            let of_minutes = world.calls.windows(13);
            for calls in of_minutes {
                let time = calls[12] - calls[0];
                assert!(time > MINUTE, "seed {seed}: 13 calls within {time:?}");
            }
        }
        // The provider recovers.
        world.renewal.restart(world.now);
        world.proceed();
        if world.call.is_none() {
            world.until_call();
        }
        world.answer(Outcome::Provided);
        world.pass(24 * HOUR);
        assert_eq!(world.call, None, "seed {seed}: it was not asked again");
    }
}
