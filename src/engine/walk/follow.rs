//! Follows paths, value by value; nothing is gathered that nobody asks for.

use super::{Val, Vals, Walk};
use crate::directory::{Cell, Grants};
use crate::engine::condition::Truth;
use crate::engine::path::{Literal, Path, Root, Step};
use crate::engine::resolve::{Place, Target};
use crate::model::change::Dep;
use crate::model::id::{Id, Key};
use crate::model::schema::FieldNo;
use crate::model::value::Value;

/// Is given each value at the end of a path; true: no more are wanted.
pub(in crate::engine) trait Each<'v>: FnMut(&mut Walk<'v>, Val<'v>) -> bool {}

impl<'v, F: FnMut(&mut Walk<'v>, Val<'v>) -> bool> Each<'v> for F {}

/// What came of giving values on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Given {
    /// There may be more values that are not known.
    pub(in crate::engine) unknown: bool,
    /// No more were wanted.
    enough: bool,
}

impl Given {
    const ALL: Self = Self { unknown: false, enough: false };
    const UNKNOWN: Self = Self { unknown: true, enough: false };
}

impl<'v> Walk<'v> {
    /// The values at the end of a path.
    pub(in crate::engine) fn values(&mut self, path: &'v Path) -> Vals<'v> {
        let mut list = smallvec::SmallVec::new();
        let Given { unknown, .. } = self.each(path, &mut |_, val| {
            list.push(val);
            false
        });
        Vals { list, unknown }
    }

    /// The values that the steps lead to from an object.
    pub(super) fn values_from(&mut self, key: Key, steps: &'v [Step]) -> Vals<'v> {
        let mut list = smallvec::SmallVec::new();
        let Given { unknown, .. } = self.follow(Val::Key(key), steps, &mut |_, val| {
            list.push(val);
            false
        });
        Vals { list, unknown }
    }

    /// Gives on each value at the end of a path, until no more are wanted.
    pub(in crate::engine) fn each<E: Each<'v>>(&mut self, path: &'v Path, each: &mut E) -> Given {
        if matches!(path.root, Root::Resource) && self.case.resource == Target::Described {
            match path.steps.split_first() {
                Some((Step::Field { name, target, .. }, rest)) => {
                    let vals = self.property(name, *target);
                    return self.give(vals, rest, each);
                }
                Some((Step::Project, rest)) => {
                    return match self.one(&Root::Project) {
                        Ok(Some(val)) => self.follow(val, rest, each),
                        Ok(None) => Given::ALL,
                        Err(()) => Given::UNKNOWN,
                    };
                }
                _ => {}
            }
        }
        self.each_held(&path.root, &path.steps, each)
    }

    /// Gives on each object at the end of a path. A list at its end is the mirror's.
    pub(in crate::engine) fn each_object<E: Each<'v>>(&mut self, path: &'v Path, each: &mut E) -> Given {
        match path.steps.last() {
            Some(Step::Back(_) | Step::BackHere(_) | Step::Roster) => self.each_held(&path.root, &path.steps, each),
            _ => self.each(path, each),
        }
    }

