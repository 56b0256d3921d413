//! Which objects wait to be re-read. Pure bookkeeping: no time, no I/O.
//!
//! Each object is in here at most once and read by at most one request at a time. A hint that arrives while its read is
//! under way makes it be read once more, since the read may have been answered before the change.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use crate::model::id::{ObjectRef, Str};

/// Told when the object has been read and applied, or that it could not be.
pub(super) type Waiter = oneshot::Sender<Result<(), String>>;

/// The objects to re-read.
#[derive(Debug)]
pub(super) struct Queue {
    entries: FxHashMap<ObjectRef, Entry>,
    /// Ready to be read: what somebody asked for, and what events named. Each has its turn, so that neither keeps the
    /// other waiting.
    asked: VecDeque<ObjectRef>,
    hinted: VecDeque<ObjectRef>,
    /// Whether it is the turn of what was hinted.
    turn: bool,
    most: usize,
}

#[derive(Debug, Default)]
struct Entry {
    wanted: Option<Want>,
    running: Option<Want>,
    failures: u32,
}

/// Why an object is read.
#[derive(Debug, Default)]
struct Want {
    /// A hint named it, so decisions hold it for pending.
    marked: bool,
    waiters: Vec<Waiter>,
}

/// What a hint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hinted {
    /// The object is to be marked pending once more.
    Mark,
    /// The hint adds nothing to what is queued.
    Known,
    /// There is no room: it is not remembered.
    Overflow,
}

/// What became of a read.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// So many marks of the object are to be cleared.
    pub(super) clear: usize,
    pub(super) waiters: Vec<Waiter>,
    /// How often in a row it has failed by now.
    pub(super) failures: u32,
}

// === impl Queue ===

impl Queue {
    /// An empty queue for at most so many objects.
    pub(super) fn new(most: usize) -> Self {
        Self { entries: FxHashMap::default(), asked: VecDeque::new(), hinted: VecDeque::new(), turn: false, most }
    }

    /// An event named the object.
    pub(super) fn hint(&mut self, object: &ObjectRef) -> Hinted {
        if self.entries.len() >= self.most && !self.entries.contains_key(object) {
            return Hinted::Overflow;
        }
        let entry = self.entries.entry(object.clone()).or_default();
        if entry.wanted.is_none() && entry.running.is_none() {
            self.hinted.push_back(object.clone());
        }
        let wanted = entry.wanted.get_or_insert_default();
        if std::mem::replace(&mut wanted.marked, true) { Hinted::Known } else { Hinted::Mark }
    }

    /// Somebody waits for a read that begins from now on. Gives the waiter back where there is no room.
    pub(super) fn wait(&mut self, object: &ObjectRef, waiter: Waiter) -> Result<(), Waiter> {
        if self.entries.len() >= self.most && !self.entries.contains_key(object) {
            return Err(waiter);
        }
        let entry = self.entries.entry(object.clone()).or_default();
        if entry.wanted.is_none() && entry.running.is_none() {
            self.asked.push_back(object.clone());
        }
        entry.wanted.get_or_insert_default().waiters.push(waiter);
        Ok(())
    }

    /// Whether the object is being read.
    pub(super) fn is_running(&self, object: &ObjectRef) -> bool {
        self.entries.get(object).is_some_and(|entry| entry.running.is_some())
    }

    /// Those that are being read and for which this holds.
    pub(super) fn running(&self, which: impl Fn(&ObjectRef) -> bool) -> Vec<ObjectRef> {
        let running = self.entries.iter().filter(|(object, entry)| entry.running.is_some() && which(object));
        running.map(|(object, _)| object.clone()).collect()
    }

    /// The next objects for one request. What failed before goes alone, so that it fails nobody else.
    pub(super) fn take(&mut self, most: usize) -> Vec<ObjectRef> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(object) = self.next() else { break };
            let Some(entry) = self.entries.get_mut(&object).filter(|entry| entry.running.is_none()) else { continue };
            if entry.failures > 0 && !taken.is_empty() {
                self.hinted.push_front(object);
                break;
            }
            let Some(want) = entry.wanted.take() else { continue };
            entry.running = Some(want);
            let alone = entry.failures > 0;
            taken.push(object);
            if alone {
                break;
            }
        }
        taken
    }

    fn next(&mut self) -> Option<ObjectRef> {
        self.turn = !self.turn;
        let (first, second) = match self.turn {
            true => (&mut self.hinted, &mut self.asked),
            false => (&mut self.asked, &mut self.hinted),
        };
        first.pop_front().or_else(|| second.pop_front())
    }

    /// The object was read and applied.
    pub(super) fn done(&mut self, object: &ObjectRef) -> Settled {
        let Some(entry) = self.entries.get_mut(object) else { return Settled::default() };
        let Want { marked, waiters } = entry.running.take().unwrap_or_default();
        entry.failures = 0;
        if entry.wanted.is_some() {
            self.hinted.push_back(object.clone());
        } else {
            self.entries.remove(object);
        }
        Settled { clear: usize::from(marked), waiters, failures: 0 }
    }

    /// The read failed. Where a hint wants it, it stays wanted until [`Queue::again`] makes it ready.
    pub(super) fn failed(&mut self, object: &ObjectRef, count: bool) -> Settled {
        let Some(entry) = self.entries.get_mut(object) else { return Settled::default() };
        let Want { marked, mut waiters } = entry.running.take().unwrap_or_default();
        entry.failures += u32::from(count);
        let failures = entry.failures;
        let mut clear = 0;
        match &mut entry.wanted {
            // Marked twice: one read answers for both.
            Some(wanted) => {
                clear = usize::from(marked && wanted.marked);
                wanted.marked |= marked;
                waiters.append(&mut wanted.waiters);
            }
            None if marked => entry.wanted = Some(Want { marked, waiters: Vec::new() }),
            None => drop(self.entries.remove(object)),
        }
        Settled { clear, waiters, failures }
    }

    /// The object is given up for now: its mark goes, and it is still wanted.
    pub(super) fn unmark(&mut self, object: &ObjectRef) -> bool {
        let wanted = self.entries.get_mut(object).and_then(|entry| entry.wanted.as_mut());
        wanted.is_some_and(|wanted| std::mem::take(&mut wanted.marked))
    }

    /// The object may be tried again.
    pub(super) fn again(&mut self, object: ObjectRef) {
        let waits = self.entries.get(&object).is_some_and(|entry| entry.wanted.is_some() && entry.running.is_none());
        if waits {
            self.hinted.push_back(object);
        }
    }

    /// Everything of these tables was loaded: what waited to be read since before is answered by it.
    pub(super) fn covered(&mut self, tables: &[Str], newer: impl Fn(&ObjectRef) -> bool) -> Vec<(ObjectRef, Settled)> {
        let mut covered = Vec::new();
        for (object, entry) in &mut self.entries {
            if tables.contains(&object.kind)
                && entry.running.is_none()
                && !newer(object)
                && let Some(Want { marked, waiters }) = entry.wanted.take()
            {
                covered.push((object.clone(), Settled { clear: usize::from(marked), waiters, failures: 0 }));
            }
        }
        self.entries.retain(|_, entry| entry.wanted.is_some() || entry.running.is_some());
        self.asked.retain(|object| self.entries.contains_key(object));
        self.hinted.retain(|object| self.entries.contains_key(object));
        covered
    }

    /// How many more objects it takes.
    pub(super) fn room(&self) -> usize {
        self.most.saturating_sub(self.entries.len())
    }

    /// Whether nothing waits to be read.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests;
