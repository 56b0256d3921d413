//! How far a load has come: a bar on a terminal, a log line every few seconds elsewhere.

use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

const LOG_EVERY: Duration = Duration::from_secs(5);
const TEMPLATE: &str = "{spinner} {msg} {human_pos}/{human_len} {per_sec} {elapsed}";

/// The progress of one load. Told by the source, shown to people.
pub struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    done: AtomicU64,
    total: AtomicU64,
    logged: Mutex<Instant>,
}

// === impl Progress ===

impl Progress {
    /// Shown on standard error: as a bar where that is a terminal, else as log lines.
    pub fn shown() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        Self::with(bar)
    }

    /// Logged only, however standard error is.
    pub fn logged() -> Self {
        Self::with(None)
    }

    fn with(bar: Option<ProgressBar>) -> Self {
        let started = Instant::now();
        Self { bar, started, done: AtomicU64::new(0), total: AtomicU64::new(0), logged: Mutex::new(started) }
    }

    /// So many more rows are known to come.
    pub fn expect(&self, rows: u64) {
        let total = self.total.fetch_add(rows, Ordering::Relaxed) + rows;
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        }
    }

    /// So many rows of this kind have been read.
    pub fn read(&self, kind: &str, rows: u64) {
        let done = self.done.fetch_add(rows, Ordering::Relaxed) + rows;
        if let Some(bar) = &self.bar {
            bar.set_message(kind.to_owned());
            bar.set_position(done);
            return;
        }
        let mut logged = self.logged.lock();
        if logged.elapsed() >= LOG_EVERY {
            *logged = Instant::now();
            let total = self.total.load(Ordering::Relaxed);
            tracing::info!(reading = kind, rows = done, of = total, rows_per_second = self.rate(done), "loading");
        }
    }

    /// Rows read so far.
    pub fn rows(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    fn rate(&self, done: u64) -> u64 {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        done.saturating_mul(1000) / millis
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bar: _, started: _, done, total, logged: _ } = self;
        write!(f, "Progress({}/{})", done.load(Ordering::Relaxed), total.load(Ordering::Relaxed))
    }
}
