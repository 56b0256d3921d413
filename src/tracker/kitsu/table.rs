//! zou's tables that the mirror knows: what each is called and where it is read.

/// A table of zou.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Table {
    Person,
    Project,
    ProjectStatus,
    Department,
    Studio,
    TaskType,
    TaskStatus,
    EntityType,
    CustomAction,
    Entity,
    Task,
    MetadataDescriptor,
    Comment,
    Playlist,
}

/// The table name under which the pack files the mentions of a task. zou has no such table.
pub(super) const TASK_MENTIONS: &str = "task_mentions";
/// Kinds that are read on first use.
pub(super) const LAZY: &[&str] = &["comment", "playlist", TASK_MENTIONS];

// === impl Table ===

impl Table {
    /// The tables that are loaded as pages of rows; projects are read one by one, with their teams.
    pub(super) const CORE: [Self; 9] = [
        Self::Person,
        Self::ProjectStatus,
        Self::Department,
        Self::Studio,
        Self::TaskType,
        Self::TaskStatus,
        Self::EntityType,
        Self::CustomAction,
        Self::MetadataDescriptor,
    ];
    /// The tables that grow with the work done.
    pub(super) const LARGE: [Self; 2] = [Self::Entity, Self::Task];

    /// The table of a kind of the pack.
    pub(super) fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "person" => Self::Person,
            "project" => Self::Project,
            "project_status" => Self::ProjectStatus,
            "department" => Self::Department,
            "studio" => Self::Studio,
            "task_type" => Self::TaskType,
            "task_status" => Self::TaskStatus,
            "entity_type" => Self::EntityType,
            "custom_action" => Self::CustomAction,
            "entity" | "asset" | "shot" | "sequence" | "episode" | "scene" | "edit" | "concept" => Self::Entity,
            "task" => Self::Task,
            "metadata_descriptor" => Self::MetadataDescriptor,
            "comment" => Self::Comment,
            "playlist" => Self::Playlist,
            _ => return None,
        })
    }

    /// The table's name in the pack, which is its kind where it has one only.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Project => "project",
            Self::ProjectStatus => "project_status",
            Self::Department => "department",
            Self::Studio => "studio",
            Self::TaskType => "task_type",
            Self::TaskStatus => "task_status",
            Self::EntityType => "entity_type",
            Self::CustomAction => "custom_action",
            Self::Entity => "entity",
            Self::Task => "task",
            Self::MetadataDescriptor => "metadata_descriptor",
            Self::Comment => "comment",
            Self::Playlist => "playlist",
        }
    }

    /// Where its rows are.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Person => "/data/persons",
            Self::Project => "/data/projects",
            Self::ProjectStatus => "/data/project-status",
            Self::Department => "/data/departments",
            Self::Studio => "/data/studios",
            Self::TaskType => "/data/task-types",
            Self::TaskStatus => "/data/task-status",
            Self::EntityType => "/data/entity-types",
            Self::CustomAction => "/data/custom-actions",
            Self::Entity => "/data/entities",
            Self::Task => "/data/tasks",
            Self::MetadataDescriptor => "/data/metadata-descriptors",
            Self::Comment => "/data/comments",
            Self::Playlist => "/data/playlists",
        }
    }

    /// The fields to ask for: those that `convert` reads.
    pub(super) fn fields(self) -> &'static str {
        match self {
            Self::Person => {
                "id,first_name,last_name,active,is_bot,role,email,desktop_login,departments,studio_id,preview_project_id"
            }
            Self::Project
            | Self::ProjectStatus
            | Self::Department
            | Self::Studio
            | Self::EntityType
            | Self::CustomAction => "id,name",
            Self::TaskType => "id,name,department_id",
            Self::TaskStatus => "id,name,short_name,is_artist_allowed,is_client_allowed",
            Self::Entity => "id,name,project_id,entity_type_id,created_by",
            Self::Task => "id,project_id,entity_id,task_type_id,task_status_id,assignees",
            Self::MetadataDescriptor => "id,name,project_id,entity_type,field_name,departments",
            Self::Comment => "id,object_id,person_id,for_client,task_status_id",
            Self::Playlist => "id,name,project_id,for_client,created_by",
        }
    }

    /// Whether a needed field is a list of other rows, which zou gives only when asked for.
    pub(super) fn relations(self) -> bool {
        matches!(self, Self::Person | Self::Task | Self::MetadataDescriptor)
    }
}
