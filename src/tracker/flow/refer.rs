//! Which rows hold links to others. A row that is taken out of the trash is in them again, and no event says so.

use std::collections::BTreeSet;
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
use crate::tracker::Scope;

/// How many searches are under way at once.
const AT_ONCE: usize = 4;
/// How many are named one by one.
const MOST: usize = 20_000;
/// How many rows are searched by in one question.
const LINKS: usize = 200;

/// What a search found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) objects: Vec<ObjectRef>,
    /// What cannot be asked for, or is too much to name, is in this.
    pub(super) reload: Option<Scope>,
}

/// The objects with mirrored links to these, in the trash or not.
pub(super) async fn referrers(site: &Site, objects: &[ObjectRef]) -> Result<Found, Failure> {
    let everything = || Found { objects: Vec::new(), reload: Some(Scope::All) };
    let mut to: BTreeSet<(&str, u64)> = BTreeSet::new();
    for object in objects {
        if let (Some(table), Some(id)) = (site.tables.of_kind(&object.kind), read::number(&object.id)) {
            if table.name == "Project" {
                return Ok(everything());
            }
            to.insert((&table.name, id));
        }
    }
    let to: Vec<_> = to.into_iter().collect();
    let mut asked = Vec::new();
    for table in site.tables.with_rows() {
        let Some(shape) = site.shapes.of(&site.client, table).await? else { continue };
        let questions = to.chunks(LINKS).map(|to| conditions(&shape, to)).filter(|conditions| !conditions.is_empty());
        for conditions in questions {
            asked.extend(
                [false, true].map(|retired| find(site, table, Arc::clone(&shape), conditions.clone(), retired)),
            );
        }
    }
    let mut asked = stream::iter(asked).buffer_unordered(AT_ONCE);
    let (mut objects, mut found) = (BTreeSet::new(), Found::default());
    while let Some(more) = asked.try_next().await? {
        more.reload.into_iter().for_each(|scope| found.load(scope));
        objects.extend(more.objects);
        if objects.len() > MOST {
            return Ok(everything());
        }
    }
    found.objects.extend(objects);
    Ok(found)
}

/// Those of a type. Where the site does not take the question, each field is asked for alone.
async fn find(
    site: &Site,
    table: &Table,
    shape: Arc<Shape>,
    conditions: Vec<Json>,
    retired: bool,
) -> Result<Found, Failure> {
    let mut found = Found::default();
    let is_one = conditions.len() == 1;
    match rows(site, table, &shape, conditions.clone(), retired).await? {
        Some(objects) => found.objects = objects,
        None if is_one => found.load(shape.scope()),
        None => {
            for condition in conditions {
                match rows(site, table, &shape, vec![condition], retired).await? {
                    Some(objects) => found.objects.extend(objects),
                    None => found.load(shape.scope()),
                }
            }
        }
    }
    Ok(found)
}

/// Rows of a type; of too many, only so many that it shows. `None`: the site does not take the question.
async fn rows(
    site: &Site,
    table: &Table,
    shape: &Shape,
    conditions: Vec<Json>,
    retired: bool,
) -> Result<Option<Vec<ObjectRef>>, Failure> {
    let mut found = Vec::new();
    let mut pager = Pager::new(table, shape, retired).with_any(conditions);
    while found.len() <= MOST {
        match pager.next(&site.client).await {
            Ok(Some(rows)) => found.extend(rows.iter().filter(|row| row.id > 0).map(|row| convert::object(table, row))),
            Ok(None) => break,
            Err(failure) if failure.is_about_the_type() => {
                tracing::debug!(%failure, "rows that hold a link cannot be asked for");
                // What is not shown is not mirrored.
                return Ok(site.shapes.usable(table).is_none().then(Vec::new));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Some(found))
}

/// The mirrored fields of a type that may lead to one of these, each with those that it may lead to.
fn conditions(shape: &Shape, to: &[(&str, u64)]) -> Vec<Json> {
    let mut conditions = Vec::new();
    for (name, field) in &shape.fields {
        if name == PROJECT || !shape.mirrored.contains(name) {
            continue;
        }
        let links = to.iter().filter(|(kind, _)| field.may_lead_to(kind));
        let links: Vec<Json> = links.map(|(kind, id)| json!({"type": kind, "id": id})).collect();
        if !links.is_empty() {
            conditions.push(json!([name.as_str(), "in", links]));
        }
    }
    conditions
}

// === impl Found ===

impl Found {
    pub(super) fn load(&mut self, scope: Scope) {
        self.reload = Some(self.reload.map_or(scope, |other| other.and(scope)));
    }
}
