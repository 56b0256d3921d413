//! Asks for parts of the log of events.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::time::{Instant, timeout};

use super::Site;
use crate::tracker::flow::answer::Row;
use crate::tracker::flow::client::Failure;
use crate::tracker::flow::hints::FIELDS;
use crate::tracker::flow::marks::{LATE, Marks, Seen};
use crate::tracker::flow::search::{MOST_ROWS, Search};
use crate::tracker::{SourceError, date};

/// The log's own type.
const LOG: &str = "EventLogEntry";
/// How long a part of it may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// How far the site's clock may be off from what its answers say, in seconds.
const SLACK: i64 = 60;

/// How many rows are read in a row. Behind that everything is loaded.
pub(super) const MOST: usize = 20_000;
/// How many missing ids are asked for one by one at once, from how many on by the first and the last, and in how many
/// questions.
const IDS: usize = 500;
const WIDE: u64 = 100;
const QUESTIONS: usize = 50;

/// How many rows are read at once: fewer while they are too wide or too slow.
#[derive(Debug)]
pub(super) struct Page(AtomicU32);

/// A part of the log that is to be read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// Ids above this one.
    pub(super) above: u64,
    /// What it was above that.
    within: Within,
}

#[derive(Clone, Debug, PartialEq)]
enum Within {
    All,
    Below(u64),
    Ids(Vec<u64>),
}

/// What was read of the log.
pub(super) struct Read {
    pub(super) rows: Vec<Row>,
    pub(super) seen: Vec<Seen>,
    /// There may be more behind it.
    pub(super) full: bool,
}

/// Finds the end of the log: what comes behind it is told. What may still come before it is told too.
pub(super) async fn begin(site: &Site) -> Result<(), SourceError> {
    let (began, since) = (Instant::now(), SystemTime::now());
    let long_ago = site.client.on_its_clock(since).saturating_sub(late() + SLACK);
    let mut all = Vec::new();
    let mut low = 0;
    while all.len() < MOST {
        let search = Search::of(LOG, ["created_at"]).sorted("-id");
        let search = if all.is_empty() { search } else { search.with("id", "less_than", low) };
        let Read { seen, full, .. } = read(site, search).await?;
        let lowest = seen.iter().map(|row| row.id).min();
        let reached = seen.iter().any(|row| row.made.is_some_and(|made| made < long_ago));
        all.extend(seen);
        low = if full { lowest.unwrap_or_default() } else { 0 };
        if !full || reached {
            break;
        }
    }
    let wall = site.client.on_its_clock(SystemTime::now());
    let marks = Marks::begin(low.saturating_sub(1), &all, began.into_std(), Instant::now().into_std(), wall);
    tracing::debug!(low = marks.low(), "the end of Flow's log of events is found");
    site.feed.known.lock().begin(marks, began, since);
    Ok(())
}

/// The first events of a part.
pub(super) async fn part(site: &Site, part: &Part) -> Result<Read, Failure> {
    read(site, part.search()).await
}

/// What was logged since then; `None`: too much to read.
pub(super) async fn since(site: &Site, since: SystemTime) -> Result<Option<Vec<Row>>, Failure> {
    let since = site.client.on_its_clock(since).saturating_sub(late() + SLACK);
    let since = format!("{}Z", date::iso(since));
    let mut all = Vec::new();
    let mut above = 0;
    while all.len() < MOST {
        let search = Search::of(LOG, FIELDS).with("created_at", "greater_than", since.as_str());
        let Read { rows, full, .. } = match read(site, search.with("id", "greater_than", above)).await {
            Err(Failure::TooLarge(_)) => return Ok(None),
            read => read?,
        };
        above = rows.iter().map(|row| row.id).max().unwrap_or(above);
        all.extend(rows);
        if !full {
            return Ok(Some(all));
        }
    }
    Ok(None)
}

