//! Looks at the file: has it changed, is it whole, what does it say?

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::studio::{self, Vocabulary};
use super::{DEMO, DEMO_NAME};
use crate::model::change::{Change, Snapshot};
use crate::model::id::{Id, ObjectRef};
use crate::model::schema::{KindNo, Schema};

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
    held: Option<Arc<Held>>,
    /// The content that was refused last, so that it is neither read nor complained about again.
    refused: Option<(Stamp, Look)>,
    logged: Option<Look>,
}

/// The content of a file that could be read.
#[derive(Debug)]
pub(super) struct Held {
    pub stamp: Stamp,
    pub snapshot: Snapshot,
    schema: Arc<Schema>,
    /// Where in the snapshot an object and, for a project, its team stand.
    index: FxHashMap<(KindNo, Id), Vec<usize>>,
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
    pub(super) fn look(&self) -> Result<Arc<Held>, Look> {
        let mut state = self.state.lock();
        for _ in 0..PATIENCE {
            let stamp = self.stamp();
            if let (Ok(stamp), Some(held)) = (&stamp, state.held.clone())
                && held.stamp == *stamp
            {
                *state = State { held: Some(Arc::clone(&held)), ..State::default() };
                return Ok(held);
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
            return match text.and_then(|text| self.read(&text, stamp)) {
                Ok(held) => {
                    let held = Arc::new(held);
                    *state = State { held: Some(Arc::clone(&held)), ..State::default() };
                    Ok(held)
                }
                Err(why) => {
                    state.refused = Some((stamp, why.clone()));
                    Err(why)
                }
            };
        }
        Err(Look::Unreadable(format!("{}: it is being written to all the time", self.name())))
    }

    fn read(&self, text: &str, stamp: Stamp) -> Result<Held, Look> {
        let snapshot = studio::read(&self.name(), text, &self.words)
            .map_err(|problems| Look::Refused(problems.to_string()))?;
        Ok(Held::new(snapshot, stamp, Arc::clone(&self.words.schema)))
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

// === impl Held ===

impl Held {
    fn new(snapshot: Snapshot, stamp: Stamp, schema: Arc<Schema>) -> Self {
        let mut index: FxHashMap<(KindNo, Id), Vec<usize>> = FxHashMap::default();
        for (at, change) in snapshot.changes.iter().enumerate() {
            let key = match change {
                Change::Upsert(record) => {
                    schema.kind_no(&record.kind).map(|no| (schema.table_of(no), record.id.clone()))
                }
                Change::Team { project, .. } => Some((schema.subject.project, project.clone())),
                Change::Remove(_) | Change::Quarantine { .. } | Change::Forget(_) => None,
            };
            if let Some(key) = key {
                index.entry(key).or_default().push(at);
            }
        }
        Self { stamp, snapshot, schema, index }
    }

    /// What the file says of an object, which may be named by its kind or by its table.
    pub(super) fn object(&self, object: &ObjectRef) -> Vec<Change> {
        let key = self.schema.kind_no(&object.kind).map(|no| (self.schema.table_of(no), object.id.clone()));
        let places = key.and_then(|key| self.index.get(&key)).map(Vec::as_slice).unwrap_or_default();
        if places.is_empty() {
            return vec![Change::Remove(object.clone())];
        }
        places.iter().filter_map(|at| self.snapshot.changes.get(*at).cloned()).collect()
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
            tracing::error!(
                "the studio file cannot be applied, its last good content stays in force:\n{}",
                self.text()
            );
            state.logged = Some(self.clone());
        }
    }
}
