//! Reads all rows of queries, page by page.
//!
//! Pages are no snapshot: a row that goes moves all later ones up, and the one that crosses the border would be missed.
//! So each page begins a few rows before the end of the one before, and if it has none of those, rows have gone and it is
//! read from further back.

use rustc_hash::FxHashSet;
use serde_json::Value as Json;

use super::answer::{self, Page, Row};
use super::client::{Client, Failure};
use super::query::{PAGE, Query};

/// By how many rows a page reaches into the one before.
const OVERLAP: u64 = 5;
/// How often one query goes back because rows vanish, before it gives up.
const STEPS_BACK: u32 = 1000;
/// Ten million rows.
const MOST_PAGES: u32 = 20_000;
/// How many queries one request carries.
const AT_ONCE: usize = 20;

/// Where a query has got to.
#[derive(Debug)]
pub(super) struct Pager {
    query: Query,
    offset: u64,
    /// Rows of this page are known from the one before.
    overlaps: bool,
    seen: FxHashSet<String>,
    pages: u32,
    back: u32,
    done: bool,
}

// === impl Pager ===

impl Pager {
    pub(super) fn new(query: Query) -> Self {
        Self { query, offset: 0, overlaps: false, seen: FxHashSet::default(), pages: 0, back: 0, done: false }
    }

    /// The next rows; `None` after the last.
    pub(super) async fn next(&mut self, client: &Client) -> Result<Option<Vec<Row>>, Failure> {
        while !self.done {
            let answer = client.ask(&[self.operation()]).await?.into_iter().next().unwrap_or_default();
            let rows = self.take(answer::page(answer)?)?;
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    fn operation(&self) -> Json {
        self.query.page(self.offset, PAGE)
    }

    /// The rows of the page that was asked for, without those that were seen in the one before.
    fn take(&mut self, Page { mut rows, next }: Page) -> Result<Vec<Row>, Failure> {
        self.pages += 1;
        if self.pages > MOST_PAGES {
            return Err(Failure::Malformed(format!("a table does not end after {MOST_PAGES} pages")));
        }
        let ids: FxHashSet<String> = rows.iter().filter_map(id).map(str::to_owned).collect();
        if self.overlaps && self.offset > 0 && ids.is_disjoint(&self.seen) {
            self.back += 1;
            if self.back > STEPS_BACK {
                return Err(Failure::Unavailable("rows vanish faster than they can be read".into()));
            }
            self.offset = self.offset.saturating_sub(PAGE - OVERLAP);
            return Ok(Vec::new());
        }
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        rows.retain(|row| id(row).is_none_or(|id| !self.seen.contains(id)));
        let Some(next) = next.filter(|_| count > 0) else {
            self.done = true;
            return Ok(rows);
        };
        let reach = OVERLAP.min(count / 2);
        let offset = next.saturating_sub(reach);
        if offset <= self.offset {
            return Err(Failure::Malformed(format!("the page after {} begins at {next}", self.offset)));
        }
        (self.offset, self.overlaps) = (offset, reach > 0);
        if rows.is_empty() {
            self.seen.extend(ids);
        } else {
            self.seen = ids;
        }
        Ok(rows)
    }
}

/// All rows of each of these queries, asked together as far as that goes. For queries that name what they want: the rows
/// are held.
pub(super) async fn whole(client: &Client, queries: Vec<Query>) -> Result<Vec<Vec<Row>>, Failure> {
    let mut pagers: Vec<Pager> = queries.into_iter().map(Pager::new).collect();
    let mut all = Vec::with_capacity(pagers.len());
    for together in pagers.chunks_mut(AT_ONCE) {
        let operations: Vec<Json> = together.iter().map(Pager::operation).collect();
        let answers = client.ask(&operations).await?;
        for (pager, answer) in together.iter_mut().zip(answers) {
            let mut rows = pager.take(answer::page(answer)?)?;
            while let Some(mut more) = pager.next(client).await? {
                rows.append(&mut more);
            }
            all.push(rows);
        }
    }
    Ok(all)
}

fn id(row: &Row) -> Option<&str> {
    row.get("id")?.as_str()
}

#[cfg(test)]
mod tests;
