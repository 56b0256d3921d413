//! Reads whole tables, page by page.
//!
//! zou sorts its pages by the time of the last change. A row that changes meanwhile moves to the front, and its event
//! tells; a row that is deleted moves all later ones up, and the one that crosses the page border would be missed:
//! so when the total falls, the page before is read again.

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
use crate::tracker::Scope;
use crate::tracker::progress::Progress;

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
) -> Result<Snapshot, Failure> {
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
        let (mut entities, mut tasks) =
            try_join!(table(client, entity, types, progress), table(client, task, types, progress))?;
        snapshot.complete.extend(Table::LARGE.map(|kind| Str::from(kind.kind())));
        snapshot.changes.append(&mut entities);
        snapshot.changes.append(&mut tasks);
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
    pages(client, Table::Project, progress, |row| ids.extend(convert::object(Table::Project, row))).await?;
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
    pages(client, table, progress, |row| {
        // Rows can be met twice; the last is the newest.
        let id = convert::object(table, row).map(|object| object.id);
        rows.insert(id, convert::row(table, row, types));
    })
    .await?;
    Ok(rows.into_values().collect())
}

async fn pages(client: &Client, table: Table, progress: &Progress, mut row: impl FnMut(&Value)) -> Result<(), Failure> {
    let (mut page, mut total, mut back, mut short) = (1_u64, 0_u64, 0_u32, 0_u32);
    loop {
        let answer = client.get(table.path(), &query(table, page).each_ref().map(|(k, v)| (*k, v.as_str()))).await?;
        let shape = |what: &str| Failure::Malformed(format!("{}: page {page} has no {what}", table.path()));
        let rows = answer.get("data").and_then(Value::as_array).ok_or_else(|| shape("list `data`"))?;
        let now = answer.get("total").and_then(Value::as_u64).ok_or_else(|| shape("number `total`"))?;
        let (found, due) =
            (u64::try_from(rows.len()).unwrap_or(0), now.saturating_sub((page - 1).saturating_mul(PAGE)).min(PAGE));
        if found < due {
            short += 1;
            if short > SHORT {
                let what = format!("page {page} has {found} rows where the total of {now} means {due}");
                return Err(Failure::Malformed(format!(
                    "{}: {what}; what is missing is not taken for deleted",
                    table.path()
                )));
            }
            continue;
        }
        rows.iter().for_each(&mut row);
        if page == 1 && back == 0 {
            progress.expect(now);
        }
        progress.read(table.kind(), found);
        if now < total && page > 1 {
            back += 1;
            if back > STEPS_BACK {
                return Err(Failure::Unavailable(format!(
                    "{}: rows vanish faster than they can be read",
                    table.path()
                )));
            }
            page = page.saturating_sub((total - now).div_ceil(PAGE)).max(1);
            total = now;
            continue;
        }
        total = now;
        if page.saturating_mul(PAGE) >= total {
            return Ok(());
        }
        if u64::try_from(rows.len()).unwrap_or(0) < PAGE {
            let path = table.path();
            return Err(Failure::Malformed(format!("{path}: page {page} of {total} rows is shorter than asked for")));
        }
        page += 1;
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
