//! The guard: puts back a status that a restriction forbids to whoever set it, and tells that person.
//!
//! ```text
//! supervisor ─► Seen ─► watch ─► history (the tracker's truth) ─► verdict ─► permit ─► set_status ─► ledger
//!                         └─ gap ─► moved_since                                            └─► notify
//! ```
//!
//! It looks at restrictions only, never at what roles permit. An event is a hint: what counts is the tracker's own record
//! of who moved the object to the status that it has now.
//!
//! Invariant: nothing is written that was not decided from a history read just before; one round trip lies between.
//! Invariant: each move is put back at most once, and our own put-backs never.
//! Invariant: what is not known is not acted upon.

mod limits;
mod recent;
mod tell;
#[cfg(test)]
mod tests;
mod verdict;
mod watch;
mod written;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use prost_types::Timestamp;
use rustc_hash::FxHashSet;
use tokio::sync::mpsc;

use self::limits::{Limits, Permit};
use self::recent::Recent;
use self::verdict::{Case, Verdict, Violation};
use self::watch::Watch;
use self::written::Written;
use crate::authorizer::Authorizer;
use crate::engine::Ruling;
use crate::ledger::{Entry, Ledger, Outcome, PutBack};
use crate::model::id::{Id, ObjectRef, Str};
use crate::tracker::SourceError;
use crate::tracker::seen::Seen;
use crate::tracker::writer::{History, Move, Writer};

/// A mark of the log that is older is not gone on from: what came of so long ago is somebody's business by now.
const STALE: Duration = Duration::from_secs(7 * 86_400);

/// What the guard asks about restrictions.
pub trait Judge: Send + Sync + 'static {
    /// The statuses that any restriction names.
    fn restricted_statuses(&self) -> Vec<Id>;

    /// Whether the mirror has the object in a status that is restricted for its kind.
    fn is_restricted_now(&self, object: &ObjectRef) -> bool;

    /// Whether the restrictions let the person set the status; `None` is nobody.
    fn restriction(&self, object: &ObjectRef, status: &Id, person: Option<&Id>) -> Ruling;

    /// Whether an object can be given this status.
    fn is_usable(&self, status: &Id) -> bool;

    /// Whether there is such a person.
    fn knows_person(&self, person: &Id) -> bool;

    /// Re-reads what [`Judge::restriction`] depends on. False where it could not be read.
    fn refresh(&self, object: &ObjectRef, status: &Id, person: Option<&Id>) -> impl Future<Output = bool> + Send;

    /// As of when the mirror is known to equal the tracker.
    fn as_of(&self) -> SystemTime;
}

/// How the guard behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// How many objects are looked at at once.
    pub at_once: usize,
    /// How many objects may wait; more become a gap.
    pub queue: usize,
    /// How long what concerns one person is gathered into one message.
    pub gather: Duration,
    /// How long a message waits at the most for what else of the same action is still being put back.
    pub hold: Duration,
    /// How often one object, and all together, may be put back within the window.
    pub budget: usize,
    pub breaker: usize,
    pub window: Duration,
    /// How often a write is tried before it is given up.
    pub tries: u32,
    /// First and longest delay before the next try of whatever failed.
    pub retry: (Duration, Duration),
    /// How long the tracker may take to answer.
    pub patience: Duration,
    /// How often the ledger is marked.
    pub mark: Duration,
}

/// Watches what the supervisor tells.
pub struct Guard<W, J> {
    desk: Arc<Desk<W, J>>,
}

/// What every look at an object shares.
struct Desk<W, J> {
    writer: W,
    judge: Arc<J>,
    ledger: Arc<Ledger>,
    options: Options,
    /// What was moved before that was dealt with by whoever watched then, or by nobody.
    since: SystemTime,
    /// Nobody is known to have watched before.
    is_first: bool,
    limits: Mutex<Limits>,
    written: Mutex<Written>,
    /// Moves that are dealt with.
    settled: Mutex<Recent>,
}

