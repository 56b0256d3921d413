//! Drives a source: order, coalescing, gaps, reconnects, reconciles and first-use reads.
//!
//! ```text
//! signals ─► queue ─► re-reads ─┐
//! reader  ─►                    ├─► authorizer::apply     one task, one writer
//! timers  ─► loads ─────────────┘
//! ```
//!
//! Invariant: an object is read by at most one request at a time, and what is read is applied in the order of reading.
//! What a re-read brings unasked is applied where nothing else can have read it since that one began, and re-read else.
//! Invariant: what was hinted or re-read while a load was under way is not overwritten by the load.
//! Invariant: memory is bounded; where more is announced than is remembered, everything is loaded.

mod audit;
mod doubts;
mod feed;
mod hanging;
mod large;
mod once;
mod queue;
mod reader;
mod reads;
mod small;
mod stats;
#[cfg(test)]
mod tests;
mod told;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::audit::Audit;
use self::doubts::Doubts;
use self::hanging::Hanging;
use self::large::{Loading, Wanted};
use self::queue::Queue;
use self::reader::Request;
use self::reads::{Began, Reads};
pub use self::stats::{Counter, Stats};
use self::told::Kept;
use super::backoff::Backoff;
use super::progress::Progress;
use super::receipt::Receipt;
use super::seen::{Seen, Teller};
use super::{CatchUp, Scope, Signal, Source, SourceError};
use crate::authorizer::{Authorizer, Feed};
use crate::model::change::{Batch, Change, Snapshot};
use crate::model::id::{ObjectRef, Str};

/// How often a Core reconcile is a full one.
const LARGE_EVERY: u32 = 12;

/// How long another failure of the same kind is not worth a line.
const HUSH: Duration = Duration::from_secs(10);

/// What can be set.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often people, projects and small tables are compared with the tracker; all else twelve times less often.
    pub reconcile: Duration,
    /// How often the tracker is asked whether it answers and still lets us in.
    pub probe: Duration,
    /// How long a probe may take; a re-read six times, a look at the log twelve times as long.
    pub patience: Duration,
    /// How often the stream is compared with the tracker's log, and how far back a look at the log may reach.
    pub audit: Duration,
    pub audit_reach: Duration,
    /// How long a hint waits for others about the same.
    pub coalesce: Duration,
    /// How long an event that does not name what changed waits for others like it.
    pub settle: Duration,
    /// How many requests re-read at once, and how many objects one of them asks for.
    pub at_once: usize,
    pub objects: usize,
    /// How many objects may wait to be re-read.
    pub queue: usize,
    /// First and longest delay before the next try of whatever failed.
    pub retry: (Duration, Duration),
}

/// Keeps an authorizer's mirror equal to a tracker.
pub struct Supervisor<S> {
    source: Arc<S>,
    authorizer: Arc<Authorizer>,
    options: Options,
    stats: Arc<Stats>,
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    requests: mpsc::Receiver<Request>,
    /// The event stream, while there is one.
    stream: Option<BoxStream<'static, Signal>>,
    connecting: Backoff,
    reloading: Backoff,
    rereading: Backoff,
    /// When the stream last said anything; what happened after that is caught up with on reconnect.
    heard: Moment,
    /// Since when the tracker's API has not answered as it should.
    mute: Option<Moment>,
    state: Feed,
    loaded: bool,
    /// There was a mirror from the disk before anything was loaded.
    restored: bool,
    loading: Option<Loading>,
    wanted: Option<Wanted>,
    /// What loads in parts did not list, until it is re-read.
    doubts: Vec<Doubts>,
    /// The log of events is being read, or has named objects that are not re-read yet.
    catching_up: u32,
    recovering: FxHashSet<ObjectRef>,
    queue: Queue,
    /// What was told exactly and waits for a load to end.
    kept: Kept,
    audit: Audit,
    seen: Teller,
    /// When the last load began: what it found, it found since the one before.
    read: SystemTime,
    in_flight: usize,
    reads: Reads,
    hanging: Hanging,
    flushing: bool,
    reconciles: u32,
    /// What was read on first use and not dropped since.
    held: FxHashSet<ObjectRef>,
    quarantined: FxHashSet<ObjectRef>,
    /// What was said about failures, and when: once each, until all is well.
    said: FxHashMap<&'static str, (Instant, String)>,
}

/// A moment on both of the machine's clocks.
#[derive(Clone, Copy, Debug)]
struct Moment {
    steady: Instant,
    wall: SystemTime,
}

