//! A file that is watched: has it changed, is it whole, what does it say?

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::SourceError;

/// A changed file is read once it has kept still for so long: half a file can look like a whole, smaller one.
const SETTLE: Duration = Duration::from_millis(50);
/// How many times a file that goes on changing is waited for.
const PATIENCE: usize = 20;

/// A file and what it said last.
pub struct Watch<T> {
    origin: Origin,
    /// The largest file that is read, in bytes.
    most: u64,
    read: Reader<T>,
    state: Mutex<State<T>>,
}

/// Makes of the text what it says, or says what is wrong with it.
type Reader<T> = Box<dyn Fn(&str) -> Result<T, String> + Send + Sync>;

/// Where the text is.
#[derive(Clone, Debug)]
pub enum Origin {
    File(PathBuf),
    /// Built in, under this name; it never changes.
    BuiltIn {
        name: &'static str,
        text: &'static str,
    },
}

#[derive(Debug)]
struct State<T> {
    content: Option<Content<T>>,
    /// The content that was refused last, so that it is neither read nor complained about again.
    refused: Option<(Stamp, Look)>,
    logged: Option<Look>,
}

/// The content of a file that could be read.
#[derive(Debug)]
pub struct Content<T> {
    pub stamp: Stamp,
    pub held: Arc<T>,
}

/// Differs whenever the file's content may differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Why there is nothing to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// The file cannot be read.
    Unreadable(String),
    /// The file was read and is not what it must be.
    Refused(String),
}

// === impl Watch ===

impl<T> Watch<T> {
    /// Watches what `read` understands, where it has no more than `most` bytes.
    pub fn new(origin: Origin, most: u64, read: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static) -> Self {
        Self { origin, most, read: Box::new(read), state: Mutex::default() }
    }

    /// What the file says now. Blocks; reads only what has changed.
    ///
    /// # Errors
    /// Where the file cannot be read, or is not what it must be.
    pub fn look(&self) -> Result<Content<T>, Look> {
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
            if matches!(self.origin, Origin::File(_)) {
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

    fn read(&self, text: &str) -> Result<T, Look> {
        (self.read)(text).map_err(Look::Refused)
    }

    fn text(&self) -> Result<String, Look> {
        match &self.origin {
            Origin::BuiltIn { text, .. } => Ok((*text).to_owned()),
            Origin::File(path) => {
                let file = fs::File::open(path).map_err(|error| self.unreadable(&error))?;
                let mut bytes = Vec::new();
                file.take(self.most.saturating_add(1))
                    .read_to_end(&mut bytes)
                    .map_err(|error| self.unreadable(&error))?;
                if u64::try_from(bytes.len()).is_ok_and(|found| found > self.most) {
                    return Err(Look::Refused(format!("{}: it has more than {} bytes", self.name(), self.most)));
                }
                String::from_utf8(bytes).map_err(|error| {
                    let at = error.utf8_error().valid_up_to();
                    Look::Refused(format!("{}: byte {at} is not UTF-8: save the file as UTF-8", self.name()))
                })
            }
        }
    }

    fn stamp(&self) -> io::Result<Stamp> {
        let Origin::File(path) = &self.origin else { return Ok(Stamp::default()) };
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
        match &self.origin {
            Origin::File(path) => path.display().to_string(),
            Origin::BuiltIn { name, .. } => (*name).to_owned(),
        }
    }

    /// Logs the complaint unless it was logged since the file could last be read.
    pub fn log_once(&self, look: &Look) {
        let mut state = self.state.lock();
        if state.logged.as_ref() != Some(look) {
            let instead = match state.content {
                Some(_) => "its last good content stays in force",
                None => "and nothing is known until it is mended",
            };
            tracing::error!("the studio file cannot be applied, {instead}:\n{}", look.text());
            state.logged = Some(look.clone());
        }
    }
}

/// Reading and parsing block: they have no place on the threads that answer checks.
///
/// # Errors
/// Where the file cannot be read, or is not what it must be.
pub async fn look<T: Send + Sync + 'static>(watch: &Arc<Watch<T>>) -> Result<Content<T>, Look> {
    let watch = Arc::clone(watch);
    let looked = tokio::task::spawn_blocking(move || watch.look()).await;
    looked.unwrap_or_else(|error| Err(Look::Unreadable(error.to_string())))
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self { content: None, refused: None, logged: None }
    }
}

impl<T> Clone for Content<T> {
    fn clone(&self) -> Self {
        Self { stamp: self.stamp, held: Arc::clone(&self.held) }
    }
}

impl<T> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("origin", &self.origin).finish_non_exhaustive()
    }
}

// === impl Look ===

impl Look {
    /// What is wrong, with the name of the file.
    pub fn text(&self) -> &str {
        match self {
            Self::Unreadable(text) | Self::Refused(text) => text,
        }
    }
}

impl From<Look> for SourceError {
    fn from(look: Look) -> Self {
        match look {
            Look::Unreadable(text) => Self::Unavailable(text),
            Look::Refused(text) => Self::Malformed(text),
        }
    }
}