/// What became of a look at an object.
#[derive(Debug)]
enum Looked {
    Nothing,
    /// The mirror cannot tell yet.
    Later,
    /// Restricted, and the tracker does not tell who did it.
    Unclear {
        status: Id,
        name: Str,
    },
    Dry(Violation),
    Reverted(Violation),
    /// There is no status to put it back to.
    Stuck(Violation),
    /// Too much was put back of late.
    Held {
        violation: Violation,
        wait: Duration,
        opened: bool,
    },
    /// It could not be read, or not be written.
    Failed {
        violation: Option<Violation>,
        error: SourceError,
    },
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dry_run: true,
            at_once: 4,
            queue: 10_000,
            gather: Duration::from_millis(500),
            hold: Duration::from_secs(10),
            budget: 3,
            breaker: 60,
            window: Duration::from_secs(60),
            tries: 5,
            retry: (Duration::from_secs(1), Duration::from_secs(30)),
            patience: Duration::from_secs(30),
            mark: Duration::from_secs(300),
        }
    }
}

// === impl Judge ===

impl Judge for Authorizer {
    fn restricted_statuses(&self) -> Vec<Id> {
        Self::restricted_statuses(self)
    }

    fn is_restricted_now(&self, object: &ObjectRef) -> bool {
        Self::is_restricted_now(self, object)
    }

    fn restriction(&self, object: &ObjectRef, status: &Id, person: Option<&Id>) -> Ruling {
        Self::restriction(self, object, status, person)
    }

    fn is_usable(&self, status: &Id) -> bool {
        Self::is_usable(self, status)
    }

    fn knows_person(&self, person: &Id) -> bool {
        Self::knows_person(self, person)
    }

    async fn refresh(&self, object: &ObjectRef, status: &Id, person: Option<&Id>) -> bool {
        self.refresh_restriction(object, status, person).await
    }

    fn as_of(&self) -> SystemTime {
        Self::as_of(self)
    }
}

// === impl Guard ===

impl<W: Writer, J: Judge> Guard<W, J> {
    /// A guard that has watched everything up to the ledger's last mark. Nothing happens until it runs.
    pub fn new(writer: W, judge: Arc<J>, ledger: Arc<Ledger>, options: Options) -> Self {
        let now = SystemTime::now();
        let is_stale = |mark: &SystemTime| now.duration_since(*mark).is_ok_and(|age| age > STALE);
        if let Some(mark) = ledger.watched().filter(is_stale) {
            let mark = Timestamp::from(mark).to_string();
            tracing::warn!(
                mark,
                "the decision log's last mark is too old to go on from: nothing from before this start is put back"
            );
        }
        let mark = ledger.watched().filter(|mark| !is_stale(mark));
        let limits = Mutex::new(Limits::new(options.budget, options.breaker, options.window));
        let written = Mutex::new(Written::new(ledger.put_back().to_vec()));
        let (since, is_first) = (mark.unwrap_or(now), mark.is_none());
        let settled = Mutex::default();
        let desk = Desk { writer, judge, ledger, options, since, is_first, limits, written, settled };
        Self { desk: Arc::new(desk) }
    }

    /// Watches until the other end is dropped.
    pub async fn run(self, seen: mpsc::Receiver<Seen>) {
        let Self { desk } = self;
        tracing::info!(dry_run = desk.options.dry_run, "the guard watches status changes");
        Watch::new(desk).run(seen).await;
    }
}

// === impl Desk ===

impl<W: Writer, J: Judge> Desk<W, J> {
    /// Looks at an object, and puts its status back where that must be. `tried`: what a write before has tried. `is_past`:
    /// what may have been done before anybody watched was.
    async fn look(&self, object: &ObjectRef, tried: Option<Violation>, is_past: bool) -> Looked {
        let history = match self.history(object, tried.as_ref()).await {
            Ok(history) => history,
            Err(looked) => return looked,
        };
        if let Some((moved, _)) = verdict::newest(&history)
            && tried.is_none()
            && self.is_settled(object, moved, is_past)
        {
            self.settle(object, &moved.id);
            return Looked::Nothing;
        }
        let is_us = |moved: &Move| self.writer.is_us(moved);
        let mut refreshed = FxHashSet::default();
        let verdict = loop {
            let writes = self.written.lock().of(object);
            let (verdict, asked) = Case::new(object, &history, &*self.judge, &is_us, &writes).verdict();
            let asked: Vec<_> = asked.into_iter().filter(|asked| refreshed.insert(asked.clone())).collect();
            if asked.is_empty() {
                break verdict;
            }
            for (status, person) in asked {
                // Groups change without a word: what the mirror has heard of them is not enough to judge anybody by.
                if !self.judge.refresh(object, &status, person.as_ref()).await {
                    return Looked::Later;
                }
            }
        };
        if let Some(tried) = &tried {
            let applied = !matches!(&verdict, Verdict::Violation(violation) if violation.change == tried.change);
            self.limits.lock().sure(object, applied);
        }
        match verdict {
            Verdict::Nothing => {
                let answered = tried.filter(|violation| {
                    let writes = self.written.lock().of(object);
                    Case::new(object, &history, &*self.judge, &is_us, &writes).is_answered(violation)
                });
                // Whoever may now was right to, whatever becomes of the group.
                if let Some((moved, _)) = verdict::newest(&history) {
                    self.settle(object, &moved.id);
                }
                // The write that seemed to fail has come through.
                answered.map_or(Looked::Nothing, Looked::Reverted)
            }
            Verdict::Later => Looked::Later,
            Verdict::Unclear(status) => Looked::Unclear { status, name: history.name },
            Verdict::Violation(mut violation) => {
                violation.by = violation.by.filter(|person| self.judge.knows_person(person));
                self.put_back(object, &history, violation).await
            }
        }
    }

