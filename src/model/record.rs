//! One row of the mirror, as a connector hands it over: only the fields that a decision can depend on.

use super::id::{Id, ObjectRef, Str};
use super::value::Value;

/// A person, project, task or other object.
///
/// Field names are the tracker's own; the schema of the pack says which exist and which refer to other objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The kind as the API names it ("task", "shot", "person").
    pub kind: Str,
    pub id: Id,
    /// The project it belongs to; `None` for what belongs to the whole site.
    pub project: Option<Id>,
    /// In the tracker's trash: it can be brought back, and until then links to it lead nowhere.
    pub trashed: bool,
    /// The display name, where the tracker gives one.
    pub name: Str,
    pub fields: Vec<(Str, Value)>,
}

/// A person's place in a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub person: Id,
    /// The role in this project, of the pack's own; `None` where the site-wide role applies.
    pub role: Option<Str>,
    /// The roles in this project that are records of their own, by id.
    pub roles: Vec<Id>,
    /// The rights given to this person alone.
    pub rights: Vec<Str>,
}

impl Member {
    /// A member with one of the pack's own roles, or with the site-wide one.
    pub fn new(person: Id, role: Option<Str>) -> Self {
        Self { person, role, roles: Vec::new(), rights: Vec::new() }
    }
}

impl Record {
    /// A record without fields.
    pub fn new(kind: &str, id: &str) -> Self {
        Self {
            kind: Str::from(kind),
            id: Id::from(id),
            project: None,
            trashed: false,
            name: Str::default(),
            fields: Vec::new(),
        }
    }

    /// The same record with its display name set.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Str::from(name);
        self
    }

    /// The same record placed in a project.
    #[must_use]
    pub fn in_project(mut self, project: &str) -> Self {
        self.project = Some(Id::from(project));
        self
    }

    /// The same record with one more field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.push((Str::from(field), value.into()));
        self
    }

    /// The same record, in the trash.
    #[must_use]
    pub fn in_trash(mut self) -> Self {
        self.trashed = true;
        self
    }

    /// The object that this record describes.
    pub fn object(&self) -> ObjectRef {
        ObjectRef { kind: self.kind.clone(), id: self.id.clone() }
    }

    /// A field's value; `None` where the record has no such field.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }
}
