//! Loads in parts: applying them as they come, and what they did not list.
//!
//! Pages that are read one after the other are no one look at a table: an object can slip from one to the other unseen.
//! So what no page listed is only doubtful: it is re-read, some at a time, and gone when that says so. Until then the
//! mirror does not count as equal.

use std::time::Instant;

use rustc_hash::FxHashSet;

use super::hanging::By;
use super::queue::Hinted;
use super::{Scope, Source, Supervisor};
use crate::directory::Listed;
use crate::model::change::{Batch, Change};
use crate::model::id::{Key, ObjectRef};

/// What one load did not list.
#[derive(Debug)]
pub(super) struct Doubts {
    scope: Scope,
    listed: Listed,
    /// Where to look for the next; `None` when all were found.
    from: Option<Key>,
    /// Those that are being re-read.
    asked: FxHashSet<ObjectRef>,
    /// What the mirror is known equal to when none is left.
    as_of: Option<Instant>,
}

// === impl Doubts ===

impl Doubts {
    pub(super) fn new(scope: Scope, listed: Listed, as_of: Option<Instant>) -> Self {
        Self { scope, listed, from: Some(Key(0)), asked: FxHashSet::default(), as_of }
    }
}

impl<S: Source> Supervisor<S> {
    /// Applies a part of the load under way.
    pub(super) fn part(&mut self, changes: Vec<Change>) {
        let Some(mut loading) = self.loading.take() else { return };
        self.count(&changes);
        let brought = self.brought(By::Load, &changes);
        loading.records += changes.len();
        let applied = self.authorizer.apply_part(changes, &loading.newer, &mut loading.listed);
        loading.changed += applied.changed;
        self.loading = Some(loading);
        let again = self.hanging_among(By::Load, &brought);
        self.once_more(&again);
    }

    /// A load has succeeded: what another of no larger scope did not list is for this one to say.
    pub(super) fn doubt(&mut self, doubts: Doubts) {
        self.doubts.retain(|old| doubts.scope.and(old.scope) != doubts.scope);
        self.doubts.push(doubts);
    }

    /// Has as many doubtful objects re-read as the queue has room for; what none is left of is settled.
    pub(super) fn clear_doubts(&mut self) {
        let most = self.options.at_once.saturating_mul(self.options.objects).max(1);
        let mut all = std::mem::take(&mut self.doubts);
        for doubts in &mut all {
            while doubts.asked.is_empty()
                && let Some(from) = doubts.from
            {
                let room = self.queue.room().min(most);
                if room == 0 {
                    break;
                }
                let (found, next) = self.authorizer.unlisted(&doubts.listed, from, room);
                doubts.from = next;
                if self.source.capabilities().reread {
                    self.ask(&found);
                    doubts.asked.extend(found);
                } else {
                    self.apply(Batch::Delta(found.into_iter().map(Change::Remove).collect()));
                }
            }
        }
        for doubts in all {
            if doubts.from.is_some() || !doubts.asked.is_empty() {
                self.doubts.push(doubts);
            } else if let Some(as_of) = doubts.as_of {
                // What was read is at least as new as the beginning, whatever came since.
                self.equal_at(as_of);
            }
        }
    }

    /// The object was re-read, or given up.
    pub(super) fn no_doubt(&mut self, object: &ObjectRef) {
        for doubts in &mut self.doubts {
            doubts.asked.remove(object);
        }
    }

    fn ask(&mut self, objects: &[ObjectRef]) {
        let hinted = |object: &&ObjectRef| self.queue.hint(object) == Hinted::Mark;
        let marks: Vec<_> = objects.iter().filter(hinted).cloned().collect();
        self.authorizer.mark_pending(&marks);
        self.flush();
    }
}
