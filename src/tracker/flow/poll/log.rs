//! Asks for parts of the log of events.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout};

use super::{PAGES, Site};
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

/// A part of the log.
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
    for _ in 0..PAGES {
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

/// The events with higher ids.
pub(super) async fn after(site: &Site, id: u64) -> Result<Read, Failure> {
    read(site, Search::of(LOG, FIELDS).with("id", "greater_than", id)).await
}

/// What was logged since then; `None`: too much to read.
pub(super) async fn since(site: &Site, since: SystemTime) -> Result<Option<Vec<Row>>, Failure> {
    let since = site.client.on_its_clock(since).saturating_sub(late() + SLACK);
    let since = format!("{}Z", date::iso(since));
    let mut all = Vec::new();
    let mut above = 0;
    for _ in 0..PAGES {
        let search = Search::of(LOG, FIELDS).with("created_at", "greater_than", since.as_str());
        let Read { rows, full, .. } = read(site, search.with("id", "greater_than", above)).await?;
        above = rows.iter().map(|row| row.id).max().unwrap_or(above);
        all.extend(rows);
        if !full {
            return Ok(Some(all));
        }
    }
    Ok(None)
}

async fn read(site: &Site, search: Search<'_>) -> Result<Read, Failure> {
    let late = |_| Failure::Unavailable(format!("the log of events did not come within {} s", PATIENCE.as_secs()));
    let rows = timeout(PATIENCE, site.client.search(&search)).await.map_err(late)??;
    let made = |row: &Row| row.text("created_at").and_then(date::parse_iso);
    let seen = rows.iter().filter(|row| row.id > 0).map(|row| Seen { id: row.id, made: made(row) }).collect();
    let full = u32::try_from(rows.len()).unwrap_or(u32::MAX) >= MOST_ROWS;
    Ok(Read { rows, seen, full })
}

fn late() -> i64 {
    i64::try_from(LATE.as_secs()).unwrap_or(i64::MAX)
}
