//! Goes through all rows of a type, page by page.
//!
//! A page begins after the last id of the one before, never at a number of rows: rows that come and go move nothing. The
//! site's own link to the next page is always there, even after the last.

use serde_json::Value as Json;

use super::answer::Row;
use super::client::{Client, Failure};
use super::schema::Shape;
use super::search::Search;
use super::table::Table;

/// Ten million rows, if they are not very wide.
const MOST_PAGES: u32 = 20_000;

/// Where the reading of a table has got to.
#[derive(Debug)]
pub(super) struct Pager<'a> {
    table: &'a Table,
    shape: &'a Shape,
    retired: bool,
    /// One of these must hold; none: every row is meant.
    any: Vec<Json>,
    last: u64,
    pages: u32,
    done: bool,
}

// === impl Pager ===

impl<'a> Pager<'a> {
    /// All rows that are in the trash, or that are not.
    pub(super) fn new(table: &'a Table, shape: &'a Shape, retired: bool) -> Self {
        Self { table, shape, retired, any: Vec::new(), last: 0, pages: 0, done: false }
    }

    /// Only those for which one of these holds, each `[path, relation, value]`.
    #[must_use]
    pub(super) fn with_any(mut self, any: Vec<Json>) -> Self {
        self.any = any;
        self
    }

    /// The next rows; `None` after the last.
    pub(super) async fn next(&mut self, client: &Client) -> Result<Option<Vec<Row>>, Failure> {
        while !self.done {
            let size = self.shape.page();
            match client.search(&self.search(size)).await {
                Ok(rows) => return self.take(rows, size),
                Err(Failure::TooLarge(_)) if self.shape.shrink(size) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }

    fn search(&self, size: u32) -> Search<'a> {
        let search = Search::of(&self.table.name, self.shape.asked()).sized(size).retired(self.retired);
        let search = if self.last > 0 { search.with("id", "greater_than", self.last) } else { search };
        if self.any.is_empty() { search } else { search.with_any(self.any.clone()) }
    }

    fn take(&mut self, rows: Vec<Row>, size: u32) -> Result<Option<Vec<Row>>, Failure> {
        let wrong = |why: &str| Failure::Malformed(format!("{}: {why}", self.table.name));
        self.pages += 1;
        if self.pages > MOST_PAGES {
            return Err(wrong("its rows do not end"));
        }
        let newest = rows.iter().map(|row| row.id).max().unwrap_or(0);
        self.done = rows.len() < size as usize;
        if !self.done && newest <= self.last {
            return Err(wrong("rows come again that were read before: the site does not sort or filter them by id"));
        }
        self.last = self.last.max(newest);
        Ok(Some(rows).filter(|rows| !rows.is_empty()))
    }
}
