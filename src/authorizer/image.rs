//! The mirror as it goes to the disk and comes back from there.

use std::time::{Duration, Instant, SystemTime};

use super::{Authorizer, Feed};
use crate::directory::Directory;
use crate::engine::Followed;
use crate::model::change::Touched;

/// Of which moment an image of the mirror is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub revision: u64,
    /// The last moment at which the mirror was known equal to the tracker.
    pub as_of: SystemTime,
}

impl Authorizer {
    /// Begins with a mirror that was good so long ago, before any tracker is asked: it is served while its age grows.
    pub fn restore(&self, directory: Directory, age: Duration) {
        let _turn = self.writing.lock();
        let mut guard = self.mirror.write();
        let mirror = &mut *guard;
        mirror.directory = directory;
        let Followed { notes, .. } = mirror.policy.follow_all(mirror.directory.view());
        self.forget(&Touched::everything());
        self.age.restore(age);
        self.age.set_feed(Feed::Degraded);
        drop(guard);
        super::warn_of(&notes);
        self.complain();
    }

    /// Whether the mirror came from the disk and nothing was loaded since.
    pub fn is_restored(&self) -> bool {
        self.age.is_restored()
    }

    /// What is about to be applied is as of then, however new the mirror from the disk was; `None`: nobody knows.
    pub fn no_newer_than(&self, at: Option<Instant>) {
        self.age.lower(at);
    }

    /// Of which moment an image would be now; `None` before the first load is done.
    pub fn takeable(&self) -> Option<Taken> {
        let as_of = self.age.wall()?;
        Some(Taken { revision: self.mirror.read().directory.revision(), as_of })
    }

    /// Writes the mirror down as it is at one revision; `None` before the first load is done.
    ///
    /// Writers wait until it is done. So nobody waits for the write guard meanwhile, and checks go on.
    pub fn take(&self, bytes: &mut Vec<u8>) -> Option<Taken> {
        let _turn = self.writing.lock();
        // At first the age: what is applied after it was looked at is newer than it says.
        let taken = self.takeable()?;
        self.mirror.read().directory.encode(bytes);
        Some(taken)
    }
}