    /// The same as the mirror has it, whatever a caller tells of the resource.
    pub(super) fn each_held<E: Each<'v>>(&mut self, root: &'v Root, steps: &'v [Step], each: &mut E) -> Given {
        if matches!(root, Root::Value) {
            let vals = self.value();
            return self.give(vals, steps, each);
        }
        match self.one(root) {
            Ok(Some(val)) => self.follow(val, steps, each),
            Ok(None) => Given::ALL,
            Err(()) => Given::UNKNOWN,
        }
    }

    /// The one value that a path is, if it is no longer than its root; an error where it is not known.
    pub(in crate::engine) fn one(&self, root: &'v Root) -> Result<Option<Val<'v>>, ()> {
        Ok(Some(match root {
            Root::Subject => Val::Key(self.case.subject),
            Root::It => Val::Key(self.it.ok_or(())?),
            Root::Project => match self.case.project {
                Place::Project(key) => Val::Key(key),
                Place::Site => return Ok(None),
                Place::Unknown => return Err(()),
            },
            Root::Resource => match self.case.resource {
                Target::Object(key) => Val::Key(key),
                Target::Described => return Err(()),
            },
            Root::Field => Val::Text(self.case.query.field),
            Root::FieldTail => Val::Text(self.case.field_tail),
            Root::Literal(Literal::Bool(value)) => Val::Bool(*value),
            Root::Literal(Literal::Number(value)) => Val::Number(*value),
            Root::Literal(Literal::Text(text)) => Val::Text(text),
            Root::Value | Root::Context | Root::Nothing => return Err(()),
        }))
    }

    /// The new value that the question names, or what is meant where it names none.
    fn value(&mut self) -> Vals<'v> {
        let mut vals = Vals::default();
        match (self.case.value, self.case.value_default) {
            (Some(Value::Null) | None, Some(default)) => vals = self.values(default),
            (Some(Value::Null) | None, None) => {}
            (Some(value), _) => self.plain(value, self.case.value_kind, &mut vals),
        }
        vals
    }

    /// Whether the path leads to nothing; a list at its end is gone through only as far as is needed.
    pub(in crate::engine) fn is_empty(&mut self, path: &'v Path) -> Truth {
        let mut found = false;
        let unknown = match path.steps.split_last() {
            Some((last @ (Step::Back(_) | Step::BackHere(_) | Step::Roster), before)) => {
                let mut odd = false;
                let given = self.each_held(&path.root, before, &mut |walk, val| {
                    match val.key().and_then(|key| walk.list(last, key)) {
                        // One that is understood is enough; any other may be there wrongly.
                        Some(list) => {
                            found = list.iter().any(|key| walk.row(*key).is_some());
                            odd |= !list.is_empty();
                        }
                        None => odd = true,
                    }
                    found
                });
                given.unknown || odd
            }
            _ => {
                let given = self.each(path, &mut |_, _| {
                    found = true;
                    true
                });
                given.unknown
            }
        };
        match (found, unknown) {
            (true, _) => Truth::No,
            (false, true) => Truth::Unknown,
            (false, false) => Truth::Yes,
        }
    }

    /// Gives on each of these, and what the steps lead to from it.
    fn give<E: Each<'v>>(&mut self, vals: Vals<'v>, steps: &'v [Step], each: &mut E) -> Given {
        let mut given = Given { unknown: vals.unknown, enough: false };
        for val in vals.list {
            let Given { unknown, enough } = self.follow(val, steps, each);
            given.unknown |= unknown;
            if enough {
                given.enough = true;
                break;
            }
        }
        given
    }

    fn give_keys<E: Each<'v>>(&mut self, keys: &[Key], steps: &'v [Step], each: &mut E) -> Given {
        let mut given = Given::ALL;
        if steps.is_empty() {
            given.enough = keys.iter().any(|key| each(self, Val::Key(*key)));
            return given;
        }
        for key in keys {
            let Given { unknown, enough } = self.follow(Val::Key(*key), steps, each);
            given.unknown |= unknown;
            if enough {
                given.enough = true;
                break;
            }
        }
        given
    }

    /// Gives on each value that the steps lead to from one.
    fn follow<E: Each<'v>>(&mut self, from: Val<'v>, steps: &'v [Step], each: &mut E) -> Given {
        let (mut at, mut steps) = (from, steps);
        while let Some((step, rest)) = steps.split_first() {
            let key = match (at, step) {
                (Val::Key(key), _) => key,
                // What has this id may be an object of the other kind.
                (Val::Foreign(id), Step::Link(kind)) => {
                    let mut vals = Vals::default();
                    self.link(&Id::from(id), *kind, &mut vals);
                    return self.give(vals, rest, each);
                }
                _ => return Given::UNKNOWN,
            };
            at = match step {
                Step::Field { .. } | Step::FieldOf(_) => match self.cell(step, key) {
                    Cell::Unset | Cell::Any(_) => return Given::UNKNOWN,
                    Cell::Null => return Given::ALL,
                    Cell::Bool(value) => Val::Bool(value),
                    Cell::Number(value) => Val::Number(value),
                    Cell::Text(text) => Val::Text(text),
                    Cell::Ref(key) => Val::Key(key),
                    Cell::Refs(keys) => return self.give_keys(&keys, rest, each),
                    Cell::Texts(_) => return self.gather(step, key, rest, each),
                },
                Step::Checkbox(no) => match self.field(key, *no) {
                    Cell::Bool(checked) => Val::Bool(checked),
                    Cell::Null => Val::Bool(false),
                    _ => return Given::UNKNOWN,
                },
                Step::Live(kind) if self.view.table(key) != Some(self.view.schema().table_of(*kind)) => {
                    return Given::ALL;
                }
                Step::Live(_) => match self.is_live(key) {
                    Truth::Yes => Val::Key(key),
                    Truth::Unknown => return Given::UNKNOWN,
                    Truth::No => return Given::ALL,
                },
                Step::IdNumber => match self.view.id(key).and_then(Id::number) {
                    Some(number) => Val::Number(number),
                    None => return Given::UNKNOWN,
                },
                Step::Project => match self.row(key).map(|row| row.project()) {
                    Some(Some(project)) => Val::Key(project),
                    Some(None) => return Given::ALL,
                    None => return Given::UNKNOWN,
                },
                Step::Back(_) | Step::BackHere(_) | Step::Roster => {
                    return match self.list(step, key) {
                        Some(list) => self.give_keys(list, rest, each),
                        None => Given::UNKNOWN,
                    };
                }
                Step::Kind => match self.row(key) {
                    Some(row) => Val::Text(self.view.schema().kind_name(row.kind())),
                    None => return Given::UNKNOWN,
                },
                // The handle stands for the id: a text is compared with the id that it has.
                Step::Id => Val::Key(key),
                Step::Name => match self.row(key) {
                    Some(row) => Val::Text(row.name()),
                    None => return Given::UNKNOWN,
                },
                Step::RoleHere | Step::StoredRoleHere => match self.role(key, matches!(step, Step::RoleHere)) {
                    Some(Some(role)) => Val::Text(role),
                    Some(None) => return Given::ALL,
                    None => return Given::UNKNOWN,
                },
                _ => return self.gather(step, key, rest, each),
            };
            steps = rest;
        }
        Given { unknown: false, enough: each(self, at) }
    }

    /// Follows one of the steps that lead to several values at once.
    fn gather<E: Each<'v>>(&mut self, step: &'v Step, key: Key, rest: &'v [Step], each: &mut E) -> Given {
        let mut vals = Vals::default();
        self.step_into(step, key, &mut vals);
        self.give(vals, rest, each)
    }

    fn step_into(&mut self, step: &Step, key: Key, to: &mut Vals<'v>) {
        match step {
            Step::Field { .. } | Step::FieldOf(_) => put(self.cell(step, key), to),
            Step::Projects => self.projects_into(key, to),
            Step::OtherEnd { list, from } => self.other_end(key, *list, *from, to),
            Step::Link(kind) => match self.view.id(key) {
                Some(id) => self.link(id, *kind, to),
                None => to.unknown = true,
            },
            Step::RolesHere => match self.grants(key) {
                Some(grants) => {
                    to.list.extend(grants.into_iter().flat_map(|grants| &grants.roles).copied().map(Val::Key))
                }
                None => to.unknown = true,
            },
            Step::RightsHere => match self.grants(key) {
                Some(grants) => {
                    to.list.extend(grants.into_iter().flat_map(|grants| &grants.rights).map(|right| Val::Text(right)))
                }
                None => to.unknown = true,
            },
            _ => to.unknown = true,
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

    /// The value of an object's field; unset where there is no record.
    fn field(&mut self, key: Key, no: FieldNo) -> Cell<'v> {
        self.row(key).map_or(Cell::Unset, |row| row.cell(no))
    }

    /// The field that a step names, of whichever kind the object is.
    fn cell(&mut self, step: &Step, key: Key) -> Cell<'v> {
        match step {
            Step::Field { no, .. } => self.field(key, *no),
            Step::FieldOf(of) => {
                let table = self.view.table(key);
                let no = of.iter().find(|(kind, _)| Some(*kind) == table).map(|(_, no)| *no);
                no.map_or(Cell::Unset, |no| self.field(key, no))
            }
            _ => Cell::Unset,
        }
    }

    pub(super) fn field_into(&mut self, key: Key, no: FieldNo, to: &mut Vals<'v>) {
        put(self.field(key, no), to);
    }

    /// What a person's place in the project of the resource grants: `None` where that is not known.
    pub(super) fn grants(&mut self, person: Key) -> Option<Option<&'v Grants>> {
        match self.case.project {
            Place::Project(project) => Some(self.member(person, project)?.and_then(|at| at.grants)),
            Place::Site => Some(None),
            Place::Unknown => None,
        }
    }
}

/// The values of a field.
fn put<'v>(cell: Cell<'v>, to: &mut Vals<'v>) {
    match cell {
        Cell::Null => {}
        Cell::Bool(value) => to.list.push(Val::Bool(value)),
        Cell::Number(value) => to.list.push(Val::Number(value)),
        Cell::Text(text) => to.list.push(Val::Text(text)),
        Cell::Texts(texts) => to.list.extend(texts.iter().map(Val::Text)),
        Cell::Ref(key) => to.list.push(Val::Key(key)),
        Cell::Refs(keys) => to.list.extend(keys.iter().map(|key| Val::Key(*key))),
        // Any value is looked into by attribute, never compared as it stands.
        Cell::Unset | Cell::Any(_) => to.unknown = true,
    }
}