    /// Whether the move was dealt with, or is older than what is watched.
    fn is_settled(&self, object: &ObjectRef, moved: &Move, is_past: bool) -> bool {
        let is_since = || self.writer.is_since(moved, self.since).unwrap_or(!is_past);
        self.settled.lock().contains(object, &moved.id) || !is_since()
    }

    async fn history(&self, object: &ObjectRef, tried: Option<&Violation>) -> Result<History, Looked> {
        match self.within(self.writer.history(object)).await {
            Ok(Some(history)) => Ok(history),
            Ok(None) => Err(Looked::Nothing),
            Err(error) => Err(Looked::Failed { violation: tried.cloned(), error }),
        }
    }

    async fn put_back(&self, object: &ObjectRef, judged: &History, violation: Violation) -> Looked {
        let Some(to) = violation.to.clone() else { return Looked::Stuck(violation) };
        if self.options.dry_run {
            return Looked::Dry(violation);
        }
        // Nothing may have come between.
        let newest = |history: &History| verdict::newest(history).map(|(moved, _)| moved.id.clone());
        let handle = match self.history(object, Some(&violation)).await {
            Ok(now) if newest(&now) == newest(judged) && now.rivals.len() == judged.rivals.len() => now.handle,
            Ok(_) => return Looked::Later,
            Err(looked) => return looked,
        };
        let permit = self.limits.lock().permit(object, std::time::Instant::now());
        match permit {
            Permit::Wait { wait, opened } => return Looked::Held { violation, wait, opened },
            Permit::Go => {}
        }
        let (status, change) = (violation.status.clone(), violation.change.clone());
        let write = PutBack { object: object.clone(), from: status, to: to.clone(), change };
        self.written.lock().add(write);
        let written = self.within(self.writer.set_status(object, &handle, &to)).await;
        let mut limits = self.limits.lock();
        match &written {
            Ok(()) => {}
            Err(SourceError::Refused(_)) => limits.refused(object),
            Err(_) => limits.unsure(object),
        }
        limits.done(written.is_ok(), std::time::Instant::now());
        drop(limits);
        match written {
            Ok(()) => Looked::Reverted(violation),
            Err(error) => Looked::Failed { violation: Some(violation), error },
        }
    }

    async fn within<T>(&self, asked: impl Future<Output = Result<T, SourceError>>) -> Result<T, SourceError> {
        let limit = self.options.patience;
        let late = |_| SourceError::Unavailable(format!("no answer within {} s", limit.as_secs_f32()));
        tokio::time::timeout(limit, asked).await.map_err(late)?
    }

    fn settle(&self, object: &ObjectRef, change: &Id) {
        self.settled.lock().insert(object.clone(), change.clone());
    }

    fn record(&self, outcome: Outcome, object: &ObjectRef, violation: &Violation, detail: String) {
        let Violation { name, change, by, status, to, restriction, message: _ } = violation;
        self.ledger.record(Entry {
            object: Some(object.clone()),
            name: name.clone(),
            person: by.clone(),
            from: Some(status.clone()),
            to: to.clone(),
            change: Some(change.clone()),
            restriction: restriction.clone(),
            detail,
            ..Entry::new(outcome)
        });
    }
}

impl<W, J> std::fmt::Debug for Guard<W, J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("options", &self.desk.options).finish_non_exhaustive()
    }
}
