//! Which re-reads are under way, and what was hinted, read or applied since each began.
//!
//! A re-read can bring objects that it was not asked for. What it has of them may be older than what another read of
//! them found meanwhile, and that cannot be told from the answer.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::model::id::ObjectRef;

/// When a re-read began, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Began(u64);

/// The re-reads under way.
#[derive(Debug)]
pub(super) struct Reads {
    now: u64,
    running: BTreeSet<Began>,
    /// What was touched last at which step, as long as a re-read is under way.
    touched: FxHashMap<ObjectRef, u64>,
    /// Anything may have been touched up to here: more was than is remembered.
    all: u64,
    most: usize,
}

// === impl Reads ===

impl Reads {
    /// No re-reads; so many objects are remembered.
    pub(super) fn new(most: usize) -> Self {
        Self { now: 0, running: BTreeSet::new(), touched: FxHashMap::default(), all: 0, most }
    }

    /// A re-read begins.
    pub(super) fn begin(&mut self, objects: &[ObjectRef]) -> Began {
        self.now += 1;
        let began = Began(self.now);
        self.running.insert(began);
        objects.iter().for_each(|object| self.touch(object));
        began
    }

    /// The object is hinted, read or applied now.
    pub(super) fn touch(&mut self, object: &ObjectRef) {
        if self.running.is_empty() {
            return;
        }
        if self.touched.len() >= self.most && !self.touched.contains_key(object) {
            self.touched.clear();
            self.all = self.now;
        }
        self.touched.insert(object.clone(), self.now);
    }

    /// Whether the object was touched since then.
    pub(super) fn is_touched(&self, object: &ObjectRef, since: Began) -> bool {
        let touched = self.touched.get(object).copied().unwrap_or_default();
        touched.max(self.all) >= since.0
    }

    /// The re-read that began last, under way or not.
    pub(super) fn latest(&self) -> Began {
        Began(self.now)
    }

    /// The oldest re-read under way.
    pub(super) fn oldest(&self) -> Option<Began> {
        self.running.first().copied()
    }

    pub(super) fn end(&mut self, began: Began) {
        self.running.remove(&began);
        if self.running.is_empty() {
            self.touched.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(id: &str) -> ObjectRef {
        ObjectRef::new("task", id)
    }

    #[test]
    fn what_is_touched_while_a_read_is_under_way_is_known() {
        let mut reads = Reads::new(10);
        reads.touch(&object("before"));
        let first = reads.begin(&[object("a")]);
        reads.touch(&object("between"));
        let second = reads.begin(&[object("b")]);
        assert!(reads.is_touched(&object("between"), first) && !reads.is_touched(&object("between"), second));
        assert!(reads.is_touched(&object("b"), first) && !reads.is_touched(&object("a"), second));
        assert!(!reads.is_touched(&object("before"), first));
        reads.end(first);
        reads.touch(&object("a"));
        assert!(reads.is_touched(&object("a"), second));
        reads.end(second);
        assert!(reads.touched.is_empty() && reads.running.is_empty());
    }

    #[test]
    fn more_than_is_remembered_may_be_anything() {
        let mut reads = Reads::new(3);
        let first = reads.begin(&[]);
        (0..100).for_each(|id| reads.touch(&object(&id.to_string())));
        assert!(reads.touched.len() <= 3 && reads.is_touched(&object("other"), first));
        let second = reads.begin(&[]);
        assert!(!reads.is_touched(&object("other"), second));
    }
}
