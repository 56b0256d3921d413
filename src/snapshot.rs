//! The last good mirror on the disk: taken up at the start, written while it is served.
//!
//! ```text
//! start:  disk ─► format: is it ours, whole, of this tracker? ─► Directory ─► authorizer
//! later:  authorizer, a copy that shares ─► bytes ─► disk: beside, synced, renamed
//! ```
//!
//! Invariant: what is refused is refused as a whole, in one line of the log, and the tracker is loaded as if there were none.
//! Invariant: a snapshot is of one revision, and as of a moment at which that was known equal to the tracker.

mod disk;
pub mod format;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use self::disk::Place;
use self::format::{Head, Wrong};
use crate::authorizer::{Authorizer, Taken};
use crate::directory::Directory;
use crate::model::schema::Schema;

/// A snapshot is written no oftener than this.
const RARELY: Duration = Duration::from_secs(60);
/// Nor than this many times as long as the last writing took.
const LEISURE: u32 = 100;
/// How often it is looked whether it is time.
const TICK: Duration = Duration::from_secs(1);
/// Older ones are refused: clocks do not tell further back.
const OLDEST: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Keeps the snapshot of one tracker's mirror in a directory.
#[derive(Debug)]
pub struct Keeper {
    place: Place,
    /// Which tracker the mirror is of: another one's snapshot is never used.
    of: String,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    written: Option<Taken>,
    /// As of when the snapshot was that this process began with.
    begun_with: Option<SystemTime>,
    /// When the last writing ended, and how long it took.
    ended: Option<(Instant, Duration)>,
    size: usize,
    /// What was complained about: said once.
    said: Option<String>,
}

/// Why there is no mirror from the disk.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{}: the snapshot is not used: {problem}", file.display())]
    Unusable { file: PathBuf, problem: String },
    #[error(transparent)]
    Unsafe(#[from] Problem),
}

/// What is wrong with the directory or the file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{}: {problem}", path.display())]
    Insecure { path: PathBuf, problem: String },
    #[error("{}: cannot be {doing}: {error}", path.display())]
    Io { path: PathBuf, doing: &'static str, error: std::io::Error },
    #[error("{}: another process is writing a snapshot there", path.display())]
    Busy { path: PathBuf },
    #[error("nothing was loaded from the tracker yet")]
    NotLoaded,
}

/// A snapshot that was written.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    pub taken: Taken,
    pub bytes: usize,
    pub took: Duration,
}

// === impl Last ===

impl Last {
    /// Whether there is anything new to write: a change, or what is known equal more than so much later.
    fn is_old(&self, authorizer: &Authorizer, by: Duration) -> bool {
        // A tracker's side may begin with something older, and then what is on the disk is better.
        let now = authorizer.takeable().filter(|now| self.begun_with.is_none_or(|begun| begun <= now.as_of));
        now.is_some_and(|now| self.written.is_none_or(|written| now.is_newer_than(&written, by)))
    }
}

// === impl Keeper ===

impl Keeper {
    /// Keeps the snapshot of the tracker that is called `of` in `directory`. Nothing is looked at yet.
    pub fn new(directory: PathBuf, of: String) -> Self {
        Self { place: Place::new(directory), of, last: Mutex::default() }
    }

    /// The file of the snapshot.
    pub fn file(&self) -> &Path {
        self.place.file()
    }

    /// Begins with the snapshot, where there is one that can be used; says so, or why not.
    pub fn restore(&self, authorizer: &Authorizer) {
        let began = Instant::now();
        match self.read(&authorizer.schema(), SystemTime::now()) {
            Ok(Some((directory, as_of))) => {
                self.last.lock().begun_with = Some(as_of);
                authorizer.restore(directory, as_of);
                tracing::info!(
                    file = %self.file().display(),
                    age_s = authorizer.status().age.as_secs(),
                    took_ms = began.elapsed().as_millis(),
                    "the last good mirror was read from the disk: it is served until the tracker is loaded"
                );
            }
            Ok(None) => tracing::info!(file = %self.file().display(), "there is no snapshot yet"),
            Err(refusal) => tracing::warn!("{refusal}"),
        }
    }

