//! A question to Flow's `_search`: which rows of a type, and what of them.

use serde_json::{Value as Json, json};

/// The most rows that a page may have.
pub(super) const MOST_ROWS: u32 = 5000;

/// One page of rows.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    kind: &'a str,
    fields: Vec<&'a str>,
    conditions: Vec<Json>,
    sort: &'a str,
    size: u32,
    retired: bool,
}

// === impl Search ===

impl<'a> Search<'a> {
    /// The first rows of a type by id, each with these fields: those that are not in the trash.
    pub(super) fn of(kind: &'a str, fields: impl IntoIterator<Item = &'a str>) -> Self {
        let fields = fields.into_iter().collect();
        Self { kind, fields, conditions: Vec::new(), sort: "id", size: MOST_ROWS, retired: false }
    }

    /// Only rows for which this holds. A link is `{"type": ..., "id": ...}`: Flow takes no bare ids.
    #[must_use]
    pub(super) fn with(mut self, path: &str, relation: &str, value: impl Into<Json>) -> Self {
        self.conditions.push(json!([path, relation, value.into()]));
        self
    }

    /// Only rows for which one of these holds, each `[path, relation, value]`.
    #[must_use]
    pub(super) fn with_any(mut self, conditions: Vec<Json>) -> Self {
        self.conditions.push(json!({"logical_operator": "or", "conditions": conditions}));
        self
    }

    /// In the order of this field; `-` before its name: the other way round.
    #[must_use]
    pub(super) fn sorted(mut self, field: &'a str) -> Self {
        self.sort = field;
        self
    }

    /// So many rows at most.
    #[must_use]
    pub(super) fn sized(mut self, size: u32) -> Self {
        self.size = size.clamp(1, MOST_ROWS);
        self
    }

    /// Rows that are in the trash, or that are not.
    #[must_use]
    pub(super) fn retired(mut self, retired: bool) -> Self {
        self.retired = retired;
        self
    }

    /// Flow's own name of the type.
    pub(super) fn kind(&self) -> &'a str {
        self.kind
    }

    /// What is sent.
    pub(super) fn body(&self) -> Json {
        let Self { kind: _, fields, conditions, sort, size, retired } = self;
        json!({
            "filters": {"logical_operator": "and", "conditions": conditions},
            "fields": fields,
            "sort": sort,
            "page": {"size": size, "number": 1},
            "options": {
                "return_only": if *retired { "retired" } else { "active" },
                "include_archived_projects": true,
            },
        })
    }
}
