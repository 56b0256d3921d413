//! Turns zou's rows into changes of the mirror: only the fields that a decision can depend on.
//!
//! Unknown fields are ignored; a needed one that is missing or of another shape quarantines its row, and no other.

use rustc_hash::FxHashMap;
use serde_json::{Map, Value as Json};

use super::table::Table;
use crate::model::change::Change;
use crate::model::id::{Id, ObjectRef, Str};
use crate::model::record::{Member, Record};
use crate::model::value::Value;

/// The kind of entity for each entity type, by the type's id.
pub(super) type Types = FxHashMap<Id, Str>;

/// Every role that zou 1.0.97 knows. Another would mean rules that this pack does not have.
const ROLES: [&str; 6] = ["admin", "manager", "supervisor", "user", "client", "vendor"];
/// Entity types that are kinds of their own; every other is a type of asset.
const ENTITY_KINDS: [&str; 6] = ["Shot", "Sequence", "Episode", "Scene", "Edit", "Concept"];

/// The object of a row; `None` where the row has no id.
pub(super) fn object(table: Table, row: &Json) -> Option<ObjectRef> {
    let id = row.get("id")?.as_str().filter(|id| !id.is_empty())?;
    Some(ObjectRef::new(table.kind(), id))
}

/// A row of a table. `types` is looked at for entities only.
pub(super) fn row(table: Table, row: &Json, types: &Types) -> Change {
    let object = object(table, row).unwrap_or(ObjectRef { kind: Str::from(table.kind()), id: Id::EMPTY });
    match Row::new(row).and_then(|row| fields(table, &row, types)) {
        Ok(Some(record)) => Change::Upsert(record),
        Ok(None) => Change::Remove(object),
        Err(problem) => Change::Quarantine { object, problem },
    }
}

/// A project and its team, from `/data/projects/P` and `/data/projects/P/team`.
pub(super) fn project(project: &Json, team: &Json) -> Vec<Change> {
    let object = object(Table::Project, project).unwrap_or(ObjectRef::new("project", ""));
    let record = Row::new(project).and_then(|row| project_record(&row));
    match record.and_then(|record| members(team).map(|members| (record, members))) {
        Ok((record, members)) => vec![Change::Upsert(record), Change::Team { project: object.id, members }],
        Err(problem) => vec![Change::Quarantine { object, problem }],
    }
}

/// Who is mentioned in any comment or reply of a task, from `/data/tasks/T/comments`.
pub(super) fn task_mentions(task: &str, comments: &Json) -> Change {
    let object = ObjectRef::new("task_mentions", task);
    match mentions(comments) {
        Ok((people, departments)) => Change::Upsert(
            Record::new("task_mentions", task)
                .with("mentions", list(&people))
                .with("department_mentions", list(&departments)),
        ),
        Err(problem) => Change::Quarantine { object, problem },
    }
}

/// The kind of an entity type's entities, by the type's name.
pub(super) fn entity_kind(type_name: &str) -> Str {
    let own = ENTITY_KINDS.iter().find(|name| **name == type_name);
    own.map_or(Str::const_new("asset"), |name| Str::from(name.to_ascii_lowercase()))
}

