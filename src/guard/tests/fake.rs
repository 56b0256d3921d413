//! A tracker that keeps statuses and moves, and restrictions that are a table.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::engine::Ruling;
use crate::guard::{Guard, Judge, Options};
use crate::ledger::{Entry, Ledger, Outcome};
use crate::model::id::{Id, ObjectRef, Str};
use crate::tracker::SourceError;
use crate::tracker::seen::{self, Seen};
use crate::tracker::writer::{History, Move, Notified, Writer};

/// Our own user.
const US: &str = "us";

#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    rows: BTreeMap<ObjectRef, Row>,
    writes: Vec<(ObjectRef, Id)>,
    messages: Vec<(Id, String, Vec<ObjectRef>)>,
    refusing: HashSet<ObjectRef>,
    down: bool,
    /// Writes take effect and are answered with an error.
    deaf: bool,
    /// Somebody sets a restricted status again after each write.
    stubborn: Option<(Id, Id)>,
    reads: usize,
    sweeps: Vec<SystemTime>,
    /// The zone of the clock is not known: sweeps search widely.
    zoned: bool,
    /// So many writes fail and are not applied.
    unwritable: usize,
    /// Messages are not acknowledged.
    silent: bool,
    rivals: BTreeMap<ObjectRef, Vec<Move>>,
    strangers: HashSet<Id>,
    refreshed: Vec<Option<Id>>,
    next: u64,
    unknown: bool,
    /// Who has come into the group of `lead` without a word, and who is known to be in it.
    joining: Option<Id>,
    /// He leaves the group, and only a refresh tells.
    leaving: bool,
    joined: Option<Id>,
}

#[derive(Clone, Default)]
struct Row {
    status: Option<Id>,
    moves: Vec<Move>,
}

pub(super) struct Running {
    pub(super) fake: Fake,
    pub(super) ledger: Arc<Ledger>,
    sender: mpsc::Sender<Seen>,
    task: JoinHandle<()>,
}

pub(super) fn id(text: &str) -> Id {
    Id::from(text)
}

pub(super) fn task(name: &str) -> ObjectRef {
    ObjectRef::new("task", name)
}

pub(super) fn options() -> Options {
    Options {
        dry_run: false,
        gather: Duration::from_millis(30),
        retry: (Duration::from_millis(2), Duration::from_millis(10)),
        window: Duration::from_millis(600),
        patience: Duration::from_millis(200),
        ..Options::default()
    }
}

// === impl Told ===

impl Told {
    fn moved(&mut self, object: &ObjectRef, by: Option<&str>, to: &str) {
        self.next += 1;
        let change = Id::from(format!("m{}", self.next).as_str());
        let row = self.rows.entry(object.clone()).or_default();
        let from = row.status.replace(id(to));
        row.moves.insert(0, Move { id: change, by: by.map(id), from, to: id(to), at: SystemTime::now() });
    }

    fn answers(&self) -> Result<(), SourceError> {
        if self.down { Err(SourceError::Unavailable("down".into())) } else { Ok(()) }
    }
}

// === impl Fake ===

impl Fake {
    /// The object has this status, and the history does not say how it came to it.
    pub(super) fn put(&self, object: &ObjectRef, status: &str) {
        self.0.lock().rows.insert(object.clone(), Row { status: Some(id(status)), moves: Vec::new() });
    }

    pub(super) fn moved(&self, object: &ObjectRef, by: &str, to: &str) {
        self.0.lock().moved(object, Some(by), to);
    }

    pub(super) fn moved_by_nobody(&self, object: &ObjectRef, to: &str) {
        self.0.lock().moved(object, None, to);
    }

    pub(super) fn status(&self, object: &ObjectRef) -> Id {
        self.0.lock().rows.get(object).and_then(|row| row.status.clone()).expect("has a status")
    }

    pub(super) fn writes(&self) -> Vec<(ObjectRef, Id)> {
        self.0.lock().writes.clone()
    }

    pub(super) fn messages(&self) -> Vec<(Id, String, Vec<ObjectRef>)> {
        self.0.lock().messages.clone()
    }

    pub(super) fn sweeps(&self) -> Vec<SystemTime> {
        self.0.lock().sweeps.clone()
    }

    pub(super) fn reads(&self) -> usize {
        self.0.lock().reads
    }

