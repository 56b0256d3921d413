//! Reads single objects, in bulk where zou's filters allow it.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use rustc_hash::FxHashSet;
use serde_json::Value;

use super::client::{Client, Failure};
use super::convert::{self, Types};
use super::hints;
use super::load;
use super::table::{TASK_MENTIONS, Table};
use crate::model::change::Change;
use crate::model::id::ObjectRef;

/// So many ids fit into a URL that every server takes.
const IDS: usize = 60;
/// How many requests are under way for one call.
const AT_ONCE: usize = 8;

/// One request, or two for a project.
enum Ask {
    Row(Table, ObjectRef),
    Rows(Table, Vec<ObjectRef>),
    Project(ObjectRef),
    Mentions(ObjectRef),
}

/// What was read.
pub(super) struct Read {
    pub(super) changes: Vec<Change>,
    /// A list left objects out: they are gone, if whoever asked may see all.
    pub(super) left_out: bool,
}

/// The objects as they are now.
pub(super) async fn objects(client: &Client, types: &Types, objects: &[ObjectRef]) -> Result<Read, Failure> {
    let (asks, mut changes) = plan(objects);
    let listed = asks.iter().any(|ask| matches!(ask, Ask::Rows(..)));
    let answers = stream::iter(asks).map(|ask| answer(client, types, ask)).buffer_unordered(AT_ONCE);
    let answers: Vec<Vec<Change>> = answers.try_collect().await?;
    let left_out = listed && answers.iter().flatten().any(|change| matches!(change, Change::Remove(_)));
    changes.extend(answers.into_iter().flatten());
    Ok(Read { changes, left_out })
}

/// What to ask, and what is known without asking: an id that zou never gives out names nothing.
fn plan(objects: &[ObjectRef]) -> (Vec<Ask>, Vec<Change>) {
    let (mut asks, mut gone) = (Vec::new(), Vec::new());
    let mut tables: BTreeMap<Table, Vec<ObjectRef>> = BTreeMap::new();
    for object in objects {
        match Table::of_kind(&object.kind) {
            _ if !hints::canonical(&object.id) => gone.push(Change::Remove(object.clone())),
            Some(Table::Project) => asks.push(Ask::Project(object.clone())),
            Some(table @ (Table::Comment | Table::Playlist)) => asks.push(Ask::Row(table, object.clone())),
            Some(table) => tables.entry(table).or_default().push(object.clone()),
            None if object.kind == TASK_MENTIONS => asks.push(Ask::Mentions(object.clone())),
            None => gone.push(Change::Remove(object.clone())),
        }
    }
    for (table, objects) in tables {
        asks.extend(objects.chunks(IDS).map(|chunk| match chunk {
            [object] => Ask::Row(table, object.clone()),
            chunk => Ask::Rows(table, chunk.to_vec()),
        }));
    }
    (asks, gone)
}

async fn answer(client: &Client, types: &Types, ask: Ask) -> Result<Vec<Change>, Failure> {
    match ask {
        Ask::Rows(table, objects) => rows(client, types, table, objects).await,
        Ask::Row(table, object) => {
            let path = format!("{}/{}", table.path(), object.id);
            let relations = if table.relations() { "true" } else { "false" };
            let row = client.get(&path, &[("relations", relations)]).await;
            or_gone(object, row.map(|row| vec![convert::row(table, &row, types)]))
        }
        Ask::Project(object) => {
            let read = load::project(client, &object.id.to_string()).await;
            or_gone(object, read)
        }
        Ask::Mentions(object) => {
            let task = object.id.to_string();
            let comments = client.get(&format!("{}/{task}/comments", Table::Task.path()), &[]).await;
            or_gone(object, comments.map(|comments| vec![convert::task_mentions(&task, &comments)]))
        }
    }
}

fn or_gone(object: ObjectRef, read: Result<Vec<Change>, Failure>) -> Result<Vec<Change>, Failure> {
    match read {
        Err(Failure::NotFound(_)) => Ok(vec![Change::Remove(object)]),
        outcome => outcome,
    }
}

async fn rows(client: &Client, types: &Types, table: Table, objects: Vec<ObjectRef>) -> Result<Vec<Change>, Failure> {
    let ids: Vec<String> = objects.iter().map(|object| object.id.to_string()).collect();
    let ids = Value::from(ids).to_string();
    let relations = if table.relations() { "true" } else { "false" };
    let answer =
        client.get(table.path(), &[("id", &ids), ("fields", table.fields()), ("relations", relations)]).await?;
    let rows = answer
        .as_array()
        .ok_or_else(|| Failure::Malformed(format!("{}: the answer to a list of ids is not a list", table.path())))?;
    let mut left: FxHashSet<_> = objects.iter().map(|object| object.id.clone()).collect();
    let mut changes = Vec::with_capacity(objects.len());
    for row in rows {
        // A server that did not know the filter would send the whole table: take only what was asked for.
        if convert::object(table, row).is_some_and(|found| left.remove(&found.id)) {
            changes.push(convert::row(table, row, types));
        }
    }
    changes.extend(objects.into_iter().filter(|object| left.contains(&object.id)).map(Change::Remove));
    Ok(changes)
}
