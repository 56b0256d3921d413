//! What an event of zou says to re-read. An event is never taken for data.

use serde_json::Value;

use super::table::{TASK_MENTIONS, Table};
use crate::model::id::{Id, ObjectRef};
use crate::tracker::Scope;

/// What to do about an event, or about many.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Hints {
    pub(super) objects: Vec<ObjectRef>,
    /// The event does not name all that changed: load this.
    pub(super) reload: Option<Scope>,
    /// The entity types changed, which decide what kind an entity is of.
    pub(super) types: bool,
}

/// Words in a table's name that let an event unknown to this version pass for one about permissions.
const TELLING: [&str; 8] = ["role", "permission", "team", "member", "group", "access", "person", "department"];

/// Reads an event.
pub(super) fn hints(event: &str, data: &Value) -> Hints {
    let Some((table, action)) = event.split_once(':') else { return Hints::default() };
    let written = matches!(action, "new" | "update" | "delete");
    let deleted = action == "delete";
    match table {
        "person" if written => one(data, Table::Person, "person_id", Scope::Core).and_reload(deleted, Scope::Core),
        // Everything that belonged to the project vanishes with it, most of it silently.
        "project" if written => one(data, Table::Project, "project_id", Scope::Core).and_reload(deleted, Scope::All),
        // Rows that named it lose their reference silently.
        "department" if written => small(data, Table::Department, "department_id", deleted),
        "studio" if written => small(data, Table::Studio, "studio_id", deleted),
        "task-type" if written => small(data, Table::TaskType, "task_type_id", deleted),
        "task-status" if written => small(data, Table::TaskStatus, "task_status_id", deleted),
        "project-status" if written => small(data, Table::ProjectStatus, "project_status_id", deleted),
        "metadata-descriptor" if written => one(data, Table::MetadataDescriptor, "metadata_descriptor_id", Scope::Core),
        "custom-action" if written => one(data, Table::CustomAction, "custom_action_id", Scope::Core),
        "asset-type" if written => Hints { types: true, ..small(data, Table::EntityType, "asset_type_id", deleted) },
        "entity-type" if written => Hints { types: true, ..small(data, Table::EntityType, "entity_type_id", deleted) },
        "task" if written || matches!(action, "assign" | "unassign" | "status-changed" | "to-review") => {
            one(data, Table::Task, "task_id", Scope::Large)
        }
        "asset" | "shot" | "sequence" | "episode" | "scene" | "edit" | "concept" | "entity" if written => {
            one(data, Table::Entity, &format!("{table}_id"), Scope::Large)
        }
        "concept-folder" if written => one(data, Table::Entity, "concept_folder_id", Scope::Large),
        // Read on first use: what is not held needs no reading, and there is nothing to reload.
        "comment" if written || matches!(action, "reply" | "delete-reply") => lazy(&[
            id(data, "comment_id").map(|id| ObjectRef { kind: Table::Comment.kind().into(), id }),
            id(data, "task_id").map(|id| ObjectRef { kind: TASK_MENTIONS.into(), id }),
        ]),
        "playlist" if written || action == "add_entity" => {
            lazy(&[id(data, "playlist_id").map(|id| ObjectRef { kind: Table::Playlist.kind().into(), id })])
        }
        _ if known(table) => Hints::default(),
        _ if written && TELLING.iter().any(|word| table.contains(word)) => {
            Hints::default().and_reload(true, Scope::Core)
        }
        _ => Hints::default(),
    }
}

/// Whether this is an id as zou writes them. Only such an id may become part of a URL.
pub(super) fn canonical(id: &Id) -> bool {
    let text = id.to_string();
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

// === impl Hints ===

impl Hints {
    fn and_reload(mut self, wanted: bool, scope: Scope) -> Self {
        if wanted {
            self.reload = Some(self.reload.map_or(scope, |other| other.and(scope)));
        }
        self
    }
}

fn one(data: &Value, table: Table, key: &str, without: Scope) -> Hints {
    match id(data, key) {
        Some(id) => Hints { objects: vec![ObjectRef { kind: table.kind().into(), id }], ..Hints::default() },
        None => Hints::default().and_reload(true, without),
    }
}

fn small(data: &Value, table: Table, key: &str, deleted: bool) -> Hints {
    one(data, table, key, Scope::Core).and_reload(deleted, Scope::Core)
}

fn lazy(objects: &[Option<ObjectRef>]) -> Hints {
    Hints { objects: objects.iter().flatten().cloned().collect(), ..Hints::default() }
}

fn id(data: &Value, key: &str) -> Option<Id> {
    let id = Id::from(data.get(key)?.as_str()?);
    canonical(&id).then_some(id)
}

/// Tables whose events say nothing about who may do what.
fn known(table: &str) -> bool {
    matches!(
        table,
        "person"
            | "project"
            | "department"
            | "project-template"
            | "schedule-item"
            | "milestone"
            | "chat"
            | "notification"
    )
}

#[cfg(test)]
mod tests;
