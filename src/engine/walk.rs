//! One walk over the mirror for one question: follows paths and notes everything that it reads.

mod actual;
mod follow;
mod live;
mod permits;
mod rights;
mod roles;

use smallvec::SmallVec;

pub(super) use self::actual::Actual;
use self::rights::Held;
use super::resolve::Case;
use crate::directory::{Row, State, View};
use crate::model::change::Dep;
use crate::model::id::{Id, Key, ObjectRef, Str};
use crate::model::schema::KindNo;
use crate::model::value::Value;

/// The walk and what it has met.
pub(super) struct Walk<'v> {
    pub(super) view: View<'v>,
    pub(super) case: &'v Case<'v>,
    /// The object that `some:` looks at.
    pub(super) it: Option<Key>,
    /// Records that were looked at, and noted, before; by the last bits of their keys.
    rows: [Option<(Key, Row<'v>)>; 4],
    /// The rights that the subject has, by reach, once one was asked for.
    held: SmallVec<[(u16, Held<'v>); 2]>,
    /// The subject's role where the question plays, once it was asked for.
    role_here: Option<Option<Option<&'v str>>>,
    pub(super) reads: SmallVec<[Dep; 32]>,
    /// A bit for each of them, by which most others are told to be new.
    noted: u64,
    /// Records to be read on first use that were needed and are not there yet.
    pub(super) missing: SmallVec<[ObjectRef; 1]>,
    /// A record was needed that could not be understood.
    pub(super) quarantined: bool,
    /// A rule was needed that is malformed.
    pub(super) invalid: bool,
    /// Something was looked at that is in the question alone (properties): the decision must not be cached.
    pub(super) private: bool,
}

/// The values at the end of a path.
#[derive(Debug, Default)]
pub(super) struct Vals<'v> {
    pub(super) list: SmallVec<[Val<'v>; 8]>,
    /// There may be more that is not known.
    pub(super) unknown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Val<'v> {
    Bool(bool),
    Number(f64),
    Text(&'v str),
    Key(Key),
    /// The id of an object that the mirror has never heard of.
    Foreign(&'v str),
}

impl Val<'_> {
    /// The object, where it is one that the mirror has heard of.
    pub(super) fn key(self) -> Option<Key> {
        match self {
            Self::Key(key) => Some(key),
            _ => None,
        }
    }
}

impl<'v> Walk<'v> {
    pub(super) fn new(view: View<'v>, case: &'v Case<'v>) -> Self {
        Self {
            view,
            case,
            it: None,
            rows: [None; 4],
            held: SmallVec::new(),
            role_here: None,
            reads: SmallVec::new(),
            noted: 0,
            missing: SmallVec::new(),
            quarantined: false,
            invalid: false,
            private: false,
        }
    }

    /// Notes an input; once, as long as there are few.
    pub(super) fn note(&mut self, dep: Dep) {
        /// To look for one among more costs more than to have it twice.
        const FEW: usize = 128;
        let bit = 1 << (number(dep) & 63);
        if self.noted & bit == 0 || self.reads.len() >= FEW || !self.reads.contains(&dep) {
            self.noted |= bit;
            self.reads.push(dep);
        }
    }

    /// The record of an object; without one what it would tell is not known.
    pub(super) fn row(&mut self, key: Key) -> Option<Row<'v>> {
        // The subject's and the resource's are asked for again and again.
        let at = key.0 as usize % self.rows.len();
        match self.rows.get(at) {
            Some(Some((known, row))) if *known == key => Some(*row),
            _ => self.find_row(key, at),
        }
    }

    fn find_row(&mut self, key: Key, at: usize) -> Option<Row<'v>> {
        self.note(Dep::Node(key));
        match self.view.state(key) {
            State::Record(row) => {
                if let Some(place) = self.rows.get_mut(at) {
                    *place = Some((key, row));
                }
                return Some(row);
            }
            State::Quarantined(_) => self.quarantined = true,
            State::Unknown => self.ask_for(key),
            State::Gone => {}
        }
        None
    }

    /// An object that is read on first use is asked for; of any other nothing is known for now.
    fn ask_for(&mut self, key: Key) {
        let lazy = self.view.table(key).and_then(|table| self.view.schema().kind(table)).is_some_and(|kind| kind.lazy);
        if lazy {
            self.missing.extend(self.view.object(key));
        }
    }

    /// The record of another kind with this id. One that is known not to exist is nothing, not something unknown.
    fn link(&mut self, id: &Id, kind: KindNo, to: &mut Vals<'v>) {
        match self.view.find(kind, id) {
            Some(linked) if matches!(self.view.state(linked), State::Gone) => self.note(Dep::Node(linked)),
            Some(linked) => to.list.push(Val::Key(linked)),
            None => {
                to.unknown = true;
                if self.view.schema().kind(kind).is_some_and(|kind| kind.lazy) {
                    self.missing
                        .push(ObjectRef { kind: Str::from(self.view.schema().kind_name(kind)), id: id.clone() });
                }
            }
        }
    }

    /// An attribute that only the caller tells.
    fn property(&mut self, name: &str, target: Option<KindNo>) -> Vals<'v> {
        self.private = true;
        let mut vals = Vals::default();
        let query = self.case.query;
        match query.properties.as_deref().and_then(|properties| properties.get(name)) {
            // Of several, which one it would be is not known.
            Some(Value::List(_)) if self.is_one(name) => vals.unknown = true,
            Some(value) => self.plain(value, target, &mut vals),
            None if query.complete => {}
            None => {
                vals.unknown = true;
                let lazy = self.view.schema().kind(self.case.kind).is_some_and(|kind| kind.lazy);
                if lazy && !query.id.is_empty() {
                    self.missing.push(ObjectRef { kind: Str::from(query.kind), id: query.id.clone() });
                }
            }
        }
        vals
    }

    /// Whether the field of the resource holds one value and no list.
    fn is_one(&self, name: &str) -> bool {
        let schema = self.view.schema();
        let def = schema.kind(schema.table_of(self.case.kind));
        let field = def.and_then(|def| def.fields.iter().find(|field| field.name == name));
        field.is_some_and(|field| field.one)
    }

    /// A value from the question; a text that stands for an object is looked up.
    fn plain(&self, value: &'v Value, target: Option<KindNo>, vals: &mut Vals<'v>) {
        match value {
            Value::Null => {}
            Value::Bool(value) => vals.list.push(Val::Bool(*value)),
            Value::Number(value) => vals.list.push(Val::Number(*value)),
            Value::Text(text) => match target {
                None => vals.list.push(Val::Text(text)),
                Some(kind) => match called(self.view, kind, text) {
                    keys if keys.is_empty() => vals.list.push(Val::Foreign(text)),
                    keys => vals.list.extend(keys.iter().map(|key| Val::Key(*key))),
                },
            },
            Value::List(values) => {
                for value in values {
                    match value {
                        Value::List(_) | Value::Map(_) => vals.unknown = true,
                        _ => self.plain(value, target, vals),
                    }
                }
            }
            Value::Map(_) => vals.unknown = true,
        }
    }

    /// The values that the question itself names; `None` where it names none.
    pub(super) fn given(&self) -> Option<Vals<'v>> {
        let value = self.case.value.filter(|value| **value != Value::Null)?;
        let mut vals = Vals::default();
        self.plain(value, self.case.value_kind, &mut vals);
        Some(vals)
    }
}

/// The object with this id, else all with this name, where its kind is one that is found by name.
pub(super) fn called(view: View<'_>, kind: KindNo, text: &str) -> SmallVec<[Key; 2]> {
    match view.find(kind, &Id::from(text)) {
        Some(key) => SmallVec::from_slice(&[key]),
        None => SmallVec::from_slice(view.by_name(kind, text)),
    }
}

/// A number that differs between most inputs of one decision.
fn number(dep: Dep) -> u32 {
    match dep {
        Dep::Node(key) => key.0,
        Dep::Back(key, _) | Dep::Roster(key) => key.0 ^ 16,
        Dep::BackIn { of, .. } => of.0 ^ 32,
        Dep::Member { person, .. } => person.0 ^ 48,
        Dep::Names(_) => 0,
    }
}