    pub(super) fn refuse(&self, object: &ObjectRef) {
        self.0.lock().refusing.insert(object.clone());
    }

    pub(super) fn down(&self, down: bool) {
        self.0.lock().down = down;
    }

    pub(super) fn deaf(&self, deaf: bool) {
        self.0.lock().deaf = deaf;
    }

    pub(super) fn unknown(&self, unknown: bool) {
        self.0.lock().unknown = unknown;
    }

    pub(super) fn joins(&self, person: &str) {
        self.0.lock().joining = Some(id(person));
    }

    /// The person is in the group, as far as anybody has heard.
    pub(super) fn is_in(&self, person: &str) {
        self.0.lock().joined = Some(id(person));
    }

    pub(super) fn leaves(&self) {
        self.0.lock().leaving = true;
    }

    /// The newest move of the object was made so long ago.
    pub(super) fn aged(&self, object: &ObjectRef, by: Duration) {
        let mut told = self.0.lock();
        let newest = told.rows.get_mut(object).and_then(|row| row.moves.first_mut()).expect("was moved");
        newest.at -= by;
    }

    /// The newest move of the object is dated so far in the future.
    pub(super) fn ahead(&self, object: &ObjectRef, by: Duration) {
        let mut told = self.0.lock();
        let newest = told.rows.get_mut(object).and_then(|row| row.moves.first_mut()).expect("was moved");
        newest.at += by;
    }

    pub(super) fn zoned(&self) {
        self.0.lock().zoned = true;
    }

    pub(super) fn unwritable(&self, times: usize) {
        self.0.lock().unwritable = times;
    }

    pub(super) fn silent(&self) {
        self.0.lock().silent = true;
    }

    /// Somebody may just as well have made the newest move.
    pub(super) fn rival(&self, object: &ObjectRef, by: &str) {
        let mut told = self.0.lock();
        let newest = told.rows.get(object).and_then(|row| row.moves.first()).expect("was moved").clone();
        told.rivals.insert(object.clone(), vec![Move { id: id("rival"), by: Some(id(by)), ..newest }]);
    }

    pub(super) fn stranger(&self, person: &str) {
        self.0.lock().strangers.insert(id(person));
    }

    pub(super) fn refreshed(&self) -> Vec<Option<Id>> {
        self.0.lock().refreshed.clone()
    }

    pub(super) fn stubborn(&self, by: &str, to: &str) {
        self.0.lock().stubborn = Some((id(by), id(to)));
    }
}

impl Writer for Fake {
    async fn history(&self, object: &ObjectRef) -> Result<Option<History>, SourceError> {
        let mut told = self.0.lock();
        told.reads += 1;
        told.answers()?;
        let row = told.rows.get(object).cloned();
        let rivals = told.rivals.get(object).cloned().unwrap_or_default();
        Ok(row.map(|Row { status, moves }| History {
            status,
            name: Str::from(object.id.to_string()),
            moves,
            rivals,
            handle: "handle".into(),
        }))
    }

    async fn moved_since(&self, since: SystemTime, statuses: &[Id]) -> Result<Vec<ObjectRef>, SourceError> {
        let mut told = self.0.lock();
        told.answers()?;
        told.sweeps.push(since);
        let zoned = told.zoned;
        let moved =
            |row: &Row| row.moves.iter().any(|moved| (zoned || moved.at >= since) && statuses.contains(&moved.to));
        Ok(told.rows.iter().filter(|(_, row)| moved(row)).map(|(object, _)| object.clone()).collect())
    }

    async fn set_status(&self, object: &ObjectRef, handle: &Str, status: &Id) -> Result<(), SourceError> {
        assert_eq!(*handle, "handle");
        let mut told = self.0.lock();
        told.answers()?;
        if told.unwritable > 0 {
            told.unwritable -= 1;
            return Err(SourceError::Unavailable("not now".into()));
        }
        told.writes.push((object.clone(), status.clone()));
        if told.refusing.contains(object) {
            return Err(SourceError::Refused("no".into()));
        }
        told.moved(object, Some(US), &status.to_string());
        if let Some((by, to)) = told.stubborn.clone() {
            told.moved(object, Some(&by.to_string()), &to.to_string());
        }
        if told.deaf { Err(SourceError::Unavailable("no answer".into())) } else { Ok(()) }
    }

