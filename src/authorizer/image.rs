//! The mirror as it goes to the disk and comes back from there.

use std::time::{Duration, Instant, SystemTime};

use super::{Authorizer, Feed};
use crate::directory::Directory;
use crate::engine::Followed;
use crate::model::change::Touched;

/// Of which moment an image of the mirror is.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub revision: u64,
    /// The last moment at which the mirror was known equal to the tracker.
    pub as_of: SystemTime,
    /// The same on this process's clock.
    at: Duration,
}

impl Taken {
    /// Whether anything has changed, or was known equal more than so much later.
    pub fn is_newer_than(&self, other: &Self, by: Duration) -> bool {
        self.revision != other.revision || self.at.saturating_sub(other.at) > by
    }
}

impl Authorizer {
    /// Begins with a mirror that was good at that time, before any tracker is asked: it is served while its age grows.
    pub fn restore(&self, directory: Directory, as_of: SystemTime) {
        let _turn = self.writing.lock();
        let mut guard = self.mirror.write();
        let mirror = &mut *guard;
        mirror.directory = directory;
        let Followed { notes, .. } = mirror.policy.follow_all(mirror.directory.view());
        self.cache.forget(&Touched::everything());
        self.age.restore(as_of);
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
        let (at, as_of) = self.age.wall()?;
        Some(Taken { revision: self.mirror.read().directory.revision(), as_of, at })
    }

    /// Writes the mirror down as it is at one revision; `None` before the first load is done. Nobody waits for it: a copy
    /// shares what does not change meanwhile.
    pub fn take(&self, bytes: &mut Vec<u8>) -> Option<Taken> {
        // Nothing is applied between the look at the age and the copy, which so is no older than it says.
        let turn = self.writing.lock();
        let taken = self.takeable()?;
        let copy = self.mirror.read().directory.clone();
        drop(turn);
        copy.encode(bytes);
        Some(taken)
    }
}
