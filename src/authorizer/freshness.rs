//! How old the mirror is: loading, live, degraded or stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::RwLock;

use super::clock::Clock;

/// What the supervisor says of the tracker's event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Nothing was loaded yet.
    Loading,
    /// Changes are heard as they happen.
    Live,
    /// The stream is down; the last good mirror is served while its age grows.
    Degraded,
}

/// What callers and health see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Loading,
    Live,
    Degraded,
    /// Older than `max_staleness`: every answer is a denial.
    Stale,
}

impl State {
    /// The word for logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Live => "live",
            Self::Degraded => "degraded",
            Self::Stale => "stale",
        }
    }
}

/// The moment at which the mirror was last known equal to the tracker.
#[derive(Debug)]
pub(super) struct Age {
    clock: Clock,
    max_staleness: Duration,
    /// Microseconds on the clock's scale; `NEVER` before the first load.
    as_of: AtomicU64,
    /// When what came from the disk was known equal, in microseconds of the wall clock; 0: something was loaded since.
    restored: AtomicU64,
    feed: AtomicU8,
    cursor: RwLock<Arc<str>>,
}

const NEVER: u64 = u64::MAX;

/// The age at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) as_of: SystemTime,
    /// `None`: nothing was ever loaded.
    pub(super) age: Option<Duration>,
}

impl Age {
    pub(super) fn new(clock: Clock, max_staleness: Duration) -> Self {
        Self {
            clock,
            max_staleness,
            as_of: AtomicU64::new(NEVER),
            restored: AtomicU64::new(0),
            feed: AtomicU8::new(0),
            cursor: RwLock::new(Arc::from("")),
        }
    }

    pub(super) fn set_feed(&self, feed: Feed) {
        let number = match feed {
            Feed::Loading => 0,
            Feed::Live => 1,
            Feed::Degraded => 2,
        };
        self.feed.store(number, Ordering::Release);
    }

    pub(super) fn set_cursor(&self, cursor: &str) {
        let mut held = self.cursor.write();
        if **held != *cursor {
            *held = Arc::from(cursor);
        }
    }

    pub(super) fn cursor(&self) -> Arc<str> {
        Arc::clone(&self.cursor.read())
    }

    /// What is held is as it was at `as_of`, of a clock that has been set back if that is to come.
    pub(super) fn restore(&self, as_of: SystemTime) {
        let age = SystemTime::now().duration_since(as_of).unwrap_or(Duration::MAX);
        let told = as_of.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.restored.store(micros(told).max(1), Ordering::Release);
        self.as_of.store(micros(self.clock.now().saturating_sub(age)), Ordering::Release);
    }

    pub(super) fn is_restored(&self) -> bool {
        self.restored.load(Ordering::Acquire) != 0
    }

    /// Whether a load was completed.
    pub(super) fn is_loaded(&self) -> bool {
        self.as_of.load(Ordering::Acquire) != NEVER && !self.is_restored()
    }

    pub(super) fn equal_now(&self) {
        // Before the first load there is nothing that could equal the tracker.
        if self.is_loaded() {
            self.raise(self.clock.now());
        }
    }

    /// What was heard says nothing before the first load.
    pub(super) fn equal_until(&self, until: Instant) {
        if self.is_loaded() {
            self.raise(self.clock.at(until));
        }
    }

    pub(super) fn equal_at(&self, at: Instant) {
        self.raise(self.clock.at(at));
        self.restored.store(0, Ordering::Release);
    }

    /// What is held is no newer than this; `None`: nobody knows how old it is.
    pub(super) fn lower(&self, at: Option<Instant>) {
        let lowest = micros(at.map_or(Duration::ZERO, |at| self.clock.at(at)));
        let older = |held| (held != NEVER && held > lowest).then_some(lowest);
        let _unchanged = self.as_of.fetch_update(Ordering::AcqRel, Ordering::Acquire, older);
    }

    fn raise(&self, at: Duration) {
        let micros = micros(at);
        let newer = |held| (held == NEVER || held < micros).then_some(micros);
        let _unchanged = self.as_of.fetch_update(Ordering::AcqRel, Ordering::Acquire, newer);
    }

    pub(super) fn moment(&self) -> Moment {
        match self.as_of.load(Ordering::Acquire) {
            NEVER => Moment { as_of: SystemTime::UNIX_EPOCH, age: None },
            micros => {
                let at = Duration::from_micros(micros);
                let counted = Moment { as_of: self.clock.wall(at), age: Some(self.clock.now().saturating_sub(at)) };
                match self.restored.load(Ordering::Acquire) {
                    0 => counted,
                    told => counted.or_older(SystemTime::UNIX_EPOCH + Duration::from_micros(told)),
                }
            }
        }
    }

    pub(super) fn state(&self) -> State {
        match (self.moment().age, self.feed.load(Ordering::Acquire)) {
            (None, _) | (_, 0) => State::Loading,
            (Some(age), _) if age > self.max_staleness => State::Stale,
            (Some(_), 1) => State::Live,
            (Some(_), _) => State::Degraded,
        }
    }

    /// As of when what is held is known equal, for whoever reads it in another process: rather too early than too late,
    /// since one clock may have been set and the other one stands still while the machine sleeps. The same moment on this
    /// process's clock comes with it. `None` before a load.
    pub(super) fn wall(&self) -> Option<(Duration, SystemTime)> {
        let held = self.as_of.load(Ordering::Acquire);
        if held == NEVER || self.is_restored() {
            return None;
        }
        let at = Duration::from_micros(held);
        let counted = SystemTime::now().checked_sub(self.clock.now().saturating_sub(at))?;
        Some((at, self.clock.wall(at).min(counted)))
    }

    /// The stricter of the server's bound and the caller's.
    pub(super) fn bound(&self, asked: Option<Duration>) -> Duration {
        asked.map_or(self.max_staleness, |asked| asked.min(self.max_staleness))
    }
}

impl Moment {
    /// The wall clock's word where that makes it older: a clock may be put right only after the start.
    fn or_older(self, as_of: SystemTime) -> Self {
        let age = SystemTime::now().duration_since(as_of).unwrap_or_default();
        Self { as_of: self.as_of.min(as_of), age: self.age.map(|counted| counted.max(age)) }
    }
}

fn micros(at: Duration) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(NEVER - 1)
}
