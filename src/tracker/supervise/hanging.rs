//! Objects that took others along without a word, for as long as anything is read that was asked for before: what it finds
//! may still be as it was, and only then is it known what leads to them.

use std::collections::VecDeque;

use super::reads::Began;
use super::{Source, Supervisor};
use crate::model::change::Change;
use crate::model::id::{ObjectRef, Str};

/// What is remembered.
#[derive(Debug)]
pub(super) struct Hanging {
    held: VecDeque<Held>,
    /// What re-reads find that began up to here may be old, whatever it is: more was announced than is remembered.
    all: Option<Began>,
    most: usize,
}

#[derive(Debug)]
struct Held {
    /// Re-reads that began later are new enough.
    at: Began,
    /// So are loads, unless one was under way.
    load: bool,
    on: Vec<ObjectRef>,
    field: Str,
}

/// Who has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Reread(Began),
    Load,
}

// === impl Hanging ===

impl Hanging {
    /// Nothing; so many objects are remembered.
    pub(super) fn new(most: usize) -> Self {
        Self { held: VecDeque::new(), all: None, most }
    }

    /// Whether there is room for it.
    fn hold(&mut self, at: Began, load: bool, on: Vec<ObjectRef>, field: Str) -> bool {
        let count: usize = self.held.iter().map(|held| held.on.len()).sum();
        if count.saturating_add(on.len()) > self.most {
            self.held.clear();
            self.all = Some(at);
            return false;
        }
        self.held.push_back(Held { at, load, on, field });
        true
    }

    fn by(&self, by: By) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(move |held| match by {
            By::Reread(began) => began <= held.at,
            By::Load => held.load,
        })
    }

    /// What no re-read under way, of which this is the oldest, can have missed is forgotten.
    fn forget(&mut self, oldest: Option<Began>) {
        let is_over = |at: Began| oldest.is_none_or(|oldest| oldest > at);
        self.held.retain(|held| held.load || !is_over(held.at));
        self.all = self.all.filter(|at| !is_over(*at));
    }
}

impl<S: Source> Supervisor<S> {
    /// Whatever leads to these by the field may have changed with them: what is known to by now, and what is being read.
    pub(super) fn hangs(&mut self, on: Vec<ObjectRef>, field: Str) {
        let hanging = self.authorizer.leading_to(&on, &field);
        self.hint(&hanging);
        let loads = self.loading.is_some();
        if (loads || self.reads.oldest().is_some())
            && !self.hanging.hold(self.reads.latest(), loads, on, field)
            && let Some(loading) = &mut self.loading
        {
            loading.overflowed = true;
        }
    }

    /// Of what was just applied, what has to be read once more.
    pub(super) fn hanging_among(&self, by: By, applied: &[ObjectRef]) -> Vec<ObjectRef> {
        if let By::Reread(began) = by
            && self.hanging.all.is_some_and(|all| began <= all)
        {
            return applied.to_vec();
        }
        let lead = |held: &Held| self.authorizer.leading_among(applied, &held.on, &held.field);
        self.hanging.by(by).flat_map(lead).collect()
    }

    /// These are read once more. None: nothing is; to a source that re-reads nothing, any hint means a load.
    pub(super) fn once_more(&mut self, objects: &[ObjectRef]) {
        if !objects.is_empty() {
            self.hint(objects);
        }
    }

    /// The objects that these changes bring, where any of them may have to be read once more.
    pub(super) fn brought(&self, by: By, changes: &[Change]) -> Vec<ObjectRef> {
        if self.hanging.all.is_none() && self.hanging.by(by).next().is_none() {
            return Vec::new();
        }
        let brought = changes.iter().filter_map(|change| match change {
            Change::Upsert(record) => Some(self.filed(&record.object())),
            _ => None,
        });
        brought.collect()
    }

    /// A re-read or a load has ended.
    pub(super) fn forget_hanging(&mut self) {
        if self.loading.is_none() {
            self.hanging.held.iter_mut().for_each(|held| held.load = false);
        }
        self.hanging.forget(self.reads.oldest());
    }
}

#[cfg(test)]
mod tests {
    use super::super::reads::Reads;
    use super::*;

    fn shots(count: usize) -> Vec<ObjectRef> {
        (0..count).map(|id| ObjectRef::new("shot", &id.to_string())).collect()
    }

    #[test]
    fn what_was_announced_is_remembered_until_all_that_began_before_has_ended() {
        let (mut reads, mut hanging) = (Reads::new(10), Hanging::new(10));
        let before = reads.begin(&[]);
        assert!(hanging.hold(reads.latest(), true, shots(2), "entity".into()));
        let after = reads.begin(&[]);
        assert_eq!(hanging.by(By::Reread(before)).count(), 1);
        assert_eq!(hanging.by(By::Reread(after)).count(), 0);
        assert_eq!(hanging.by(By::Load).count(), 1);
        reads.end(before);
        hanging.forget(reads.oldest());
        assert_eq!(hanging.held.len(), 1, "the load goes on");
        hanging.held.iter_mut().for_each(|held| held.load = false);
        hanging.forget(reads.oldest());
        assert!(hanging.held.is_empty());
    }

    #[test]
    fn where_more_was_announced_all_that_began_before_is_in_doubt() {
        let (mut reads, mut hanging) = (Reads::new(10), Hanging::new(10));
        let before = reads.begin(&[]);
        assert!(hanging.hold(reads.latest(), false, shots(8), "entity".into()));
        assert!(!hanging.hold(reads.latest(), false, shots(8), "entity".into()));
        assert!(hanging.held.is_empty() && hanging.all == Some(before));
        reads.end(before);
        hanging.forget(reads.oldest());
        assert_eq!(hanging.all, None);
    }
}
