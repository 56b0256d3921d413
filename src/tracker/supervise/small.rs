//! Single objects: hints, re-reads, first-use reads.

use rustc_hash::FxHashSet;

use super::hanging::By;
use super::large::Why;
use super::queue::{Hinted, Settled};
use super::reader::Request;
use super::reads::Began;
use super::{Done, Scope, Source, SourceError, Supervisor, Timer, within};
use crate::directory::LAZY_RECORDS;
use crate::model::change::{Batch, Change};
use crate::model::id::{Id, ObjectRef, Str};

/// After so many failures in a row an object is put under quarantine, and tried on.
const GIVE_UP: u32 = 8;

impl<S: Source> Supervisor<S> {
    /// These objects may have changed.
    pub(super) fn hint(&mut self, objects: &[ObjectRef]) {
        if !self.source.capabilities().reread {
            return self.announced(Scope::All);
        }
        let mut wanted = Vec::new();
        for object in objects {
            let object = self.filed(object);
            self.audit.named(&object, self.options.queue);
            if self.is_lazy(&object) && object.id == Id::EMPTY {
                self.forget_table(Some(&object.kind));
            } else if self.is_lazy(&object) {
                self.drop_lazy(&object);
                self.tell_seen([object]);
            } else {
                wanted.push(object);
            }
        }
        self.want_read(wanted);
    }

    /// These are to be read, from now on or once more. They are named by their tables.
    fn want_read(&mut self, objects: Vec<ObjectRef>) {
        let mut marks = Vec::new();
        for object in objects {
            self.newer_than_load(&object);
            self.reads.touch(&object);
            match self.queue.hint(&object) {
                Hinted::Mark => marks.push(object),
                Hinted::Known => {}
                Hinted::Overflow => self.overflow(),
            }
        }
        self.authorizer.mark_pending(&marks);
        self.flush_soon();
    }

    /// What nobody has asked for since costs nothing; what is held is read again when it is next needed.
    fn drop_lazy(&mut self, object: &ObjectRef) {
        if self.queue.is_running(object) {
            // What is under way may have been answered before the change.
            if self.queue.hint(object) == Hinted::Mark {
                self.authorizer.mark_pending(std::slice::from_ref(object));
            }
        } else if !self.authorizer.loaded_lazily(std::slice::from_ref(object)).is_empty() {
            self.held.remove(object);
            self.stats.forgotten.add(1);
            self.apply(Batch::Delta(vec![Change::Forget(object.clone())]));
        }
    }

    /// Tells what changed once there is a mirror to judge it by; what came before is in the gap that the first load ends.
    fn tell_seen(&mut self, objects: impl IntoIterator<Item = ObjectRef>) {
        if self.loaded {
            self.seen.objects(objects.into_iter());
        }
    }

    /// Drops everything that was read on first use.
    pub(super) fn forget_lazy(&mut self) {
        self.forget_table(None);
    }

    /// Drops what was read of this table on first use, or of all.
    fn forget_table(&mut self, table: Option<&Str>) {
        let of = |object: &ObjectRef| table.is_none_or(|table| object.kind == *table);
        for object in self.queue.running(|object| of(object) && self.is_lazy(object)) {
            self.drop_lazy(&object);
        }
        let (dropped, held): (Vec<_>, Vec<_>) = std::mem::take(&mut self.held).into_iter().partition(of);
        self.held = held.into_iter().collect();
        if !dropped.is_empty() {
            self.apply(Batch::Delta(dropped.into_iter().map(Change::Forget).collect()));
        }
    }

    /// A decision waits for an object to be read.
    pub(super) fn asked(&mut self, request: Request) {
        let Request { object, waiter } = request;
        self.stats.first_uses.add(1);
        if self.mute.is_some() {
            // Nobody waits for what does not answer; the next probe tells when it does.
            let _gone = waiter.send(Err("the tracker does not answer".into()));
            return;
        }
        if let Err(waiter) = self.queue.wait(&self.filed(&object), waiter) {
            let _gone = waiter.send(Err("more re-reads are waiting than can be done".into()));
        }
        self.flush();
    }

    fn flush_soon(&mut self) {
        if !self.flushing {
            self.flushing = true;
            self.at(self.options.coalesce, Timer::Flush);
        }
    }

    /// Begins as many re-reads as may be under way. Not before there is a mirror: the load or the disk's comes first.
    pub(super) fn flush(&mut self) {
        while (self.loaded || self.restored) && self.in_flight < self.options.at_once {
            let objects = self.queue.take(self.options.objects);
            if objects.is_empty() {
                return;
            }
            objects.iter().for_each(|object| self.newer_than_load(object));
            self.in_flight += 1;
            let began = self.reads.begin(&objects);
            let source = std::sync::Arc::clone(&self.source);
            let patience = self.options.patience.saturating_mul(6);
            self.job(async move {
                let found = within(patience, source.reread(&objects)).await;
                Done::Reread { began, objects, found }
            });
        }
    }

