//! A source that does as it is told, and an authorizer that follows it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::authorizer::{Authorizer, Clock, State};
use crate::engine::policy::Policy;
use crate::model::change::{Change, Snapshot};
use crate::model::decision::Reason;
use crate::model::id::{Id, ObjectRef, Str};
use crate::model::query::{Query, Subject};
use crate::model::record::{Member, Record};
use crate::model::value::Value;
use crate::tracker::parts::Parts;
use crate::tracker::progress::Progress;
use crate::tracker::seen::{self, Seen};
use crate::tracker::supervise::{Options, Stats, Supervisor};
use crate::tracker::{Capabilities, CatchUp, Scope, Signal, Source, SourceError};

/// What the supervisor asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Call {
    Probe,
    Events,
    Load(Scope),
    Reread(Vec<ObjectRef>),
    CatchUp(SystemTime),
}

#[derive(Clone)]
pub(super) struct Fake {
    told: Arc<Mutex<Told>>,
    loads: Arc<watch::Sender<bool>>,
    rereads: Arc<watch::Sender<bool>>,
    probes: Arc<watch::Sender<bool>>,
    logs: Arc<watch::Sender<bool>>,
}

struct Told {
    rows: BTreeMap<ObjectRef, Record>,
    calls: Vec<Call>,
    stream: Option<mpsc::UnboundedSender<Signal>>,
    log: Option<CatchUp>,
    events_refused: bool,
    probes_refused: bool,
    failing: Option<(ObjectRef, SourceError)>,
    running: Vec<ObjectRef>,
    /// What was announced since may not be readable yet.
    sure_until: Option<Instant>,
    /// Of held re-reads, only those of this one.
    held_only: Option<ObjectRef>,
    at_once: usize,
    most_at_once: usize,
    /// How many tasks and entities a load hands over at once; without it, all come at the end.
    parts: Option<usize>,
    missed: Vec<ObjectRef>,
    /// A re-read of the first brings the second unasked.
    along: Option<(ObjectRef, ObjectRef)>,
    /// Loads fail after they have read everything.
    loads_fail: bool,
}

pub(super) struct Running {
    pub(super) fake: Fake,
    pub(super) authorizer: Arc<Authorizer>,
    pub(super) stats: Arc<Stats>,
    seen: Mutex<mpsc::Receiver<Seen>>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

pub(super) fn task() -> ObjectRef {
    ObjectRef::new("task", "t")
}

pub(super) fn comment() -> ObjectRef {
    ObjectRef::new("comment", "c")
}

fn person(id: &str, name: &str) -> Record {
    Record::new("person", id)
        .named(name)
        .with("active", true)
        .with("role", Value::text("user"))
        .with("is_bot", false)
        .with("departments", Value::List(Vec::new()))
}

pub(super) fn task_record(assigned: bool) -> Record {
    Record::new("task", "t")
        .in_project("p")
        .with("entity_id", Value::text("e"))
        .with("task_type_id", Value::text("tt"))
        .with("task_status_id", Value::text("ts"))
        .with("assignees", Value::texts(assigned.then_some("a")))
}

fn comment_record(author: &str) -> Record {
    Record::new("comment", "c")
        .with("object_id", Value::text("t"))
        .with("person_id", Value::text(author))
        .with("for_client", false)
        .with("task_status_id", Value::text("ts"))
}

// === impl Fake ===

impl Fake {
    fn new() -> Self {
        let records = [
            person("a", "Ada"),
            person("b", "Bo"),
            Record::new("project", "p").named("P").with("project_status_id", Value::text("open")),
            Record::new("project_status", "open").named("Open").with("name", Value::text("Open")),
            Record::new("task_type", "tt").named("Animation"),
            Record::new("task_status", "ts")
                .named("Todo")
                .with("is_artist_allowed", true)
                .with("is_client_allowed", true),
            Record::new("asset", "e").in_project("p").named("Lamp").with("created_by", Value::Null),
            task_record(false),
            comment_record("a"),
        ];
        let told = Told {
            rows: records.into_iter().map(|record| (filed(&record), record)).collect(),
            calls: Vec::new(),
            stream: None,
            log: Some(CatchUp::default()),
            events_refused: false,
            probes_refused: false,
            failing: None,
            running: Vec::new(),
            sure_until: None,
            held_only: None,
            at_once: 0,
            most_at_once: 0,
            parts: None,
            missed: Vec::new(),
            along: None,
            loads_fail: false,
        };
        let held = || Arc::new(watch::channel(false).0);
        Self { told: Arc::new(Mutex::new(told)), loads: held(), rereads: held(), probes: held(), logs: held() }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.told.lock().calls.clone()
    }

