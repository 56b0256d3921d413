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
mod watch;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::{self, BoxStream, StreamExt as _};

use self::studio::Vocabulary;
use self::watch::{Content, Look, Watch};
use super::progress::Progress;
use super::{Capabilities, CatchUp, Scope, Signal, Source, SourceError};
use crate::model::change::{Change, Snapshot};
use crate::model::id::{ObjectRef, Str};

/// The studio that `serve --demo` shows.
pub const DEMO: &str = include_str!("file/demo.yaml");
/// The name that complaints about it would carry.
pub const DEMO_NAME: &str = "demo.yaml";

/// How often the file is looked at.
const POLL: Duration = Duration::from_millis(500);

/// A studio file as a source of the mirror.
#[derive(Clone, Debug)]
pub struct File {
    watch: Arc<Watch>,
}

impl File {
    /// The file at `path`, watched. `words` are those of the policy in force.
    pub fn at(path: PathBuf, words: Vocabulary) -> Self {
        Self { watch: Arc::new(Watch::new(Some(path), words)) }
    }

    /// The embedded demo studio, which never changes.
    pub fn demo(words: Vocabulary) -> Self {
        Self { watch: Arc::new(Watch::new(None, words)) }
    }

    async fn look(&self) -> Result<Content, SourceError> {
        look(&self.watch).await.map_err(|refusal| match refusal {
            Look::Unreadable(text) => SourceError::Unavailable(text),
            Look::Refused(text) => SourceError::Malformed(text),
        })
    }
}

/// Reading and parsing block: they have no place on the threads that answer checks.
async fn look(watch: &Arc<Watch>) -> Result<Content, Look> {
    let watch = Arc::clone(watch);
    let looked = tokio::task::spawn_blocking(move || watch.look()).await;
    looked.unwrap_or_else(|error| Err(Look::Unreadable(error.to_string())))
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
                    refusal.log_once(&self.watch);
                    tokio::time::sleep(POLL).await;
                }
            }
        };
        Ok(stream::unfold(Some((Arc::clone(&self.watch), told)), signal).boxed())
    }

    async fn load(&self, _scope: Scope, _progress: &Progress) -> Result<Snapshot, SourceError> {
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

type Told = (Arc<Watch>, Content);

/// The next thing to say about the file, given what was said.
async fn signal(state: Option<Told>) -> Option<(Signal, Option<Told>)> {
    let (watch, told) = state?;
    tokio::time::sleep(POLL).await;
    match look(&watch).await {
        Ok(content) if content.stamp == told.stamp => Some((Signal::Heartbeat, Some((watch, content)))),
        Ok(content) => Some((Signal::Reload { scope: Scope::All, objects: Vec::new() }, Some((watch, content)))),
        Err(refusal) => {
            refusal.log_once(&watch);
            // The mirror is no longer what the file says, so it must not count as fresh until the file is mended.
            Some((Signal::Lost("the studio file cannot be read".to_owned()), None))
        }
    }
}
