//! Reads single objects as they are now: at most two requests for each type, the second for what is not found outside the
//! trash.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;

use super::Site;
use super::client::Failure;
use super::convert;
use super::schema::Shape;
use super::search::Search;
use super::table::{ENTITY_TYPE, Table};
use crate::model::change::Change;
use crate::model::id::{Id, ObjectRef};

/// How many types are asked for at once, and how many rows in one question.
const AT_ONCE: usize = 4;
const IDS: usize = 500;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) changes: Vec<Change>,
    /// Something was not found anywhere, or is not shown: is the script still who it was?
    pub(super) left_out: bool,
}

/// The objects as they are now.
pub(super) async fn objects(site: &Site, objects: &[ObjectRef]) -> Result<Read, Failure> {
    let mut read = Read::default();
    let mut asked: BTreeMap<&str, (&Table, BTreeSet<u64>)> = BTreeMap::new();
    let mut types: BTreeSet<&Id> = BTreeSet::new();
    for object in objects {
        match (site.tables.of_kind(&object.kind), number(&object.id)) {
            _ if object.kind == ENTITY_TYPE => drop(types.insert(&object.id)),
            (Some(table), Some(id)) => drop(asked.entry(&table.kind).or_insert((table, BTreeSet::new())).1.insert(id)),
            // What Flow would never name is not there.
            _ => read.changes.push(Change::Remove(object.clone())),
        }
    }
    for id in types {
        read.changes.push(entity_type(site, id).await?);
    }
    let mut questions = Vec::new();
    for (table, ids) in asked.into_values() {
        let ids: Vec<u64> = ids.into_iter().collect();
        questions.extend(ids.chunks(IDS).map(|ids| rows(site, table, ids.to_vec())));
    }
    let found: Vec<Read> = stream::iter(questions).buffer_unordered(AT_ONCE).try_collect().await?;
    for Read { mut changes, left_out } in found {
        read.changes.append(&mut changes);
        read.left_out |= left_out;
    }
    Ok(read)
}

/// The id as Flow writes it.
pub(super) fn number(id: &Id) -> Option<u64> {
    let text = id.to_string();
    text.parse::<u64>().ok().filter(|number| *number > 0 && number.to_string() == text)
}

async fn entity_type(site: &Site, id: &Id) -> Result<Change, Failure> {
    let shape = match site.tables.of_type(&id.to_string()) {
        Some(table) => {
            site.shapes.read(&site.client, table).await?;
            site.shapes.usable(table).map(|shape| convert::shape(table, &shape))
        }
        None => None,
    };
    let gone = || Change::Remove(ObjectRef { kind: ENTITY_TYPE.into(), id: id.clone() });
    Ok(shape.map_or_else(gone, Change::Upsert))
}

async fn rows(site: &Site, table: &Table, ids: Vec<u64>) -> Result<Read, Failure> {
    let object = |id: &u64| ObjectRef::new(&table.kind, &id.to_string());
    let Some(shape) = site.shapes.of(&site.client, table).await? else {
        let changes = ids.iter().map(|id| Change::Remove(object(id))).collect();
        return Ok(Read { changes, left_out: false });
    };
    let mut left: BTreeSet<u64> = ids.into_iter().collect();
    let mut changes = Vec::new();
    for retired in [false, true] {
        if left.is_empty() {
            break;
        }
        match pass(site, table, &shape, &mut left, retired).await {
            Ok(mut found) => changes.append(&mut found),
            // What is refused for one type stops no other.
            Err(failure) if failure.is_about_the_type() => {
                let problem = format!("it cannot be read: {failure}");
                let quarantine = |id| Change::Quarantine { object: object(id), problem: problem.clone() };
                changes.extend(left.iter().map(quarantine));
                return Ok(Read { changes, left_out: true });
            }
            Err(failure) => return Err(failure),
        }
    }
    changes.extend(left.iter().map(|id| Change::Remove(object(id))));
    Ok(Read { changes, left_out: !left.is_empty() })
}

/// Those of the rows that are in the trash, or that are not.
async fn pass(
    site: &Site,
    table: &Table,
    shape: &Shape,
    left: &mut BTreeSet<u64>,
    retired: bool,
) -> Result<Vec<Change>, Failure> {
    let search = Search::of(&table.name, shape.asked()).with("id", "in", json!(left)).retired(retired);
    let rows = site.client.search(&search).await?;
    // A server that did not know the filter would send other rows too.
    let asked = rows.iter().filter(|row| left.remove(&row.id));
    Ok(asked.map(|row| convert::row(table, shape, row, retired, &site.shapes)).collect())
}
