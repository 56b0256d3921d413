//! How long to wait before the next try: doubling up to a bound, jittered, for ever.

use std::time::Duration;

use rand::RngExt as _;

/// Delays between tries. Each lies between half the step and the whole step; steps double from `first` to `most`.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    step: Duration,
}

impl Backoff {
    /// From `first`, which is at least a millisecond, up to `most`, which is at least `first`.
    pub fn new(first: Duration, most: Duration) -> Self {
        let first = first.max(Duration::from_millis(1));
        Self { first, most: most.max(first), step: first }
    }

    /// The next delay.
    pub fn delay(&mut self) -> Duration {
        let step = self.step;
        self.step = step.saturating_mul(2).min(self.most);
        rand::rng().random_range(step / 2..=step)
    }

    /// It worked: begin anew.
    pub fn reset(&mut self) {
        self.step = self.first;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn delays_stay_in_bounds_and_grow_until_the_bound(first in 0_u64..5_000, most in 0_u64..120_000, tries in 1_usize..80) {
            let (first, most) = (Duration::from_millis(first), Duration::from_millis(most));
            let mut backoff = Backoff::new(first, most);
            let floor = first.max(Duration::from_millis(1));
            let bound = most.max(floor);
            let mut step = floor;
            for _ in 0..tries {
                let delay = backoff.delay();
                prop_assert!(delay >= step / 2 && delay <= step, "{delay:?} not within {step:?}");
                step = (step * 2).min(bound);
            }
            backoff.reset();
            prop_assert!(backoff.delay() <= floor);
        }

        #[test]
        fn no_bound_overflows(tries in 1_usize..200) {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::MAX);
            for _ in 0..tries {
                prop_assert!(backoff.delay() > Duration::ZERO);
            }
        }
    }
}
