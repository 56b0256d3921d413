//! Where the read path (check) and the write path (apply) meet. Owns the order of the calls below, and nothing else.
//!
//! ```text
//! check: resolve -> cache -> decide -> put        under one read guard
//! apply: directory -> forget                      under one write guard; a large batch to a copy, which takes its place
//! ```
//!
//! Invariant: once `apply` has returned, no decision that the batch touched is served again.
//! Invariant: nothing is answered from a batch that is applied in part.
//! Invariant: decisions are put under the read guard and forgotten under the write guard.

mod answer;
mod clock;
mod freshness;
mod image;
mod info;
mod parts;
mod pending;
mod reader;
mod restricted;
#[cfg(test)]
mod tests;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashSet;
use tokio::sync::Notify;

pub use answer::{Actions, Answer, Explanation, Freshness, Verdict, Verdicts};
pub use clock::Clock;
pub use freshness::{Feed, State};
pub use image::Taken;
pub use info::Status;
pub use reader::{ReadError, Reader};

use crate::cache::Cache;
use crate::directory::{Applied, Directory, giving_way};
use crate::engine::policy::Policy;
use crate::engine::{CaseKey, Followed};
use crate::model::change::{Batch, Change, Dep, Touched};
use crate::model::id::{Key, ObjectRef, Str};
use crate::model::schema::Schema;
use freshness::Age;
use pending::Pending;

/// How many changes are applied in place: for so long every check waits.
const IN_PLACE: usize = 512;

/// A batch that touches more than this makes the cache forget everything: to stamp each would keep checks waiting.
const TOUCHED: usize = 10_000;

/// How many objects are looked at under one read guard.
const LOOKED_AT: usize = 50_000;

/// What can be set when an authorizer is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Older than this, every answer is a denial.
    pub max_staleness: Duration,
    /// How long a decision waits for a change that is known to be under way.
    pub pending_wait: Duration,
    /// How many decisions are cached at most.
    pub cache_capacity: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_staleness: Duration::from_secs(600),
            pending_wait: Duration::from_millis(50),
            cache_capacity: 65_536,
        }
    }
}

/// Answers questions from a mirror that a tracker's supervisor keeps.
#[derive(Debug)]
pub struct Authorizer {
    mirror: RwLock<Mirror>,
    cache: Cache<CaseKey>,
    pending: Pending,
    age: Age,
    reader: RwLock<Option<Arc<dyn Reader>>>,
    /// Told whenever something was applied or is no longer pending.
    applied: Notify,
    options: Options,
    /// Writers take turns: a snapshot is compared and applied in steps, and nothing may come between.
    writing: Mutex<()>,
    tracker_version: RwLock<Str>,
    /// How often the tracker said so since the policy was put in force.
    rules_changed: AtomicU64,
    /// What was last complained about: said once.
    complaints: Mutex<FxHashSet<String>>,
}

/// A policy needs another mirror than the one that there is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it looks at what is not mirrored ({0})")]
pub struct OtherMirror(String);

/// What is swapped and read together: the mirror and the policy that is laid over it.
#[derive(Debug)]
struct Mirror {
    directory: Directory,
    policy: Policy,
}

/// Says what is odd about actions that the tracker's settings declare; of many, the first.
fn warn_of(notes: &[String]) {
    const SAID: usize = 20;
    for note in notes.iter().take(SAID) {
        tracing::warn!("{note}");
    }
    if notes.len() > SAID {
        tracing::warn!(more = notes.len() - SAID, "more actions of the settings are malformed or odd");
    }
}

impl Authorizer {
    /// An authorizer with an empty mirror, still loading.
    pub fn new(policy: Policy, options: Options, clock: Clock) -> Arc<Self> {
        let directory = Directory::new(Arc::clone(&policy.schema));
        Arc::new(Self {
            mirror: RwLock::new(Mirror { directory, policy }),
            cache: Cache::new(options.cache_capacity),
            pending: Pending::default(),
            age: Age::new(clock, options.max_staleness),
            reader: RwLock::new(None),
            applied: Notify::new(),
            options,
            writing: Mutex::new(()),
            tracker_version: RwLock::new(Str::default()),
            rules_changed: AtomicU64::new(0),
            complaints: Mutex::default(),
        })
    }

