//! What the site has: the fields of each entity type that the mirror knows, as its schema tells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::RwLock;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value as Json;

use super::client::{Client, Failure};
use super::search::MOST_ROWS;
use super::table::{PROJECT, Table};
use crate::model::id::Str;
use crate::tracker::Scope;

/// Fields that name a row to people; of these the first that the type has.
const NAMES: [&str; 7] = ["code", "subject", "content", "name", "title", "firstname", "description"];
/// How many rows of a type with lists of links are read at once, and the fewest where they are very long.
const WIDE: u32 = 2000;
const FEWEST: u32 = 20;

/// An entity type as the site has it.
#[derive(Debug)]
pub(super) struct Shape {
    /// All fields.
    pub(super) fields: BTreeMap<Str, Field>,
    /// Those that are mirrored.
    pub(super) mirrored: Vec<Str>,
    /// The field that names a row to people.
    pub(super) named_by: Option<Str>,
    /// Rows belong to projects, so there are many of them.
    pub(super) large: bool,
    page: AtomicU32,
}

/// A field of an entity type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) data_type: Str,
    /// The types that a link may lead to; empty where the site does not say.
    pub(super) leads_to: Vec<Str>,
}

/// What is mirrored of a row: fields and their data types.
type Columns = Vec<(Str, Str)>;

/// The shapes of all types. What is held is from the last load.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    held: RwLock<FxHashMap<Str, Option<Arc<Shape>>>>,
    /// What was asked of the rows of each type when they were last loaded; `None`: the site did not show them.
    loaded: RwLock<FxHashMap<Str, Option<Columns>>>,
    /// Types and fields of which it was said that they are not shown.
    warned: RwLock<FxHashSet<Str>>,
}

// === impl Shapes ===

impl Shapes {
    /// The type as the site has it; `None` where it has no such type, or does not show it to the script.
    pub(super) async fn of(&self, client: &Client, table: &Table) -> Result<Option<Arc<Shape>>, Failure> {
        let held = self.held.read().get(&table.name).cloned();
        match held {
            Some(shape) => Ok(shape),
            None => self.read(client, table).await,
        }
    }

