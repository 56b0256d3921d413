//! Turns Flow's rows into changes of the mirror: only the fields that a decision can depend on.
//!
//! A field whose value is not as its data type says is left out, so that what rests on it is unknown. A row whose project
//! cannot be told is quarantined, and no other.

use serde_json::Value as Json;

use super::answer::{self, Row};
use super::schema::{Shape, Shapes};
use super::table::{ENTITY_TYPE, PROJECT, Table};
use crate::model::change::Change;
use crate::model::id::{Id, ObjectRef, Str};
use crate::model::record::Record;
use crate::model::value::Value;
use crate::tracker::date;

/// How much of a row's name is kept: some are named by a whole message.
const NAME: usize = 120;

/// A row of a table; `retired`: it is in the trash.
pub(super) fn row(table: &Table, shape: &Shape, row: &Row, retired: bool, shapes: &Shapes) -> Change {
    match record(table, shape, row, retired, shapes) {
        Ok(record) => Change::Upsert(record),
        Err(problem) => Change::Quarantine { object: object(table, row), problem },
    }
}

/// The object of a row.
pub(super) fn object(table: &Table, row: &Row) -> ObjectRef {
    let id = if row.id == 0 { Id::EMPTY } else { Id::from(row.id.to_string().as_str()) };
    ObjectRef { kind: table.kind.clone(), id }
}

/// Which fields a type has.
pub(super) fn shape(table: &Table, shape: &Shape) -> Record {
    let fields = shape.fields.iter().map(|(name, field)| (name.clone(), Value::Text(field.data_type.clone())));
    Record::new(ENTITY_TYPE, &table.name).named(&table.name).with("fields", Value::Map(fields.collect()))
}

fn record(table: &Table, shape: &Shape, row: &Row, retired: bool, shapes: &Shapes) -> Result<Record, String> {
    if row.id == 0 || row.kind != table.name {
        return Err(format!("it is no {} with an id", table.name));
    }
    let name = shape.named_by.as_ref().and_then(|field| row.text(field)).unwrap_or_default();
    let mut record = Record::new(&table.kind, &row.id.to_string());
    record.name = name.chars().take(NAME).collect();
    record.trashed = retired;
    if shape.data_type(PROJECT).is_some() {
        record.project = project(row)?;
    }
    for name in &shape.mirrored {
        let data_type = shape.data_type(name).unwrap_or_default();
        let Some(told) = row.value(name) else {
            if name == "id" {
                record.fields.push((name.clone(), number(&row.id.into()).unwrap_or_default()));
            } else if is_read(data_type) {
                shapes.hidden(table, name);
            }
            continue;
        };
        match value(data_type, told) {
            Some(value) => record.fields.push((name.clone(), value)),
            None => tracing::debug!(
                object = record.object().to_string(),
                field = name.as_str(),
                data_type,
                "a value that is not understood is left out"
            ),
        }
    }
    Ok(record)
}

/// The project that a row belongs to.
fn project(row: &Row) -> Result<Option<Id>, String> {
    let told = row.value(PROJECT).ok_or("its project is not told")?;
    if told.is_null() {
        return Ok(None);
    }
    match answer::link(told) {
        Some(("Project", id)) => Ok(Some(Id::from(id.to_string().as_str()))),
        _ => Err("its project is no link to a project".into()),
    }
}

/// Whether values of this data type can be mirrored.
fn is_read(data_type: &str) -> bool {
    value(data_type, &Json::Null).is_some()
}

/// A value of this data type; `None`: it is not understood.
pub(super) fn value(data_type: &str, told: &Json) -> Option<Value> {
    let read: fn(&Json) -> Option<Value> = match data_type {
        "checkbox" => return if told.is_null() { Some(Value::Bool(false)) } else { told.as_bool().map(Value::Bool) },
        "number" | "float" | "percent" | "duration" | "currency" | "timecode" => number,
        "text" | "list" | "status_list" | "entity_type" | "uuid" | "color" | "footage" => text,
        "date" => day,
        "date_time" => moment,
        "entity" => link,
        "multi_entity" | "addressing" => return list(told, link),
        "tag_list" => return list(told, text),
        _ => return None,
    };
    if told.is_null() { Some(Value::Null) } else { read(told) }
}

fn list(told: &Json, read: fn(&Json) -> Option<Value>) -> Option<Value> {
    if told.is_null() {
        return Some(Value::List(Vec::new()));
    }
    told.as_array()?.iter().map(read).collect::<Option<Vec<_>>>().map(Value::List)
}

fn number(told: &Json) -> Option<Value> {
    let number = told.as_f64().or_else(|| told.as_str()?.trim().parse().ok());
    number.filter(|number| number.is_finite()).map(Value::Number)
}

fn text(told: &Json) -> Option<Value> {
    told.as_str().map(Value::text)
}

fn link(told: &Json) -> Option<Value> {
    let (kind, id) = answer::link(told)?;
    Some(Value::link(kind, &id.to_string()))
}

/// `2026-11-22`.
fn day(told: &Json) -> Option<Value> {
    let text = told.as_str()?;
    date::parse_iso(&format!("{text}T00:00:00")).filter(|_| text.len() == 10).map(|_| Value::text(text))
}

/// `2026-11-22T09:30:00Z`, however it was written.
fn moment(told: &Json) -> Option<Value> {
    let seconds = date::parse_iso(told.as_str()?.trim_end_matches(" UTC"))?;
    Some(Value::Text(Str::from(format!("{}Z", date::iso(seconds)))))
}

#[cfg(test)]
mod tests;
