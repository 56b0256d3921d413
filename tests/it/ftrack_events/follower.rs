//! Follows a connector as the supervisor does, in the plainest way, and holds the records: what the mirror would be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use stagedoor::model::change::Change;
use stagedoor::model::id::ObjectRef;
use stagedoor::model::record::Record;
use stagedoor::tracker::ftrack::Ftrack;
use stagedoor::tracker::parts::Parts;
use stagedoor::tracker::progress::Progress;
use stagedoor::tracker::{Scope, Signal, Source, SourceError};
use tokio::task::JoinHandle;

use super::spawn;

/// Objects by table and id; `None` where a row could not be understood.
pub(crate) type Held = BTreeMap<ObjectRef, Option<Record>>;

/// Everything that follows one connector.
pub(crate) struct Follower {
    pub(crate) held: Arc<Mutex<Held>>,
    pub(crate) counts: Arc<Counts>,
    /// When the records last changed.
    changed: Arc<Mutex<Instant>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connected: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) loads: AtomicU64,
    pub(crate) hinted: AtomicU64,
    pub(crate) reloads: AtomicU64,
    pub(crate) heartbeats: AtomicU64,
}

impl Follower {
    pub(crate) async fn start(ftrack: Ftrack) -> Self {
        Self::sweeping(ftrack, Duration::from_secs(3600)).await
    }

    /// One that reads the small tables anew so often.
    pub(crate) async fn sweeping(ftrack: Ftrack, every: Duration) -> Self {
        let (held, counts): (Arc<Mutex<Held>>, Arc<Counts>) = Default::default();
        let changed = Arc::new(Mutex::new(Instant::now()));
        let following = Following {
            ftrack,
            every,
            mine: Held::new(),
            held: Arc::clone(&held),
            counts: Arc::clone(&counts),
            changed: Arc::clone(&changed),
        };
        let follower = Self { held, counts, changed, task: spawn(following.run()) };
        follower.until("loaded", Duration::from_secs(20), |_| follower.count(|counts| &counts.loads) > 0).await;
        follower
    }

    pub(crate) fn count(&self, which: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        which(&self.counts).load(Ordering::Relaxed)
    }

    /// How long it takes until this holds.
    pub(crate) async fn until(&self, what: &str, within: Duration, holds: impl Fn(&Held) -> bool) -> Duration {
        let started = Instant::now();
        while !holds(&self.held.lock()) {
            assert!(started.elapsed() < within, "{what}: not after {within:?}; {:?}", self.counts);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        started.elapsed()
    }

    /// How long after `since` everything was as the server has it.
    pub(crate) async fn equals(&self, what: &str, truth: &Held, since: Instant, within: Duration) -> Duration {
        let started = Instant::now();
        while *self.held.lock() != *truth {
            let differs = differences(&self.held.lock(), truth);
            assert!(started.elapsed() < within, "{what}: differs after {within:?}: {differs:#?}\n{:?}", self.counts);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.changed.lock().saturating_duration_since(since)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What differs, at most ten of it.
pub(crate) fn differences(held: &Held, truth: &Held) -> Vec<String> {
    let all = held.keys().chain(truth.keys().filter(|object| !held.contains_key(object)));
    let differs = all.filter(|object| held.get(object) != truth.get(object));
    differs.take(10).map(|object| format!("{object}: {:?} for {:?}", held.get(object), truth.get(object))).collect()
}

/// Everything, read anew.
pub(crate) async fn truth(ftrack: &Ftrack) -> Held {
    let mut held = Held::new();
    load(ftrack, Scope::All, &mut held).await.expect("the server answers");
    held
}

async fn load(ftrack: &Ftrack, scope: Scope, held: &mut Held) -> Result<(), SourceError> {
    let (parts, mut handed) = Parts::channel();
    let progress = Progress::logged();
    let loading = async {
        let parts = parts;
        ftrack.load_in_parts(scope, &progress, &parts).await
    };
    let collecting = async {
        let mut changes = Vec::new();
        while let Some(part) = handed.recv().await {
            changes.extend(part);
        }
        changes
    };
    let (snapshot, changes) = tokio::join!(loading, collecting);
    let snapshot = snapshot?;
    held.retain(|object, _| !snapshot.complete.contains(&ftrack.table(&object.kind)));
    for change in snapshot.changes.into_iter().chain(changes) {
        apply(ftrack, held, change);
    }
    Ok(())
}

fn apply(ftrack: &Ftrack, held: &mut Held, change: Change) {
    let filed = |object: &ObjectRef| ObjectRef { kind: ftrack.table(&object.kind), id: object.id.clone() };
    match change {
        Change::Upsert(record) => drop(held.insert(filed(&record.object()), Some(record))),
        Change::Remove(object) => drop(held.remove(&filed(&object))),
        Change::Quarantine { object, .. } => drop(held.insert(filed(&object), None)),
        other => panic!("no such change is expected of ftrack: {other:?}"),
    }
}

/// One that follows.
struct Following {
    ftrack: Ftrack,
    every: Duration,
    mine: Held,
    held: Arc<Mutex<Held>>,
    counts: Arc<Counts>,
    changed: Arc<Mutex<Instant>>,
}

impl Following {
    async fn run(mut self) {
        loop {
            match self.ftrack.events().await {
                Ok(stream) => self.listen(stream).await,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn listen(&mut self, mut stream: BoxStream<'static, Signal>) {
        let counts = Arc::clone(&self.counts);
        let add = |count: &AtomicU64| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        add(&counts.connected);
        self.load(Scope::All).await;
        let mut sweep = tokio::time::interval(self.every);
        sweep.tick().await;
        loop {
            let signal = tokio::select! {
                signal = stream.next() => signal.unwrap_or_else(|| Signal::Lost("ended".into())),
                _ = sweep.tick() => {
                    self.load(Scope::Core).await;
                    continue;
                }
            };
            match signal {
                Signal::Changed { objects, .. } => {
                    add(&counts.hinted);
                    self.reread(&objects).await;
                }
                Signal::Heartbeat => add(&counts.heartbeats),
                Signal::Reload { scope, objects } => {
                    add(&counts.reloads);
                    self.reread(&objects).await;
                    self.load(scope).await;
                }
                Signal::Lost(_) => return add(&counts.lost),
                other => panic!("no such signal is expected of ftrack: {other:?}"),
            }
        }
    }

    async fn load(&mut self, scope: Scope) {
        while load(&self.ftrack, scope, &mut self.mine).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.show();
        self.counts.loads.fetch_add(1, Ordering::Relaxed);
    }

    async fn reread(&mut self, objects: &[ObjectRef]) {
        let lazy = self.ftrack.capabilities().lazy;
        let objects: Vec<_> = objects.iter().filter(|object| !lazy.contains(&object.kind.as_str())).cloned().collect();
        let changes = loop {
            match self.ftrack.reread(&objects).await {
                Ok(changes) => break changes,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        changes.into_iter().for_each(|change| apply(&self.ftrack, &mut self.mine, change));
        self.show();
    }

    fn show(&self) {
        let mut held = self.held.lock();
        if *held != self.mine {
            held.clone_from(&self.mine);
            *self.changed.lock() = Instant::now();
        }
    }
}
