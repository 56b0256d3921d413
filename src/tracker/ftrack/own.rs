//! Who we are to the server, and what its histories are like.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use crate::model::id::Id;

/// What is found out once.
#[derive(Debug, Default)]
pub(super) struct Own {
    us: RwLock<Option<Id>>,
    /// The server dates in its own zone, not in UTC.
    zoned: AtomicBool,
    /// It does not know changes of a status by what they are about, only all together.
    plain: AtomicBool,
}

// === impl Own ===

impl Own {
    pub(super) fn us(&self) -> Option<Id> {
        self.us.read().clone()
    }

    pub(super) fn set_us(&self, us: &Id) {
        *self.us.write() = Some(us.clone());
    }

    /// Whether the server dates in UTC, as it says.
    pub(super) fn note_clock(&self, utc: Option<bool>) {
        self.zoned.store(utc != Some(true), Ordering::Relaxed);
    }

    pub(super) fn is_utc(&self) -> bool {
        !self.zoned.load(Ordering::Relaxed)
    }

    pub(super) fn note_plain(&self) {
        self.plain.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_plain(&self) -> bool {
        self.plain.load(Ordering::Relaxed)
    }
}
