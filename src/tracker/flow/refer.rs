//! Which rows hold links to others. A row that is taken out of the trash is in them again, and no event says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value as Json, json};

use super::Site;
use super::client::Failure;
use super::convert;
use super::page::Pager;
use super::read;
use super::schema::Shape;
use super::table::{PROJECT, Table};
use crate::model::id::ObjectRef;

/// How many searches are under way at once.
const AT_ONCE: usize = 4;
/// How many are named one by one.
const MOST: usize = 20_000;

/// The objects with mirrored links to these, in the trash or not; `None`: too many to name, so everything is to be loaded.
pub(super) async fn referrers(site: &Site, objects: &[ObjectRef]) -> Result<Option<Vec<ObjectRef>>, Failure> {
    let mut to: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for object in objects {
        if let (Some(table), Some(id)) = (site.tables.of_kind(&object.kind), read::number(&object.id)) {
            if table.name == "Project" {
                return Ok(None);
            }
            to.entry(&table.name).or_default().insert(id);
        }
    }
    let mut asked = Vec::new();
    for table in site.tables.with_rows() {
        let Some(shape) = site.shapes.of(&site.client, table).await? else { continue };
        let conditions = conditions(&shape, &to);
        if !conditions.is_empty() {
            asked.extend(
                [false, true].map(|retired| find(site, table, Arc::clone(&shape), conditions.clone(), retired)),
            );
        }
    }
    let mut asked = stream::iter(asked).buffer_unordered(AT_ONCE);
    let mut found = BTreeSet::new();
    while let Some(objects) = asked.try_next().await? {
        found.extend(objects);
        if found.len() > MOST {
            return Ok(None);
        }
    }
    Ok(Some(found.into_iter().collect()))
}

/// Those of a type; of too many, only so many that it shows.
async fn find(
    site: &Site,
    table: &Table,
    shape: Arc<Shape>,
    conditions: Vec<Json>,
    retired: bool,
) -> Result<Vec<ObjectRef>, Failure> {
    let mut found = Vec::new();
    let mut pager = Pager::new(table, &shape, retired).with_any(conditions);
    while found.len() <= MOST {
        match pager.next(&site.client).await {
            Ok(Some(rows)) => found.extend(rows.iter().filter(|row| row.id > 0).map(|row| convert::object(table, row))),
            Ok(None) => break,
            Err(failure) if failure.is_about_the_type() => {
                tracing::debug!(%failure, "rows that hold a link cannot be asked for");
                break;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// The mirrored fields of a type that may lead to one of these, each with those that it may lead to.
fn conditions(shape: &Shape, to: &BTreeMap<&str, BTreeSet<u64>>) -> Vec<Json> {
    let mut conditions = Vec::new();
    for (name, field) in &shape.fields {
        if name == PROJECT || !shape.mirrored.contains(name) {
            continue;
        }
        let links = to.iter().filter(|(kind, _)| field.may_lead_to(kind));
        let links: Vec<Json> =
            links.flat_map(|(kind, ids)| ids.iter().map(move |id| json!({"type": kind, "id": id}))).collect();
        if !links.is_empty() {
            conditions.push(json!([name.as_str(), "in", links]));
        }
    }
    conditions
}