    /// The mirror in the snapshot, and when it was known equal; `None`: there is none. Its revisions begin anew: those of
    /// another process say nothing here.
    ///
    /// # Errors
    /// Where there is one that must not be used.
    pub fn read(&self, schema: &Arc<Schema>, now: SystemTime) -> Result<Option<(Directory, SystemTime)>, Refusal> {
        let Some(bytes) = self.place.read()? else { return Ok(None) };
        let unusable = |wrong: Wrong| Refusal::Unusable { file: self.file().to_owned(), problem: wrong.to_string() };
        let (head, body) = format::open(&bytes).map_err(unusable)?;
        head.fits(&self.of, schema).map_err(unusable)?;
        let age = now.duration_since(head.as_of).map_err(|_| unusable(Wrong::Future))?;
        if age > OLDEST {
            return Err(unusable(Wrong::Old));
        }
        let directory = Directory::decode(Arc::clone(schema), 0, body);
        directory.map(|directory| Some((directory, head.as_of))).map_err(|damage| unusable(Wrong::Content(damage)))
    }

    /// Sees that a snapshot could be written.
    ///
    /// # Errors
    /// Where it could not.
    pub fn prepare(&self) -> Result<(), Problem> {
        self.place.prepare().map(drop)
    }

    /// Writes the mirror as it is now. Blocks on the disk.
    ///
    /// # Errors
    /// Where it cannot be written; the old one is then still there.
    pub fn write(&self, authorizer: &Authorizer) -> Result<Written, Problem> {
        self.write_as(authorizer, &mut self.last.lock())
    }

    fn write_as(&self, authorizer: &Authorizer, last: &mut Last) -> Result<Written, Problem> {
        let began = Instant::now();
        let outcome = self.place.prepare().and_then(|turn| {
            let mut body = Vec::with_capacity(last.size.saturating_add(last.size / 16));
            let taken = authorizer.take(&mut body).ok_or(Problem::NotLoaded)?;
            let head = Head::new(&self.of, &authorizer.schema(), taken);
            let sealed = format::seal(&head, &body);
            turn.write(&[&sealed, &body])?;
            last.size = body.len();
            Ok((taken, sealed.len() + body.len()))
        });
        let took = began.elapsed();
        last.ended = Some((Instant::now(), took));
        outcome.map(|(taken, bytes)| {
            last.written = Some(taken);
            Written { taken, bytes, took }
        })
    }

    /// Writes at the start and then now and then, where there is anything new; for ever.
    pub async fn follow(self: Arc<Self>, authorizer: Arc<Authorizer>) {
        loop {
            tokio::time::sleep(TICK).await;
            if !self.is_due(&authorizer) {
                continue;
            }
            let (keeper, authorizer) = (Arc::clone(&self), Arc::clone(&authorizer));
            // It ends by itself when the process ends meanwhile.
            let _ended = tokio::task::spawn_blocking(move || keeper.write_and_say(&authorizer)).await;
        }
    }

    /// Writes what is new at the end of the process.
    pub fn finish(&self, authorizer: &Authorizer) {
        if self.last.lock().is_old(authorizer, Duration::ZERO) {
            self.write_and_say(authorizer);
        }
    }

    fn is_due(&self, authorizer: &Authorizer) -> bool {
        let last = self.last.lock();
        let rested = |(ended, took): (Instant, Duration)| ended.elapsed() >= RARELY.max(took.saturating_mul(LEISURE));
        // One that nothing has changed since is good for as long as it is not much nearer to being stale.
        last.ended.is_none_or(rested) && last.is_old(authorizer, authorizer.max_staleness() / 4)
    }

    /// What goes wrong is told once, until something else does or it goes well.
    fn write_and_say(&self, authorizer: &Authorizer) {
        let mut last = self.last.lock();
        match self.write_as(authorizer, &mut last) {
            Ok(Written { taken, bytes, took }) => {
                let (revision, took_ms) = (taken.revision, took.as_millis());
                if last.said.take().is_some() {
                    tracing::info!(file = %self.file().display(), revision, "snapshots are written again");
                }
                tracing::debug!(file = %self.file().display(), revision, bytes, took_ms, "a snapshot was written");
            }
            // The other one's is as good.
            Err(Problem::NotLoaded | Problem::Busy { .. }) => {}
            Err(problem) => {
                let text = problem.to_string();
                if last.said.as_ref() != Some(&text) {
                    tracing::warn!("no snapshot is written, the last one stays: {text}");
                    last.said = Some(text);
                }
            }
        }
    }
}
