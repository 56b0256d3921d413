//! What can be asked about an entity type: its fields as the site's schema tells them, to the script and to the person.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::super::answer::link;
use super::super::client::Failure;

/// Fields that name a row to people; of these the first that the type has.
const NAMES: [&str; 7] = ["code", "content", "subject", "name", "title", "firstname", "description"];

/// An entity type.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub(super) fields: BTreeMap<String, Field>,
}

/// A field of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    data_type: String,
    /// `false` is certain, `true` is perhaps.
    pub(super) editable: bool,
    /// The values that a list or a status may have.
    pub(super) values: Vec<String>,
}

// === impl Shape ===

impl Shape {
    /// What an answer to `schema/TYPE/fields` tells.
    pub(super) fn told(kind: &str, answer: &Json) -> Result<Self, Failure> {
        let wrong = || Failure::Malformed(format!("schema/{kind}/fields: the answer has no fields"));
        let told = answer.get("data").and_then(Json::as_object).ok_or_else(wrong)?;
        let fields = told.iter().map(|(name, told)| {
            let inner = |property: Option<&Json>| property.map(|one| one.get("value").unwrap_or(one)).cloned();
            let values = inner(told.get("properties").and_then(|properties| properties.get("valid_values")));
            let values = values.and_then(|values| serde_json::from_value(values).ok()).unwrap_or_default();
            let field = Field {
                data_type: inner(told.get("data_type"))
                    .and_then(|text| text.as_str().map(str::to_owned))
                    .unwrap_or_default(),
                editable: inner(told.get("editable")).and_then(|value| value.as_bool()).unwrap_or(true),
                values,
            };
            (name.clone(), field)
        });
        Ok(Self { fields: fields.collect() })
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// The field that names a row to people.
    pub(super) fn named_by(&self) -> &str {
        NAMES.into_iter().find(|name| self.has(name)).unwrap_or("id")
    }

    /// The field that holds the status.
    pub(super) fn status(&self) -> Option<(&str, &Field)> {
        let is_status = |(_, field): &(&String, &Field)| field.data_type == "status_list";
        self.fields.iter().find(is_status).map(|(name, field)| (name.as_str(), field))
    }
}

// === impl Field ===

impl Field {
    /// The value as it is written, from how it reads. `None`: it cannot be written as it is.
    pub(super) fn written(&self, value: &Json) -> Option<Json> {
        let bare = |one: &Json| link(one).map(|(kind, id)| json!({"type": kind, "id": id}));
        match self.data_type.as_str() {
            "text" | "list" | "status_list" | "checkbox" | "date" | "date_time" | "number" | "percent" | "duration"
            | "timecode" | "color" | "entity_type" => Some(value.clone()),
            "float" | "currency" => Some(match value.as_str() {
                Some(text) => Json::from(text.parse::<f64>().ok()?),
                None => value.clone(),
            }),
            "entity" if value.is_null() => Some(Json::Null),
            "entity" => bare(value),
            "multi_entity" | "addressing" => {
                value.as_array()?.iter().map(bare).collect::<Option<Vec<_>>>().map(Json::from)
            }
            _ => None,
        }
    }
}