    pub(super) fn reread_ended(
        &mut self,
        began: Began,
        objects: &[ObjectRef],
        found: Result<Vec<Change>, SourceError>,
    ) {
        self.in_flight -= 1;
        match found {
            Ok(changes) => {
                self.stats.rereads.add(objects.len());
                let changes = self.newest(began, objects, changes);
                let brought = self.brought(By::Reread(began), &changes);
                let changed = self.apply(Batch::Delta(changes));
                let again = self.hanging_among(By::Reread(began), &brought);
                self.once_more(&again);
                self.stats.changed.add(changed);
                self.rereading.reset();
                let settled: Vec<_> = objects.iter().map(|object| (object.clone(), self.queue.done(object))).collect();
                let lazy: Vec<_> = objects.iter().filter(|object| self.is_lazy(object)).cloned().collect();
                self.held.extend(lazy);
                if self.held.len() > LAZY_RECORDS {
                    self.forget_lazy();
                }
                self.settled(settled, Ok(()));
                let lazy = self.source.capabilities().lazy;
                self.tell_seen(objects.iter().filter(|object| !lazy.contains(&object.kind.as_str())).cloned());
            }
            Err(error) => self.reread_failed(objects, &error),
        }
        self.reads.end(began);
        self.forget_hanging();
        self.flush();
    }

    /// What of these changes can be applied. What nobody asked for and may be older than another read of it is read again.
    fn newest(&mut self, began: Began, asked: &[ObjectRef], mut changes: Vec<Change>) -> Vec<Change> {
        let asked: FxHashSet<&ObjectRef> = asked.iter().collect();
        let mut doubtful = FxHashSet::default();
        changes.retain(|change| {
            let Some(object) = subject(change).map(|object| self.filed(&object)) else { return true };
            let is_doubtful =
                !asked.contains(&object) && (self.queue.is_running(&object) || self.reads.is_touched(&object, began));
            if is_doubtful {
                doubtful.insert(object);
            }
            !is_doubtful
        });
        for change in &changes {
            if let Some(object) = subject(change).map(|object| self.filed(&object)) {
                self.newer_than_load(&object);
                self.reads.touch(&object);
            }
        }
        if !doubtful.is_empty() {
            self.want_read(doubtful.into_iter().collect());
        }
        changes
    }

    fn reread_failed(&mut self, objects: &[ObjectRef], error: &SourceError) {
        self.stats.reread_failures.add(objects.len());
        self.complain("re-reading", error);
        if matches!(error, SourceError::Refused(_)) {
            // These objects alone, or everything?
            self.probe();
        }
        // A tracker that answers nobody says nothing about one object.
        let counts = self.mute.is_none();
        let mut settled = Vec::new();
        for object in objects {
            let mut outcome = self.queue.failed(object, counts);
            if outcome.failures >= GIVE_UP && self.queue.unmark(object) {
                let problem = format!("it cannot be read: {error}");
                self.apply(Batch::Delta(vec![Change::Quarantine { object: object.clone(), problem }]));
                outcome.clear += 1;
                self.recovering.remove(object);
                self.no_doubt(object);
            }
            settled.push((object.clone(), outcome));
        }
        self.settled(settled, Err(error.to_string()));
        let delay = self.rereading.delay();
        self.at(delay, Timer::Again(objects.to_vec()));
    }

    /// Clears marks and tells those who wait. Comes after the change was applied.
    pub(super) fn settled(&mut self, settled: Vec<(ObjectRef, Settled)>, outcome: Result<(), String>) {
        let mut clear = Vec::new();
        for (object, settled) in settled {
            for waiter in settled.waiters {
                let _gone = waiter.send(outcome.clone());
            }
            if outcome.is_ok() {
                self.recovering.remove(&object);
                self.no_doubt(&object);
            }
            clear.extend(std::iter::repeat_n(object, settled.clear));
        }
        if !clear.is_empty() {
            self.authorizer.clear_pending(&clear);
        }
        // All that was announced up to the last signal is in the mirror now.
        if self.queue.is_empty()
            && self.kept.is_empty()
            && self.doubts.is_empty()
            && self.state == crate::authorizer::Feed::Live
            && !self.is_load_owed()
        {
            self.equal_at(self.heard.steady);
        }
    }

    pub(super) fn overflow(&mut self) {
        if let Some(loading) = &mut self.loading {
            loading.overflowed = true;
        }
        if self.wanted.is_none_or(|wanted| wanted.why != Why::Gap) {
            self.stats.overflows.add(1);
            tracing::warn!(most = self.options.queue, "more changes than can be remembered: loading everything");
            self.want(Scope::All, Why::Gap);
            self.load();
        }
    }
}

/// The object that a change is about. A team comes with its project and is as new as that.
fn subject(change: &Change) -> Option<ObjectRef> {
    match change {
        Change::Upsert(record) => Some(record.object()),
        Change::Remove(object) | Change::Forget(object) | Change::Quarantine { object, .. } => Some(object.clone()),
        Change::Team { .. } | Change::Join { .. } | Change::Leave { .. } => None,
    }
}