    /// Applies a batch: afterwards every answer is from the mirror with it.
    pub fn apply(&self, batch: Batch) -> Applied {
        let _turn = self.writing.lock();
        let changes = match batch {
            Batch::Delta(changes) => changes,
            Batch::Snapshot(snapshot) => self.mirror.read().directory.difference(snapshot),
        };
        self.apply_all(changes)
    }

    /// Applies a batch: all of it counts from one moment on. To be called by the writer whose turn it is.
    fn apply_all(&self, changes: Vec<Change>) -> Applied {
        let applied = if changes.len() <= IN_PLACE {
            self.apply_under(|directory| (directory.apply(changes), None))
        } else {
            // Nobody else writes meanwhile, and checks go on from what there is.
            let mut next = self.mirror.read().directory.clone();
            let applied = next.apply(giving_way(changes));
            self.apply_under(|directory| (applied, Some(std::mem::replace(directory, next))))
        };
        self.settle(&applied);
        applied
    }

    /// Applies changes that need not count at once. To be called by the writer whose turn it is.
    fn apply_apart(&self, changes: Vec<Change>) -> Applied {
        let mut total = Applied { revision: self.mirror.read().directory.revision(), ..Applied::default() };
        let mut rest = changes.into_iter();
        while rest.len() > 0 {
            let some: Vec<Change> = rest.by_ref().take(IN_PLACE).collect();
            let Applied { revision, changed, quarantined, refused, touched } =
                self.apply_under(|directory| (directory.apply(some), None));
            total.revision = revision;
            total.changed += changed;
            total.quarantined += quarantined;
            total.refused += refused;
            total.touched.everything |= touched.everything;
            total.touched.deps.extend(touched.deps);
        }
        self.settle(&total);
        total
    }

    /// Changes the mirror under the write guard, and forgets what that touches. A mirror that it leaves behind is dropped
    /// after it.
    fn apply_under(&self, change: impl FnOnce(&mut Directory) -> (Applied, Option<Directory>)) -> Applied {
        let mut guard = self.mirror.write();
        let Mirror { directory, policy } = &mut *guard;
        let (mut applied, left) = change(directory);
        let Followed { mut touched, notes, everything } = policy.follow(directory.view(), &applied.touched);
        applied.touched.deps.append(&mut touched);
        applied.touched.everything |= everything;
        if applied.touched.deps.len() > TOUCHED {
            self.cache.forget(&Touched::everything());
        } else {
            self.cache.forget(&applied.touched);
        }
        drop(guard);
        drop(left);
        warn_of(&notes);
        applied
    }

    /// Tells whoever waits that something was applied.
    fn settle(&self, applied: &Applied) {
        self.applied.notify_waiters();
        if applied.refused > 0 {
            let refused = applied.refused;
            tracing::error!(refused, "the mirror has no room for more objects: what it has not is denied");
        }
        if applied.touched.everything || applied.touched.deps.iter().any(|dep| matches!(dep, Dep::Names(_))) {
            self.complain();
        }
    }

    /// Says which names of the policy mean nothing at the tracker, and which of the tracker's roles nothing here.
    fn complain(&self) {
        let mirror = self.mirror.read();
        let view = mirror.directory.view();
        let (wrong, unlisted) = (mirror.policy.complaints(view), mirror.policy.unlisted_roles(view));
        drop(mirror);
        let mut said = self.complaints.lock();
        for complaint in wrong.iter().filter(|complaint| !said.contains(complaint.as_str())) {
            tracing::error!("{complaint}");
        }
        for role in unlisted.iter().filter(|role| !said.contains(role.as_str())) {
            tracing::warn!(role, "the tracker's role has no list of permissions in the policy, so it grants nothing");
        }
        *said = wrong.into_iter().chain(unlisted).collect();
    }