    /// The same, asked anew.
    pub(super) async fn read(&self, client: &Client, table: &Table) -> Result<Option<Arc<Shape>>, Failure> {
        match client.get(&format!("schema/{}/fields", table.name)).await {
            Ok(answer) => {
                let shape = Arc::new(Shape::told(table, &answer)?);
                self.held.write().insert(table.name.clone(), Some(Arc::clone(&shape)));
                if !table.rows {
                    self.shown(table, &shape);
                }
                Ok(Some(shape))
            }
            Err(failure) if failure.is_about_the_type() => {
                self.held.write().insert(table.name.clone(), None);
                self.refuse(table, &failure);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The type as it was told last, if its rows are shown too.
    pub(super) fn usable(&self, table: &Table) -> Option<Arc<Shape>> {
        if self.loaded.read().get(&table.name).is_some_and(Option::is_none) {
            return None;
        }
        self.held.read().get(&table.name).cloned().flatten()
    }

    /// Whether rows that were loaded before hold other fields than are to be mirrored now, or were not shown then.
    pub(super) fn is_other(&self, table: &Table, shape: &Shape) -> bool {
        let loaded = self.loaded.read();
        loaded.get(&table.name).is_some_and(|columns| columns.as_ref() != Some(&shape.columns()))
    }

    /// The site does not show the rows of the type.
    pub(super) fn refuse(&self, table: &Table, why: &Failure) {
        self.loaded.write().insert(table.name.clone(), None);
        self.warn(table, why);
    }

    /// The rows of the type were read.
    pub(super) fn shown(&self, table: &Table, shape: &Shape) {
        let before = self.loaded.write().insert(table.name.clone(), Some(shape.columns()));
        if before == Some(None) {
            tracing::info!(entity_type = table.name.as_str(), "Flow shows this entity type now");
        }
        self.warned.write().remove(&table.name);
    }

    fn warn(&self, table: &Table, why: &Failure) {
        if self.warned.write().insert(table.name.clone()) {
            tracing::warn!(
                entity_type = table.name.as_str(),
                %why,
                "Flow does not show this entity type, so everything about it is denied"
            );
        }
    }

    /// Says once that a field is in the schema and not in the rows.
    pub(super) fn hidden(&self, table: &Table, field: &str) {
        let name = Str::from(format!("{}.{field}", table.name));
        if !self.warned.read().contains(&name) && self.warned.write().insert(name.clone()) {
            tracing::warn!(
                field = name.as_str(),
                "Flow does not show this field to the script, so whatever depends on it is denied: give the script user's role \
                 the right to see it"
            );
        }
    }
}

// === impl Shape ===

impl Shape {
    /// What an answer to `schema/TYPE/fields` tells.
    pub(super) fn told(table: &Table, answer: &Json) -> Result<Self, Failure> {
        let what = || Failure::Malformed(format!("schema/{}/fields: the answer has no fields", table.name));
        let told = answer.get("data").and_then(Json::as_object).ok_or_else(what)?;
        let mut fields = BTreeMap::new();
        for (name, field) in told {
            let Some(data_type) = value(field.get("data_type")).and_then(Json::as_str) else { continue };
            let leads_to = value(field.get("properties").and_then(|properties| properties.get("valid_types")));
            let leads_to = leads_to.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            let leads_to = leads_to.iter().filter_map(Json::as_str).map(Str::from).collect();
            fields.insert(Str::from(name), Field { data_type: Str::from(data_type), leads_to });
        }
        if fields.is_empty() {
            return Err(what());
        }
        // Whatever the schema lists: no row is without.
        let id = || Field { data_type: Str::const_new("number"), leads_to: Vec::new() };
        fields.entry(Str::const_new("id")).or_insert_with(id);
        let mirrored: Vec<Str> = table.fields.iter().filter(|name| fields.contains_key(*name)).cloned().collect();
        let is_list = |name: &Str| fields.get(name).is_some_and(|field| is_list(&field.data_type));
        let page = if mirrored.iter().any(is_list) { WIDE } else { MOST_ROWS };
        Ok(Self {
            named_by: NAMES.into_iter().find(|name| fields.contains_key(*name)).map(Str::from),
            large: table.name == "Reply" || (table.name != "Project" && fields.contains_key(PROJECT)),
            page: AtomicU32::new(page),
            mirrored,
            fields,
        })
    }

    /// What is asked of a row.
    pub(super) fn asked(&self) -> impl Iterator<Item = &str> {
        let project = self.fields.contains_key(PROJECT).then_some(PROJECT);
        let more = project.into_iter().chain(self.named_by.as_deref());
        let more = more.filter(|name| !self.mirrored.iter().any(|mirrored| mirrored == name));
        self.mirrored.iter().map(Str::as_str).chain(more)
    }

    fn columns(&self) -> Columns {
        let column = |name: &Str| (name.clone(), self.data_type(name).map(Str::from).unwrap_or_default());
        self.mirrored.iter().map(column).collect()
    }

    /// The data type of a field.
    pub(super) fn data_type(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(|field| field.data_type.as_str())
    }

    /// What is loaded together with the type.
    pub(super) fn scope(&self) -> Scope {
        if self.large { Scope::Large } else { Scope::Core }
    }

    /// How many rows are read at once.
    pub(super) fn page(&self) -> u32 {
        self.page.load(Ordering::Relaxed)
    }

    /// So many rows were more than an answer may hold: fewer from now on. `false`: they cannot be fewer.
    pub(super) fn shrink(&self, size: u32) -> bool {
        self.page.fetch_min((size / 4).max(FEWEST), Ordering::Relaxed);
        size > FEWEST
    }
}

// === impl Field ===

impl Field {
    /// Whether the field holds links that may lead to a row of this type.
    pub(super) fn may_lead_to(&self, name: &str) -> bool {
        is_link(&self.data_type) && (self.leads_to.is_empty() || self.leads_to.iter().any(|to| to == name))
    }
}

fn is_link(data_type: &str) -> bool {
    matches!(data_type, "entity" | "multi_entity" | "addressing")
}

fn is_list(data_type: &str) -> bool {
    matches!(data_type, "multi_entity" | "addressing" | "tag_list")
}

/// What stands in a property of the schema, which says beside it whether it can be changed.
fn value(property: Option<&Json>) -> Option<&Json> {
    property.map(|property| property.get("value").unwrap_or(property))
}

#[cfg(test)]
mod tests;