    pub(super) fn rereads(&self, object: &ObjectRef) -> usize {
        let calls = self.calls();
        calls.iter().filter(|call| matches!(call, Call::Reread(objects) if objects.contains(object))).count()
    }

    pub(super) fn most_at_once(&self) -> usize {
        self.told.lock().most_at_once
    }

    pub(super) fn assign(&self, assigned: bool) {
        self.set(task_record(assigned));
    }

    pub(super) fn rename(&self, name: &str) {
        self.set(person("b", name));
    }

    pub(super) fn comment_by_another(&self) {
        self.set(comment_record("b"));
    }

    pub(super) fn set(&self, record: Record) {
        self.told.lock().rows.insert(filed(&record), record);
    }

    pub(super) fn remove(&self, object: &ObjectRef) {
        self.told.lock().rows.remove(object);
    }

    /// Loads hand over tasks and entities so many at a time.
    pub(super) fn in_parts(&self, of: usize) {
        self.told.lock().parts = Some(of);
    }

    /// The pages of loads do not list these.
    pub(super) fn miss(&self, objects: &[ObjectRef]) {
        self.told.lock().missed = objects.to_vec();
    }

    /// A re-read of the first brings the second unasked.
    pub(super) fn bring_along(&self, with: ObjectRef, other: ObjectRef) {
        self.told.lock().along = Some((with, other));
    }

    pub(super) fn fail_loads(&self, fail: bool) {
        self.told.lock().loads_fail = fail;
    }

    pub(super) fn changed(&self, objects: &[ObjectRef]) {
        self.signal(Signal::Changed { objects: objects.to_vec(), cursor: None });
    }

    pub(super) fn signal(&self, signal: Signal) {
        let stream = self.told.lock().stream.clone();
        let _lost = stream.expect("connected").send(signal);
    }

    pub(super) fn log(&self, log: Option<CatchUp>) {
        self.told.lock().log = log;
    }

    pub(super) fn refuse_events(&self, refused: bool) {
        self.told.lock().events_refused = refused;
    }

    pub(super) fn refuse_probes(&self, refused: bool) {
        self.told.lock().probes_refused = refused;
    }

    pub(super) fn fail_rereads_of(&self, object: Option<ObjectRef>) {
        self.told.lock().failing = object.map(|object| (object, SourceError::Unavailable("500".into())));
    }

    pub(super) fn refuse_rereads_of(&self, object: Option<ObjectRef>) {
        self.told.lock().failing = object.map(|object| (object, SourceError::Refused("403".into())));
    }

    pub(super) fn sure(&self, until: Option<Instant>) {
        self.told.lock().sure_until = until;
    }

    pub(super) fn hold_logs(&self, hold: bool) {
        self.logs.send_replace(hold);
    }

    pub(super) fn hold_probes(&self, hold: bool) {
        self.probes.send_replace(hold);
    }

    pub(super) fn hold_rereads(&self, hold: bool) {
        self.rereads.send_replace(hold);
    }

    /// Re-reads that begin from now on are held only where they are of this one.
    pub(super) fn hold_only(&self, object: ObjectRef) {
        self.told.lock().held_only = Some(object);
    }

