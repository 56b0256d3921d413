//! Decisions that were made before, and what each of them rests on.
//!
//! Invariant: `put` is called under the directory's read guard and `forget` under its write guard, so that once a batch
//! is applied no decision that it touched can be served again.
//! Invariant: a key is made of whole typed values compared for equality.

mod resting;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::notification::RemovalCause;
use moka::sync::Cache as Decisions;
use rustc_hash::FxBuildHasher;

use crate::model::change::{Dep, Touched};
use crate::model::decision::Decision;
use resting::Resting;

/// A cache of decisions, bounded by their number, that forgets exactly those that a change touches.
#[derive(Debug)]
pub struct Cache<K: CacheKey> {
    decisions: Decisions<(u64, K), Entry, FxBuildHasher>,
    /// Looked at when a decision is put or leaves, never on a hit.
    resting: Arc<Resting<(u64, K)>>,
    /// Part of every key: decisions of an earlier epoch are never found again.
    epoch: AtomicU64,
    /// Numbers the entries, so that one that leaves late does not take a newer one's place with it.
    entries: AtomicU64,
    /// Whether there is room for any decision at all.
    keeps: bool,
}

/// What a cached decision is found by.
pub trait CacheKey: Clone + Eq + Hash + Send + Sync + Debug + 'static {}

impl<K: Clone + Eq + Hash + Send + Sync + Debug + 'static> CacheKey for K {}

/// A decision and everything that it rests on, each once.
#[derive(Clone, Debug)]
pub struct Entry {
    pub decision: Decision,
    pub deps: Arc<[Dep]>,
    number: u64,
}

impl<K: CacheKey> Cache<K> {
    /// A cache of at most `capacity` decisions; 0: none is kept.
    pub fn new(capacity: u64) -> Self {
        let resting = Arc::new(Resting::default());
        let leaving = Arc::clone(&resting);
        let decisions = Decisions::builder()
            .max_capacity(capacity)
            .eviction_listener(move |_: Arc<(u64, K)>, entry: Entry, cause| {
                // What is removed by hand is taken out by `forget`.
                if cause != RemovalCause::Explicit {
                    leaving.leave(&entry.deps, entry.number);
                }
            })
            .build_with_hasher(FxBuildHasher);
        Self { decisions, resting, epoch: AtomicU64::new(0), entries: AtomicU64::new(0), keeps: capacity > 0 }
    }

    /// The decision for a key, where it is known.
    pub fn get(&self, key: &K) -> Option<Entry> {
        if !self.keeps {
            return None;
        }
        self.decisions.get(&(self.epoch.load(Ordering::Acquire), key.clone()))
    }

    /// Keeps a decision and what it rests on.
    pub fn put(&self, key: K, decision: Decision, reads: &[Dep]) {
        // To take in what gives way at once costs several times what deciding does.
        if !self.keeps {
            return;
        }
        let mut deps = reads.to_vec();
        deps.sort_unstable();
        deps.dedup();
        let key = (self.epoch.load(Ordering::Acquire), key);
        let number = self.entries.fetch_add(1, Ordering::Relaxed);
        // First what it rests on, then the decision: a decision that nothing leads to could not be forgotten.
        self.resting.rest(&deps, number, &key);
        self.decisions.insert(key, Entry { decision, deps: deps.into(), number });
    }

    /// Forgets every decision that rests on something touched; says how many there were.
    pub fn forget(&self, touched: &Touched) -> usize {
        let Touched { everything, deps } = touched;
        if *everything {
            self.epoch.fetch_add(1, Ordering::AcqRel);
            let forgotten = self.len();
            self.decisions.invalidate_all();
            self.resting.clear();
            return usize::try_from(forgotten).unwrap_or(usize::MAX);
        }
        let mut forgotten = 0;
        for key in deps.iter().flat_map(|dep| self.resting.take(*dep)) {
            if let Some(entry) = self.decisions.remove(&key) {
                forgotten += 1;
                self.resting.leave(&entry.deps, entry.number);
            }
        }
        forgotten
    }

    /// How many decisions are kept, roughly.
    pub fn len(&self) -> u64 {
        self.decisions.entry_count()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
