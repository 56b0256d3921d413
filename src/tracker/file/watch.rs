//! Looks at the file: has it changed, is it whole, what does it say?

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::held::Held;
use super::studio::{self, Vocabulary};
use super::{DEMO, DEMO_NAME};

/// A changed file is read once it has kept still for so long: half a file can look like a whole, smaller one.
const SETTLE: Duration = Duration::from_millis(50);
/// How many times a file that goes on changing is waited for.
const PATIENCE: usize = 20;

/// A studio file and what it said last.
#[derive(Debug)]
pub(super) struct Watch {
    /// `None`: the demo.
    path: Option<PathBuf>,
    words: Vocabulary,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    content: Option<Content>,
    /// The content that was refused last, so that it is neither read nor complained about again.
    refused: Option<(Stamp, Look)>,
    logged: Option<Look>,
}

/// The content of a file that could be read.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub stamp: Stamp,
    pub held: Arc<Held>,
}

/// Differs whenever the file's content may differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Why there is nothing to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The file cannot be read.
    Unreadable(String),
    /// The file was read and is not a studio.
    Refused(String),
}

// === impl Watch ===

impl Watch {
    pub(super) fn new(path: Option<PathBuf>, words: Vocabulary) -> Self {
        Self { path, words, state: Mutex::default() }
    }

    /// What the file says now. Blocks; reads only what has changed.
    pub(super) fn look(&self) -> Result<Content, Look> {
        let mut state = self.state.lock();
        for _ in 0..PATIENCE {
            let stamp = self.stamp();
            if let (Ok(stamp), Some(content)) = (&stamp, &state.content)
                && content.stamp == *stamp
            {
                let content = content.clone();
                *state = State { content: Some(content.clone()), ..State::default() };
                return Ok(content);
            }
            if let (Ok(stamp), Some((refused, why))) = (&stamp, &state.refused)
                && refused == stamp
            {
                return Err(why.clone());
            }
            if self.path.is_some() {
                std::thread::sleep(SETTLE);
            }
            let stamp = match (stamp, self.stamp()) {
                (Ok(before), Ok(now)) if before == now => now,
                (Err(_), Err(error)) => return Err(self.unreadable(&error)),
                _ => continue,
            };
            let text = self.text();
            if self.stamp().ok() != Some(stamp) {
                continue;
            }
            return match text.and_then(|text| self.read(&text)) {
                Ok(held) => {
                    let content = Content { stamp, held: Arc::new(held) };
                    *state = State { content: Some(content.clone()), ..State::default() };
                    Ok(content)
                }
                Err(why) => {
                    state.refused = Some((stamp, why.clone()));
                    Err(why)
                }
            };
        }
        Err(Look::Unreadable(format!("{}: it is being written to all the time", self.name())))
    }

    fn read(&self, text: &str) -> Result<Held, Look> {
        let snapshot =
            studio::read(&self.name(), text, &self.words).map_err(|problems| Look::Refused(problems.to_string()))?;
        Ok(Held::new(snapshot, Arc::clone(&self.words.schema)))
    }

    fn text(&self) -> Result<String, Look> {
        match &self.path {
            None => Ok(DEMO.to_owned()),
            Some(path) => {
                let bytes = fs::read(path).map_err(|error| self.unreadable(&error))?;
                String::from_utf8(bytes).map_err(|error| {
                    let at = error.utf8_error().valid_up_to();
                    Look::Refused(format!("{}: byte {at} is not UTF-8: save the file as UTF-8", self.name()))
                })
            }
        }
    }

    fn stamp(&self) -> io::Result<Stamp> {
        let Some(path) = &self.path else { return Ok(Stamp::default()) };
        let meta = fs::metadata(path)?;
        Ok(Stamp {
            device: meta.dev(),
            inode: meta.ino(),
            bytes: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    fn unreadable(&self, error: &io::Error) -> Look {
        Look::Unreadable(format!("{}: {error}", self.name()))
    }

    fn name(&self) -> String {
        self.path.as_deref().map_or(Path::new(DEMO_NAME), Path::new).display().to_string()
    }
}

// === impl Look ===

impl Look {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Unreadable(text) | Self::Refused(text) => text,
        }
    }

    /// Logs the complaint unless it was logged since the file could last be read.
    pub(super) fn log_once(&self, watch: &Watch) {
        let mut state = watch.state.lock();
        if state.logged.as_ref() != Some(self) {
            let instead = match state.content {
                Some(_) => "its last good content stays in force",
                None => "and nothing is known until it is mended",
            };
            tracing::error!("the studio file cannot be applied, {instead}:\n{}", self.text());
            state.logged = Some(self.clone());
        }
    }
}
