//! Which rows hold links to others. A row that is taken out of the trash is in them again, and no event says so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::Site;
use super::client::Failure;
use super::convert;
use super::page::Pager;
use super::read;
use super::schema::Shape;
use super::table::{PROJECT, Table};
use crate::model::id::ObjectRef;

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
    let mut found = BTreeSet::new();
    for table in site.tables.with_rows() {
        let Some(shape) = site.shapes.of(&site.client, table).await? else { continue };
        let conditions = conditions(&shape, &to);
        if conditions.is_empty() {
            continue;
        }
        for retired in [false, true] {
            if !find(site, table, &shape, &conditions, retired, &mut found).await? {
                return Ok(None);
            }
        }
    }
    Ok(Some(found.into_iter().collect()))
}

/// Adds what is found; `false`: there is too much of it.
async fn find(
    site: &Site,
    table: &Table,
    shape: &Shape,
    conditions: &[Json],
    retired: bool,
    found: &mut BTreeSet<ObjectRef>,
) -> Result<bool, Failure> {
    let mut pager = Pager::new(table, shape, retired).with_any(conditions.to_vec());
    loop {
        match pager.next(&site.client).await {
            Ok(Some(rows)) => found.extend(rows.iter().filter(|row| row.id > 0).map(|row| convert::object(table, row))),
            Ok(None) => return Ok(true),
            Err(failure) if failure.is_about_the_type() => {
                tracing::debug!(%failure, "rows that hold a link cannot be asked for");
                return Ok(true);
            }
            Err(failure) => return Err(failure),
        }
        if found.len() > MOST {
            return Ok(false);
        }
    }
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
