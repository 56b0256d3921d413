//! Decisions that were made before, in a fixed amount of memory.
//!
//! ```text
//! hash(key)   -> page -> set of a few entries: key, decision, when it was known to be right, what it rests on
//! hash(input) -> stamp: the number of the last change that touched an input with this stamp
//! ```
//!
//! A change raises the number and stamps what it touched; nothing is searched for or removed then. An entry is right as
//! long as no stamp that it rests on is newer than itself. Inputs that share a stamp make a decision to be forgotten too
//! often, never too seldom.
//!
//! Invariant: `put` and `get` are called under the directory's read guard and `forget` under its write guard, so that
//! once a batch is applied no decision that it touched can be served again.
//! Invariant: a key is made of whole typed values compared for equality.

mod page;
mod stamps;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::hash::{BuildHasher as _, Hash};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

use crate::model::change::{Dep, Touched};
use crate::model::decision::Decision;
use page::{Entry, PAGE, Page, Rests, WAYS};
use stamps::Stamps;

/// What rests on more inputs than this is not kept.
const MOST_INPUTS: usize = 1_024;

/// How many inputs may be held, in all, for entries that rest on more than have room in an entry: 8 MB of them.
const MOST_APART: usize = 4 << 20;

/// A cache of decisions, bounded in memory, that forgets those that a change touches.
#[derive(Debug)]
pub struct Cache<K> {
    /// Each is filled with room for entries when the first is put into it.
    pages: Box<[Mutex<Page<K>>]>,
    stamps: Stamps,
    /// Sets of a page, and entries of a set: those that a key may be among.
    sets: usize,
    ways: usize,
    /// Inputs that are held apart.
    apart: AtomicUsize,
}

/// What a cached decision is found by.
pub trait CacheKey: Clone + Eq + Hash + Send + Sync + Debug + 'static {}

impl<K: Clone + Eq + Hash + Send + Sync + Debug + 'static> CacheKey for K {}

impl<K: CacheKey> Cache<K> {
    /// A cache of at most so many decisions; 0: none is kept.
    pub fn new(capacity: u64) -> Self {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let ways = capacity.min(WAYS);
        let sets = capacity.checked_div(ways).unwrap_or_default().min(PAGE / WAYS);
        // A power of two, or none; rounded down, for the memory is bounded.
        let pages = (capacity / PAGE).checked_ilog2().map_or(sets.min(1), |log| 1 << log);
        Self {
            pages: (0..pages).map(|_| Mutex::default()).collect(),
            stamps: Stamps::new(if pages > 0 { Stamps::MANY } else { 0 }),
            sets,
            ways,
            apart: AtomicUsize::new(0),
        }
    }

    /// The decision for a key, where it is known and nothing that it rests on has changed.
    pub fn get(&self, key: &K) -> Option<Decision> {
        let (page, place) = self.place(key)?;
        page.lock().get(key, place, &self.stamps)
    }

    /// Keeps a decision and what it rests on.
    pub fn put(&self, key: K, decision: Decision, reads: &[Dep]) {
        let Some((page, place)) = self.place(&key) else { return };
        if reads.len() > MOST_INPUTS {
            return;
        }
        let rests: Rests = reads.iter().map(|dep| Stamps::of(*dep)).collect();
        let held = |rests: &Rests| if rests.spilled() { rests.capacity() } else { 0 };
        let coming = held(&rests);
        if coming > 0 && self.apart.load(Ordering::Relaxed) > MOST_APART {
            return;
        }
        let entry = Entry::new(key, decision, rests, self.stamps.now());
        let gone = page.lock().put(entry, place);
        self.apart.fetch_add(coming, Ordering::Relaxed);
        self.apart.fetch_sub(gone.map_or(0, |gone| held(&gone)), Ordering::Relaxed);
    }

    /// Forgets every decision that rests on something touched.
    pub fn forget(&self, touched: &Touched) {
        let Touched { everything, deps } = touched;
        if *everything || !deps.is_empty() {
            self.stamps.change(*everything, deps);
        }
    }

    /// Where a key's entry is, if there is room for any.
    fn place(&self, key: &K) -> Option<(&Mutex<Page<K>>, Place)> {
        let hash = FxBuildHasher.hash_one(key);
        let low = usize::try_from(hash & 0xffff_ffff).ok()?;
        let page = self.pages.get(low & self.pages.len().wrapping_sub(1))?;
        // Other bits than those that chose the page.
        let set = usize::try_from(hash >> 56).ok()?.checked_rem(self.sets)?;
        let mark = u32::try_from((hash >> 24) & 0xffff_ffff).ok()? | 1;
        Some((page, Place { set, mark, ways: self.ways }))
    }
}

/// Where in a page a key's entry is.
#[derive(Clone, Copy, Debug)]
struct Place {
    set: usize,
    /// A part of the key's hash, never 0: tells most others apart without a look at them.
    mark: u32,
    ways: usize,
}
