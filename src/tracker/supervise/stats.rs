//! What the supervisor has seen and done since the start.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

/// Counters of one supervisor.
#[derive(Debug, Default)]
pub struct Stats {
    /// Events that bear on the mirror.
    pub events: Counter,
    /// Objects re-read, and how often that failed.
    pub rereads: Counter,
    pub reread_failures: Counter,
    /// Objects that really differed after a re-read.
    pub changed: Counter,
    /// Loads of any scope, and objects that a reconcile found changed without any event.
    pub loads: Counter,
    pub reconcile_found: Counter,
    /// Objects that the tracker's log named as changed and the event stream did not.
    pub missed: Counter,
    /// Records that could not be understood.
    pub quarantined: Counter,
    /// Times the event stream was lost and came back.
    pub lost: Counter,
    pub reconnects: Counter,
    /// Times more was announced than is remembered, so that everything was loaded.
    pub overflows: Counter,
    /// Objects read because a decision asked for them, and records dropped because an event named them.
    pub first_uses: Counter,
    pub forgotten: Counter,
}

// === impl Counter ===

impl Counter {
    pub(super) fn add(&self, by: usize) {
        self.0.fetch_add(u64::try_from(by).unwrap_or(0), Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
    }
}
