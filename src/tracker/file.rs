//! The `file` tracker: a whole studio in one YAML file, watched. Its format is in `docs/studio-file.md`.
//!
//! ```text
//! look: changed? ─► settled? ─► studio::read ─► held ─► Source::load, Source::reread
//! ```
//!
//! Invariant: what is held was read from a file that was whole and without a complaint.

mod entry;
pub mod held;
mod refs;
pub mod studio;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::{self, BoxStream, StreamExt as _};

use self::held::Held;
use self::studio::Vocabulary;
use super::parts::Parts;
use super::progress::Progress;
use super::watch::{Content, Origin, Watch, look};
use super::{Capabilities, CatchUp, Scope, Signal, Source, SourceError};
use crate::model::change::{Change, Snapshot};
use crate::model::id::{ObjectRef, Str};

/// The studio that `serve --demo` shows.
pub const DEMO: &str = include_str!("file/demo.yaml");
/// The name that complaints about it would carry.
pub const DEMO_NAME: &str = "demo.yaml";

/// The largest file that is read.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// How often the file is looked at.
const POLL: Duration = Duration::from_millis(500);

/// A studio file as a source of the mirror.
#[derive(Clone, Debug)]
pub struct File {
    watch: Arc<Watch<Held>>,
}

impl File {
    /// The file at `path`, watched. `words` are those of the policy in force.
    pub fn at(path: PathBuf, words: Vocabulary) -> Self {
        let name = path.display().to_string();
        Self::new(Origin::File(path), name, words)
    }

    /// The embedded demo studio, which never changes.
    pub fn demo(words: Vocabulary) -> Self {
        Self::new(Origin::BuiltIn { name: DEMO_NAME, text: DEMO }, DEMO_NAME.to_owned(), words)
    }

    fn new(origin: Origin, name: String, words: Vocabulary) -> Self {
        let read = move |text: &str| {
            let snapshot = studio::read(&name, text, &words).map_err(|problems| problems.to_string())?;
            Ok(Held::new(snapshot, Arc::clone(&words.schema)))
        };
        Self { watch: Arc::new(Watch::new(origin, MAX_BYTES, read)) }
    }

    async fn look(&self) -> Result<Content<Held>, SourceError> {
        look(&self.watch).await.map_err(SourceError::from)
    }
}

impl Source for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn capabilities(&self) -> Capabilities {
        // Every change means a load: it is quick, and the mirror keeps what does not differ.
        Capabilities { reread: false, reconcile: false, lazy: &[] }
    }

    /// Always succeeds: a broken file is told by `events`, which waits until it is mended.
    async fn probe(&self) -> Result<Str, SourceError> {
        Ok(Str::const_new("1"))
    }

    /// Waits for a file that can be read: a mended file is then noticed at once and not at the next attempt.
    async fn events(&self) -> Result<BoxStream<'static, Signal>, SourceError> {
        let told = loop {
            match look(&self.watch).await {
                Ok(content) => break content,
                Err(refusal) => {
                    self.watch.log_once(&refusal);
                    tokio::time::sleep(POLL).await;
                }
            }
        };
        Ok(stream::unfold(Some((Arc::clone(&self.watch), told)), signal).boxed())
    }

    async fn load(&self, _scope: Scope, _progress: &Progress, _parts: &Parts) -> Result<Snapshot, SourceError> {
        // A part of a file cannot be applied without the rest: the references between them would dangle.
        Ok(self.look().await?.held.snapshot.clone())
    }

    async fn reread(&self, objects: &[ObjectRef]) -> Result<Vec<Change>, SourceError> {
        let Content { held, .. } = self.look().await?;
        Ok(objects.iter().flat_map(|object| held.object(object)).collect())
    }

    async fn catch_up(&self, _since: SystemTime) -> Result<Option<CatchUp>, SourceError> {
        Ok(None)
    }
}

type Told = (Arc<Watch<Held>>, Content<Held>);

/// The next thing to say about the file, given what was said.
async fn signal(state: Option<Told>) -> Option<(Signal, Option<Told>)> {
    let (watch, told) = state?;
    tokio::time::sleep(POLL).await;
    match look(&watch).await {
        Ok(content) if content.stamp == told.stamp => Some((Signal::Heartbeat, Some((watch, content)))),
        Ok(content) => Some((Signal::Reload { scope: Scope::All, objects: Vec::new() }, Some((watch, content)))),
        Err(refusal) => {
            watch.log_once(&refusal);
            // The mirror is no longer what the file says, so it must not count as fresh until the file is mended.
            Some((Signal::Lost("the studio file cannot be read".to_owned()), None))
        }
    }
}
