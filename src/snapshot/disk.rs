//! The directory and its files: who may write there, and how a file is replaced so that there is always a whole one.
//!
//! Invariant: what others can write to is neither read nor written: a snapshot decides who may do what.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::Problem;

const NAME: &str = "mirror.snapshot";
/// Under this name it is written; what a process that was killed left of it is removed.
const BESIDE: &str = "mirror.snapshot.new";
/// Nobody but the owner.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
/// Group and others may write.
const OTHERS: u32 = 0o022;

/// Where a snapshot lies.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
    file: PathBuf,
    beside: PathBuf,
}

/// The right to write: one process at a time.
#[derive(Debug)]
pub(super) struct Turn<'p> {
    place: &'p Place,
    /// Locked as long as it is open.
    directory: File,
}

// === impl Place ===

impl Place {
    pub(super) fn new(directory: PathBuf) -> Self {
        let (file, beside) = (directory.join(NAME), directory.join(BESIDE));
        Self { directory, file, beside }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// What the file holds; `None` where there is none.
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, Problem> {
        match File::open(&self.directory).and_then(|directory| directory.metadata()) {
            Ok(found) => safe(&self.directory, &found, DIRECTORY_MODE)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&self.directory, "read", error)),
        }
        let mut file = match File::open(&self.file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&self.file, "read", error)),
        };
        let reading = |error| failed(&self.file, "read", error);
        let found = file.metadata().map_err(reading)?;
        if !found.is_file() {
            let problem = "is no file; remove it".to_owned();
            return Err(Problem::Insecure { path: self.file.clone(), problem });
        }
        safe(&self.file, &found, FILE_MODE)?;
        let mut bytes = Vec::new();
        let size = usize::try_from(found.len()).unwrap_or(usize::MAX);
        bytes.try_reserve_exact(size).map_err(|error| reading(error.into()))?;
        // No more than was reserved, should it grow.
        io::Read::by_ref(&mut file).take(found.len()).read_to_end(&mut bytes).map_err(reading)?;
        Ok(Some(bytes))
    }

    /// Makes the directory where it is missing, and sees that nobody else writes there.
    pub(super) fn prepare(&self) -> Result<Turn<'_>, Problem> {
        let opened = match File::open(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = DirBuilder::new().mode(DIRECTORY_MODE).create(&self.directory);
                made.and_then(|()| File::open(&self.directory))
                    .map_err(|error| failed(&self.directory, "made", error))?
            }
            opened => opened.map_err(|error| failed(&self.directory, "opened", error))?,
        };
        let found = opened.metadata().map_err(|error| failed(&self.directory, "opened", error))?;
        safe(&self.directory, &found, DIRECTORY_MODE)?;
        match opened.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Problem::Busy { path: self.directory.clone() }),
            Err(TryLockError::Error(error)) => return Err(failed(&self.directory, "locked", error)),
        }
        remove(&self.beside).map_err(|error| failed(&self.beside, "removed", error))?;
        Ok(Turn { place: self, directory: opened })
    }
}

// === impl Turn ===

impl Turn<'_> {
    /// Puts these bytes, one after the other, in the place of the file, or leaves it as it is.
    pub(super) fn write(self, parts: &[&[u8]]) -> Result<(), Problem> {
        let Place { directory, file, beside } = self.place;
        let written = write_beside(beside, parts).map_err(|error| failed(beside, "written", error));
        let replaced = written.and_then(|()| fs::rename(beside, file).map_err(|error| failed(file, "replaced", error)));
        if replaced.is_err() {
            // Where even this fails, the next writing tries again.
            let _left = remove(beside);
        }
        replaced?;
        self.directory.sync_all().map_err(|error| failed(directory, "synced", error))
    }
}

fn write_beside(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed(path: &Path, doing: &'static str, error: io::Error) -> Problem {
    Problem::Io { path: path.to_owned(), doing, error }
}

/// Nobody but this user and root may be able to change it.
fn safe(path: &Path, found: &Metadata, mode: u32) -> Result<(), Problem> {
    let (owner, user) = (found.uid(), rustix::process::geteuid().as_raw());
    let shown = path.display();
    let problem = if found.mode() & OTHERS != 0 {
        format!(
            "others can write to it (its mode is {:o}), and who writes a snapshot decides who may do what: `chmod \
             {mode:o} {shown}`",
            found.mode() & 0o7777
        )
    } else if owner != user && owner != 0 {
        format!(
            "it belongs to user {owner} and not to {user}, and who writes a snapshot decides who may do what: `chown {user} \
             {shown}`"
        )
    } else {
        return Ok(());
    };
    Err(Problem::Insecure { path: path.to_owned(), problem })
}
