//! Reads what the API answers: errors on any status, one result for each operation, entities that are told only once.

use reqwest::StatusCode;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value as Json};

use super::client::Failure;

/// An entity as the server sent it.
pub(super) type Row = Map<String, Json>;

/// How deep a projection can go: `asset.parent.project_id` and the list of rows.
const DEPTH: u32 = 8;
/// How many bytes, about, an answer may grow by when what it tells only once is put in everywhere.
const MOST_GROWTH: usize = 64 << 20;
/// How much of the server's own words is repeated.
const SAID: usize = 300;
const KIND: &str = "__entity_type__";

/// One page of a query's rows.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    /// Where the next page begins; `None` after the last.
    pub(super) next: Option<u64>,
}

/// The error that a body tells of, whatever the status.
pub(super) fn told(body: &[u8], status: StatusCode) -> Option<Failure> {
    let begins = body.trim_ascii_start().first();
    if begins != Some(&b'{') {
        return None;
    }
    let parsed: Json = serde_json::from_slice(body).ok()?;
    error(&parsed, status)
}

/// The results of so many operations, with every entity told in full.
pub(super) fn results(body: &[u8], operations: usize) -> Result<Vec<Json>, Failure> {
    let parsed: Json = serde_json::from_slice(body)
        .map_err(|error| Failure::Malformed(format!("ftrack's answer is not JSON: {error}")))?;
    let Json::Array(mut results) = parsed else {
        return Err(Failure::Malformed("ftrack's answer is not a list of results".into()));
    };
    if let Some(failure) = results.iter().find_map(|result| error(result, StatusCode::OK)) {
        return Err(failure);
    }
    if results.len() != operations {
        let found = results.len();
        return Err(Failure::Malformed(format!("ftrack answered {found} results to {operations} operations")));
    }
    resolve(&mut results)?;
    Ok(results)
}

/// One result as a page of rows.
pub(super) fn page(result: Json) -> Result<Page, Failure> {
    let shape = |what: &str| Failure::Malformed(format!("the result of a query {what}"));
    let Json::Object(mut result) = result else { return Err(shape("is no object")) };
    let next = match result.get("metadata").and_then(|metadata| metadata.get("next")?.get("offset")) {
        None | Some(Json::Null) => None,
        Some(offset) => Some(offset.as_u64().ok_or_else(|| shape("has a next offset that is no number"))?),
    };
    let Some(Json::Array(rows)) = result.remove("data") else { return Err(shape("has no list `data`")) };
    let rows = rows.into_iter().map(|row| match row {
        Json::Object(row) => Ok(row),
        _ => Err(shape("has a row that is no object")),
    });
    Ok(Page { rows: rows.collect::<Result<_, _>>()?, next })
}

/// The error that the server told of in this way, if any.
fn error(parsed: &Json, status: StatusCode) -> Option<Failure> {
    let Some(name) = parsed.get("exception").and_then(Json::as_str) else {
        let detail = parsed.get("detail")?;
        let refused = !status.is_success() && !status.is_server_error();
        return refused.then(|| Failure::Invalid(format!("ftrack does not accept the question: {}", shown(detail))));
    };
    let said = format!("{}: {}", cut(name), parsed.get("content").map(shown).unwrap_or_default());
    let named = |words: &[&str]| words.iter().any(|word| name.contains(word));
    Some(if named(&["Credential", "Authentication"]) {
        Failure::key(&said)
    } else if named(&["Permission"]) {
        Failure::Refused(format!("ftrack refuses this to the API key: {said}"))
    } else if named(&["Operational", "Timeout", "Internal", "Connection", "Unavailable", "Deadlock"]) {
        Failure::Unavailable(format!("ftrack failed: {said}"))
    } else if status.is_server_error()
        && !named(&["Validation", "Parse", "Key", "Attribute", "Schema", "Value", "Duplicate", "Integrity"])
    {
        Failure::Unavailable(format!("ftrack failed ({}): {said}", status.as_u16()))
    } else {
        Failure::Invalid(format!("ftrack does not accept the question: {said}"))
    })
}

