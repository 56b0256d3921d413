//! Which events of the log have been told: a low-water mark over their ids, and what is missing above it. Pure.
//!
//! ```text
//! 1 2 3 4 5 . 7 8 . . 11 12        low = 5, high = 12, missing: 6, 9 to 10
//! ```
//!
//! An id is taken before its event is committed, so lower ids can appear after higher ones, and some never do. A gap is
//! given up [`LATE`] after it was first seen; the events around it can prove that it is that old already, which counts
//! only where the log was not followed meanwhile: while it is, no gap that is seen for the first time is old.
//!
//! Invariant: an id counts as told once; what is committed within [`LATE`] after its id was taken is told.
//! Invariant: memory is bounded by the number of gaps.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long after its id was taken an event may appear.
pub(super) const LATE: Duration = Duration::from_secs(5 * 60);

/// How long after it was committed an event can be read at the latest.
pub(super) const LAG: Duration = Duration::from_secs(1);

/// How many gaps are kept.
const MOST: usize = 10_000;

/// A row of the log: its id, and when it was made, in seconds of the site's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) id: u64,
    pub(super) made: Option<i64>,
}

/// What has been told of the log.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    /// Everything up to here is told or given up.
    low: u64,
    /// The last id that was seen.
    high: Seen,
    /// What is missing between the two, by its first id.
    gaps: BTreeMap<u64, Gap>,
    /// The youngest event, in seconds of the site's clock.
    newest: Option<i64>,
    /// When the last reading began that went up to the end of the log.
    whole: Instant,
    most: usize,
}

/// Ids that are missing.
#[derive(Clone, Copy, Debug)]
struct Gap {
    last: u64,
    seen: Instant,
    /// The younger of the two events around it.
    made: Option<i64>,
}

/// More is missing than is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

// === impl Marks ===

impl Marks {
    /// Begins behind these rows, of which none is told: all that the log has above the id `low`. `began`, `now`, `wall`: as
    /// in [`Marks::finish`].
    pub(super) fn begin(low: u64, rows: &[Seen], began: Instant, now: Instant, wall: i64) -> Self {
        Self::bounded(low, rows, (began, now, wall), MOST)
    }

    fn bounded(low: u64, rows: &[Seen], (began, now, wall): (Instant, Instant, i64), most: usize) -> Self {
        let high = Seen { id: low, made: rows.iter().min().and_then(|row| row.made) };
        let mut marks = Self { low, high, gaps: BTreeMap::new(), newest: None, whole: began, most };
        marks.note(rows, now);
        marks.give_up_old(began, now, wall);
        // Half of the room is for what comes, or the next gap would be one too many again.
        while marks.gaps.len() > marks.most / 2 {
            // What is below is too far back to wait for.
            marks.gaps.pop_first();
        }
        marks.lift();
        marks
    }

    /// Everything up to here is told or given up.
    pub(super) fn low(&self) -> u64 {
        self.low
    }

    /// Rows with higher ids are to be read.
    pub(super) fn high(&self) -> u64 {
        self.high.id
    }

    /// And those from the first to the last of each of these.
    pub(super) fn missing(&self) -> impl Iterator<Item = (u64, u64)> {
        self.gaps.iter().map(|(first, gap)| (*first, gap.last))
    }

    /// Whether the event was told or given up.
    pub(super) fn has(&self, id: u64) -> bool {
        let missing = || self.gaps.range(..=id).next_back().is_some_and(|(_, gap)| id <= gap.last);
        id <= self.low || (id <= self.high.id && !missing())
    }

    /// A part of the log was read by `now`; returns the ids that are news.
    pub(super) fn take(&mut self, rows: &[Seen], now: Instant) -> Result<Vec<u64>, Overflow> {
        let news = self.note(rows, now);
        if self.gaps.len() > self.most { Err(Overflow) } else { Ok(news) }
    }

    /// The log was read up to its end, from `began` until `now`, at `wall` seconds of our clock.
    pub(super) fn finish(&mut self, began: Instant, now: Instant, wall: i64) {
        if began.saturating_duration_since(self.whole) >= LATE {
            self.give_up_old(began, now, wall);
        }
        self.whole = began;
        // What was committed in time could be read by then.
        self.gaps.retain(|_, gap| gap.seen + LATE + LAG > began);
        self.lift();
    }

    fn note(&mut self, rows: &[Seen], now: Instant) -> Vec<u64> {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        let mut news = Vec::new();
        for row in rows {
            self.newest = self.newest.max(row.made);
            if row.id > self.high.id {
                if let Some(first) = self.high.id.checked_add(1).filter(|first| *first < row.id) {
                    // Where one of the two does not say when it was made, nothing is known.
                    let made = self.high.made.zip(row.made).map(|(before, after)| before.max(after));
                    self.gaps.insert(first, Gap { last: row.id.saturating_sub(1), seen: now, made });
                }
                self.high = row;
                news.push(row.id);
            } else if row.id > self.low && self.fill(row.id) {
                news.push(row.id);
            }
        }
        news
    }

    /// Whether the id was missing.
    fn fill(&mut self, id: u64) -> bool {
        let Some((&first, &gap)) = self.gaps.range(..=id).next_back() else { return false };
        if id > gap.last {
            return false;
        }
        self.gaps.remove(&first);
        if first < id {
            self.gaps.insert(first, Gap { last: id.saturating_sub(1), ..gap });
        }
        if id < gap.last {
            self.gaps.insert(id.saturating_add(1), gap);
        }
        true
    }

    /// Gives up what was missing for too long before it was first read.
    fn give_up_old(&mut self, began: Instant, now: Instant, wall: i64) {
        // Neither clock is trusted alone: ours may be wrong, and scripts can make events of any date.
        let Some(newest) = self.newest.map(|newest| newest.min(wall)) else { return };
        let late = LATE + LAG + now.saturating_duration_since(began) + Duration::from_secs(1);
        let late = i64::try_from(late.as_secs()).unwrap_or(i64::MAX);
        self.gaps.retain(|_, gap| gap.made.is_none_or(|made| made > newest.saturating_sub(late)));
    }

    fn lift(&mut self) {
        self.low = self.gaps.first_key_value().map_or(self.high.id, |(first, _)| first.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests;
