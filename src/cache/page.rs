//! The entries of a part of the cache, in sets of a few.

use smallvec::SmallVec;

use super::Place;
use super::stamps::{Stamp, Stamps};
use crate::model::decision::Decision;

/// Entries of a page, and of a set at most.
pub(super) const PAGE: usize = 64;
pub(super) const WAYS: usize = 4;

/// The stamps that a decision rests on.
pub(super) type Rests = SmallVec<[Stamp; 20]>;

/// A part of the cache; empty until something is put into it.
#[derive(Debug)]
pub(super) struct Page<K> {
    /// By entry: a part of its key's hash; 0 where there is none.
    marks: Vec<u32>,
    entries: Vec<Option<Entry<K>>>,
}

/// A decision, and how long it is right.
#[derive(Debug)]
pub(super) struct Entry<K> {
    key: K,
    decision: Decision,
    rests: Rests,
    /// The change up to which nothing that it rests on was touched.
    right_at: u64,
    /// Whether it was asked for since it was put, or since another one looked for room.
    asked: bool,
}

impl<K> Entry<K> {
    pub(super) fn new(key: K, decision: Decision, rests: Rests, right_at: u64) -> Self {
        Self { key, decision, rests, right_at, asked: false }
    }
}

impl<K> Default for Page<K> {
    fn default() -> Self {
        Self { marks: Vec::new(), entries: Vec::new() }
    }
}

impl<K> Page<K> {
    #[cfg(test)]
    pub(super) fn is_used(&self) -> bool {
        !self.entries.is_empty()
    }
}

impl<K: Eq> Page<K> {
    pub(super) fn get(&mut self, key: &K, place: Place, stamps: &Stamps) -> Option<Decision> {
        let at = self.find(key, place)?;
        let entry = self.entries.get_mut(at)?.as_mut()?;
        let now = stamps.now();
        if entry.right_at != now {
            if stamps.newer(&entry.rests, entry.right_at) {
                // It gives way first.
                entry.asked = false;
                return None;
            }
            entry.right_at = now;
        }
        entry.asked = true;
        Some(entry.decision)
    }

    /// Puts an entry in; what the one rested on that gave way.
    pub(super) fn put(&mut self, entry: Entry<K>, place: Place) -> Option<Rests> {
        if self.marks.is_empty() {
            self.marks.resize(PAGE, 0);
            self.entries.resize_with(PAGE, || None);
        }
        let at = self.find(&entry.key, place).or_else(|| self.room(place))?;
        *self.marks.get_mut(at)? = place.mark;
        self.entries.get_mut(at)?.replace(entry).map(|gone| gone.rests)
    }

    fn find(&self, key: &K, place: Place) -> Option<usize> {
        let (from, marks) = self.set(place)?;
        let is = |at: usize| self.entries.get(at)?.as_ref().filter(|entry| entry.key == *key);
        (from..).zip(marks).filter(|(_, mark)| **mark == place.mark).map(|(at, _)| at).find(|at| is(*at).is_some())
    }

    /// A place in a set: an empty one, else that of an entry that nobody has asked for of late.
    fn room(&mut self, place: Place) -> Option<usize> {
        let (from, marks) = self.set(place)?;
        if let Some(empty) = marks.iter().position(|mark| *mark == 0) {
            return Some(from + empty);
        }
        let set = self.entries.get_mut(from..from + place.ways)?;
        let idle = set.iter().position(|entry| entry.as_ref().is_none_or(|entry| !entry.asked));
        let at = idle.unwrap_or_else(|| {
            // All were: each must be asked for again. One goes, by the newcomer's mark so that it is not always the first.
            set.iter_mut().flatten().for_each(|entry| entry.asked = false);
            place.mark as usize / 2 % place.ways
        });
        Some(from + at)
    }

    /// The set of a place: its first entry, and the marks.
    fn set(&self, place: Place) -> Option<(usize, &[u32])> {
        let from = place.set * WAYS;
        Some((from, self.marks.get(from..from + place.ways)?))
    }
}
