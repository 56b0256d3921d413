//! The `limecraft` tracker: a studio that is pushed, or written to a file, as JSON. Its format is in `docs/limecraft.md`.
//!
//! ```text
//! snapshot file, watched ─┐
//! PUT snapshot ───────────┼─► document, events ─► records ─► Feed ─► Source
//! POST events ────────────┘
//! ```
//!
//! Limecraft publishes no event stream and no call that lists roles or rights (`limecraft.md` 4.2), so a connector of
//! the site pushes what it knows.
//!
//! Invariant: what is held is a document, and the events after it, that were each right as a whole.

pub mod document;
pub mod events;
mod json;
mod place;
pub mod push;
mod records;
#[cfg(test)]
mod tests;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::{self, BoxStream, StreamExt as _};

use parking_lot::Mutex;

use self::document::Whole;
use super::ingest::feed::{Feed, Push, Refused};
use super::parts::Parts;
use super::progress::Progress;
use super::watch::{Content, Origin, Stamp, Watch, look};
use super::{Capabilities, CatchUp, Scope, Signal, Source, SourceError};
use crate::model::change::{Change, Snapshot};
use crate::model::id::{ObjectRef, Str};
use crate::model::schema::Schema;

/// How often the file is looked at.
const POLL: Duration = Duration::from_millis(500);

/// Limecraft as a source of the mirror.
#[derive(Clone, Debug)]
pub struct Limecraft {
    feed: Arc<Feed>,
    file: Option<Arc<Watch<Whole>>>,
    /// The content of the file that was looked at last, and whether it was taken up.
    taken: Arc<Mutex<Option<(Stamp, Look)>>>,
    /// Whether there is a door for pushes; a file alone tells by its being there that nothing has changed.
    pushed: bool,
}

/// Reads a snapshot and applies it as the whole of what is held.
///
/// # Errors
/// Where it is not right, or older than what is held.
pub fn parse_snapshot(text: &str) -> Result<Whole, Refused> {
    document::read(text).map_err(Refused::Invalid)
}

/// Puts a snapshot in the place of everything.
///
/// # Errors
/// Where it is older than what is held.
pub fn apply_snapshot(push: &mut Push<'_>, whole: &Whole) -> Result<(), Refused> {
    push.replace(whole.revision, &whole.changes)
}

// === impl Limecraft ===

impl Limecraft {
    /// What a snapshot file says, if there is one, and what is pushed, if there is a door. `schema` is the pack's.
    pub fn new(snapshot: Option<PathBuf>, pushed: bool, schema: Arc<Schema>) -> Self {
        let most = u64::try_from(document::MAX_BYTES).unwrap_or(u64::MAX);
        let file = snapshot.map(|path| {
            let name = path.display().to_string();
            let read = move |text: &str| {
                let named = |lines: Vec<String>| {
                    lines.into_iter().map(|line| format!("{name}: {line}")).collect::<Vec<_>>().join("\n")
                };
                document::read(text).map_err(named)
            };
            Arc::new(Watch::new(Origin::File(path), most, read))
        });
        Self { feed: Feed::new(schema), file, taken: Arc::default(), pushed }
    }

    /// What the doors push into.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Looks at the file and takes up what is new in it. A content counts once: after a gap it proves nothing.
    async fn take_up(&self) -> Look {
        let Some(watch) = &self.file else { return Look::None };
        let Content { stamp, held } = match look(watch).await {
            Ok(content) => content,
            Err(refusal) => {
                watch.log_once(&refusal);
                return Look::Broken;
            }
        };
        if let Some((_, look)) = self.taken.lock().filter(|(taken, _)| *taken == stamp) {
            return look;
        }
        let (feed, pushed) = (Arc::clone(&self.feed), self.pushed);
        // Nothing but the file is the truth where nobody pushes; else it is as old as it says.
        let since = pushed.then(|| held.as_of);
        let apply = move |push: &mut Push<'_>, whole: Arc<Whole>| {
            if pushed { apply_snapshot(push, &whole) } else { push.restart(whole.revision, &whole.changes) }
        };
        let look = match tokio::task::spawn_blocking(move || feed.apply(held, since, apply)).await {
            Ok(Ok(_)) => {
                *self.taken.lock() = Some((stamp, Look::Whole));
                return Look::New;
            }
            Ok(Err(refused)) => {
                tracing::error!("the snapshot file is not applied: {refused}");
                Look::Broken
            }
            Err(_stopping) => return Look::Broken,
        };
        *self.taken.lock() = Some((stamp, look));
        look
    }
}

/// What became of a look at the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// There is none.
    None,
    Whole,
    /// Whole, and taken up by this look: the feed has yet to be heard.
    New,
    Broken,
}

impl Source for Limecraft {
    fn name(&self) -> &'static str {
        "limecraft"
    }

    fn capabilities(&self) -> Capabilities {
        // What changed is told exactly, or everything is loaded.
        Capabilities { reread: false, reconcile: false, lazy: &[] }
    }

    /// Always succeeds: there is nobody to ask.
    async fn probe(&self) -> Result<Str, SourceError> {
        Ok(Str::const_new("1"))
    }

    /// Waits for a whole state: a snapshot that heals a gap is then noticed at once.
    async fn events(&self) -> Result<BoxStream<'static, Signal>, SourceError> {
        loop {
            let broken = matches!(self.take_up().await, Look::Broken) && !self.pushed;
            if !broken && let Some(pushes) = self.feed.listen() {
                let file = match &self.file {
                    Some(_) => stream::unfold(Some(self.clone()), watched).filter_map(std::future::ready).boxed(),
                    None => stream::pending().boxed(),
                };
                return Ok(stream::select(pushes, file).boxed());
            }
            if self.feed.is_of_a_file() {
                // What the file says is loaded meanwhile, and is as old as it is.
                return Err(SourceError::Unavailable(
                    "no push has said yet what came after the snapshot file".to_owned(),
                ));
            }
            match &self.file {
                Some(_) => tokio::time::sleep(POLL).await,
                None => self.feed.ready().await,
            }
        }
    }

    async fn load(&self, _scope: Scope, _progress: &Progress, _parts: &Parts) -> Result<Snapshot, SourceError> {
        // Whoever only loads has not looked at the file yet.
        if self.taken.lock().is_none() {
            self.take_up().await;
        }
        let feed = Arc::clone(&self.feed);
        let held = tokio::task::spawn_blocking(move || feed.snapshot()).await;
        let held = held.map_err(|error| SourceError::Unavailable(error.to_string()))?;
        held.ok_or_else(|| SourceError::Unavailable("no snapshot was read or pushed yet".to_owned()))
    }

    async fn reread(&self, objects: &[ObjectRef]) -> Result<Vec<Change>, SourceError> {
        Ok(self.feed.objects(objects))
    }

    /// A missed push is never told again; the snapshot that heals it is loaded.
    async fn catch_up(&self, _since: SystemTime) -> Result<Option<CatchUp>, SourceError> {
        Ok(None)
    }
}

/// The next thing to say about the file; what is new in it is told by the feed.
async fn watched(source: Option<Limecraft>) -> Option<(Option<Signal>, Option<Limecraft>)> {
    let source = source?;
    tokio::time::sleep(POLL).await;
    match (source.take_up().await, source.pushed) {
        // An old file says nothing about what was to be pushed since, and a broken one is not what is followed.
        (_, true) | (Look::New, false) => Some((None, Some(source))),
        (Look::Whole | Look::None, false) => Some((Some(Signal::Heartbeat), Some(source))),
        (Look::Broken, false) => Some((Some(Signal::Lost("the snapshot file cannot be read".to_owned())), None)),
    }
}
