//! Reads whole tables, page by page.
//!
//! zou sorts its pages by the time of the last change. A row that changes meanwhile moves to the front, and its event
//! tells; a row that is deleted moves all later ones up, and the one that crosses the page border would be missed:
//! so when the total falls, the page before is read again. Tasks and entities are handed over page by page.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use futures_util::try_join;
use rustc_hash::FxHashMap;
use serde_json::Value;

use super::client::{Client, Failure};
use super::convert::{self, Types};
use super::hints;
use super::table::Table;
use crate::model::change::{Change, Snapshot};
use crate::model::id::{Id, Str};
use crate::tracker::parts::Parts;
use crate::tracker::progress::Progress;
use crate::tracker::{Scope, SourceError};

const PAGE: u64 = 2000;
/// How many projects are read at once.
const AT_ONCE: usize = 4;
/// How often a page that is too short is read again: a row may have gone between the count and the rows.
const SHORT: u32 = 3;
/// How often a load goes back a page because rows vanish, before it gives up.
const STEPS_BACK: u32 = 1000;

/// Everything of a scope. `types` are taken as they were read at the beginning.
pub(super) async fn snapshot(
    client: &Client,
    types: &Types,
    scope: Scope,
    progress: &Progress,
    parts: &Parts,
) -> Result<Snapshot, SourceError> {
    let mut snapshot = Snapshot::default();
    if scope.core() {
        for kind in Table::CORE {
            snapshot.complete.push(Str::from(kind.kind()));
            snapshot.changes.append(&mut table(client, kind, types, progress).await?);
        }
        snapshot.complete.push(Str::from(Table::Project.kind()));
        snapshot.teams = true;
        snapshot.changes.append(&mut projects(client, progress).await?);
    }
    if scope.large() {
        let [entity, task] = Table::LARGE;
        try_join!(large(client, entity, types, progress, parts), large(client, task, types, progress, parts))?;
        snapshot.complete.extend(Table::LARGE.map(|kind| Str::from(kind.kind())));
    }
    Ok(snapshot)
}

/// The kinds of all entity types.
pub(super) async fn types(client: &Client) -> Result<Types, Failure> {
    let path = "/data/entity-types";
    let rows = client.get(path, &[("fields", "id,name")]).await?;
    let rows = rows.as_array().ok_or_else(|| Failure::Malformed(format!("{path}: the answer is not a list")))?;
    let mut types = Types::default();
    for row in rows {
        let text = |name| row.get(name).and_then(Value::as_str);
        match (text("id"), text("name")) {
            (Some(id), Some(name)) => drop(types.insert(Id::from(id), convert::entity_kind(name))),
            _ => tracing::warn!("an entity type without id or name; its entities are quarantined"),
        }
    }
    Ok(types)
}

/// One project with its team.
pub(super) async fn project(client: &Client, id: &str) -> Result<Vec<Change>, Failure> {
    let path = format!("{}/{id}", Table::Project.path());
    let team = format!("{path}/team");
    let (project, team) = try_join!(client.get(&path, &[]), client.get(&team, &[]))?;
    Ok(convert::project(&project, &team))
}

async fn projects(client: &Client, progress: &Progress) -> Result<Vec<Change>, Failure> {
    let mut ids = Vec::new();
    let mut pages = Pages::of(client, Table::Project, progress);
    while let Some(rows) = pages.next().await? {
        ids.extend(rows.iter().filter_map(|row| convert::object(Table::Project, row)));
    }
    ids.retain(|object| hints::canonical(&object.id));
    ids.sort_unstable();
    ids.dedup();
    let read = stream::iter(ids).map(|object| async move {
        match project(client, &object.id.to_string()).await {
            // Deleted since it was listed.
            Err(Failure::NotFound(_)) => Ok(Vec::new()),
            outcome => outcome,
        }
    });
    let changes: Vec<Vec<Change>> = read.buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(changes.into_iter().flatten().collect())
}

