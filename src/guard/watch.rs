//! The guard's loop: what to look at next, what to try again, whom to tell, what to sweep.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::mpsc;

use super::tell::{Gathering, Message};
use super::verdict::Violation;
use super::{Desk, Judge, Looked};
use crate::ledger::{Entry, Outcome};
use crate::model::id::{Id, ObjectRef, Str};
use crate::tracker::SourceError;
use crate::tracker::backoff::Backoff;
use crate::tracker::seen::Seen;
use crate::tracker::writer::{Notified, Writer};

/// How often telling somebody is tried.
const TELL: u32 = 3;
/// How often an object is looked at of which the tracker or the mirror cannot tell. After an outage, a sweep finds it again.
const WAITS: u32 = 100;

pub(super) struct Watch<W: Writer, J: Judge> {
    desk: Arc<Desk<W, J>>,
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    /// To be looked at, each once.
    queue: VecDeque<ObjectRef>,
    queued: FxHashSet<ObjectRef>,
    /// Being looked at; `true`: seen again since.
    running: FxHashMap<ObjectRef, bool>,
    /// To be looked at again after a while.
    later: FxHashMap<ObjectRef, Box<Again>>,
    gathering: Gathering,
    telling: usize,
    /// What was not watched, and whether it is being swept.
    gap: Option<SystemTime>,
    sweeping: bool,
    sweeps: Backoff,
    /// It was said that no status is restricted.
    warned: bool,
    /// Before that nothing was watched; until the first gap is told, the mirror is not whole.
    since: Option<SystemTime>,
    /// What the first sweep has found, where nobody watched before: where the tracker's clock does not tell, it was moved
    /// before anybody watched. `None` until then.
    past: Option<FxHashSet<ObjectRef>>,
}

/// What is known of an object that is tried again.
#[derive(Debug)]
struct Again {
    backoff: Backoff,
    failures: u32,
    waits: u32,
    violation: Option<Violation>,
    /// Who is told when it is put back.
    person: Option<Id>,
    /// It was said already that it waits.
    said: bool,
}

enum Done {
    Looked { object: ObjectRef, again: Option<Box<Again>>, looked: Box<Looked> },
    Swept { since: SystemTime, found: Result<Vec<ObjectRef>, SourceError> },
    Told { message: Message, tries: u32, outcome: Result<Notified, SourceError> },
    Look(ObjectRef),
    Sweep,
    Tell(Id, Str),
    TellAgain(Message, u32),
    Mark,
}

impl<W: Writer, J: Judge> Watch<W, J> {
    pub(super) fn new(desk: Arc<Desk<W, J>>) -> Self {
        let (first, most) = desk.options.retry;
        let since = desk.since;
        let past = (!desk.is_first).then(FxHashSet::default);
        Self {
            desk,
            jobs: FuturesUnordered::new(),
            queue: VecDeque::new(),
            queued: FxHashSet::default(),
            running: FxHashMap::default(),
            later: FxHashMap::default(),
            gathering: Gathering::default(),
            telling: 0,
            gap: None,
            sweeping: false,
            sweeps: Backoff::new(first, most),
            warned: false,
            since: Some(since),
            past,
        }
    }

    pub(super) async fn run(mut self, mut seen: mpsc::Receiver<Seen>) {
        self.at(self.desk.options.mark, Done::Mark);
        loop {
            tokio::select! {
                seen = seen.recv() => match seen {
                    Some(seen) => self.seen(seen),
                    None => return,
                },
                Some(done) = self.jobs.next() => self.done(done),
            }
            self.begin();
        }
    }

    fn seen(&mut self, seen: Seen) {
        match seen {
            Seen::Objects(objects) => {
                for object in objects {
                    if self.later.contains_key(&object) {
                        continue;
                    }
                    if let Some(again) = self.running.get_mut(&object) {
                        *again = true;
                    } else if self.desk.judge.is_restricted_now(&object) {
                        self.enqueue(object);
                    }
                }
            }
            Seen::Gap { since } => {
                let since = self.since.take().map_or(since, |unwatched| unwatched.min(since));
                self.gap(since);
                self.sweep();
            }
        }
    }

    fn enqueue(&mut self, object: ObjectRef) {
        if self.queued.contains(&object) {
            return;
        }
        if self.queue.len() >= self.desk.options.queue {
            // It was seen a moment ago at the most.
            self.gap(SystemTime::now().checked_sub(Duration::from_secs(60)).unwrap_or(SystemTime::UNIX_EPOCH));
            return;
        }
        self.queued.insert(object.clone());
        self.queue.push_back(object);
    }

