//! The ledger: what the guard did, kept in memory and, where one is named, in the decision log.
//!
//! The log is a file of JSON lines that is only ever appended to, so that it can be moved away while in use. Entries are
//! few: each is written at once.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use parking_lot::Mutex;
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::model::id::{Id, ObjectRef, Str};

/// How many entries are kept in memory.
pub const KEPT: usize = 1_000;
/// How much of the end of a log is looked at for where the guard stood.
const TAIL: u64 = 1024 * 1024;

/// Where the decision log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Stdout,
    File(PathBuf),
}

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The status was put back.
    Reverted,
    /// The status would have been put back.
    DryRun,
    /// A write failed and is tried again.
    Failed,
    /// Given up: somebody has to look at it.
    Parked,
    /// Too many changes: put back later.
    Held,
    /// The tracker does not tell who set a restricted status.
    Unclear,
    /// The person was told, or could not be.
    Told,
    NotTold,
    /// Until then everything was watched and dealt with.
    Watched,
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: SystemTime,
    pub outcome: Outcome,
    pub object: Option<ObjectRef>,
    /// What people call the object.
    pub name: Str,
    /// Who set the status, or was told; `None` where the tracker does not say.
    pub person: Option<Id>,
    /// The status that was found, and the one that it was put back to.
    pub from: Option<Id>,
    pub to: Option<Id>,
    /// The tracker's id of the change.
    pub change: Option<Id>,
    pub restriction: Str,
    pub detail: String,
}

/// A write that puts a status back, done or tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBack {
    pub object: ObjectRef,
    /// The status that it had, and the one that was written.
    pub from: Id,
    pub to: Id,
    /// The tracker's id of the change that it answers.
    pub change: Id,
}

/// Where the guard writes down what it does.
#[derive(Debug)]
pub struct Ledger {
    kept: Mutex<VecDeque<Entry>>,
    place: Option<Place>,
    /// Until when everything was watched, as the log said at the start.
    watched: Option<SystemTime>,
    /// What was put back before, as the log said at the start, oldest first.
    put_back: Vec<PutBack>,
    failing: AtomicBool,
}

// === impl Ledger ===

impl Ledger {
    /// A ledger that is kept in memory, and in the log where one is named.
    ///
    /// # Errors
    /// Where the log cannot be read or written.
    pub fn open(place: Option<Place>) -> io::Result<Self> {
        let (watched, put_back) = match &place {
            Some(Place::File(path)) => {
                let mut file = appended(path)?;
                let tail = tail(&mut file)?;
                if !tail.is_empty() && !tail.ends_with('\n') {
                    // The last line was cut short; the next begins anew.
                    file.write_all(b"\n")?;
                }
                let entries = entries(&tail);
                (watched(&entries), entries.iter().filter_map(put_back).collect())
            }
            Some(Place::Stdout) | None => (None, Vec::new()),
        };
        Ok(Self { kept: Mutex::default(), place, watched, put_back, failing: AtomicBool::new(false) })
    }

    /// Until when everything was watched by the last process that wrote into the same log.
    pub fn watched(&self) -> Option<SystemTime> {
        self.watched
    }

    /// What processes that wrote into the same log have put back of late, or tried to.
    pub fn put_back(&self) -> &[PutBack] {
        &self.put_back
    }

    /// Writes an entry down.
    pub fn record(&self, entry: Entry) {
        let line = format!("{}\n", line(&entry));
        if entry.outcome != Outcome::Watched {
            let mut kept = self.kept.lock();
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(entry);
        }
        let written = match &self.place {
            None => return,
            Some(Place::Stdout) => io::stdout().lock().write_all(line.as_bytes()),
            // Opened each time: whoever moves the file away gets a new one.
            Some(Place::File(path)) => appended(path).and_then(|mut file| file.write_all(line.as_bytes())),
        };
        match written {
            Ok(()) => self.failing.store(false, Ordering::Relaxed),
            Err(error) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::error!(%error, "the decision log cannot be written; entries are missing from it");
            }
            Err(_) => {}
        }
    }

    /// The last entries, oldest first.
    pub fn last(&self, most: usize) -> Vec<Entry> {
        let kept = self.kept.lock();
        kept.iter().skip(kept.len().saturating_sub(most)).cloned().collect()
    }
}

fn appended(path: &PathBuf) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

fn tail(file: &mut File) -> io::Result<String> {
    // Whatever can be appended to is good enough for a log: a pipe, a terminal.
    if !file.metadata()?.is_file() {
        return Ok(String::new());
    }
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The guard's own lines.
fn entries(tail: &str) -> Vec<Value> {
    let entries = tail.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    entries.filter(|entry| entry.get("type").and_then(Value::as_str) == Some("guard")).collect()
}

/// The write that an entry tells of.
fn put_back(entry: &Value) -> Option<PutBack> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let result = text("result")?;
    if ![Outcome::Reverted, Outcome::Failed, Outcome::Parked].iter().any(|outcome| outcome.name() == result) {
        return None;
    }
    Some(PutBack {
        object: ObjectRef::new(text("kind")?, text("id")?),
        from: Id::from(text("from")?),
        to: Id::from(text("to")?),
        change: Id::from(text("change")?),
    })
}

/// The last mark of the guard; without one the oldest of its entries, before which nothing is known.
fn watched(entries: &[Value]) -> Option<SystemTime> {
    let is_mark = |entry: &&Value| entry.get("result").and_then(Value::as_str) == Some(Outcome::Watched.name());
    let entry = entries.iter().rev().find(is_mark).or(entries.first())?;
    let at = entry.get("at").and_then(Value::as_str)?;
    SystemTime::try_from(at.parse::<Timestamp>().ok()?).ok()
}

fn line(entry: &Entry) -> Value {
    let Entry { at, outcome, object, name, person, from, to, change, restriction, detail } = entry;
    let at = Timestamp::from(*at).to_string();
    if *outcome == Outcome::Watched {
        return json!({"type": "guard", "result": outcome.name(), "at": at});
    }
    let id = |id: &Option<Id>| id.as_ref().map(ToString::to_string);
    json!({
        "type": "guard",
        "result": outcome.name(),
        "at": at,
        "kind": object.as_ref().map(|object| object.kind.as_str()),
        "id": object.as_ref().map(|object| object.id.to_string()),
        "name": name.as_str(),
        "person": id(person),
        "from": id(from),
        "to": id(to),
        "change": id(change),
        "restriction": restriction.as_str(),
        "detail": detail,
    })
}

// === impl Outcome ===

impl Outcome {
    /// The word for logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reverted => "reverted",
            Self::DryRun => "dry_run",
            Self::Failed => "failed",
            Self::Parked => "parked",
            Self::Held => "held",
            Self::Unclear => "unclear",
            Self::Told => "told",
            Self::NotTold => "not_told",
            Self::Watched => "watched",
        }
    }
}

// === impl Entry ===

impl Entry {
    /// An entry of now that says nothing else yet.
    pub fn new(outcome: Outcome) -> Self {
        Self {
            at: SystemTime::now(),
            outcome,
            object: None,
            name: Str::default(),
            person: None,
            from: None,
            to: None,
            change: None,
            restriction: Str::default(),
            detail: String::new(),
        }
    }
}
