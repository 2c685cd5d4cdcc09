//! Consumptions against a store in simulated time.

use super::*;

const TIMEOUT: Duration = Duration::from_secs(15);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn status(status: u16, code: Option<&str>, wait: Option<u64>) -> RequestError {
    RequestError::Status {
        status,
        code: code.map(str::to_owned),
        message: None,
        transaction_id: None,
        retry_after: wait.map(seconds),
    }
}

fn refusal(number: u16) -> RequestError {
    status(number, Some("0401-4001"), None)
}

/// A consumption and its clock.
struct Trial {
    consumption: Consumption,
    now: Duration,
}

impl Trial {
    fn of(quantity: u64) -> Self {
        Self {
            consumption: Consumption::new(quantity, TIMEOUT, 7),
            now: seconds(1_000),
        }
    }

    /// Lets time pass until there is something to do.
    fn next(&mut self) -> Step {
        match self.consumption.step(self.now) {
            Step::WaitUntil(time) => {
                assert!(time > self.now, "it waits for what has passed");
                self.now = time;
                self.next()
            }
            step => step,
        }
    }

    #[track_caller]
    fn read(&mut self, answer: Result<Option<u64>, RequestError>) {
        assert_eq!(self.next(), Step::Read);
        self.consumption.read(answer, self.now);
    }

    #[track_caller]
    fn reads(&mut self, owned: u64) {
        self.read(Ok(Some(owned)));
    }

    #[track_caller]
    fn consumed(&mut self, answer: Result<(), RequestError>) {
        assert_eq!(self.next(), Step::Consume);
        self.consumption.consumed(answer, self.now, self.now);
    }

    /// Reads the same number until something else is to be done.
    #[track_caller]
    fn reads_unchanged(&mut self, owned: u64) -> Step {
        for _ in 0..100 {
            match self.next() {
                Step::Read => self.consumption.read(Ok(Some(owned)), self.now),
                step => return step,
            }
        }
        panic!("it reads for ever");
    }

    #[track_caller]
    fn ends(&mut self, result: Result<u64, ConsumeError>) {
        assert_eq!(self.next(), Step::End(result));
    }
}

#[test]
fn an_item_is_used_up_at_once() {
    let mut trial = Trial::of(2);
    trial.reads(5);
    trial.consumed(Ok(()));
    trial.ends(Ok(3));
    assert_eq!(trial.now, seconds(1_000));
}

#[test]
fn too_few_pieces_are_not_asked_for() {
    let mut trial = Trial::of(2);
    trial.reads(1);
    trial.ends(Err(ConsumeError::NotEnough { owned: 1 }));
    let mut trial = Trial::of(1);
    trial.read(Ok(None));
    trial.ends(Err(ConsumeError::NotConsumable));
}

#[test]
fn what_the_store_refuses_is_final() {
    for number in [400, 404, 405, 409, 410, 413, 422] {
        let mut trial = Trial::of(1);
        trial.reads(1);
        trial.consumed(Err(refusal(number)));
        trial.ends(Err(ConsumeError::Refused(refusal(number))));
    }
    for error in [
        refusal(401),
        refusal(403),
        RequestError::BadToken,
        RequestError::NotConfigured,
    ] {
        let mut trial = Trial::of(1);
        trial.reads(1);
        trial.consumed(Err(error.clone()));
        trial.ends(Err(ConsumeError::Request(error.clone())));
        let mut trial = Trial::of(1);
        trial.read(Err(error.clone()));
        trial.ends(Err(ConsumeError::Request(error)));
    }
}

/// What says nothing about the item, an answer that is not the store's among it.
fn unclear_answers() -> Vec<RequestError> {
    let foreign = [301, 403, 404, 407, 422, 500, 502, 503, 504];
    let mut errors: Vec<_> = foreign.map(|number| status(number, None, None)).into();
    errors.extend([refusal(408), refusal(500), refusal(503)]);
    errors.extend([
        RequestError::TimedOut,
        RequestError::Network("reset".to_owned()),
        RequestError::Malformed("html".to_owned()),
    ]);
    errors
}

#[test]
fn an_answer_that_never_came_is_read_back_and_not_repeated() {
    for error in unclear_answers() {
        let mut trial = Trial::of(2);
        trial.reads(5);
        trial.consumed(Err(error));
        trial.reads(3);
        trial.ends(Ok(3));
        assert!(trial.now < seconds(1_002), "the player waits for it");
    }
}

