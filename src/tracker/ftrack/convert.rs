//! Turns ftrack's rows into changes of the mirror: only the fields that a decision can depend on.
//!
//! Unknown fields are ignored; a needed one that is missing or of another shape quarantines its row, and no other.

use rustc_hash::FxHashMap;
use serde_json::Value as Json;

use super::answer::Row;
use super::table::Table;
use crate::model::change::Change;
use crate::model::id::{Id, ObjectRef, Str};
use crate::model::record::Record;
use crate::model::value::Value;

/// Classes that are kinds of their own; an object of any other is of the kind `object`.
const KINDS: [&str; 10] =
    ["task", "shot", "sequence", "folder", "assetbuild", "episode", "scene", "milestone", "image", "information"];

/// The people and groups that objects are assigned to, by the object's id; or why that cannot be told.
pub(super) type Assigned = FxHashMap<String, Result<Vec<String>, String>>;

/// The object of a row, under its table; `None` where the row has no id.
pub(super) fn object(table: Table, row: &Row) -> Option<ObjectRef> {
    if table == Table::ObjectType {
        return text(row, "name").ok().map(|name| ObjectRef::new(table.kind(), &class(name)));
    }
    let id = row.get("id")?.as_str().filter(|id| !id.is_empty())?;
    Some(ObjectRef::new(table.kind(), id))
}

/// A row of a table; of an object of the hierarchy, with its assignments.
pub(super) fn row(table: Table, row: &Row, assigned: &Assigned) -> Change {
    match record(table, row, assigned) {
        Ok(record) => Change::Upsert(record),
        Err(problem) => {
            let nameless = || ObjectRef { kind: Str::from(table.kind()), id: Id::EMPTY };
            Change::Quarantine { object: object(table, row).unwrap_or_else(nameless), problem }
        }
    }
}

/// Who is assigned to what, as rows of appointments tell.
pub(super) fn assigned(rows: &[Row]) -> Assigned {
    let mut assigned = Assigned::default();
    for row in rows {
        let Ok(context) = text(row, "context_id") else {
            tracing::debug!("an assignment to nothing is left out");
            continue;
        };
        let all = assigned.entry(context.to_owned()).or_insert_with(|| Ok(Vec::new()));
        match (assignee(row), all) {
            (Ok(Some(resource)), Ok(all)) => all.push(resource.to_owned()),
            (Ok(None), _) | (Ok(Some(_)), Err(_)) => {}
            (Err(problem), all) => *all = Err(format!("in an assignment: {problem}")),
        }
    }
    for resources in assigned.values_mut().flatten() {
        resources.sort_unstable();
        resources.dedup();
    }
    assigned
}

/// Whom an appointment assigns. A server that passes over the filter sends allocations too, which assign nobody.
fn assignee(row: &Row) -> Result<Option<&str>, String> {
    match text(row, "type")? {
        "assignment" => optional(row, "resource_id"),
        _ => Ok(None),
    }
}

/// An entity type as the pack writes it.
pub(super) fn class(name: &str) -> String {
    name.chars().filter(|character| !character.is_whitespace()).flat_map(char::to_lowercase).collect()
}

fn record(table: Table, row: &Row, assigned: &Assigned) -> Result<Record, String> {
    let record = Record::new(table.kind(), text(row, "id")?);
    Ok(match table {
        Table::User => user(record, row)?,
        Table::ApiKey => api_key(record, row)?,
        Table::Group => record.named(text(row, "name")?).with("parent_id", optional(row, "parent_id")?),
        Table::Membership => with_text(with_text(record, row, "user_id")?, row, "group_id")?,
        Table::SecurityRole => with_text(record.named(text(row, "name")?), row, "type")?,
        Table::UserSecurityRole => with_text(with_text(record, row, "user_id")?, row, "security_role_id")?
            .with("is_all_open_projects", flag(row, "is_all_open_projects")?),
        Table::UserSecurityRoleProject => {
            with_text(record.in_project(text(row, "project_id")?), row, "user_security_role_id")?
        }
        Table::Project => {
            let full = optional(row, "full_name")?.filter(|name| !name.is_empty());
            record
                .named(full.map_or_else(|| text(row, "name"), Ok)?)
                .with("status", Value::text(text(row, "status")?))
                .with("is_private", flag(row, "is_private")?)
        }
        Table::Status => record.named(text(row, "name")?).with("is_active", flag(row, "is_active")?),
        Table::Type => record.named(text(row, "name")?),
        Table::ObjectType => {
            let name = text(row, "name")?;
            Record::new(table.kind(), &class(name)).named(name)
        }
        Table::Object => typed_context(record, row, assigned)?,
        Table::AssetVersion => record
            .in_project(version_project(row)?)
            .with("task_id", optional(row, "task_id")?)
            .with("user_id", optional(row, "user_id")?)
            .with("status_id", optional(row, "status_id")?),
        Table::Note => {
            let record =
                record.with("user_id", optional(row, "user_id")?).with("parent_id", optional(row, "parent_id")?);
            match row.get("project_id") {
                None | Some(Json::Null) => record,
                Some(_) => record.in_project(text(row, "project_id")?),
            }
        }
        Table::Timelog => {
            record.with("user_id", optional(row, "user_id")?).with("context_id", optional(row, "context_id")?)
        }
        Table::List => record
            .in_project(text(row, "project_id")?)
            .named(optional(row, "name")?.unwrap_or_default())
            .with("user_id", optional(row, "user_id")?),
        Table::ReviewSession => {
            record.in_project(text(row, "project_id")?).named(optional(row, "name")?.unwrap_or_default())
        }
    })
}