    /// Those of tasks and entities.
    pub(super) fn hold_loads(&self, hold: bool) {
        self.loads.send_replace(hold);
    }
}

fn filed(record: &Record) -> ObjectRef {
    let kind = if record.kind == "asset" { "entity" } else { record.kind.as_str() };
    ObjectRef { kind: Str::from(kind), id: record.id.clone() }
}

async fn released(held: &watch::Sender<bool>) {
    let mut held = held.subscribe();
    let _closed = held.wait_for(|held| !held).await;
}

impl Source for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { reread: true, reconcile: true, lazy: &["comment"] }
    }

    fn table(&self, kind: &str) -> Str {
        Str::from(if kind == "asset" { "entity" } else { kind })
    }

    fn sure_until(&self) -> Option<Instant> {
        self.told.lock().sure_until
    }

    async fn probe(&self) -> Result<Str, SourceError> {
        released(&self.probes).await;
        let mut told = self.told.lock();
        told.calls.push(Call::Probe);
        if told.probes_refused { Err(SourceError::Refused("who are you?".into())) } else { Ok(Str::from("fake 1")) }
    }

    async fn events(&self) -> Result<BoxStream<'static, Signal>, SourceError> {
        let mut told = self.told.lock();
        told.calls.push(Call::Events);
        if told.events_refused {
            return Err(SourceError::Unavailable("no stream".into()));
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        told.stream = Some(sender);
        Ok(UnboundedReceiverStream::new(receiver).boxed())
    }

    /// What is handed over was read at the beginning; held, a load has handed over its first part.
    async fn load(&self, scope: Scope, _: &Progress, parts: &Parts) -> Result<Snapshot, SourceError> {
        let mut snapshot = Snapshot::default();
        let (mut early, of) = (Vec::new(), self.told.lock().parts);
        {
            let mut told = self.told.lock();
            told.calls.push(Call::Load(scope));
            let Told { rows, missed, .. } = &*told;
            let large = |kind: &str| matches!(kind, "task" | "entity");
            for (object, record) in rows {
                if object.kind != "comment" && (if large(&object.kind) { scope.large() } else { scope.core() }) {
                    snapshot.complete.push(object.kind.clone());
                    if missed.contains(object) {
                        continue;
                    }
                    let read = if large(&object.kind) && of.is_some() { &mut early } else { &mut snapshot.changes };
                    read.push(Change::Upsert(record.clone()));
                }
            }
        }
        snapshot.complete.dedup();
        if scope.core() {
            snapshot.teams = true;
            let members = ["a", "b"].map(|person| Member::new(Id::from(person), None)).to_vec();
            snapshot.changes.push(Change::Team { project: Id::from("p"), members });
        }
        let mut early = early.chunks(of.unwrap_or(1)).map(<[Change]>::to_vec);
        if let Some(part) = early.next() {
            parts.hand_over(part).await?;
        }
        if scope.large() {
            released(&self.loads).await;
        }
        for part in early {
            parts.hand_over(part).await?;
        }
        if self.told.lock().loads_fail { Err(SourceError::Unavailable("500".into())) } else { Ok(snapshot) }
    }

    /// What is handed over was read at the beginning.
    async fn reread(&self, objects: &[ObjectRef]) -> Result<Vec<Change>, SourceError> {
        let (changes, fails, held) = {
            let mut told = self.told.lock();
            told.calls.push(Call::Reread(objects.to_vec()));
            for object in objects {
                assert!(!told.running.contains(object), "{object} is read twice at once");
                told.running.push(object.clone());
            }
            told.at_once += 1;
            told.most_at_once = told.most_at_once.max(told.at_once);
            let now = |object: &ObjectRef| match told.rows.get(object) {
                Some(record) => Change::Upsert(record.clone()),
                None => Change::Remove(object.clone()),
            };
            let fails = told.failing.as_ref().filter(|(failing, _)| objects.contains(failing));
            let held = told.held_only.as_ref().is_none_or(|only| objects.contains(only));
            let along = told.along.iter().filter(|(with, _)| objects.contains(with)).map(|(_, other)| other);
            (objects.iter().chain(along).map(now).collect(), fails.map(|(_, error)| error.clone()), held)
        };
        let _ended = Ended { told: &self.told, objects };
        tokio::time::sleep(Duration::from_millis(1)).await;
        if held {
            released(&self.rereads).await;
        }
        fails.map_or(Ok(changes), Err)
    }

    async fn catch_up(&self, since: SystemTime) -> Result<Option<CatchUp>, SourceError> {
        released(&self.logs).await;
        let mut told = self.told.lock();
        told.calls.push(Call::CatchUp(since));
        Ok(told.log.clone())
    }
}

