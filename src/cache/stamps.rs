//! When inputs were last touched, by a number that each change raises.

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxBuildHasher;

use crate::model::change::Dep;

/// The stamp of an input: where the number of the last change that touched it stands.
pub(super) type Stamp = u16;

/// The numbers of changes. They begin at 1, are 64 bits wide and never come round.
#[derive(Debug)]
pub(super) struct Stamps {
    /// The last change.
    now: AtomicU64,
    /// The last change that touched everything.
    everything: AtomicU64,
    last: Box<[AtomicU64]>,
}

impl Stamps {
    /// One for each value of a stamp.
    pub(super) const MANY: usize = 1 << Stamp::BITS;

    pub(super) fn new(many: usize) -> Self {
        let last = (0..many).map(|_| AtomicU64::new(0)).collect();
        Self { now: AtomicU64::new(1), everything: AtomicU64::new(0), last }
    }

    /// The stamp of an input.
    pub(super) fn of(dep: Dep) -> Stamp {
        // The hash is best in its low bits.
        Stamp::try_from(FxBuildHasher.hash_one(dep) & u64::from(Stamp::MAX)).unwrap_or_default()
    }

    /// The number of the last change.
    pub(super) fn now(&self) -> u64 {
        self.now.load(Ordering::Acquire)
    }

    /// Notes a change.
    pub(super) fn change(&self, everything: bool, deps: &[Dep]) {
        let number = self.now.fetch_add(1, Ordering::AcqRel) + 1;
        if everything {
            self.everything.store(number, Ordering::Release);
            return;
        }
        for dep in deps {
            if let Some(last) = self.last.get(usize::from(Self::of(*dep))) {
                last.store(number, Ordering::Release);
            }
        }
    }

    /// Whether something among these was touched by a change after that one.
    pub(super) fn newer(&self, rests: &[Stamp], than: u64) -> bool {
        let newer = |last: &AtomicU64| last.load(Ordering::Acquire) > than;
        newer(&self.everything) || rests.iter().any(|stamp| self.last.get(usize::from(*stamp)).is_none_or(newer))
    }
}
