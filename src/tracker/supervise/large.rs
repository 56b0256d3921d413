//! Loads: the first, after gaps, when an event does not say what changed, and the periodic reconcile.

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;

use super::doubts::Doubts;
use super::hanging::By;
use super::{Done, LARGE_EVERY, Progress, Scope, Source, SourceError, Supervisor, Timer};
use crate::directory::Listed;
use crate::model::change::{Change, Snapshot};
use crate::model::id::ObjectRef;
use crate::tracker::parts::Parts;

/// A load that is to begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) scope: Scope,
    pub(super) why: Why,
}

/// Why everything of a scope is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// To find what no event has announced.
    Reconcile,
    /// An event said that something changed, not what.
    Announced,
    /// Nothing is loaded yet, or changes were missed.
    Gap,
}

/// A load that is under way.
#[derive(Debug)]
pub(super) struct Loading {
    wanted: Wanted,
    started: Instant,
    /// The same on the wall clock.
    began: SystemTime,
    /// What events named, or was re-read, since it began.
    pub(super) newer: HashSet<ObjectRef>,
    /// More than that: what is loaded may already be old.
    pub(super) overflowed: bool,
    /// What it hands over before it is done, and what of that has been applied.
    parts: mpsc::Receiver<Vec<Change>>,
    pub(super) listed: Listed,
    pub(super) records: usize,
    pub(super) changed: usize,
}

/// The next part of the load under way.
pub(super) async fn next_part(loading: &mut Option<Loading>) -> Option<Vec<Change>> {
    match loading {
        Some(loading) => loading.parts.recv().await,
        None => None,
    }
}

impl<S: Source> Supervisor<S> {
    /// Whether the mirror is not whole until a load is done.
    pub(super) fn resyncing(&self) -> bool {
        let waiting = self.wanted.is_some_and(|wanted| wanted.why == Why::Gap);
        waiting || self.loading.as_ref().is_some_and(|loading| loading.wanted.why == Why::Gap)
    }

    /// Whether something has changed that only a load will tell.
    pub(super) fn is_load_owed(&self) -> bool {
        let waiting = self.wanted.is_some_and(|wanted| wanted.why > Why::Reconcile);
        waiting || self.loading.as_ref().is_some_and(|loading| loading.wanted.why > Why::Reconcile)
    }

    pub(super) fn want(&mut self, scope: Scope, why: Why) {
        self.wanted = Some(match self.wanted {
            Some(other) => Wanted { scope: scope.and(other.scope), why: why.max(other.why) },
            None => Wanted { scope, why },
        });
    }

    pub(super) fn announced(&mut self, scope: Scope) {
        if self.wanted.is_none() {
            self.at(self.settling(), Timer::Load);
        }
        self.want(scope, Why::Announced);
    }

    /// A source that re-reads nothing loads upon every change, so that must be quick.
    fn settling(&self) -> Duration {
        if self.source.capabilities().reread { self.options.settle } else { self.options.coalesce }
    }

    pub(super) fn reconcile(&mut self) {
        self.at(self.options.reconcile, Timer::Reconcile);
        if !self.loaded || self.loading.is_some() {
            return;
        }
        self.reconciles = (self.reconciles + 1) % LARGE_EVERY;
        self.forget_lazy();
        // While no events come, only a full load tells how the tracker is.
        let all = self.reconciles == 0 || self.stream.is_none();
        self.want(if all { Scope::All } else { Scope::Core }, Why::Reconcile);
        self.load();
    }

    /// Begins the wanted load, unless one is under way.
    pub(super) fn load(&mut self) {
        if self.loading.is_some() {
            return;
        }
        let Some(wanted) = self.wanted.take() else { return };
        if wanted.scope == Scope::All {
            self.kept.covered();
            if self.stream.is_none() {
                // Of what was read on first use nobody has told any change.
                self.forget_lazy();
            }
        }
        tracing::debug!(scope = %wanted.scope, why = ?wanted.why, "loading");
        let (handing, parts) = Parts::channel();
        self.loading = Some(Loading {
            wanted,
            started: Instant::now(),
            began: SystemTime::now(),
            newer: HashSet::new(),
            overflowed: false,
            parts,
            listed: Listed::default(),
            records: 0,
            changed: 0,
        });
        let source = std::sync::Arc::clone(&self.source);
        let progress = if wanted.why == Why::Gap { Progress::shown() } else { Progress::logged() };
        self.job(async move { Done::Loaded(source.load(wanted.scope, &progress, &handing).await) });
    }