fn user(record: Record, row: &Row) -> Result<Record, String> {
    let part = |name| optional(row, name).map(Option::unwrap_or_default);
    let username = optional(row, "username")?;
    let full = format!("{} {}", part("first_name")?, part("last_name")?);
    let name = Some(full.trim()).filter(|name| !name.is_empty()).or(username).unwrap_or_default();
    Ok(record
        .named(name)
        .with("username", username)
        .with("email", optional(row, "email")?)
        .with("is_active", flag(row, "is_active")?)
        .with("resource_id", Value::Null)
        .with("roles", Value::List(Vec::new()))
        .with("projects", Value::List(Vec::new())))
}

/// What the server does not tell of a key stays unknown.
fn api_key(mut record: Record, row: &Row) -> Result<Record, String> {
    record.kind = Str::const_new("api_key");
    record = record.named(told(row, "identifier")?.flatten().unwrap_or_default());
    record = record.with("username", Value::Null).with("email", Value::Null);
    if row.contains_key("enabled") {
        record = record.with("is_active", flag(row, "enabled")?);
    }
    if let Some(resource) = told(row, "resource_id")? {
        record = record.with("resource_id", resource);
    }
    for name in ["roles", "projects"] {
        if let Some(ids) = row.get(name) {
            record = record.with(name, Value::texts(relation(name, ids)?));
        }
    }
    Ok(record)
}

fn typed_context(mut record: Record, row: &Row, assigned: &Assigned) -> Result<Record, String> {
    let project = text(row, "project_id")?;
    let class = class(text(row, "__entity_type__")?);
    let kind = KINDS.iter().find(|kind| **kind == class);
    record.kind = kind.map_or(Str::const_new("object"), |kind| Str::const_new(kind));
    let parent = optional(row, "parent_id")?.filter(|parent| *parent != project);
    let assignees = match assigned.get(text(row, "id")?) {
        Some(Ok(resources)) => Value::texts(resources.iter().map(String::as_str)),
        Some(Err(problem)) => return Err(problem.clone()),
        None => Value::List(Vec::new()),
    };
    Ok(record
        .in_project(project)
        .named(optional(row, "name")?.unwrap_or_default())
        .with("class", kind.is_none().then_some(class.as_str()))
        .with("parent_id", parent)
        .with("status_id", optional(row, "status_id")?)
        .with("type_id", optional(row, "type_id")?)
        .with("assignees", assignees.clone())
        .with("group_assignees", assignees))
}

/// Older servers tell the project of a version only by the way of its asset.
fn version_project(row: &Row) -> Result<&str, String> {
    if row.contains_key("project_id") {
        return text(row, "project_id");
    }
    let found = row.get("asset").and_then(|asset| asset.get("parent")?.get("project_id")?.as_str());
    found.filter(|id| !id.is_empty()).ok_or_else(|| "it has no project_id, nor has the parent of its asset".into())
}

// === fields of a row ===

fn with_text(record: Record, row: &Row, name: &str) -> Result<Record, String> {
    Ok(record.with(name, Value::text(text(row, name)?)))
}

fn text<'a>(row: &'a Row, name: &str) -> Result<&'a str, String> {
    let text = row.get(name).ok_or_else(|| format!("it has no {name}"))?.as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("its {name} is empty or no text"))
}

fn optional<'a>(row: &'a Row, name: &str) -> Result<Option<&'a str>, String> {
    told(row, name)?.ok_or_else(|| format!("it has no {name}"))
}

/// `None`: the server did not tell.
fn told<'a>(row: &'a Row, name: &str) -> Result<Option<Option<&'a str>>, String> {
    match row.get(name) {
        None => Ok(None),
        Some(Json::Null) => Ok(Some(None)),
        Some(Json::String(text)) => Ok(Some(Some(text))),
        Some(_) => Err(format!("its {name} is neither a text nor null")),
    }
}

fn flag(row: &Row, name: &str) -> Result<bool, String> {
    let flag = row.get(name).ok_or_else(|| format!("it has no {name}"))?;
    flag.as_bool().ok_or_else(|| format!("its {name} is neither true nor false"))
}

fn relation<'a>(name: &str, items: &'a Json) -> Result<Vec<&'a str>, String> {
    let items = items.as_array().ok_or_else(|| format!("its {name} are not a list"))?;
    let ids: Option<Vec<&str>> = items.iter().map(|item| item.as_str().or_else(|| item.get("id")?.as_str())).collect();
    ids.ok_or_else(|| format!("its {name} do not all have ids"))
}

#[cfg(test)]
mod tests;
