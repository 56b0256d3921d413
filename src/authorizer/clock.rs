//! The time, injected: tests move it by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// The clock begins so long before it is made: what is older than the process has an age too.
const BEFORE: Duration = Duration::from_secs(366 * 24 * 3_600);

/// Monotonic time, with the wall-clock time that belongs to it.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    wall: SystemTime,
    /// Milliseconds that a test has moved the clock on.
    ahead: Arc<AtomicU64>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        let (start, wall) = (Instant::now(), SystemTime::now());
        let before = start.checked_sub(BEFORE).zip(wall.checked_sub(BEFORE));
        let (start, wall) = before.unwrap_or((start, wall));
        Self { start, wall, ahead: Arc::default() }
    }

    /// Moves this clock and all its clones on. For tests.
    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Time since the clock's beginning.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed() + Duration::from_millis(self.ahead.load(Ordering::Relaxed))
    }

    /// The same scale for an instant of the system's clock.
    pub(super) fn at(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.start) + Duration::from_millis(self.ahead.load(Ordering::Relaxed))
    }

    /// The wall-clock time of a moment.
    pub(super) fn wall(&self, at: Duration) -> SystemTime {
        self.wall + at
    }
}
