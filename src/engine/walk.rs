//! One walk over the mirror for one question: follows paths and notes everything that it reads.

mod actual;
mod live;
mod permits;
mod rights;
mod roles;

use smallvec::SmallVec;

pub(super) use self::actual::Actual;
use self::rights::Held;
use super::condition::Truth;
use super::path::{Literal, Path, Root, Step};
use super::resolve::{Case, Place, Target};
use crate::directory::{Cell, Grants, State, View};
use crate::model::change::Dep;
use crate::model::id::{Id, Key, ObjectRef, Str};
use crate::model::schema::{FieldNo, KindNo};
use crate::model::value::Value;

/// The walk and what it has met.
pub(super) struct Walk<'v> {
    pub(super) view: View<'v>,
    pub(super) case: &'v Case<'v>,
    /// The object that `some:` looks at.
    pub(super) it: Option<Key>,
    /// The rights that the subject has, by reach, once one was asked for.
    held: SmallVec<[(u16, Held<'v>); 2]>,
    /// The subject's role where the question plays, once it was asked for.
    role_here: Option<Option<Option<&'v str>>>,
    pub(super) reads: SmallVec<[Dep; 24]>,
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

/// Some objects.
#[derive(Debug)]
pub(super) enum Objects<'v> {
    /// A list of the mirror, however long.
    Held(&'v [Key]),
    Found(SmallVec<[Key; 8]>),
}

impl Objects<'_> {
    pub(super) fn keys(&self) -> &[Key] {
        match self {
            Self::Held(keys) => keys,
            Self::Found(keys) => keys,
        }
    }
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
            held: SmallVec::new(),
            role_here: None,
            reads: SmallVec::new(),
            missing: SmallVec::new(),
            quarantined: false,
            invalid: false,
            private: false,
        }
    }

    /// Notes an input; the same one often comes several times in a row.
    pub(super) fn note(&mut self, dep: Dep) {
        if !self.reads.iter().rev().take(8).any(|noted| *noted == dep) {
            self.reads.push(dep);
        }
    }

    /// The values at the end of a path.
    pub(super) fn values(&mut self, path: &'v Path) -> Vals<'v> {
        let mut steps = path.steps.as_slice();
        let described = path.root == Root::Resource && self.case.resource == Target::Described;
        let mut vals = match steps.split_first() {
            Some((Step::Field { name, target, .. }, rest)) if described => {
                steps = rest;
                self.property(name, *target)
            }
            Some((Step::Project, rest)) if described => {
                steps = rest;
                self.root(&Root::Project)
            }
            _ => self.root(&path.root),
        };
        for step in steps {
            vals = self.step(step, vals);
        }
        vals
    }

    fn root(&mut self, root: &'v Root) -> Vals<'v> {
        let mut vals = Vals::default();
        match root {
            Root::Subject => vals.list.push(Val::Key(self.case.subject)),
            Root::It => match self.it {
                Some(key) => vals.list.push(Val::Key(key)),
                None => vals.unknown = true,
            },
            Root::Project => self.project_into(&mut vals),
            Root::Resource => match &self.case.resource {
                Target::Object(key) => vals.list.push(Val::Key(*key)),
                Target::Described => vals.unknown = true,
            },
            Root::Value => self.value_into(&mut vals),
            Root::Field => vals.list.push(Val::Text(self.case.query.field)),
            Root::FieldTail => vals.list.push(Val::Text(self.case.field_tail)),
            Root::Literal(literal) => vals.list.push(match literal {
                Literal::Bool(value) => Val::Bool(*value),
                Literal::Number(value) => Val::Number(*value),
                Literal::Text(text) => Val::Text(text),
            }),
            Root::Context | Root::Nothing => vals.unknown = true,
        }
        vals
    }

    /// The objects at the end of the path, in lists that are not copied where the mirror has them; and whether there may
    /// be more that is not known.
    pub(super) fn objects(&mut self, path: &'v Path) -> (SmallVec<[Objects<'v>; 4]>, bool) {
        let mut lists = SmallVec::new();
        let (mut vals, last) = match path.steps.split_last() {
            Some((last @ (Step::Back(_) | Step::BackHere(_) | Step::Roster), before)) => {
                let mut from = self.root(&path.root);
                for step in before {
                    from = self.step(step, from);
                }
                (from, Some(last))
            }
            _ => (self.values(path), None),
        };
        let Some(last) = last else {
            let keys: SmallVec<[Key; 8]> = vals.list.iter().filter_map(|val| val.key()).collect();
            let unknown = vals.unknown || keys.len() < vals.list.len();
            lists.push(Objects::Found(keys));
            return (lists, unknown);
        };
        for val in &vals.list {
            match val.key().and_then(|key| self.list(last, key)) {
                Some(list) => lists.push(Objects::Held(list)),
                None => vals.unknown = true,
            }
        }
        (lists, vals.unknown)
    }

    /// Whether the path leads to nothing; a list at its end is gone through only as far as is needed.
    pub(super) fn is_empty(&mut self, path: &'v Path) -> Truth {
        let (unknown, empty) = match path.steps.split_last() {
            Some((last @ (Step::Back(_) | Step::BackHere(_) | Step::Roster), before)) => {
                let mut from = self.root(&path.root);
                for step in before {
                    from = self.step(step, from);
                }
                let mut unknown = from.unknown;
                for val in &from.list {
                    match val.key().and_then(|key| self.list(last, key)) {
                        // One that is understood is enough; any other may be there wrongly.
                        Some(list) if list.iter().any(|key| self.row(*key).is_some()) => return Truth::No,
                        Some(list) => unknown |= !list.is_empty(),
                        None => unknown = true,
                    }
                }
                (unknown, true)
            }
            _ => {
                let vals = self.values(path);
                (vals.unknown, vals.list.is_empty())
            }
        };
        match (empty, unknown) {
            (false, _) => Truth::No,
            (true, true) => Truth::Unknown,
            (true, false) => Truth::Yes,
        }
    }

    /// A list of objects; `None` where it is not known which.
    fn list(&mut self, step: &Step, key: Key) -> Option<&'v [Key]> {
        match step {
            Step::Back(back) => {
                self.note(Dep::Back(key, *back));
                Some(self.view.back(key, *back))
            }
            Step::BackHere(list) => match self.case.project {
                Place::Project(project) => {
                    self.note(Dep::BackIn { of: key, list: *list, project });
                    Some(self.view.back_in(key, *list, project))
                }
                Place::Site => Some(&[]),
                Place::Unknown => None,
            },
            Step::Roster => {
                self.note(Dep::Roster(key));
                Some(self.view.roster(key))
            }
            _ => None,
        }
    }

    fn step(&mut self, step: &Step, from: Vals<'v>) -> Vals<'v> {
        let mut to = Vals { list: SmallVec::new(), unknown: from.unknown };
        for value in from.list {
            let key = match (value, step) {
                (Val::Key(key), _) => key,
                // What has this id may be an object of the other kind.
                (Val::Foreign(id), Step::Link(kind)) => {
                    self.link(&Id::from(id), *kind, &mut to);
                    continue;
                }
                _ => {
                    to.unknown = true;
                    continue;
                }
            };
            if step.live(key, self, &mut to) {
                continue;
            }
            match step {
                Step::FieldOf(_)
                | Step::Checkbox(_)
                | Step::Live(_)
                | Step::OtherEnd { .. }
                | Step::Projects
                | Step::IdNumber => {}
                Step::Field { no, .. } => self.field(key, *no, &mut to),
                Step::Project => match self.row(key) {
                    Some(row) => to.list.extend(row.project().map(Val::Key)),
                    None => to.unknown = true,
                },
                Step::Link(kind) => match self.view.id(key) {
                    Some(id) => self.link(id, *kind, &mut to),
                    None => to.unknown = true,
                },
                Step::Back(_) | Step::BackHere(_) | Step::Roster => match self.list(step, key) {
                    Some(list) => to.list.extend(list.iter().map(|key| Val::Key(*key))),
                    None => to.unknown = true,
                },
                Step::Kind => match self.row(key) {
                    Some(row) => to.list.push(Val::Text(self.view.schema().kind_name(row.kind()))),
                    None => to.unknown = true,
                },
                // The handle stands for the id: a text is compared with the id that it has.
                Step::Id => to.list.push(Val::Key(key)),
                Step::Name => match self.row(key) {
                    Some(row) => to.list.push(Val::Text(row.name())),
                    None => to.unknown = true,
                },
                Step::Attribute(_) => to.unknown = true,
                Step::RolesHere => self.grants_into(key, &mut to, |grants| {
                    grants.roles.iter().map(|role| Val::Key(*role)).collect::<SmallVec<[_; 8]>>()
                }),
                Step::RightsHere => self.grants_into(key, &mut to, |grants| {
                    grants.rights.iter().map(|right| Val::Text(right)).collect::<SmallVec<[_; 8]>>()
                }),
                Step::RoleHere => self.role_into(key, true, &mut to),
                Step::StoredRoleHere => self.role_into(key, false, &mut to),
            }
        }
        to
    }

    /// The record of an object; without one what it would tell is not known.
    pub(super) fn row(&mut self, key: Key) -> Option<crate::directory::Row<'v>> {
        self.note(Dep::Node(key));
        match self.view.state(key) {
            State::Record(row) => return Some(row),
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

    fn field(&mut self, key: Key, no: FieldNo, to: &mut Vals<'v>) {
        let Some(row) = self.row(key) else {
            to.unknown = true;
            return;
        };
        match row.cell(no) {
            Cell::Unset => to.unknown = true,
            Cell::Null => {}
            Cell::Bool(value) => to.list.push(Val::Bool(value)),
            Cell::Number(value) => to.list.push(Val::Number(value)),
            Cell::Text(text) => to.list.push(Val::Text(text)),
            Cell::Texts(texts) => to.list.extend(texts.iter().map(Val::Text)),
            Cell::Ref(key) => to.list.push(Val::Key(key)),
            Cell::Refs(keys) => to.list.extend(keys.iter().map(|key| Val::Key(*key))),
            // Looked into by attribute, never compared as it stands.
            Cell::Any(_) => to.unknown = true,
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

    fn project_into(&mut self, vals: &mut Vals<'v>) {
        match self.case.project {
            Place::Project(key) => vals.list.push(Val::Key(key)),
            Place::Site => {}
            Place::Unknown => vals.unknown = true,
        }
    }

    fn value_into(&mut self, vals: &mut Vals<'v>) {
        match (&self.case.value, self.case.value_default) {
            (Some(Value::Null) | None, Some(default)) => *vals = self.values(default),
            (Some(Value::Null) | None, None) => {}
            (Some(value), _) => self.plain(value, self.case.value_kind, vals),
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

    fn role_into(&mut self, person: Key, effective: bool, to: &mut Vals<'v>) {
        match self.role(person, effective) {
            Some(role) => to.list.extend(role.map(Val::Text)),
            None => to.unknown = true,
        }
    }

    /// What a person's place in the project of the resource grants.
    fn grants_into(&mut self, person: Key, to: &mut Vals<'v>, granted: impl Fn(&'v Grants) -> SmallVec<[Val<'v>; 8]>) {
        let place = match self.case.project {
            Place::Project(project) => self.member(person, project),
            Place::Site => Some(None),
            Place::Unknown => None,
        };
        match place {
            None => to.unknown = true,
            Some(member) => to.list.extend(member.and_then(|at| at.grants).map(granted).unwrap_or_default()),
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