/// Something that was under way and is finished.
enum Done {
    Connected(Result<(Str, BoxStream<'static, Signal>), SourceError>),
    CaughtUp { since: SystemTime, found: Result<Option<CatchUp>, SourceError> },
    Loaded(Result<Snapshot, SourceError>),
    Reread { began: Began, objects: Vec<ObjectRef>, found: Result<Vec<Change>, SourceError> },
    Probed(Result<Str, SourceError>),
    Audited(Result<Option<CatchUp>, SourceError>),
    Time(Timer),
}

/// What it is time for.
enum Timer {
    Connect,
    CatchUp(SystemTime),
    Load,
    Probe,
    Audit,
    Reconcile,
    Flush,
    Again(Vec<ObjectRef>),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reconcile: Duration::from_secs(300),
            probe: Duration::from_secs(10),
            patience: Duration::from_secs(10),
            audit: Duration::from_secs(30),
            audit_reach: Duration::from_secs(100),
            coalesce: Duration::from_millis(4),
            settle: Duration::from_secs(2),
            at_once: 8,
            objects: 60,
            queue: 50_000,
            retry: (Duration::from_millis(250), Duration::from_secs(5)),
        }
    }
}

// === impl Supervisor ===

impl<S: Source> Supervisor<S> {
    /// A supervisor that becomes the authorizer's reader. Nothing happens until it runs.
    pub fn new(source: S, authorizer: Arc<Authorizer>, options: Options) -> Self {
        let (asks, requests) = reader::channel();
        authorizer.set_reader(Arc::new(asks));
        let backoff = Backoff::new(options.retry.0, options.retry.1);
        Self {
            source: Arc::new(source),
            authorizer,
            options,
            stats: Arc::default(),
            jobs: FuturesUnordered::new(),
            requests,
            stream: None,
            connecting: backoff.clone(),
            reloading: backoff.clone(),
            rereading: backoff,
            heard: Moment::now(),
            mute: None,
            state: Feed::Loading,
            loaded: false,
            restored: false,
            loading: None,
            wanted: None,
            doubts: Vec::new(),
            catching_up: 0,
            recovering: FxHashSet::default(),
            queue: Queue::new(options.queue),
            kept: Kept::default(),
            audit: Audit::default(),
            seen: Teller::default(),
            read: SystemTime::now(),
            in_flight: 0,
            reads: Reads::new(options.queue),
            hanging: Hanging::new(options.queue),
            flushing: false,
            reconciles: 0,
            held: FxHashSet::default(),
            quarantined: FxHashSet::default(),
            said: FxHashMap::default(),
        }
    }

    /// What it has seen and done; to be kept before it runs.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Tells the other end what is seen of the tracker's objects.
    pub fn tell(&mut self, sender: mpsc::Sender<Seen>) {
        self.seen.tells(sender);
    }