#[test]
fn nothing_is_repeated_before_the_request_cannot_take_effect_any_more() {
    for error in unclear_answers() {
        let mut trial = Trial::of(2);
        trial.reads(5);
        let sent = trial.now;
        trial.consumed(Err(error));
        assert_eq!(trial.reads_unchanged(5), Step::Consume);
        assert!(trial.now >= sent + SETTLING);
        trial.consumed(Ok(()));
        trial.ends(Ok(3));
    }
}

#[test]
fn a_request_that_may_take_long_may_take_effect_late() {
    let mut trial = Trial::of(1);
    trial.consumption = Consumption::new(1, seconds(90), 7);
    trial.reads(5);
    trial.consumed(Err(RequestError::TimedOut));
    assert_eq!(trial.reads_unchanged(5), Step::Consume);
    assert!(trial.now >= seconds(1_180));
}

#[test]
fn a_reading_counts_from_its_begin() {
    let mut trial = Trial::of(1);
    trial.reads(5);
    trial.consumed(Err(RequestError::TimedOut));
    assert_eq!(trial.next(), Step::Read);
    // The reading was answered late, with what was before the request took effect.
    trial.now += SETTLING;
    trial.consumption.read(Ok(Some(5)), trial.now);
    trial.reads(4);
    trial.ends(Ok(4));
}

#[test]
fn it_is_tried_three_times_and_then_nothing_was_used_up() {
    let mut trial = Trial::of(1);
    trial.reads(5);
    for _ in 1..ATTEMPTS {
        trial.consumed(Err(RequestError::TimedOut));
        assert_eq!(trial.reads_unchanged(5), Step::Consume);
    }
    trial.consumed(Err(RequestError::TimedOut));
    let end = trial.reads_unchanged(5);
    let error = ConsumeError::Request(RequestError::TimedOut);
    assert_eq!(end, Step::End(Err(error)));
}

#[test]
fn a_quantity_that_does_not_fit_is_told_with_both() {
    for after in [0, 2, 4, 6, 100] {
        let mut trial = Trial::of(2);
        trial.reads(5);
        trial.consumed(Err(RequestError::TimedOut));
        trial.reads(after);
        trial.ends(Err(ConsumeError::Unclear {
            before: 5,
            after: Some(after),
            error: RequestError::TimedOut,
        }));
    }
}

#[test]
fn an_inventory_that_cannot_be_read_back_is_unclear_after_some_minutes() {
    let mut trial = Trial::of(1);
    trial.reads(5);
    trial.consumed(Err(RequestError::TimedOut));
    let error = RequestError::Network("down".to_owned());
    let mut readings = 0;
    while trial.next() == Step::Read {
        trial.consumption.read(Err(error.clone()), trial.now);
        readings += 1;
    }
    let unclear = ConsumeError::Unclear {
        before: 5,
        after: None,
        error,
    };
    trial.ends(Err(unclear));
    let passed = trial.now - seconds(1_000);
    assert!(passed >= SETTLING + READING && passed < SETTLING + READING + seconds(20));
    assert!((10..100).contains(&readings), "{readings} readings");
}

#[test]
fn a_token_that_is_refused_midway_ends_it() {
    let mut trial = Trial::of(1);
    trial.reads(5);
    trial.consumed(Err(RequestError::TimedOut));
    trial.read(Err(refusal(401)));
    trial.ends(Err(ConsumeError::Unclear {
        before: 5,
        after: None,
        error: refusal(401),
    }));
}

#[test]
fn too_many_requests_are_waited_for_and_the_quantity_is_read_anew() {
    let mut trial = Trial::of(1);
    trial.read(Err(status(429, None, Some(30))));
    trial.reads(5);
    assert_eq!(trial.now, seconds(1_030));
    trial.consumed(Err(status(429, Some("0401-429"), Some(40))));
    trial.reads(3);
    assert_eq!(trial.now, seconds(1_070));
    trial.consumed(Ok(()));
    trial.ends(Ok(2));

    let mut trial = Trial::of(1);
    for _ in 0..ATTEMPTS {
        trial.reads(5);
        trial.consumed(Err(status(429, None, None)));
    }
    trial.ends(Err(ConsumeError::Request(status(429, None, None))));
}

#[test]
fn a_player_who_is_offline_hears_of_it_soon() {
    let mut trial = Trial::of(1);
    for _ in 0..READS {
        trial.read(Err(RequestError::Network("down".to_owned())));
    }
    assert!(matches!(
        trial.next(),
        Step::End(Err(ConsumeError::Request(_)))
    ));
    assert!(trial.now < seconds(1_004));
}

/// A store that answers as badly as a store can. What it was asked to do, it does within a minute or never.
struct Store {
    random: fastrand::Rng,
    owned: u64,
    /// When what it was asked to do takes effect.
    due: Vec<Duration>,
    /// How often the item was used up for this consumption.
    effects: u32,
    /// The number of percent of the answers that are bad.
    trouble: u32,
    quantity: u64,
}

