//! The loop guard: how often one object may be put back, and a breaker over all of them.
//!
//! Our own put-backs are recognised, so no loop can begin with them; this bounds what somebody else's automation can make
//! of it. Times are given, not taken.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::id::ObjectRef;

/// Who was put back of late.
#[derive(Debug)]
pub(super) struct Limits {
    budget: usize,
    most: usize,
    window: Duration,
    objects: FxHashMap<ObjectRef, VecDeque<Instant>>,
    all: VecDeque<(ObjectRef, Instant)>,
    /// Whose last write failed without a word on whether it was applied.
    unsure: FxHashSet<ObjectRef>,
    breaker: Breaker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaker {
    Closed,
    Open {
        until: Instant,
    },
    /// One write is under way; how it ends decides.
    Trying,
}

/// Whether an object may be put back now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    Go,
    /// Not before so long. `opened`: this is what opened the breaker.
    Wait {
        wait: Duration,
        opened: bool,
    },
}

// === impl Limits ===

impl Limits {
    pub(super) fn new(budget: usize, most: usize, window: Duration) -> Self {
        Self {
            budget,
            most,
            window,
            objects: FxHashMap::default(),
            all: VecDeque::new(),
            unsure: FxHashSet::default(),
            breaker: Breaker::Closed,
        }
    }

    /// Whether the object may be put back now; if so, that counts.
    pub(super) fn permit(&mut self, object: &ObjectRef, now: Instant) -> Permit {
        let window = self.window;
        let passed = |at: &Instant| now.saturating_duration_since(*at) >= window;
        self.objects.retain(|_, times| times.back().is_some_and(|at| !passed(at)));
        while self.all.front().is_some_and(|(_, at)| passed(at)) {
            self.all.pop_front();
        }
        let objects = &self.objects;
        self.unsure.retain(|object| objects.contains_key(object));
        let wait = |wait| Permit::Wait { wait, opened: false };
        let times = self.objects.get_mut(object);
        if let Some(times) = times {
            while times.front().is_some_and(passed) {
                times.pop_front();
            }
            if times.len() >= self.budget
                && let Some(first) = times.front()
            {
                return wait(window.saturating_sub(now.saturating_duration_since(*first)));
            }
        }
        match self.breaker {
            Breaker::Open { until } if now < until => return wait(until.saturating_duration_since(now)),
            Breaker::Open { .. } => {
                self.breaker = Breaker::Trying;
                self.all.clear();
            }
            Breaker::Trying => return wait(window / 10),
            Breaker::Closed if self.all.len() >= self.most => {
                self.breaker = Breaker::Open { until: now + window };
                return Permit::Wait { wait: window, opened: true };
            }
            Breaker::Closed => {}
        }
        self.all.push_back((object.clone(), now));
        self.objects.entry(object.clone()).or_default().push_back(now);
        Permit::Go
    }

    /// The object's last write was not applied: nothing was put back.
    pub(super) fn refused(&mut self, object: &ObjectRef) {
        self.unsure.remove(object);
        if let Some(at) = self.all.iter().rposition(|(of, _)| of == object) {
            self.all.remove(at);
        }
        if let Some(times) = self.objects.get_mut(object) {
            times.pop_back();
        }
    }

    /// Whether the object's last write was applied is not known.
    pub(super) fn unsure(&mut self, object: &ObjectRef) {
        self.unsure.insert(object.clone());
    }

    /// What was not known of the object's last write, if anything, is known now.
    pub(super) fn sure(&mut self, object: &ObjectRef, applied: bool) {
        if self.unsure.remove(object) && !applied {
            self.refused(object);
        }
    }

    /// A permitted write has ended.
    pub(super) fn done(&mut self, well: bool, now: Instant) {
        if self.breaker == Breaker::Trying {
            self.breaker = if well { Breaker::Closed } else { Breaker::Open { until: now + self.window } };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn object(number: usize) -> ObjectRef {
        ObjectRef::new("task", &number.to_string())
    }

    #[test]
    fn an_object_has_a_budget() {
        let mut limits = Limits::new(3, 60, MINUTE);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in [0, 10, 20] {
            assert_eq!(limits.permit(&object(1), at(second)), Permit::Go);
        }
        let wait = |seconds| Permit::Wait { wait: Duration::from_secs(seconds), opened: false };
        assert_eq!(limits.permit(&object(1), at(25)), wait(35));
        assert_eq!(limits.permit(&object(2), at(25)), Permit::Go, "another has its own");
        assert_eq!(limits.permit(&object(1), at(60)), Permit::Go);
        assert_eq!(limits.permit(&object(1), at(61)), wait(9));
        limits.refused(&object(1));
        assert_eq!(limits.permit(&object(1), at(61)), Permit::Go, "what was refused does not count");
        limits.sure(&object(1), false);
        assert_eq!(limits.permit(&object(1), at(61)), wait(9), "nothing was open");
        limits.unsure(&object(1));
        limits.sure(&object(1), false);
        assert_eq!(limits.permit(&object(1), at(61)), Permit::Go, "nor what turned out not to be applied");
        limits.unsure(&object(1));
        limits.sure(&object(1), true);
        assert_eq!(limits.permit(&object(1), at(61)), wait(9));
        let _another = limits.permit(&object(3), at(600));
        assert_eq!(limits.objects.len(), 1, "what is over is forgotten");
    }

    #[test]
    fn what_is_given_back_is_the_objects_own() {
        let mut limits = Limits::new(1, 3, MINUTE);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limits.permit(&object(1), at(0)), Permit::Go);
        assert_eq!(limits.permit(&object(2), at(50)), Permit::Go);
        limits.refused(&object(1));
        assert_eq!(limits.all.front(), Some(&(object(2), at(50))));
    }

    #[test]
    fn the_breaker_opens_tries_one_and_closes() {
        let mut limits = Limits::new(3, 5, MINUTE);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        (0..5).for_each(|number| assert_eq!(limits.permit(&object(number), at(0)), Permit::Go));
        assert_eq!(limits.permit(&object(5), at(1)), Permit::Wait { wait: MINUTE, opened: true });
        assert_eq!(limits.permit(&object(6), at(31)), Permit::Wait { wait: MINUTE / 2, opened: false }, "told once");
        assert_eq!(limits.permit(&object(5), at(61)), Permit::Go, "one is tried");
        assert!(matches!(limits.permit(&object(6), at(61)), Permit::Wait { opened: false, .. }));
        limits.done(false, at(62));
        assert!(matches!(limits.permit(&object(6), at(100)), Permit::Wait { .. }), "it failed: open again");
        assert_eq!(limits.permit(&object(6), at(122)), Permit::Go);
        limits.done(true, at(123));
        (7..11).for_each(|number| assert_eq!(limits.permit(&object(number), at(124)), Permit::Go));
        assert!(matches!(limits.permit(&object(12), at(125)), Permit::Wait { opened: true, .. }));
    }
}