/// A re-read that is over, answered or given up.
struct Ended<'a> {
    told: &'a Mutex<Told>,
    objects: &'a [ObjectRef],
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut told = self.told.lock();
        told.at_once -= 1;
        told.running.retain(|object| !self.objects.contains(object));
    }
}

// === impl Running ===

impl Running {
    pub(super) async fn start(options: Options) -> Self {
        let running = Self::start_with(options, |_| {});
        running.until("live", async |running| running.authorizer.state() == State::Live).await;
        running
    }

    /// Started, the first load not let go.
    pub(super) fn start_held(options: Options) -> Self {
        Self::start_with(options, |fake| fake.hold_loads(true))
    }

    #[expect(clippy::disallowed_methods, reason = "no app here to spawn through")]
    pub(super) fn start_with(options: Options, prepare: impl FnOnce(&Fake)) -> Self {
        let authorizer = Authorizer::new(policy(), crate::authorizer::Options::default(), Clock::system());
        let fake = Fake::new();
        prepare(&fake);
        let mut supervisor = Supervisor::new(fake.clone(), Arc::clone(&authorizer), options);
        let (sender, receiver) = seen::channel();
        supervisor.tell(sender);
        let (stats, shutdown) = (supervisor.stats(), CancellationToken::new());
        let task = tokio::spawn(supervisor.run(shutdown.clone()));
        Self { fake, authorizer, stats, seen: Mutex::new(receiver), shutdown, task }
    }

    /// Waits until it is so.
    pub(super) async fn until(&self, what: &str, so: impl AsyncFn(&Self) -> bool) {
        let started = Instant::now();
        while !so(self).await {
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "not {what}: {:?} {:?}",
                self.stats,
                self.fake.calls()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// What was told of the tracker's objects since the last call.
    pub(super) fn seen(&self) -> Vec<Seen> {
        let mut seen = self.seen.lock();
        std::iter::from_fn(|| seen.try_recv().ok()).collect()
    }

    /// Waits until nothing more is asked of the source.
    pub(super) async fn idle(&self) {
        let mut calls = 0;
        while calls != self.fake.calls().len() {
            calls = self.fake.calls().len();
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// A heartbeat makes it as fresh as can be: nothing is left pending.
    pub(super) async fn fresh(&self) {
        let now = SystemTime::now();
        self.until("fresh", async |running| {
            running.fake.signal(Signal::Heartbeat);
            tokio::time::sleep(Duration::from_millis(2)).await;
            running.authorizer.status().as_of >= now
        })
        .await;
    }

    pub(super) async fn may_comment(&self) -> bool {
        self.authorizer.check(&Query::new(Subject::Person("a"), "comment", "task", "t")).await.decision.allowed()
    }

    pub(super) async fn may_delete_comment(&self) -> bool {
        self.authorizer.check(&Query::new(Subject::Person("a"), "delete", "comment", "c")).await.decision.allowed()
    }

    pub(super) async fn reason(&self) -> Reason {
        self.authorizer.check(&Query::new(Subject::Person("a"), "comment", "task", "t")).await.decision.code
    }

    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("the supervisor ends without panic");
    }
}

/// What the authorizer decides by.
pub(super) fn policy() -> Policy {
    Policy::load("kitsu", None).expect("the built-in pack compiles")
}