    fn gap(&mut self, since: SystemTime) {
        self.gap = Some(self.gap.map_or(since, |gap| gap.min(since)));
    }

    /// Begins as many looks as may be under way, and the sweep that is due. Until the mirror is whole, none.
    fn begin(&mut self) {
        while self.since.is_none() && self.running.len() < self.desk.options.at_once {
            let Some(object) = self.queue.pop_front() else { break };
            self.queued.remove(&object);
            self.look(object, None);
        }
        if self.queue.is_empty() {
            self.sweep();
        }
    }

    fn look(&mut self, object: ObjectRef, again: Option<Box<Again>>) {
        self.running.insert(object.clone(), false);
        let desk = Arc::clone(&self.desk);
        let is_past = self.past.as_ref().is_none_or(|past| past.contains(&object));
        self.job(async move {
            let tried = again.as_ref().and_then(|again| again.violation.clone());
            let looked = Box::new(desk.look(&object, tried, is_past).await);
            Done::Looked { object, again, looked }
        });
    }

    fn sweep(&mut self) {
        if self.sweeping || self.since.is_some() {
            return;
        }
        let Some(since) = self.gap.take() else { return };
        self.sweeping = true;
        let desk = Arc::clone(&self.desk);
        let statuses = desk.judge.restricted_statuses();
        if statuses.is_empty() && !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                "no `restrictions:` of the policy name a status that there is: the guard has nothing to guard"
            );
        }
        self.job(async move {
            let found = match statuses.as_slice() {
                [] => Ok(Vec::new()),
                statuses => {
                    // A sweep may take many requests.
                    let limit = desk.options.patience.saturating_mul(10);
                    let asked = desk.writer.moved_since(since, statuses);
                    let late = |_| SourceError::Unavailable("the sweep took too long".into());
                    tokio::time::timeout(limit, asked).await.map_err(late).and_then(|found| found)
                }
            };
            Done::Swept { since, found }
        });
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Looked { object, again, looked } => self.looked(object, again, *looked),
            Done::Swept { since, found } => self.swept(since, found),
            Done::Told { message, tries, outcome } => self.told(message, tries, outcome),
            Done::Look(object) => {
                if let Some(again) = self.later.remove(&object) {
                    self.look(object, Some(again));
                }
            }
            Done::Sweep => {
                self.sweeping = false;
                self.sweep();
            }
            Done::Tell(person, text) => {
                let began = self.gathering.began(&person, &text);
                if self.is_more_of(&person) && began.is_some_and(|began| began.elapsed() < self.desk.options.hold) {
                    return self.at(self.desk.options.gather, Done::Tell(person, text));
                }
                if let Some(message) = self.gathering.take(person, text) {
                    self.telling += 1;
                    self.tell(message, 1);
                }
            }
            Done::TellAgain(message, tries) => self.tell(message, tries),
            Done::Mark => {
                self.mark();
                self.at(self.desk.options.mark, Done::Mark);
            }
        }
    }

    /// Whether more of what the person did may be put back soon.
    fn is_more_of(&self, person: &Id) -> bool {
        let waits = || self.later.values().any(|again| again.person.as_ref() == Some(person));
        !self.queue.is_empty() || !self.running.is_empty() || waits()
    }

    fn looked(&mut self, object: ObjectRef, again: Option<Box<Again>>, looked: Looked) {
        let seen_again = self.running.remove(&object).unwrap_or(false);
        if let Some(past) = &mut self.past
            && !matches!(looked, Looked::Later | Looked::Failed { .. })
        {
            past.remove(&object);
        }
        let desk = Arc::clone(&self.desk);
        match looked {
            Looked::Nothing => {}
            Looked::Later => {
                let mut again = again.unwrap_or_else(|| self.first());
                again.waits += 1;
                if again.waits < WAITS {
                    return self.wait(object, again);
                }
                tracing::warn!(%object, "whether its status may be as it is cannot be told: the mirror does not know enough");
                desk.ledger.record(Entry {
                    object: Some(object),
                    detail: "the mirror does not know what it depends on: it is left as it is".to_owned(),
                    ..Entry::new(Outcome::Unclear)
                });
                return;
            }
            Looked::Unclear { status, name } => {
                let key = Id::from(format!("status {status}").as_str());
                if desk.settled.lock().insert(object.clone(), key) {
                    tracing::warn!(%object, %status, "the status is restricted, and the tracker does not tell who set it");
                    desk.ledger.record(Entry {
                        object: Some(object.clone()),
                        name,
                        from: Some(status),
                        detail: "the tracker does not tell who set the status: it is left as it is".to_owned(),
                        ..Entry::new(Outcome::Unclear)
                    });
                }
            }
            Looked::Dry(violation) => {
                desk.settle(&object, &violation.change);
                say(&object, &violation, "dry run: a forbidden status would be put back");
                desk.record(Outcome::DryRun, &object, &violation, String::new());
            }
            Looked::Reverted(violation) => {
                desk.settle(&object, &violation.change);
                say(&object, &violation, "a forbidden status was put back");
                desk.record(Outcome::Reverted, &object, &violation, String::new());
                self.gather(&object, &violation);
            }
            Looked::Stuck(violation) => {
                desk.settle(&object, &violation.change);
                tracing::error!(%object, status = %violation.status, "a forbidden status stays: there is none to put it back to");
                let detail = "its history has no status that it could be put back to".to_owned();
                desk.record(Outcome::Parked, &object, &violation, detail);
            }
            Looked::Held { violation, wait, opened } => {
                if opened {
                    tracing::error!(
                        most = desk.options.breaker,
                        "the guard put back too many statuses of late and pauses: see what sets them"
                    );
                }
                let mut again = again.unwrap_or_else(|| self.first());
                again.person.clone_from(&violation.by);
                if !std::mem::replace(&mut again.said, true) {
                    let seconds = wait.as_secs();
                    tracing::warn!(%object, seconds, "a forbidden status is put back later: too many were of late");
                    desk.record(Outcome::Held, &object, &violation, format!("put back in {seconds} s at the earliest"));
                }
                return self.after(wait, object, again);
            }
            Looked::Failed { violation, error } => return self.failed(object, again, violation, &error),
        }
        if seen_again && desk.judge.is_restricted_now(&object) {
            self.enqueue(object);
        }
    }

    fn failed(
        &mut self,
        object: ObjectRef,
        again: Option<Box<Again>>,
        violation: Option<Violation>,
        error: &SourceError,
    ) {
        let failures = again.as_ref().map_or(0, |again| again.failures) + 1;
        let refused = matches!(error, SourceError::Refused(_));
        let Some(violation) = violation else {
            // That a tracker does not answer says nothing about the object.
            if refused && failures >= self.desk.options.tries {
                tracing::error!(%object, %error, "whether a status may be as it is cannot be told: its history is not given");
                self.desk.ledger.record(Entry {
                    object: Some(object),
                    detail: format!("its history cannot be read: {error}"),
                    ..Entry::new(Outcome::Parked)
                });
                return;
            }
            tracing::debug!(%object, %error, "the history cannot be read yet");
            let mut again = again.unwrap_or_else(|| self.first());
            again.failures += u32::from(refused);
            again.waits += 1;
            if again.waits < WAITS {
                return self.wait(object, again);
            }
            tracing::warn!(%object, %error, "whether its status may be as it is cannot be told: its history cannot be read");
            self.desk.ledger.record(Entry {
                object: Some(object),
                detail: format!("its history cannot be read: {error}"),
                ..Entry::new(Outcome::Unclear)
            });
            return;
        };
        if failures >= self.desk.options.tries {
            tracing::error!(%object, %error, status = %violation.status, "a forbidden status stays: it cannot be put back");
            if refused {
                // What the tracker does not answer may be tried again when it is seen next.
                self.desk.settle(&object, &violation.change);
            }
            return self.desk.record(Outcome::Parked, &object, &violation, error.to_string());
        }
        tracing::warn!(%object, %error, failures, "a forbidden status cannot be put back yet");
        self.desk.record(Outcome::Failed, &object, &violation, error.to_string());
        let mut again = again.unwrap_or_else(|| self.first());
        again.failures = failures;
        again.person.clone_from(&violation.by);
        again.violation = Some(violation);
        self.wait(object, again);
    }

    fn first(&self) -> Box<Again> {
        let (first, most) = self.desk.options.retry;
        Box::new(Again {
            backoff: Backoff::new(first, most),
            failures: 0,
            waits: 0,
            violation: None,
            person: None,
            said: false,
        })
    }

    fn wait(&mut self, object: ObjectRef, mut again: Box<Again>) {
        let delay = again.backoff.delay();
        self.after(delay, object, again);
    }

    fn after(&mut self, delay: Duration, object: ObjectRef, again: Box<Again>) {
        if self.later.len() >= self.desk.options.queue {
            return self.gap(SystemTime::now().checked_sub(delay).unwrap_or(SystemTime::UNIX_EPOCH));
        }
        self.later.insert(object.clone(), again);
        self.at(delay, Done::Look(object));
    }

    fn swept(&mut self, since: SystemTime, found: Result<Vec<ObjectRef>, SourceError>) {
        match found {
            Ok(objects) => {
                tracing::debug!(objects = objects.len(), "swept what was not watched");
                self.sweeping = false;
                self.sweeps.reset();
                self.past.get_or_insert_with(|| objects.iter().cloned().collect());
                for object in objects {
                    let known = self.later.contains_key(&object) || self.queued.contains(&object);
                    if let Some(again) = self.running.get_mut(&object) {
                        *again = true;
                    } else if !known {
                        // As many as there are: a bound would drop the same ones at each sweep.
                        self.queued.insert(object.clone());
                        self.queue.push_back(object);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "what happened while nothing was watched cannot be read yet");
                self.gap(since);
                let delay = self.sweeps.delay();
                self.at(delay, Done::Sweep);
            }
        }
    }

    fn gather(&mut self, object: &ObjectRef, violation: &Violation) {
        let Some(person) = &violation.by else { return };
        if self.gathering.add(person, &violation.message, object) {
            self.at(self.desk.options.gather, Done::Tell(person.clone(), violation.message.clone()));
        }
    }

    fn tell(&self, message: Message, tries: u32) {
        let desk = Arc::clone(&self.desk);
        self.job(async move {
            let Message { person, text, objects } = &message;
            let outcome = desk.within(desk.writer.notify(person, text, objects)).await;
            Done::Told { message, tries, outcome }
        });
    }

    fn told(&mut self, message: Message, tries: u32, outcome: Result<Notified, SourceError>) {
        let (outcome, detail) = match outcome {
            Ok(Notified::Taken) => (Outcome::Told, message.text.to_string()),
            Ok(Notified::Sent) => (Outcome::Told, "not acknowledged".to_owned()),
            Err(error) if tries < TELL && !matches!(error, SourceError::Refused(_)) => {
                let delay = self.first().backoff.delay();
                return self.at(delay, Done::TellAgain(message, tries + 1));
            }
            Err(error) => {
                tracing::warn!(person = %message.person, %error, "a person could not be told that a status was put back");
                (Outcome::NotTold, error.to_string())
            }
        };
        self.telling -= 1;
        self.desk.ledger.record(Entry {
            object: message.objects.first().cloned(),
            person: Some(message.person),
            detail,
            ..Entry::new(outcome)
        });
    }

    /// Notes until when everything is dealt with, if it is.
    fn mark(&self) {
        let telling = self.telling > 0 || !self.gathering.is_empty();
        let busy = self.since.is_some() || self.gap.is_some() || self.sweeping || telling;
        if busy || !(self.queue.is_empty() && self.running.is_empty() && self.later.is_empty()) {
            return;
        }
        // While the feed is down, nothing is seen.
        let at = self.desk.judge.as_of().min(SystemTime::now());
        if at > SystemTime::UNIX_EPOCH {
            self.desk.ledger.record(Entry { at, ..Entry::new(Outcome::Watched) });
        }
    }

    fn at(&self, delay: Duration, then: Done) {
        self.job(async move {
            tokio::time::sleep(delay).await;
            then
        });
    }

    fn job(&self, job: impl Future<Output = Done> + Send + 'static) {
        self.jobs.push(Box::pin(job));
    }
}

/// The end of the process drops the task: what was watched until then is noted.
impl<W: Writer, J: Judge> Drop for Watch<W, J> {
    fn drop(&mut self) {
        self.mark();
    }
}

fn say(object: &ObjectRef, violation: &Violation, what: &'static str) {
    let Violation { name, change: _, by, status, to, restriction, message: _ } = violation;
    let (by, to) = (by.as_ref().map(ToString::to_string), to.as_ref().map(ToString::to_string));
    tracing::info!(%object, %name, by, %status, to, %restriction, "{what}");
}