/// `None`: the row stands for nothing that the mirror has.
fn fields(table: Table, row: &Row<'_>, types: &Types) -> Result<Option<Record>, String> {
    let record = Record::new(table.kind(), row.text("id")?);
    Ok(Some(match table {
        Table::Person => return person(row),
        Table::Project => project_record(row)?,
        Table::ProjectStatus => {
            let name = row.text("name")?;
            record.named(name).with("name", Value::text(name))
        }
        Table::Department | Table::Studio | Table::EntityType | Table::CustomAction => record.named(row.text("name")?),
        Table::TaskType => record.named(row.text("name")?).with("department_id", row.optional("department_id")?),
        Table::TaskStatus => record
            .named(row.text("name")?)
            .with("short_name", row.optional("short_name")?)
            .with("is_artist_allowed", row.flag("is_artist_allowed")?)
            .with("is_client_allowed", row.flag("is_client_allowed")?),
        Table::Entity => {
            let kind = types.get(&Id::from(row.text("entity_type_id")?));
            let mut record = in_project(record, row)?.named(row.optional("name")?.unwrap_or_default());
            record.kind = kind.ok_or("its entity_type_id names a type that zou does not list")?.clone();
            record.with("created_by", row.optional("created_by")?)
        }
        Table::Task => in_project(record, row)?
            .with("entity_id", row.optional("entity_id")?)
            .with("task_type_id", row.optional("task_type_id")?)
            .with("task_status_id", row.optional("task_status_id")?)
            .with("assignees", list(&row.ids("assignees")?)),
        Table::MetadataDescriptor => in_project(record, row)?
            .named(row.text("name")?)
            .with("entity_type", row.optional("entity_type")?)
            .with("field_name", row.optional("field_name")?)
            .with("departments", list(&row.ids("departments")?)),
        Table::Comment => record
            .with("object_id", Value::text(row.text("object_id")?))
            .with("person_id", row.optional("person_id")?)
            .with("for_client", row.optional_flag("for_client")?.unwrap_or(false))
            .with("task_status_id", row.optional("task_status_id")?),
        Table::Playlist => in_project(record, row)?
            .named(row.optional("name")?.unwrap_or_default())
            .with("for_client", row.optional_flag("for_client")?.unwrap_or(false))
            .with("created_by", row.optional("created_by")?),
    }))
}

fn person(row: &Row<'_>) -> Result<Option<Record>, String> {
    // Preview accounts may only look, and only at one project: no rule of the pack knows them, so nobody is mirrored.
    if row.map.get("preview_project_id").is_some_and(|project| !project.is_null()) {
        return Ok(None);
    }
    let (first, last) =
        (row.optional("first_name")?.unwrap_or_default(), row.optional("last_name")?.unwrap_or_default());
    let name = format!("{first} {last}");
    let record = Record::new("person", row.text("id")?)
        .named(name.trim())
        .with("active", row.flag("active")?)
        .with("is_bot", row.flag("is_bot")?)
        .with("role", Value::text(role(row.text("role")?)?))
        .with("email", row.optional("email")?)
        .with("desktop_login", row.optional("desktop_login")?)
        .with("departments", list(&row.ids("departments")?))
        .with("studio_id", row.optional("studio_id")?);
    Ok(Some(record))
}

fn project_record(row: &Row<'_>) -> Result<Record, String> {
    let (mut allowed, mut denied) = (Vec::new(), Vec::new());
    let links = row.field("task_statuses_link")?.as_object().ok_or("its task_statuses_link is not an object")?;
    for (status, link) in links {
        // Absent before zou had it, null where the studio's own flag holds.
        match link.get("is_client_allowed") {
            None | Some(Json::Null) => {}
            Some(Json::Bool(true)) => allowed.push(status.as_str()),
            Some(Json::Bool(false)) => denied.push(status.as_str()),
            Some(_) => return Err("an is_client_allowed of its task_statuses_link is not true, false or null".into()),
        }
    }
    Ok(Record::new("project", row.text("id")?)
        .named(row.text("name")?)
        .with("project_status_id", row.optional("project_status_id")?)
        .with("is_clients_isolated", row.optional_flag("is_clients_isolated")?.unwrap_or(false))
        .with("is_bot_collaboration_enabled", row.optional_flag("is_bot_collaboration_enabled")?.unwrap_or(false))
        .with("client_allowed_statuses", list(&allowed))
        .with("client_denied_statuses", list(&denied)))
}

