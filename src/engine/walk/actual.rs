//! What an attribute really is, as a filter sees it: with its type, and told from what is absent or not known.

use super::{Val, Vals, Walk};
use crate::directory::{Cell, Row};
use crate::engine::path::{Path, Root, Step};
use crate::engine::resolve::Target;
use crate::model::id::{Key, Str};
use crate::model::value::Value;

/// The value that a filter tests.
#[derive(Debug)]
pub(in crate::engine) enum Actual<'v> {
    Unknown,
    /// Known not to be there.
    Absent,
    /// As a caller or a tracker wrote it.
    Value(&'v Value),
    /// What fields of the mirror hold.
    Fields(Vals<'v>),
}

impl<'v> Walk<'v> {
    /// The value at the end of a filter's path.
    pub(in crate::engine) fn actual(&mut self, path: &'v Path) -> Actual<'v> {
        let Some((Step::Attribute(names), before)) = path.steps.split_last() else {
            let vals = self.values(path);
            return if vals.unknown { Actual::Unknown } else { Actual::Fields(vals) };
        };
        if path.root == Root::Resource && before.is_empty() && self.case.resource == Target::Described {
            return self.told(names);
        }
        let mut objects = self.root(&path.root);
        for step in before {
            objects = self.step(step, objects);
        }
        match objects.list.as_slice() {
            [Val::Key(key)] if !objects.unknown => self.attribute(*key, names),
            [] if !objects.unknown => Actual::Absent,
            _ => Actual::Unknown,
        }
    }

    fn attribute(&mut self, key: Key, names: &[Str]) -> Actual<'v> {
        let schema = self.view.schema();
        let Some(row) = self.row(key) else { return Actual::Unknown };
        let held: &'v Row = row;
        let field = schema.kind(schema.table_of(held.kind)).and_then(|def| def.attributes);
        match field.map(|field| held.cell(field)) {
            // The tracker's side gave the whole object.
            Some(Cell::Any(value)) if **value != Value::Null => {
                find(value, names).map_or(Actual::Absent, Actual::Value)
            }
            _ if self.case.resource == Target::Object(key) => self.told(names),
            _ => Actual::Unknown,
        }
    }

    /// What the caller tells of the resource.
    fn told(&mut self, names: &[Str]) -> Actual<'v> {
        self.private = true;
        let query = self.case.query;
        match query.properties.as_deref().and_then(|properties| find(properties, names)) {
            Some(value) => Actual::Value(value),
            None if query.complete => Actual::Absent,
            None => Actual::Unknown,
        }
    }
}

/// Members of objects only: a list on the way has no members.
fn find<'a>(value: &'a Value, names: &[Str]) -> Option<&'a Value> {
    names.iter().try_fold(value, |value, name| value.get(name))
}