impl Store {
    fn settle(&mut self, now: Duration) {
        let (owned, quantity, effects) = (&mut self.owned, self.quantity, &mut self.effects);
        self.due.retain(|due| {
            if *due > now {
                return true;
            }
            if *owned >= quantity {
                *owned -= quantity;
                *effects += 1;
            }
            false
        });
    }

    fn trouble(&mut self) -> Option<RequestError> {
        if self.random.u32(..100) >= self.trouble {
            return None;
        }
        let mut errors = unclear_answers();
        errors.extend([
            status(429, None, Some(self.random.u64(..90))),
            status(503, None, Some(self.random.u64(..90))),
            refusal(401),
        ]);
        self.random.choice(errors)
    }

    fn read(&mut self, now: Duration) -> Result<Option<u64>, RequestError> {
        self.settle(now);
        self.trouble().map_or(Ok(Some(self.owned)), Err)
    }

    fn consume(&mut self, now: Duration) -> Result<(), RequestError> {
        self.settle(now);
        let trouble = self.trouble();
        let refused = match &trouble {
            Some(error) if matches!(Meaning::of(error), Meaning::TooMany | Meaning::NotSent) => {
                return Err(error.clone());
            }
            _ if self.owned < self.quantity => Some(refusal(404)),
            _ if self.random.u32(..100) < self.trouble / 5 => Some(refusal(422)),
            _ => None,
        };
        match (trouble, refused) {
            (None, None) => {
                self.due.push(now);
                self.settle(now);
                Ok(())
            }
            (None, Some(refusal)) => Err(refusal),
            (Some(error), refused) => {
                // The answer was lost: before anything was done, after it, or while it was under way.
                if refused.is_none() && self.random.bool() {
                    let delay = self.random.u64(..60_000) * self.random.u64(..=1);
                    self.due.push(now + Duration::from_millis(delay));
                }
                Err(error)
            }
        }
    }
}

/// `others` is what another device adds in a request, which does not fit the quantity.
fn run(seed: u64, others: bool) {
    let mut random = fastrand::Rng::with_seed(seed);
    let quantity = random.u64(2..5);
    let mut store = Store {
        owned: random.u64(..12),
        due: Vec::new(),
        effects: 0,
        trouble: [0, 10, 50, 90, 100][random.usize(..5)],
        quantity,
        random: random.fork(),
    };
    let mut change_at = others.then(|| random.u64(..300));
    let mut consumption = Consumption::new(quantity, TIMEOUT, seed);
    let mut now = Duration::ZERO;
    let (mut waits, mut steps) = (0, 0);
    let end = loop {
        steps += 1;
        assert!(steps < 200, "seed {seed}: it does not end");
        if change_at.is_some_and(|at| now >= seconds(at)) {
            change_at = None;
            store.owned += 1;
        }
        match consumption.step(now) {
            Step::End(result) => break result,
            Step::WaitUntil(time) => {
                assert!(time > now && time - now <= seconds(90), "seed {seed}");
                now = time;
                waits += 1;
            }
            Step::Read => {
                let answer = store.read(now);
                now += Duration::from_millis(random.u64(1..15_000));
                consumption.read(answer, now);
            }
            Step::Consume => {
                let (answer, sent) = (store.consume(now), now);
                now += Duration::from_millis(random.u64(1..15_000));
                consumption.consumed(answer, sent, now);
            }
        }
    };
    // Whatever is still under way takes effect.
    store.settle(now + seconds(3_600));
    assert!(now < seconds(30 * 60), "seed {seed}: it took {now:?}");
    assert!(waits < 150, "seed {seed}");
    let effects = store.effects;
    match end {
        Ok(left) => {
            assert_eq!(effects, 1, "seed {seed}");
            assert!(others || left == store.owned, "seed {seed}");
        }
        Err(ConsumeError::Unclear { before, after, .. }) => {
            assert!(effects <= 1, "seed {seed}");
            if let Some(after) = after {
                assert!(others && after != before, "seed {seed}");
            }
        }
        Err(error) => assert_eq!(effects, 0, "seed {seed}: {error:?}"),
    }
}

#[test]
fn whatever_the_store_answers_an_item_is_used_up_once_or_the_player_still_has_it() {
    for seed in 0..50_000 {
        run(seed, false);
    }
}

#[test]
fn another_device_makes_it_unclear_and_never_double() {
    for seed in 0..50_000 {
        run(seed, true);
    }
}