fn members(team: &Json) -> Result<Vec<Member>, String> {
    let rows = team.as_array().ok_or("its team is not a list")?;
    let mut members = Vec::with_capacity(rows.len());
    for row in rows {
        let row = Row::new(row).map_err(|problem| format!("in its team: {problem}"))?;
        if row.map.get("preview_project_id").is_some_and(|project| !project.is_null()) {
            continue;
        }
        let in_team = |problem| format!("in its team: {problem}");
        let person = Id::from(row.text("id").map_err(in_team)?);
        // "admin" in this place is ignored by zou: admin is a site-wide role only.
        let role = match row.optional("project_role").map_err(in_team)? {
            None | Some("admin") => None,
            Some(name) => Some(Str::from(role(name).map_err(in_team)?)),
        };
        members.push(Member::new(person, role));
    }
    Ok(members)
}

fn mentions(comments: &Json) -> Result<(Vec<&str>, Vec<&str>), String> {
    let (mut people, mut departments) = (Vec::new(), Vec::new());
    for comment in comments.as_array().ok_or("its comments are not a list")? {
        let comment = Row::new(comment)?;
        let replies = match comment.map.get("replies") {
            None | Some(Json::Null) => &[],
            Some(Json::Array(replies)) => replies.as_slice(),
            Some(_) => return Err("the replies of a comment are not a list".into()),
        };
        people.append(&mut comment.ids("mentions")?);
        departments.append(&mut comment.ids("department_mentions")?);
        for reply in replies {
            // Replies written before zou knew mentions have none.
            let reply = Row::new(reply)?;
            people.append(&mut reply.optional_ids("mentions")?);
            departments.append(&mut reply.optional_ids("department_mentions")?);
        }
    }
    for ids in [&mut people, &mut departments] {
        ids.sort_unstable();
        ids.dedup();
    }
    Ok((people, departments))
}

fn in_project(record: Record, row: &Row<'_>) -> Result<Record, String> {
    Ok(record.in_project(row.text("project_id")?))
}

fn role(name: &str) -> Result<&str, String> {
    if ROLES.contains(&name) {
        return Ok(name);
    }
    Err(format!(
        "the role `{}` is not one that this version of stagedoor knows",
        name.chars().take(40).collect::<String>()
    ))
}

fn list(ids: &[&str]) -> Value {
    Value::texts(ids.iter().copied())
}

/// A row as zou sent it; every reader says what is wrong in words.
struct Row<'a> {
    map: &'a Map<String, Json>,
}

// === impl Row ===

impl<'a> Row<'a> {
    fn new(row: &'a Json) -> Result<Self, String> {
        row.as_object().map(|map| Self { map }).ok_or_else(|| "it is not an object".into())
    }

    fn field(&self, name: &str) -> Result<&'a Json, String> {
        self.map.get(name).ok_or_else(|| format!("it has no {name}"))
    }

    fn text(&self, name: &str) -> Result<&'a str, String> {
        let text = self.field(name)?.as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| format!("its {name} is empty or no text"))
    }

    fn optional(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.field(name)? {
            Json::Null => Ok(None),
            Json::String(text) => Ok(Some(text)),
            _ => Err(format!("its {name} is neither a text nor null")),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        self.field(name)?.as_bool().ok_or_else(|| format!("its {name} is neither true nor false"))
    }

    fn optional_flag(&self, name: &str) -> Result<Option<bool>, String> {
        if self.field(name)?.is_null() {
            return Ok(None);
        }
        self.flag(name).map(Some)
    }

    fn ids(&self, name: &str) -> Result<Vec<&'a str>, String> {
        let items = self.field(name)?.as_array().ok_or_else(|| format!("its {name} are not a list"))?;
        let ids: Option<Vec<&str>> = items.iter().map(Json::as_str).collect();
        ids.ok_or_else(|| format!("its {name} are not all ids"))
    }

    fn optional_ids(&self, name: &str) -> Result<Vec<&'a str>, String> {
        if self.map.get(name).is_none_or(Json::is_null) {
            return Ok(Vec::new());
        }
        self.ids(name)
    }
}

#[cfg(test)]
mod tests;