fn shown(value: &Json) -> String {
    value.as_str().map_or_else(|| cut(&value.to_string()), cut)
}

fn cut(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(SAID).collect()
}

// === entities that are told only once ===

/// An entity's type and id.
type Key = (String, String);

/// Gives every mention of an entity all that any other mention of it tells.
fn resolve(results: &mut [Json]) -> Result<(), Failure> {
    let (mut met, mut repeated) = (FxHashSet::default(), FxHashSet::default());
    results.iter().for_each(|result| count(result, &mut met, &mut repeated, 0));
    if repeated.is_empty() {
        return Ok(());
    }
    let mut known: FxHashMap<Key, Row> = FxHashMap::default();
    results.iter().for_each(|result| gather(result, &repeated, &mut known, 0));
    let mut room = MOST_GROWTH;
    results.iter_mut().try_for_each(|result| fill(result, &known, &mut room, 0))
}

fn key(row: &Row) -> Option<(&str, &str)> {
    Some((row.get(KIND)?.as_str()?, row.get("id")?.as_str()?))
}

fn count<'a>(value: &'a Json, met: &mut FxHashSet<(&'a str, &'a str)>, repeated: &mut FxHashSet<Key>, depth: u32) {
    if depth > DEPTH {
        return;
    }
    match value {
        Json::Array(items) => items.iter().for_each(|item| count(item, met, repeated, depth + 1)),
        Json::Object(row) => {
            if let Some((kind, id)) = key(row)
                && !met.insert((kind, id))
            {
                repeated.insert((kind.to_owned(), id.to_owned()));
            }
            row.values().for_each(|item| count(item, met, repeated, depth + 1));
        }
        _ => {}
    }
}

fn gather(value: &Json, repeated: &FxHashSet<Key>, known: &mut FxHashMap<Key, Row>, depth: u32) {
    if depth > DEPTH {
        return;
    }
    match value {
        Json::Array(items) => items.iter().for_each(|item| gather(item, repeated, known, depth + 1)),
        Json::Object(row) => {
            let key = key(row).map(|(kind, id)| (kind.to_owned(), id.to_owned()));
            if let Some(key) = key.filter(|key| repeated.contains(key)) {
                let all = known.entry(key).or_default();
                for (name, told) in row {
                    if !all.contains_key(name) {
                        all.insert(name.clone(), told.clone());
                    }
                }
            }
            row.values().for_each(|item| gather(item, repeated, known, depth + 1));
        }
        _ => {}
    }
}

fn fill(value: &mut Json, known: &FxHashMap<Key, Row>, room: &mut usize, depth: u32) -> Result<(), Failure> {
    if depth > DEPTH {
        return Ok(());
    }
    match value {
        Json::Array(items) => items.iter_mut().try_for_each(|item| fill(item, known, room, depth + 1)),
        Json::Object(row) => {
            let key = key(row).map(|(kind, id)| (kind.to_owned(), id.to_owned()));
            for (name, told) in key.and_then(|key| known.get(&key)).into_iter().flatten() {
                if !row.contains_key(name) {
                    let full = || Failure::Malformed("ftrack's answer refers to itself without end".into());
                    *room = room.checked_sub(size(told) + name.len()).ok_or_else(full)?;
                    row.insert(name.clone(), told.clone());
                }
            }
            row.values_mut().try_for_each(|item| fill(item, known, room, depth + 1))
        }
        _ => Ok(()),
    }
}

/// How many bytes a value takes, about.
fn size(value: &Json) -> usize {
    let inner: usize = match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(size).sum(),
        Json::Object(row) => row.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 0,
    };
    inner + size_of::<Json>()
}

#[cfg(test)]
mod tests;
