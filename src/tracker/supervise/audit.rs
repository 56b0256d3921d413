//! Looks whether the event stream delivers what the tracker's log says happened.
//!
//! A tracker can lose events between its database and its event stream, for good and without a sign (zou does when its
//! Redis is away). What the log names and the stream has not named is re-read, and counted.

use std::time::{Duration, Instant, SystemTime};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{CatchUp, Done, Source, SourceError, Supervisor, Timer, within};
use crate::authorizer::Feed;
use crate::model::id::ObjectRef;
use crate::tracker::Scope;

/// What the stream has named of late.
#[derive(Debug, Default)]
pub(super) struct Audit {
    named: FxHashMap<ObjectRef, Instant>,
    reload: Option<(Instant, Scope)>,
    /// The log named these at the last look, the stream not yet: it may only have been slower.
    suspects: FxHashSet<ObjectRef>,
    reload_suspect: bool,
    /// Since when the stream has named everything without a break.
    since: Option<Instant>,
}

// === impl Audit ===

impl Audit {
    /// The stream begins anew: what happened before is not its to tell.
    pub(super) fn begin(&mut self) {
        *self = Self { since: Some(Instant::now()), ..Self::default() };
    }

    pub(super) fn named(&mut self, object: &ObjectRef, most: usize) {
        if self.named.len() < most {
            self.named.insert(object.clone(), Instant::now());
        } else {
            // Too much to remember: nothing can be said until this has passed.
            self.begin();
        }
    }

    pub(super) fn reload(&mut self, scope: Scope) {
        self.reload = Some((Instant::now(), scope));
    }

    /// What the log named at two looks in a row and the stream did not.
    fn missed(&mut self, objects: Vec<ObjectRef>) -> Vec<ObjectRef> {
        let silent: FxHashSet<_> = objects.into_iter().filter(|object| !self.named.contains_key(object)).collect();
        let missed = silent.intersection(&self.suspects).cloned().collect();
        self.suspects = silent;
        missed
    }
}

impl<S: Source> Supervisor<S> {
    pub(super) fn audit(&mut self) {
        self.at(self.options.audit, Timer::Audit);
        let whole = self.audit.since.is_some_and(|since| since.elapsed() > self.options.audit_reach);
        if !whole || self.state != Feed::Live {
            return;
        }
        let kept = self.options.audit_reach + self.options.audit;
        self.audit.named.retain(|_, at| at.elapsed() < kept);
        let since = SystemTime::now().checked_sub(self.options.audit).unwrap_or(SystemTime::UNIX_EPOCH);
        let source = std::sync::Arc::clone(&self.source);
        let patience = self.options.patience.saturating_mul(12);
        self.job(async move { Done::Audited(within(patience, source.catch_up(since)).await) });
    }

    pub(super) fn audited(&mut self, found: Result<Option<CatchUp>, SourceError>) {
        // A log that cannot be read now is read next time; a tracker that does not answer is noticed by the probe.
        let Ok(Some(CatchUp { objects, reload, cursor: _ })) = found else { return };
        if self.state != Feed::Live {
            return;
        }
        let objects = objects.iter().map(|object| self.filed(object)).collect();
        let missed = self.audit.missed(objects);
        if !missed.is_empty() {
            self.stats.missed.add(missed.len());
            tracing::warn!(
                objects = missed.len(),
                "the event stream has not delivered changes that the tracker's log names; re-reading them"
            );
            self.hint(&missed);
        }
        let kept: Duration = self.options.audit_reach + self.options.audit;
        let announced = self
            .audit
            .reload
            .is_some_and(|(at, scope)| at.elapsed() < kept && reload.is_none_or(|wanted| scope.and(wanted) == scope));
        let silent = reload.is_some() && !announced;
        if let Some(scope) = reload.filter(|_| silent && self.audit.reload_suspect) {
            self.stats.missed.add(1);
            self.audit.reload(scope);
            self.announced(scope);
        }
        self.audit.reload_suspect = silent;
    }
}