    async fn notify(&self, person: &Id, message: &str, objects: &[ObjectRef]) -> Result<Notified, SourceError> {
        let mut told = self.0.lock();
        told.answers()?;
        told.messages.push((person.clone(), message.to_owned(), objects.to_vec()));
        Ok(if told.silent { Notified::Sent } else { Notified::Taken })
    }

    fn is_since(&self, moved: &Move, since: SystemTime) -> Option<bool> {
        (!self.0.lock().zoned).then_some(moved.at >= since)
    }

    fn is_us(&self, moved: &Move) -> bool {
        moved.by.as_ref() == Some(&id(US))
    }
}

/// `approved` is for `lead`, `final` for `boss`; of notes nothing is restricted.
impl Judge for Fake {
    fn restricted_statuses(&self) -> Vec<Id> {
        vec![id("approved"), id("final")]
    }

    fn is_restricted_now(&self, object: &ObjectRef) -> bool {
        let told = self.0.lock();
        let status = told.rows.get(object).and_then(|row| row.status.as_ref());
        object.kind != "note" && status.is_some_and(|status| status.is("approved") || status.is("final"))
    }

    fn restriction(&self, object: &ObjectRef, status: &Id, person: Option<&Id>) -> Ruling {
        let allowed = match status.to_string().as_str() {
            _ if object.kind == "note" => return Ruling::Allowed,
            "approved" => "lead",
            "final" => "boss",
            _ => return Ruling::Allowed,
        };
        match person {
            _ if self.0.lock().unknown => Ruling::Unknown,
            Some(person) if person.is(allowed) => Ruling::Allowed,
            Some(person) if allowed == "lead" && self.0.lock().joined.as_ref() == Some(person) => Ruling::Allowed,
            _ => Ruling::Forbidden { restriction: allowed.into(), message: "Not for you".into() },
        }
    }

    fn is_usable(&self, status: &Id) -> bool {
        !status.is("retired")
    }

    fn knows_person(&self, person: &Id) -> bool {
        !self.0.lock().strangers.contains(person)
    }

    async fn refresh(&self, _: &ObjectRef, _: &Id, person: Option<&Id>) -> bool {
        let mut told = self.0.lock();
        told.refreshed.push(person.cloned());
        if std::mem::take(&mut told.leaving) {
            told.joined = None;
        }
        if let Some(person) = told.joining.take() {
            told.joined = Some(person);
        }
        !told.down
    }

    fn as_of(&self) -> SystemTime {
        SystemTime::now()
    }
}

// === impl Running ===

impl Running {
    pub(super) fn start(options: Options) -> Self {
        Self::with(options, Ledger::open(None).expect("in memory"))
    }

    /// Whole from the beginning: the first gap is told, as the supervisor does after its first load.
    pub(super) fn with(options: Options, ledger: Ledger) -> Self {
        Self::over(Fake::default(), options, ledger)
    }

    /// Over a tracker in which something was done before.
    #[expect(clippy::disallowed_methods, reason = "no app here to spawn through")]
    pub(super) fn over(fake: Fake, options: Options, ledger: Ledger) -> Self {
        let ledger = Arc::new(ledger);
        let guard = Guard::new(fake.clone(), Arc::new(fake.clone()), Arc::clone(&ledger), options);
        let (sender, receiver) = seen::channel();
        let task = tokio::spawn(guard.run(receiver));
        let running = Self { fake, ledger, sender, task };
        running.gap(SystemTime::now());
        running
    }

    pub(super) fn seen(&self, objects: &[ObjectRef]) {
        self.sender.try_send(Seen::Objects(objects.to_vec())).expect("there is room");
    }

    pub(super) fn gap(&self, since: SystemTime) {
        self.sender.try_send(Seen::Gap { since }).expect("there is room");
    }

    pub(super) async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !so(self) {
            assert!(started.elapsed() < Duration::from_secs(5), "not {what}: {:#?}", self.ledger.last(20));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Long enough for whatever is under way, messages and tries among it.
    pub(super) async fn idle(&self) {
        tokio::time::sleep(Duration::from_millis(120)).await;
    }

    pub(super) fn entries(&self, outcome: Outcome) -> Vec<Entry> {
        self.ledger.last(usize::MAX).into_iter().filter(|entry| entry.outcome == outcome).collect()
    }

    pub(super) async fn stop(self) {
        drop(self.sender);
        self.task.await.expect("the guard ends without panic");
    }
}
