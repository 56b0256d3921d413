//! What an attribute really is, as a filter sees it: with its type, and told from what is absent or not known.

use super::{Val, Vals, Walk};
use crate::directory::Cell;
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
    /// A field of the mirror that holds one value, or none.
    Field(Option<Val<'v>>),
    /// A field of the mirror that holds a list.
    Fields(Vals<'v>),
}

impl<'v> Walk<'v> {
    /// The value at the end of a filter's path.
    pub(in crate::engine) fn actual(&mut self, path: &'v Path) -> Actual<'v> {
        let Some((last, before)) = path.steps.split_last() else { return Actual::Unknown };
        if let (Root::Context, Step::Attribute(names)) = (&path.root, last) {
            self.private = true;
            let context = self.case.query.context.as_deref();
            return context.and_then(|facts| find(facts, names)).map_or(Actual::Unknown, Actual::Value);
        }
        let described = path.root == Root::Resource && before.is_empty() && self.case.resource == Target::Described;
        if let (Step::Attribute(names), true) = (last, described) {
            return self.told(names);
        }
        let mut objects = self.root(&path.root);
        for step in before {
            objects = self.step(step, objects);
        }
        let object = match objects.list.as_slice() {
            [Val::Key(key)] if !objects.unknown => *key,
            [] if !objects.unknown => return Actual::Absent,
            _ => return Actual::Unknown,
        };
        match last {
            Step::Attribute(names) => self.attribute(object, names),
            Step::Field { no, .. } => {
                let list = self.row(object).is_some_and(|row| matches!(row.cell(*no), Cell::Texts(_) | Cell::Refs(_)));
                self.last(last, object, list)
            }
            _ => self.last(last, object, false),
        }
    }

    fn last(&mut self, step: &'v Step, object: Key, list: bool) -> Actual<'v> {
        let mut from = Vals::default();
        from.list.push(Val::Key(object));
        let vals = self.step(step, from);
        match (vals.unknown, list) {
            (true, _) => Actual::Unknown,
            (false, true) => Actual::Fields(vals),
            (false, false) => Actual::Field(vals.list.first().copied()),
        }
    }

    fn attribute(&mut self, key: Key, names: &[Str]) -> Actual<'v> {
        let schema = self.view.schema();
        let Some(held) = self.row(key) else { return Actual::Unknown };
        let field = schema.kind(schema.table_of(held.kind())).and_then(|def| def.attributes);
        match field.map_or(Cell::Unset, |field| held.cell(field)) {
            // The tracker's side gave the whole object.
            Cell::Any(value) if matches!(value, Value::Map(_)) => {
                find(value, names).map_or(Actual::Absent, Actual::Value)
            }
            Cell::Any(value) if *value != Value::Null => Actual::Unknown,
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
            // The question names the object: its id is known, if not in what form the object has it.
            None if query.complete && !matches!(names, [name] if name == "id") => Actual::Absent,
            None => Actual::Unknown,
        }
    }
}

/// Members of objects only: a list on the way has no members.
fn find<'a>(value: &'a Value, names: &[Str]) -> Option<&'a Value> {
    names.iter().try_fold(value, |value, name| value.get(name))
}
