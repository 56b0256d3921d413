//! ftrack's tables that the mirror knows: what each is called, what is asked of it, and what a server may not have.

use parking_lot::RwLock;
use rustc_hash::{FxHashMap, FxHashSet};

use super::client::{Client, Failure};
use super::query::Query;

/// A table of ftrack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Table {
    User,
    ApiKey,
    Group,
    Membership,
    SecurityRole,
    UserSecurityRole,
    UserSecurityRoleProject,
    Project,
    Status,
    Type,
    ObjectType,
    Object,
    AssetVersion,
    Note,
    Timelog,
    List,
    ReviewSession,
}

/// Kinds that are read on first use.
pub(super) const LAZY: &[&str] = &["assetversion", "note", "timelog", "list", "review_session"];
/// What an event names where more than the object itself may have changed its project.
pub(super) const SUBTREE: &str = "object_subtree";
/// What an event names where it does not tell whose assignment changed.
pub(super) const APPOINTMENT: &str = "appointment";
/// What is asked of an assignment.
pub(super) const ASSIGNMENTS: &str = "id, type, context_id, resource_id";

// === impl Table ===

impl Table {
    /// The tables that are read whole.
    pub(super) const CORE: [Self; 11] = [
        Self::User,
        Self::ApiKey,
        Self::Group,
        Self::Membership,
        Self::SecurityRole,
        Self::UserSecurityRole,
        Self::UserSecurityRoleProject,
        Self::Project,
        Self::Status,
        Self::Type,
        Self::ObjectType,
    ];

    /// The table of a kind of the pack, or of a name that hints use.
    pub(super) fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "user" | "api_key" => Self::User,
            "group" => Self::Group,
            "membership" => Self::Membership,
            "security_role" => Self::SecurityRole,
            "user_security_role" => Self::UserSecurityRole,
            "user_security_role_project" => Self::UserSecurityRoleProject,
            "project" => Self::Project,
            "status" => Self::Status,
            "type" => Self::Type,
            "object_type" => Self::ObjectType,
            "object" | "task" | "shot" | "sequence" | "folder" | "assetbuild" | "episode" | "scene" | "milestone"
            | "image" | "information" => Self::Object,
            "assetversion" => Self::AssetVersion,
            "note" => Self::Note,
            "timelog" => Self::Timelog,
            "list" => Self::List,
            "review_session" => Self::ReviewSession,
            _ => return None,
        })
    }

    /// The table's name in the pack. API keys act like users and share their table.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::User | Self::ApiKey => "user",
            Self::Group => "group",
            Self::Membership => "membership",
            Self::SecurityRole => "security_role",
            Self::UserSecurityRole => "user_security_role",
            Self::UserSecurityRoleProject => "user_security_role_project",
            Self::Project => "project",
            Self::Status => "status",
            Self::Type => "type",
            Self::ObjectType => "object_type",
            Self::Object => "object",
            Self::AssetVersion => "assetversion",
            Self::Note => "note",
            Self::Timelog => "timelog",
            Self::List => "list",
            Self::ReviewSession => "review_session",
        }
    }

    /// What to select from which entity type: the first that the server knows. All but the first leave something out.
    fn questions(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::User => &[("id, username, first_name, last_name, email, is_active", "User")],
            Self::ApiKey => &[
                ("id, identifier, resource_id, enabled, roles.id, projects.id", "ApiKey"),
                ("id, identifier, resource_id, enabled, roles.id, projects.id", "AccessKey"),
                ("id, identifier, resource_id, enabled, roles, projects", "ApiKey"),
                ("id, identifier, resource_id, enabled", "ApiKey"),
                ("id, identifier, resource_id", "ApiKey"),
                ("id, identifier, resource_id", "AccessKey"),
            ],
            Self::Group => &[("id, name, parent_id", "Group")],
            Self::Membership => &[("id, user_id, group_id", "Membership")],
            Self::SecurityRole => &[("id, name, type", "SecurityRole")],
            Self::UserSecurityRole => &[("id, user_id, security_role_id, is_all_open_projects", "UserSecurityRole")],
            Self::UserSecurityRoleProject => &[("id, user_security_role_id, project_id", "UserSecurityRoleProject")],
            Self::Project => &[("id, name, full_name, status, is_private", "Project")],
            Self::Status => &[("id, name, is_active", "Status")],
            Self::Type => &[("id, name", "Type")],
            Self::ObjectType => &[("id, name", "ObjectType")],
            Self::Object => &[("id, name, project_id, parent_id, status_id, type_id", "TypedContext")],
            Self::AssetVersion => &[
                ("id, project_id, task_id, user_id, status_id", "AssetVersion"),
                ("id, asset.parent.project_id, task_id, user_id, status_id", "AssetVersion"),
            ],
            Self::Note => &[("id, user_id, parent_id, project_id", "Note"), ("id, user_id, parent_id", "Note")],
            Self::Timelog => &[("id, user_id, context_id", "Timelog")],
            Self::List => &[("id, name, user_id, project_id", "List")],
            Self::ReviewSession => &[("id, name, project_id", "ReviewSession")],
        }
    }

    /// Whether a server may be without it: nothing but what names it is then unknown.
    fn optional(self) -> bool {
        LAZY.contains(&self.kind()) || matches!(self, Self::ApiKey | Self::Type | Self::ObjectType)
    }
}