    /// What a load under way reads of this object may be older than what the mirror will have.
    pub(super) fn newer_than_load(&mut self, object: &ObjectRef) {
        let most = self.options.queue;
        if let Some(loading) = &mut self.loading {
            if loading.newer.len() < most {
                loading.newer.insert(object.clone());
            } else if !loading.newer.contains(object) {
                loading.overflowed = true;
            }
        }
    }

    pub(super) fn load_ended(&mut self, outcome: Result<Snapshot, SourceError>) {
        while outcome.is_ok()
            && let Some(part) = self.loading.as_mut().and_then(|loading| loading.parts.try_recv().ok())
        {
            self.part(part);
        }
        let Some(loading) = self.loading.take() else { return };
        let Loading { wanted, started, began, mut newer, overflowed, parts: _, mut listed, mut records, mut changed } =
            loading;
        let Wanted { scope, why } = wanted;
        match outcome {
            Ok(mut snapshot) => {
                self.stats.loads.add(1);
                self.reloading.reset();
                let complete = snapshot.complete.clone();
                let as_of = started.checked_sub(snapshot.age);
                snapshot.except.clone_from(&newer);
                self.count(&snapshot.changes);
                records += snapshot.changes.len();
                let brought = self.brought(By::Load, &snapshot.changes);
                if !self.loaded && self.restored {
                    self.authorizer.no_newer_than(as_of);
                }
                changed += self.authorizer.apply_rest(snapshot, &mut listed).changed;
                let again = self.hanging_among(By::Load, &brought);
                self.once_more(&again);
                newer.extend(again);
                self.forget_hanging();
                self.doubt(Doubts::new(scope, listed, as_of.filter(|_| scope == Scope::All)));
                let covered = self.queue.covered(&complete, |object| newer.contains(object));
                self.settled(covered, Ok(()));
                self.loaded |= scope == Scope::All;
                self.clear_doubts();
                if changed > 0 || why == Why::Gap {
                    self.seen.gap(self.read);
                }
                if scope.large() {
                    self.read = began;
                }
                if scope == Scope::All {
                    self.recovering.retain(|object| newer.contains(object));
                }
                let seconds = started.elapsed().as_secs_f32();
                match why {
                    Why::Reconcile if changed > 0 => {
                        self.stats.reconcile_found.add(changed);
                        tracing::warn!(%scope, changed, records, seconds, "reconciled: found changes that no event announced");
                    }
                    Why::Reconcile => tracing::info!(%scope, records, seconds, "reconciled: nothing was missed"),
                    Why::Announced | Why::Gap => tracing::info!(%scope, changed, records, seconds, "loaded"),
                }
                if overflowed {
                    self.want(Scope::All, Why::Gap);
                }
                match self.wanted {
                    // An import goes on announcing: the tracker gets as much rest as work.
                    Some(wanted) if wanted.why == Why::Announced => {
                        self.at(started.elapsed().max(self.settling()), Timer::Load)
                    }
                    _ => self.load(),
                }
                self.flush();
            }
            Err(error) => {
                self.forget_hanging();
                self.complain("loading", &error);
                // A reconcile comes again by itself; what is owed is tried until it is done.
                if why > Why::Reconcile {
                    self.want(scope, why);
                }
                if overflowed && records > 0 {
                    // Its parts may have put back what was newer.
                    self.want(Scope::All, Why::Gap);
                }
                if self.wanted.is_some() {
                    let delay = self.reloading.delay();
                    self.at(delay, Timer::Load);
                }
            }
        }
    }
}