async fn table(client: &Client, table: Table, types: &Types, progress: &Progress) -> Result<Vec<Change>, Failure> {
    let mut rows: FxHashMap<Option<Id>, Change> = FxHashMap::default();
    let mut pages = Pages::of(client, table, progress);
    while let Some(page) = pages.next().await? {
        // Rows can be met twice; the last is the newest.
        rows.extend(page.iter().map(|row| converted(table, row, types)));
    }
    Ok(rows.into_values().collect())
}

async fn large(
    client: &Client,
    table: Table,
    types: &Types,
    progress: &Progress,
    parts: &Parts,
) -> Result<(), SourceError> {
    let mut pages = Pages::of(client, table, progress);
    while let Some(page) = pages.next().await? {
        let rows: FxHashMap<_, _> = page.iter().map(|row| converted(table, row, types)).collect();
        drop(page);
        parts.hand_over(rows.into_values().collect()).await?;
    }
    Ok(())
}

fn converted(table: Table, row: &Value, types: &Types) -> (Option<Id>, Change) {
    (convert::object(table, row).map(|object| object.id), convert::row(table, row, types))
}

/// Reads a table from the first page to the last.
struct Pages<'a> {
    client: &'a Client,
    table: Table,
    progress: &'a Progress,
    /// The page to read next; `None` after the last.
    page: Option<u64>,
    total: u64,
    back: u32,
}

// === impl Pages ===

impl<'a> Pages<'a> {
    fn of(client: &'a Client, table: Table, progress: &'a Progress) -> Self {
        Self { client, table, progress, page: Some(1), total: 0, back: 0 }
    }

    async fn next(&mut self) -> Result<Option<Vec<Value>>, Failure> {
        let Some(page) = self.page else { return Ok(None) };
        let path = self.table.path();
        let (rows, now) = self.read(page).await?;
        let found = u64::try_from(rows.len()).unwrap_or(0);
        if page == 1 && self.back == 0 {
            self.progress.expect(now);
        }
        self.progress.read(self.table.kind(), found);
        if now < self.total && page > 1 {
            self.back += 1;
            if self.back > STEPS_BACK {
                return Err(Failure::Unavailable(format!("{path}: rows vanish faster than they can be read")));
            }
            self.page = Some(page.saturating_sub((self.total - now).div_ceil(PAGE)).max(1));
        } else if page.saturating_mul(PAGE) >= now {
            self.page = None;
        } else if found < PAGE {
            return Err(Failure::Malformed(format!("{path}: page {page} of {now} rows is shorter than asked for")));
        } else {
            self.page = Some(page + 1);
        }
        self.total = now;
        Ok(Some(rows))
    }

    /// The rows of a page and how many there are on all pages, once the two agree.
    async fn read(&self, page: u64) -> Result<(Vec<Value>, u64), Failure> {
        let path = self.table.path();
        let query = query(self.table, page);
        let mut short = 0;
        loop {
            let mut answer = self.client.get(path, &query.each_ref().map(|(k, v)| (*k, v.as_str()))).await?;
            let shape = |what: &str| Failure::Malformed(format!("{path}: page {page} has no {what}"));
            let rows = match answer.get_mut("data").map(Value::take) {
                Some(Value::Array(rows)) => rows,
                _ => return Err(shape("list `data`")),
            };
            let now = answer.get("total").and_then(Value::as_u64).ok_or_else(|| shape("number `total`"))?;
            let (found, due) =
                (u64::try_from(rows.len()).unwrap_or(0), now.saturating_sub((page - 1).saturating_mul(PAGE)).min(PAGE));
            if found >= due {
                return Ok((rows, now));
            }
            short += 1;
            if short > SHORT {
                let what = format!("page {page} has {found} rows where the total of {now} means {due}");
                return Err(Failure::Malformed(format!("{path}: {what}; what is missing is not taken for deleted")));
            }
        }
    }
}

fn query(table: Table, page: u64) -> [(&'static str, String); 4] {
    [
        ("page", page.to_string()),
        ("limit", PAGE.to_string()),
        ("fields", table.fields().to_owned()),
        ("relations", table.relations().to_string()),
    ]
}
