//! The entity types that are mirrored: what the policy was compiled to says which, and which of their fields.

use crate::model::id::Str;
use crate::model::schema::Schema;

/// The kind of the records that say which fields a type has.
pub(super) const ENTITY_TYPE: &str = "entity_type";
/// The field that says to which project a row belongs.
pub(super) const PROJECT: &str = "project";

/// An entity type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// The mirror's name of it.
    pub(super) kind: Str,
    /// Flow's own.
    pub(super) name: Str,
    /// The fields that a decision can depend on.
    pub(super) fields: Vec<Str>,
    /// Its rows are mirrored, not only its name.
    pub(super) rows: bool,
}

/// All entity types that the mirror knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tables(Vec<Table>);

// === impl Tables ===

impl Tables {
    pub(super) fn of(schema: &Schema) -> Self {
        let named = schema.kinds.iter().filter(|kind| !kind.type_name.is_empty() && kind.type_name != "*");
        let table = named.map(|kind| Table {
            kind: kind.name.clone(),
            name: kind.type_name.clone(),
            fields: kind.fields.iter().map(|field| field.name.clone()).collect(),
            rows: !kind.rowless,
        });
        Self(table.collect())
    }

    pub(super) fn all(&self) -> &[Table] {
        &self.0
    }

    /// Those whose rows are mirrored.
    pub(super) fn with_rows(&self) -> impl Iterator<Item = &Table> {
        self.0.iter().filter(|table| table.rows)
    }

    /// The type of the mirror's kind, if its rows are mirrored.
    pub(super) fn of_kind(&self, kind: &str) -> Option<&Table> {
        self.with_rows().find(|table| table.kind == kind)
    }

    /// The type by Flow's own name.
    pub(super) fn of_type(&self, name: &str) -> Option<&Table> {
        self.0.iter().find(|table| table.name == name)
    }
}
