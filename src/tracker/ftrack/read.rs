//! Reads single objects as they are now, as many as possible in one request.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;
use serde_json::Value as Json;

use super::Shared;
use super::answer::Row;
use super::client::Failure;
use super::convert::{self, Assigned};
use super::load;
use super::pages;
use super::query::{IDS, Query, is_id, text, within};
use super::table::{APPOINTMENT, SUBTREE, Table};
use crate::model::change::Change;
use crate::model::id::ObjectRef;
use crate::tracker::Scope;

/// How many objects below one that moved are re-read one by one. Beyond that all objects are loaded.
const MOST_BELOW: usize = 20_000;

/// The ids that are asked for, by table.
type Asked = BTreeMap<Table, BTreeSet<String>>;

/// The objects as they are now.
pub(super) async fn objects(shared: &Shared, objects: &[ObjectRef]) -> Result<Vec<Change>, Failure> {
    let (mut asked, mut roots, mut appointments) = (Asked::new(), BTreeSet::new(), BTreeSet::new());
    let mut changes = Vec::new();
    for object in objects {
        match (Table::of_kind(&object.kind), text(&object.id)) {
            // Its ids are names without blanks, and no part of a question.
            (Some(Table::ObjectType), _) => {
                asked.entry(Table::ObjectType).or_default().insert(object.id.to_string());
            }
            (Some(table), Some(id)) => drop(asked.entry(table).or_default().insert(id)),
            (None, Some(id)) if object.kind == SUBTREE => drop(roots.insert(id)),
            (None, Some(id)) if object.kind == APPOINTMENT => drop(appointments.insert(id)),
            // What ftrack would never name is not there.
            _ => changes.push(Change::Remove(object.clone())),
        }
    }
    let below = below(shared, roots).await?;
    let of = contexts(shared, appointments).await?;
    if !below.is_empty() || !of.is_empty() {
        let objects = asked.entry(Table::Object).or_default();
        objects.extend(below);
        objects.extend(of);
    }
    changes.append(&mut tables(shared, asked).await?);
    Ok(changes)
}

async fn tables(shared: &Shared, asked: Asked) -> Result<Vec<Change>, Failure> {
    let (mut queries, mut answers_to) = (Vec::new(), Vec::new());
    for (table, ids) in &asked {
        for (table, filter) in questions(*table, ids) {
            if let Some(query) = shared.questions.query(&shared.client, table, filter.as_deref()).await? {
                queries.push(query);
                answers_to.push(Some(table));
            }
        }
        if *table == Table::Object {
            for ids in chunks(ids) {
                queries.push(load::assignments(&ids));
                answers_to.push(None);
            }
        }
    }
    let (mut rows, mut appointments): (Vec<(Table, Row)>, Vec<Row>) = (Vec::new(), Vec::new());
    for (table, found) in answers_to.into_iter().zip(pages::whole(&shared.client, queries).await?) {
        match table {
            Some(table) => rows.extend(found.into_iter().map(|row| (table, row))),
            None => appointments.extend(found),
        }
    }
    let assigned = convert::assigned(&appointments);
    Ok(compare(shared, asked, &rows, &assigned))
}

/// What to ask for these ids of a table, which may be two of ftrack's.
fn questions(table: Table, ids: &BTreeSet<String>) -> Vec<(Table, Option<String>)> {
    let filters = |table: Table| {
        let filters = chunks(ids).map(move |ids| (table, Some(within("id", ids))));
        filters.collect::<Vec<_>>()
    };
    match table {
        Table::ObjectType => vec![(table, None)],
        // With what people are in and hold: such rows may appear without any event.
        Table::User => {
            let of = |table: Table, attribute: &'static str| {
                chunks(ids).map(|ids| (table, Some(within(attribute, ids)))).collect::<Vec<_>>()
            };
            let held = [of(Table::Membership, "user_id"), of(Table::UserSecurityRole, "user_id")].concat();
            let granted = of(Table::UserSecurityRoleProject, "user_security_role.user_id");
            [filters(Table::User), filters(Table::ApiKey), held, granted].concat()
        }
        table => filters(table),
    }
}

/// What was found of what was asked for; the rest is not known any more.
fn compare(shared: &Shared, asked: Asked, rows: &[(Table, Row)], assigned: &Assigned) -> Vec<Change> {
    let mut changes = Vec::new();
    let people = asked.get(&Table::User).cloned().unwrap_or_default();
    let mut held: BTreeSet<&str> = BTreeSet::new();
    let mut left: BTreeMap<&str, BTreeSet<String>> =
        asked.into_iter().map(|(table, ids)| (table.kind(), ids)).collect();
    for (table, row) in rows {
        // A server that did not know the filter would send the whole table: take only what was asked for.
        let Some(object) = convert::object(*table, row) else { continue };
        let names = |attribute: &str| row.get(attribute).and_then(Json::as_str).unwrap_or_default();
        let is_held = match table {
            Table::Membership | Table::UserSecurityRole => people.contains(names("user_id")),
            Table::UserSecurityRoleProject => held.contains(names("user_security_role_id")),
            _ => false,
        };
        if is_held && *table == Table::UserSecurityRole {
            held.insert(names("id"));
        }
        if left.get_mut(table.kind()).is_some_and(|ids| ids.remove(&object.id.to_string())) || is_held {
            if *table == Table::Project && shared.sight.found(&object.id) {
                // What is in it has announced nothing.
                shared.looks.owe(Scope::Large);
            }
            changes.push(convert::row(*table, row, assigned));
        }
    }
    for (kind, ids) in left {
        for id in ids {
            let object = ObjectRef::new(kind, &id);
            if kind == Table::Project.kind() {
                shared.sight.missed(&object.id);
            }
            changes.push(Change::Remove(object));
        }
    }
    changes
}

/// All objects below these, level by level.
async fn below(shared: &Shared, roots: BTreeSet<String>) -> Result<FxHashSet<String>, Failure> {
    let mut found = FxHashSet::default();
    let mut level = roots;
    while !level.is_empty() {
        let queries = chunks(&level).map(|ids| Query::filtered("id", "TypedContext", &within("parent_id", ids)));
        let rows = pages::whole(&shared.client, queries.collect()).await?;
        let ids = rows.iter().flatten().filter_map(|row| row.get("id")?.as_str()).filter(|id| is_id(id));
        level = ids.filter(|id| found.insert((*id).to_owned())).map(str::to_owned).collect();
        if found.len() > MOST_BELOW {
            tracing::info!(objects = found.len(), "a large part of the hierarchy moved: all objects are loaded");
            shared.looks.owe(Scope::Large);
            return Ok(FxHashSet::default());
        }
    }
    Ok(found)
}

/// What these assignments are of, where they still are.
async fn contexts(shared: &Shared, appointments: BTreeSet<String>) -> Result<Vec<String>, Failure> {
    let queries = chunks(&appointments).map(|ids| Query::filtered("id, context_id", "Appointment", &within("id", ids)));
    let rows = pages::whole(&shared.client, queries.collect()).await?;
    let contexts = rows.iter().flatten().filter_map(|row| row.get("context_id")?.as_str());
    Ok(contexts.filter(|id| is_id(id)).map(str::to_owned).collect())
}

fn chunks(ids: &BTreeSet<String>) -> impl Iterator<Item = Vec<&str>> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let chunks: Vec<Vec<&str>> = ids.chunks(IDS).map(<[&str]>::to_vec).collect();
    chunks.into_iter()
}