    /// Runs until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        self.restored = self.authorizer.is_restored();
        self.state = self.begun();
        self.authorizer.feed(self.state);
        self.connect();
        self.at(self.options.probe, Timer::Probe);
        self.at(self.options.audit, Timer::Audit);
        if self.source.capabilities().reconcile {
            self.at(self.options.reconcile, Timer::Reconcile);
        }
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(done) = self.jobs.next() => self.finished(done),
                signal = next(&mut self.stream) => self.signal(signal),
                Some(changes) = large::next_part(&mut self.loading) => self.part(changes),
                Some(request) = self.requests.recv() => self.asked(request),
            }
            self.settle();
        }
    }

    fn finished(&mut self, done: Done) {
        match done {
            Done::Connected(outcome) => self.connected(outcome),
            Done::CaughtUp { since, found } => self.caught_up(since, found),
            Done::Loaded(outcome) => self.load_ended(outcome),
            Done::Reread { began, objects, found } => self.reread_ended(began, &objects, found),
            Done::Probed(outcome) => self.probed(outcome),
            Done::Audited(found) => self.audited(found),
            Done::Time(Timer::Connect) => self.connect(),
            Done::Time(Timer::CatchUp(since)) => self.ask_log(since),
            Done::Time(Timer::Load) => self.load(),
            Done::Time(Timer::Probe) => {
                self.at(self.options.probe, Timer::Probe);
                self.probe();
            }
            Done::Time(Timer::Audit) => self.audit(),
            Done::Time(Timer::Reconcile) => self.reconcile(),
            Done::Time(Timer::Flush) => {
                self.flushing = false;
                self.flush();
            }
            Done::Time(Timer::Again(objects)) => {
                objects.into_iter().for_each(|object| self.queue.again(object));
                self.flush();
            }
        }
    }

    /// Applies what was told and says how the feed is, where that has changed.
    fn settle(&mut self) {
        let receipts = self.apply_kept();
        self.clear_doubts();
        self.seen.catch_up();
        self.tell_state();
        receipts.iter().for_each(Receipt::acknowledge);
    }

    fn tell_state(&mut self) {
        let whole = self.loaded && !self.resyncing();
        let state = match () {
            () if !self.loaded => self.begun(),
            () if whole
                && self.stream.is_some()
                && self.mute.is_none()
                && self.catching_up == 0
                && self.recovering.is_empty() =>
            {
                Feed::Live
            }
            () => Feed::Degraded,
        };
        if state == self.state {
            return;
        }
        self.state = state;
        self.authorizer.feed(state);
        match state {
            Feed::Live => {
                self.said.clear();
                tracing::info!(tracker = self.source.name(), "live: changes are heard as they happen");
                let cursor = self.take_cursor();
                self.equal(cursor.as_deref());
            }
            Feed::Degraded => tracing::warn!(
                tracker = self.source.name(),
                "degraded: the last good mirror is served and its age grows"
            ),
            Feed::Loading => {}
        }
    }

    /// How the feed is before anything was loaded.
    fn begun(&self) -> Feed {
        if self.restored { Feed::Degraded } else { Feed::Loading }
    }

    /// All that was announced is in the mirror or pending. Not so while a load is owed: the mirror is known to differ.
    fn equal(&self, position: Option<&str>) {
        if !self.is_load_owed() && self.kept.is_empty() && self.doubts.is_empty() {
            match self.source.sure_until() {
                None => self.authorizer.heard(position),
                Some(sure) => self.authorizer.heard_until(position, sure),
            }
        }
    }

    /// All that was read up to then is in the mirror.
    fn equal_at(&self, at: Instant) {
        self.authorizer.known_equal(self.source.sure_until().map_or(at, |sure| at.min(sure)));
    }

    /// Applies changes and keeps count.
    fn apply(&mut self, batch: Batch) -> usize {
        match &batch {
            Batch::Delta(changes) => self.count(changes),
            Batch::Snapshot(snapshot) => self.count(&snapshot.changes),
        }
        self.authorizer.apply(batch).changed
    }

    fn count(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Quarantine { object, problem } => {
                    if self.quarantined.len() < self.options.queue && self.quarantined.insert(object.clone()) {
                        self.stats.quarantined.add(1);
                        tracing::warn!(
                            object = object.to_string(),
                            problem,
                            "a record cannot be understood: questions that touch it are denied"
                        );
                    }
                }
                Change::Upsert(record) if !self.quarantined.is_empty() => {
                    self.quarantined.remove(&self.filed(&record.object()));
                }
                Change::Remove(object) => drop(self.quarantined.remove(object)),
                Change::Upsert(_)
                | Change::Team { .. }
                | Change::Join { .. }
                | Change::Leave { .. }
                | Change::Forget(_) => {}
            }
        }
    }

    fn filed(&self, object: &ObjectRef) -> ObjectRef {
        ObjectRef { kind: self.source.table(&object.kind), id: object.id.clone() }
    }

    fn is_lazy(&self, object: &ObjectRef) -> bool {
        self.source.capabilities().lazy.contains(&object.kind.as_str())
    }

    fn at(&self, delay: Duration, timer: Timer) {
        self.job(async move {
            tokio::time::sleep(delay).await;
            Done::Time(timer)
        });
    }

    fn job(&self, job: impl Future<Output = Done> + Send + 'static) {
        self.jobs.push(Box::pin(job));
    }

    /// Says what failed, once until something else does or all is well.
    fn complain(&mut self, doing: &'static str, error: &SourceError) {
        let text = error.to_string();
        if self.said.get(doing).is_some_and(|(at, said)| *said == text || at.elapsed() < HUSH) {
            tracing::debug!(doing, why = text, "still failing");
            return;
        }
        match error {
            SourceError::Refused(_) => tracing::error!(tracker = self.source.name(), doing, "{text}"),
            SourceError::Unavailable(_) | SourceError::Malformed(_) => {
                tracing::warn!(tracker = self.source.name(), doing, "{text}");
            }
        }
        self.said.insert(doing, (Instant::now(), text));
    }
}

/// A source that does not answer holds nothing up.
async fn within<T>(limit: Duration, asked: impl Future<Output = Result<T, SourceError>>) -> Result<T, SourceError> {
    let late = |_| SourceError::Unavailable(format!("no answer within {} s", limit.as_secs_f32()));
    tokio::time::timeout(limit, asked).await.map_err(late)?
}

// === impl Moment ===

impl Moment {
    fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// The same moment as the wall clock has it now, rather too early than too late: that clock may have been put back
    /// since, and the other one stands still while the machine sleeps.
    fn since(self) -> SystemTime {
        let counted = SystemTime::now().checked_sub(self.steady.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH);
        self.wall.min(counted)
    }
}

async fn next(stream: &mut Option<BoxStream<'static, Signal>>) -> Signal {
    match stream {
        Some(stream) => stream.next().await.unwrap_or_else(|| Signal::Lost("the event stream ended".into())),
        None => std::future::pending().await,
    }
}

impl<S> std::fmt::Debug for Supervisor<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor").field("stats", &self.stats).finish_non_exhaustive()
    }
}