/// `TooLarge`: there is a row that is never read.
async fn read(site: &Site, search: Search<'_>) -> Result<Read, Failure> {
    let Page(page) = &site.feed.page;
    let (rows, size) = loop {
        let size = page.load(Ordering::Relaxed);
        let fewer = (size / 4).max(1);
        match timeout(PATIENCE, site.client.search(&search.clone().sized(size))).await {
            Ok(Ok(rows)) => {
                page.store(size.saturating_mul(2).min(MOST_ROWS), Ordering::Relaxed);
                break (rows, size);
            }
            Ok(Err(Failure::TooLarge(_))) if size > 1 => page.store(fewer, Ordering::Relaxed),
            Ok(Err(failure)) => return Err(failure),
            Err(_) => {
                // Who asks again asks for fewer.
                page.store(fewer, Ordering::Relaxed);
                let seconds = PATIENCE.as_secs();
                return Err(Failure::Unavailable(format!("the log of events did not come within {seconds} s")));
            }
        }
    };
    let made = |row: &Row| row.text("created_at").and_then(date::parse_iso);
    let seen = rows.iter().filter(|row| row.id > 0).map(|row| Seen { id: row.id, made: made(row) }).collect();
    let full = u32::try_from(rows.len()).unwrap_or(u32::MAX) >= size;
    Ok(Read { rows, seen, full })
}

fn late() -> i64 {
    i64::try_from(LATE.as_secs()).unwrap_or(i64::MAX)
}

// === impl Page ===

impl Default for Page {
    fn default() -> Self {
        Self(AtomicU32::new(MOST_ROWS))
    }
}

// === impl Part ===

impl Part {
    /// What is to be read: the news, and what is missing before it.
    pub(super) fn all(marks: &Marks) -> VecDeque<Self> {
        let news = Self { above: marks.high(), within: Within::All };
        let (mut ids, mut wide) = (Vec::new(), Vec::new());
        for (first, last) in marks.missing() {
            if last.saturating_sub(first) < WIDE {
                ids.extend(first..=last);
            } else {
                wide.push(Self::between(first, last));
            }
        }
        let few = ids.chunks(IDS).map(|ids| Self { above: 0, within: Within::Ids(ids.to_vec()) });
        let missing: Vec<_> = few.chain(wide).collect();
        if missing.len() > QUESTIONS {
            return [news, Self::between(marks.low().saturating_add(1), marks.high())].into();
        }
        std::iter::once(news).chain(missing).collect()
    }

    fn between(first: u64, last: u64) -> Self {
        Self { above: first.saturating_sub(1), within: Within::Below(last.saturating_add(1)) }
    }

    /// Whether the part is what came since the last reading.
    pub(super) fn is_news(&self) -> bool {
        self.within == Within::All
    }

    fn search(&self) -> Search<'static> {
        let search = Search::of(LOG, FIELDS).with("id", "greater_than", self.above);
        match &self.within {
            Within::All => search,
            Within::Below(id) => search.with("id", "less_than", *id),
            Within::Ids(ids) => search.with("id", "in", json!(ids)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_asked_for_by_its_ids_and_nothing_else_again() {
        let (now, wall) = (Instant::now().into_std(), 1_800_000_000);
        let rows = [10, 12, 15, 2000].map(|id| Seen { id, made: Some(wall) });
        let parts = Part::all(&Marks::begin(9, &rows, now, now, wall));
        let asked: Vec<_> = parts.iter().map(|part| part.search().body()["filters"]["conditions"].clone()).collect();
        assert_eq!(
            asked,
            [
                json!([["id", "greater_than", 2000]]),
                json!([["id", "greater_than", 0], ["id", "in", [11, 13, 14]]]),
                json!([["id", "greater_than", 15], ["id", "less_than", 2000]]),
            ]
        );
        let rows: Vec<_> = (1..100).map(|n| Seen { id: n * 1000, made: Some(wall) }).collect();
        let parts = Part::all(&Marks::begin(999, &rows, now, now, wall));
        assert_eq!(parts, [Part { above: 99_000, within: Within::All }, Part::between(1001, 99_000)]);
    }
}
