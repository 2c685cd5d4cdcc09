//! Computes how long to wait before a retry.

use std::time::Duration;

/// How many different delays there are.
const STEPS: u32 = 10_000;

/// Returns a random delay below `min · 2^(failures − 1)`, which is capped at `max`. It is never below `min /
/// 2`.
///
/// The delay is random so that clients that a server lost together do not come back together.
pub(super) fn backoff(
    failures: u32,
    min: Duration,
    max: Duration,
    random: &mut fastrand::Rng,
) -> Duration {
    let ceiling = min
        .saturating_mul(
            1_u32
                .checked_shl(failures.saturating_sub(1))
                .unwrap_or(u32::MAX),
        )
        .min(max);
    let floor = min / 2;
    floor + ceiling.saturating_sub(floor) / STEPS * random.u32(..=STEPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_maximum_and_never_vanish() {
        let (min, max) = (Duration::from_millis(500), Duration::from_secs(20));
        let mut random = fastrand::Rng::with_seed(1);
        for failures in [0, 1, 2, 5, 31, 32, 33, u32::MAX] {
            for _ in 0..1_000 {
                let delay = backoff(failures, min, max, &mut random);
                assert!(delay >= min / 2 && delay <= max, "{failures}: {delay:?}");
            }
        }
        let longest = (0..1_000).map(|_| backoff(99, min, max, &mut random)).max();
        assert!(longest.unwrap() > max / 2);
    }
}