    /// What the mirror is made for.
    pub fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.mirror.read().policy.schema)
    }

    /// Puts another policy in force. It must be made for the same tracker; the mirror stays.
    ///
    /// # Errors
    /// Where it looks at fields or kinds that the mirror was not made for: what of them is new. The old policy stays.
    pub fn set_policy(&self, policy: Policy) -> Result<(), OtherMirror> {
        if let Some(new) = self.mirror.read().policy.schema.lacks(&policy.schema) {
            return Err(OtherMirror(new));
        }
        // While a snapshot is compared under the read guard, a waiting writer would keep every check waiting.
        let _turn = self.writing.lock();
        let mut policy = policy;
        let Followed { notes, .. } = policy.follow_all(self.mirror.read().directory.view());
        warn_of(&notes);
        let mut mirror = self.mirror.write();
        let old = std::mem::replace(&mut mirror.policy, policy);
        self.cache.forget(&Touched::everything());
        drop(mirror);
        drop(old);
        self.rules_changed.store(0, Ordering::Relaxed);
        self.applied.notify_waiters();
        self.complain();
        Ok(())
    }

    /// Says that the tracker has changed these objects and that re-reading them is under way. Counted: clear as often.
    pub fn mark_pending(&self, objects: &[ObjectRef]) {
        let mirror = self.mirror.read();
        self.pending.mark(objects, &mirror.policy.schema);
    }

    /// Says that the re-read of these objects was applied, or given up.
    pub fn clear_pending(&self, objects: &[ObjectRef]) {
        let mirror = self.mirror.read();
        self.pending.clear(objects, &mirror.policy.schema);
        drop(mirror);
        self.applied.notify_waiters();
    }

    /// Says how the tracker's event stream is.
    pub fn feed(&self, feed: Feed) {
        self.age.set_feed(feed);
    }

    /// An event or heartbeat came: with nothing pending, the mirror equals the tracker now. `cursor`: the tracker's own
    /// position in its events, where it has one.
    pub fn heard(&self, cursor: Option<&str>) {
        if let Some(cursor) = cursor {
            self.age.set_cursor(cursor);
        }
        if self.pending.is_empty() {
            self.age.equal_now();
        }
    }

    /// The same where the tracker tells late: with nothing pending, the mirror equals the tracker as it was at `until`.
    pub fn heard_until(&self, cursor: Option<&str>, until: std::time::Instant) {
        if let Some(cursor) = cursor {
            self.age.set_cursor(cursor);
        }
        if self.pending.is_empty() {
            self.age.equal_until(until);
        }
    }

    /// What a role allows was changed at the tracker, and the policy may not say so.
    pub fn note_rules_changed(&self) {
        self.rules_changed.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything was read from the tracker, beginning at `at`, and applied: the mirror is known to be as of then.
    pub fn known_equal(&self, at: std::time::Instant) {
        self.age.equal_at(at);
    }

    /// Sets what reads records on first use and on demand.
    pub fn set_reader(&self, reader: Arc<dyn Reader>) {
        *self.reader.write() = Some(reader);
    }

    /// Notes the version that the tracker tells of itself.
    pub fn set_tracker_version(&self, version: &str) {
        *self.tracker_version.write() = Str::from(version);
    }

    /// The objects that lead to one of these by the field of this name. Looks at every object of the kinds that have it.
    pub fn leading_to(&self, objects: &[ObjectRef], field: &str) -> Vec<ObjectRef> {
        let (mut all, mut from) = (Vec::new(), Some(Key(0)));
        while let Some(at) = from {
            // Writers get in between.
            let (mut found, next) = self.mirror.read().directory.view().leading_to(objects, field, at, LOOKED_AT);
            all.append(&mut found);
            from = next;
        }
        all
    }

    /// Of these objects, those that lead to one of the others by the field of this name.
    pub fn leading_among(&self, among: &[ObjectRef], objects: &[ObjectRef], field: &str) -> Vec<ObjectRef> {
        self.mirror.read().directory.view().leading_among(among, objects, field)
    }

    /// Of objects that are read on first use, those that the mirror holds: an event on any other needs no re-read.
    pub fn loaded_lazily(&self, objects: &[ObjectRef]) -> Vec<ObjectRef> {
        let mirror = self.mirror.read();
        let view = mirror.directory.view();
        let held = |object: &&ObjectRef| {
            let key = view.schema().kind_no(&object.kind).and_then(|kind| view.find(kind, &object.id));
            key.is_some_and(|key| !matches!(view.state(key), crate::directory::State::Unknown))
        };
        objects.iter().filter(held).cloned().collect()
    }
}