/// What this server was found to answer.
#[derive(Debug, Default)]
pub(super) struct Questions {
    found: RwLock<FxHashMap<Table, Option<(&'static str, &'static str)>>>,
    /// What was said of tables that are read in part or not at all.
    warned: RwLock<FxHashSet<Table>>,
}

// === impl Questions ===

impl Questions {
    /// A question for rows of the table, all or those for which `filter` holds; `None` where the server has no such table.
    pub(super) async fn query(
        &self,
        client: &Client,
        table: Table,
        filter: Option<&str>,
    ) -> Result<Option<Query>, Failure> {
        let Some((select, entity)) = self.found(client, table).await? else { return Ok(None) };
        Ok(Some(match filter {
            Some(filter) => Query::filtered(select, entity, filter),
            None => Query::all(select, entity),
        }))
    }

    /// The server may be another by now: find out anew.
    pub(super) fn forget(&self) {
        self.found.write().clear();
    }

    async fn found(&self, client: &Client, table: Table) -> Result<Option<(&'static str, &'static str)>, Failure> {
        let questions = table.questions();
        if let ([only], false) = (questions, table.optional()) {
            return Ok(Some(*only));
        }
        if let Some(found) = self.found.read().get(&table) {
            return Ok(*found);
        }
        let mut why = String::new();
        for (at, (select, entity)) in questions.iter().enumerate() {
            match client.ask(&[Query::all(select, entity).page(0, 1)]).await {
                Ok(_) => {
                    if at > 0 {
                        self.warn(table, &format!("only `{select}` of `{entity}` can be read: {why}"));
                    }
                    self.found.write().insert(table, Some((select, entity)));
                    return Ok(Some((select, entity)));
                }
                Err(Failure::Invalid(said)) if why.is_empty() => why = said,
                Err(Failure::Invalid(_)) => {}
                Err(Failure::Refused(said)) if table.optional() => {
                    why = said;
                    break;
                }
                Err(failure) => return Err(failure),
            }
        }
        if !table.optional() {
            return Err(Failure::Invalid(why));
        }
        self.warn(table, &format!("not read: {why}"));
        self.found.write().insert(table, None);
        Ok(None)
    }

    fn warn(&self, table: Table, what: &str) {
        if self.warned.write().insert(table) {
            let table = if table == Table::ApiKey { "API keys" } else { table.kind() };
            tracing::warn!(table, "{what}; what is not read counts as unknown");
        }
    }
}
