//! Applies changes to the mirror. The only code that mutates it.
//!
//! change -> minimal row -> did it change? -> tables -> `Touched`
//!
//! Invariant: an empty `Touched` means that no decision anywhere can differ.

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::members::{Grants, Place};
use super::row::State;
use super::tables::{Draft, DraftCell as Cell, Full, NewState, Tables, Was};
use super::view::View;
use super::{Directory, LAZY_RECORDS};
use crate::model::change::{Change, Dep, Touched};
use crate::model::id::{Id, Key, ObjectRef, Str};
use crate::model::record::{Member, Record};
use crate::model::schema::{FieldDef, KindDef, KindNo, Schema};
use crate::model::value::Value;

/// What applying a batch did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The revision after it.
    pub revision: u64,
    /// Objects that really differed.
    pub changed: usize,
    /// Objects put under quarantine, with what was wrong.
    pub quarantined: usize,
    /// Changes for which the mirror has no room left: it knows less than the tracker.
    pub refused: usize,
    pub touched: Touched,
}

impl Directory {
    /// Applies changes in order and says whose decisions may now differ.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Applied {
        let mut writer = Writer::new(self);
        for change in changes {
            if writer.change(change) == Err(Full) {
                writer.refused += 1;
            }
        }
        writer.make_room();
        let Writer { mut touched, changed, quarantined, refused, .. } = writer;
        touched.deps.sort_unstable();
        touched.deps.dedup();
        if !touched.is_empty() {
            self.revision += 1;
        }
        Applied { revision: self.revision, changed, quarantined, refused, touched }
    }
}

pub(super) struct Writer<'a> {
    pub(super) schema: &'a Schema,
    pub(super) tables: &'a mut Tables,
    pub(super) touched: Touched,
    changed: usize,
    quarantined: usize,
    refused: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(directory: &'a mut Directory) -> Self {
        let Directory { schema, tables, revision: _ } = directory;
        Self { schema, tables, touched: Touched::default(), changed: 0, quarantined: 0, refused: 0 }
    }

    fn change(&mut self, change: Change) -> Result<(), Full> {
        match change {
            Change::Upsert(record) => self.upsert(&record),
            Change::Remove(object) => self.remove(&object),
            Change::Forget(object) => {
                self.forget(&object);
                Ok(())
            }
            Change::Quarantine { object, problem: _ } => {
                self.quarantined += 1;
                self.quarantine(&object)
            }
            Change::Team { project, members } => self.team(&project, &members),
            Change::Join { project, member } => self.join(&project, &member),
            Change::Leave { project, person } => {
                self.leave(&project, &person);
                Ok(())
            }
        }
    }

    fn upsert(&mut self, record: &Record) -> Result<(), Full> {
        let Some(kind) = self.schema.kind_no(&record.kind) else { return Ok(()) };
        let Some(def) = self.schema.kind(self.schema.table_of(kind)) else { return Ok(()) };
        let key = self.tables.intern(def.table, &record.id)?;
        if View::new(self.schema, self.tables).holds(key, kind, def, record) {
            return Ok(());
        }
        let row = self.draft(kind, def, record);
        row.and_then(|row| self.replace(key, def, NewState::Record(row))).inspect_err(|_| self.not_understood(key, def))
    }

    fn draft<'r>(&mut self, kind: KindNo, def: &KindDef, record: &'r Record) -> Result<Draft<'r>, Full> {
        let project = record.project.as_ref().map(|id| self.tables.intern(self.schema.subject.project, id));
        let cells = def.fields.iter().map(|field| match record.field(&field.name) {
            None => Ok(Cell::Unset),
            Some(value) => cell(self.tables, self.schema, field, value),
        });
        let cells = cells.collect::<Result<_, _>>()?;
        Ok(Draft { kind, trashed: record.trashed, project: project.transpose()?, name: &record.name, cells })
    }

    fn remove(&mut self, object: &ObjectRef) -> Result<(), Full> {
        let Some(kind) = self.schema.kind_no(&object.kind) else { return Ok(()) };
        let table = self.schema.table_of(kind);
        let Some(def) = self.schema.kind(table) else { return Ok(()) };
        // What was never heard of and does not exist needs no node, unless it was asked for by its id.
        if !def.lazy && self.tables.find(table, &object.id).is_none() {
            return Ok(());
        }
        let key = self.tables.intern(table, &object.id)?;
        if table == self.schema.subject.project {
            self.set_members(key, Vec::new())?;
        }
        self.replace(key, def, NewState::Gone)
    }

    fn quarantine(&mut self, object: &ObjectRef) -> Result<(), Full> {
        let Some(kind) = self.schema.kind_no(&object.kind) else { return Ok(()) };
        let Some(def) = self.schema.kind(self.schema.table_of(kind)) else { return Ok(()) };
        let key = self.tables.intern(def.table, &object.id)?;
        self.not_understood(key, def);
        Ok(())
    }

    /// Nothing that is listed moves: what the object last said still counts.
    fn not_understood(&mut self, key: Key, def: &KindDef) {
        let new = def.lazy && matches!(self.tables.state(key), State::Unknown);
        if !self.tables.quarantine(key) {
            return;
        }
        self.changed += 1;
        self.touched.deps.push(Dep::Node(key));
        if matches!(self.tables.state(key), State::Quarantined(None)) {
            self.touched.deps.push(Dep::Names(def.table));
        }
        if new {
            self.tables.lazy.push(key);
        }
    }

    fn forget(&mut self, object: &ObjectRef) {
        let Some(kind) = self.schema.kind_no(&object.kind) else { return };
        let table = self.schema.table_of(kind);
        let lazy = self.schema.kind(table).is_some_and(|def| def.lazy);
        let Some(key) = self.tables.find(table, &object.id).filter(|_| lazy) else { return };
        self.tables.lazy.remove(key);
        self.drop_lazy(key);
    }

    /// The same state again costs nothing downstream: trackers re-send unchanged records.
    pub(super) fn replace(&mut self, key: Key, def: &KindDef, state: NewState<'_>) -> Result<(), Full> {
        let Some(old) = self.tables.set_state(key, state)? else { return Ok(()) };
        self.changed += 1;
        self.touched.deps.push(Dep::Node(key));
        if matches!(old, Was::Quarantined(None)) {
            self.touched.deps.push(Dep::Names(def.table));
        }
        self.reindex(key, def, &old);
        if def.lazy && matches!(old, Was::Unknown) {
            self.tables.lazy.push(key);
        }
        self.tables.give_up(old);
        Ok(())
    }

    /// Brings the back lists and the names in line with the new state.
    fn reindex(&mut self, key: Key, def: &KindDef, old: &Was) {
        let table = def.table;
        let targets = (0_u16..).zip(&def.fields).filter_map(|(no, field)| Some((Some(no), field.target?)));
        for (field, target) in targets.chain([(None, self.schema.subject.project)]) {
            let backs = self.schema.kind(self.schema.table_of(target)).map_or(&[][..], |kind| &kind.backs);
            let found = (0_u16..).zip(backs).find(|(_, back)| back.from == table && back.field == field);
            let Some((list, back)) = found else { continue };
            let (old, new) = (old.view(&self.tables.values), self.tables.state(key));
            let (before, after) = (refs(old, field), refs(new, field));
            if back.by_project {
                let (then, now) = (project(old), project(new));
                self.relist_in(key, list, (&before, then), (&after, now));
                continue;
            }
            self.relist(key, &before, &after, |_, _| Some(list));
        }
        for (no, _) in (0_u16..).zip(&def.fields).filter(|(_, field)| field.listed) {
            let (before, after) =
                (refs(old.view(&self.tables.values), Some(no)), refs(self.tables.state(key), Some(no)));
            self.relist(key, &before, &after, |writer, target| writer.other_end(target, table, no));
        }
        if table == self.schema.subject.kind {
            self.rename(key, old);
        }
        if def.named {
            self.renamed(key, table, old);
        }
    }

    /// The list in which an object, whatever its kind, has those that link to it by this field; most kinds have none.
    fn other_end(&self, target: Key, from: KindNo, field: u16) -> Option<u16> {
        let backs = &self.schema.kind(self.tables.node(target)?.table)?.backs;
        let found = backs.iter().position(|back| back.from == from && back.field == Some(field));
        found.and_then(|list| u16::try_from(list).ok())
    }

    fn relist(&mut self, key: Key, before: &[Key], after: &[Key], list: impl Fn(&Self, Key) -> Option<u16>) {
        // Both are sorted.
        let only = |these: &[Key], those: &[Key]| -> SmallVec<[Key; 4]> {
            these.iter().filter(|key| those.binary_search(key).is_err()).copied().collect()
        };
        for target in &only(before, after) {
            let Some(list) = list(self, *target) else { continue };
            self.tables.backs.remove(&(*target, list), key);
            self.touched.deps.push(Dep::Back(*target, list));
        }
        for target in &only(after, before) {
            let Some(list) = list(self, *target) else { continue };
            self.tables.backs.insert((*target, list), key);
            self.touched.deps.push(Dep::Back(*target, list));
        }
    }

    /// The same for a list that is kept by project: an object that moves to another one leaves it for another list.
    fn relist_in(&mut self, key: Key, list: u16, before: (&[Key], Option<Key>), after: (&[Key], Option<Key>)) {
        let places = |(targets, project): (&[Key], Option<Key>)| -> SmallVec<[(Key, Key); 4]> {
            targets.iter().filter_map(|target| Some((*target, project?))).collect()
        };
        let (before, after) = (places(before), places(after));
        for (of, project) in before.iter().filter(|place| !after.contains(place)) {
            self.tables.backs_in.remove(&(*of, list, *project), key);
            self.touched.deps.push(Dep::BackIn { of: *of, list, project: *project });
        }
        for (of, project) in after.iter().filter(|place| !before.contains(place)) {
            self.tables.backs_in.insert((*of, list, *project), key);
            self.touched.deps.push(Dep::BackIn { of: *of, list, project: *project });
        }
    }

    fn renamed(&mut self, key: Key, table: KindNo, old: &Was) {
        // What is not understood keeps its name: it would make another one's unambiguous.
        let title = |state: State<'_>| state.last_said().map(|row| Str::from(row.name()));
        let (before, after) = (title(old.view(&self.tables.values)), title(self.tables.state(key)));
        if before == after {
            return;
        }
        if let Some(name) = before {
            self.tables.by_name.remove(&(table, name), key);
        }
        if let Some(name) = after {
            self.tables.by_name.insert((table, name), key);
        }
        self.touched.deps.push(Dep::Names(table));
    }

    fn rename(&mut self, key: Key, old: &Was) {
        let subject = &self.schema.subject;
        for (field, of_login) in [(subject.login, true), (subject.email, false)] {
            let name = |state| name(state, field).map(Str::from);
            let (before, after) = (name(old.view(&self.tables.values)), name(self.tables.state(key)));
            if before == after {
                continue;
            }
            let index = if of_login { &mut self.tables.by_login } else { &mut self.tables.by_email };
            if let Some(name) = before {
                index.remove(&name, key);
            }
            if let Some(name) = after {
                index.insert(name, key);
            }
            self.touched.deps.push(Dep::Names(subject.kind));
        }
    }

    fn team(&mut self, project: &Id, members: &[Member]) -> Result<(), Full> {
        let table = self.schema.table_of(self.schema.subject.project);
        if members.is_empty() && self.tables.find(table, project).is_none() {
            return Ok(());
        }
        let project = self.project(project)?;
        let members = members.iter().map(|member| self.member(member)).collect::<Result<_, _>>()?;
        self.set_members(project, members)
    }

    fn join(&mut self, project: &Id, member: &Member) -> Result<(), Full> {
        let project = self.project(project)?;
        let (person, place) = self.member(member)?;
        self.set_member(person, project, place)
    }

    fn leave(&mut self, project: &Id, person: &Id) {
        let subject = &self.schema.subject;
        let project = self.tables.find(self.schema.table_of(subject.project), project);
        let person = self.tables.find(self.schema.table_of(subject.kind), person);
        // What was never heard of leaves nothing, and nothing is kept of it.
        let (Some(project), Some(person)) = (project, person) else { return };
        self.unset_member(person, project);
    }

    fn set_members(&mut self, project: Key, members: Vec<(Key, Place<'_>)>) -> Result<(), Full> {
        let staying: FxHashSet<Key> = members.iter().map(|(person, _)| *person).collect();
        let before = self.tables.members.roster(project);
        let leaving: Vec<_> = before.iter().filter(|person| !staying.contains(person)).copied().collect();
        for person in leaving {
            self.unset_member(person, project);
        }
        members.into_iter().try_for_each(|(person, place)| self.set_member(person, project, place))
    }

    pub(super) fn set_member(&mut self, person: Key, project: Key, place: Place<'_>) -> Result<(), Full> {
        let Tables { members, values, .. } = &mut *self.tables;
        let held = members.get(&values.texts, person, project);
        if held.is_some_and(|held| held.role == place.role && held.grants == place.grants.as_ref()) {
            return Ok(());
        }
        let new = held.is_none();
        members.put(&mut values.texts, person, project, place).ok_or(Full)?;
        self.member_changed(person, project);
        if new {
            self.roster_changed(person, project);
        }
        Ok(())
    }

    fn unset_member(&mut self, person: Key, project: Key) {
        let Tables { members, values, .. } = &mut *self.tables;
        if members.remove(&mut values.texts, person, project) {
            self.member_changed(person, project);
            self.roster_changed(person, project);
        }
    }

    fn member<'r>(&mut self, member: &'r Member) -> Result<(Key, Place<'r>), Full> {
        let Member { person, role, roles, rights } = member;
        let mut roles = match self.schema.subject.member_role.map(|kind| self.schema.table_of(kind)) {
            Some(table) => roles.iter().map(|id| self.tables.intern(table, id)).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        roles.sort_unstable();
        roles.dedup();
        let grants = Grants { roles: roles.into(), rights: rights.as_slice().into() };
        let grants = (grants != Grants::default()).then_some(grants);
        let person = self.tables.intern(self.schema.table_of(self.schema.subject.kind), person)?;
        Ok((person, Place { role: role.as_deref(), grants }))
    }

    fn project(&mut self, id: &Id) -> Result<Key, Full> {
        self.tables.intern(self.schema.table_of(self.schema.subject.project), id)
    }

    fn member_changed(&mut self, person: Key, project: Key) {
        self.changed += 1;
        self.touched.deps.push(Dep::Member { person, project });
    }

    fn roster_changed(&mut self, person: Key, project: Key) {
        self.touched.deps.extend([Dep::Roster(person), Dep::Roster(project)]);
    }

    /// Drops the oldest records that were read on first use, so that questions cannot grow the mirror without bound.
    fn make_room(&mut self) {
        while self.tables.lazy.len() > LAZY_RECORDS {
            let Some(key) = self.tables.lazy.pop_oldest() else { return };
            self.drop_lazy(key);
        }
    }

    fn drop_lazy(&mut self, key: Key) {
        let Some(def) = self.tables.node(key).and_then(|node| self.schema.kind(node.table)) else { return };
        self.touched.deps.push(Dep::Node(key));
        if let Ok(Some(old)) = self.tables.set_state(key, NewState::Unknown) {
            self.reindex(key, def, &old);
            self.tables.give_up(old);
        }
        self.tables.release(key);
    }
}

/// The cell for a value: ids of fields that refer to objects become their handles.
fn cell<'r>(tables: &mut Tables, schema: &Schema, field: &FieldDef, value: &'r Value) -> Result<Cell<'r>, Full> {
    let Some(target) = field.target.map(|kind| schema.table_of(kind)) else {
        return match field {
            FieldDef { any: true, .. } => Ok(Cell::Any(value)),
            FieldDef { link: true, .. } => linked(tables, schema, value),
            _ => Ok(plain(value)),
        };
    };
    Ok(match value {
        Value::Null => Cell::Null,
        Value::Text(id) => Cell::Ref(tables.intern(target, &Id::from(id.as_str()))?),
        Value::List(values) => {
            let ids = values.iter().filter_map(Value::as_text);
            let keys = ids.map(|id| tables.intern(target, &Id::from(id))).collect::<Result<_, _>>()?;
            // A member that is no id makes the whole list unknown rather than shorter.
            if values.iter().all(|value| value.as_text().is_some()) { refs_of(keys) } else { Cell::Unset }
        }
        Value::Bool(_) | Value::Number(_) | Value::Map(_) => Cell::Unset,
    })
}

/// Links to objects of any kind, or plain values.
fn linked<'r>(tables: &mut Tables, schema: &Schema, value: &'r Value) -> Result<Cell<'r>, Full> {
    let mut key = |value: &Value| {
        let (type_name, id) = value.as_link()?;
        let (table, id) = link_target(schema, type_name, id)?;
        Some(tables.intern(table, &id))
    };
    Ok(match value {
        Value::Map(_) => key(value).transpose()?.map_or(Cell::Unset, Cell::Ref),
        Value::List(values) if !values.iter().all(|value| value.as_text().is_some()) => {
            let keys: Option<Result<_, _>> = values.iter().map(key).collect();
            // A member that is no link makes the whole list unknown rather than shorter.
            keys.transpose()?.map_or(Cell::Unset, refs_of)
        }
        _ => plain(value),
    })
}

fn refs_of(mut keys: SmallVec<[Key; 2]>) -> Cell<'static> {
    keys.sort_unstable();
    keys.dedup();
    Cell::Refs(keys)
}

/// Under which ids a link's object is filed. One of a kind that is not mirrored is told apart by its type.
pub(super) fn link_target(schema: &Schema, type_name: &str, id: &str) -> Option<(KindNo, Id)> {
    let kind = schema.linked_kind(type_name)?;
    let other = schema.kind(kind).is_some_and(|def| def.type_name == "*");
    let id = if other { Id::from(format!("{type_name} {id}").as_str()) } else { Id::from(id) };
    Some((schema.table_of(kind), id))
}

fn plain(value: &Value) -> Cell<'_> {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Bool(*value),
        Value::Number(value) => Cell::Number(*value),
        Value::Text(text) => Cell::Text(text),
        Value::List(values) if values.iter().all(|value| value.as_text().is_some()) => {
            Cell::Texts(values.iter().filter_map(Value::as_text).collect())
        }
        Value::List(_) | Value::Map(_) => Cell::Unset,
    }
}

/// What a field refers to; without a field, the project.
fn refs(state: State<'_>, field: Option<u16>) -> SmallVec<[Key; 4]> {
    match (state.last_said(), field) {
        (Some(row), Some(field)) => SmallVec::from_slice(&row.cell(field).refs()),
        (Some(row), None) => row.project().into_iter().collect(),
        (None, _) => SmallVec::new(),
    }
}

fn project(state: State<'_>) -> Option<Key> {
    state.last_said()?.project()
}

/// What somebody is called, while they are not in the trash: another one may be called so now.
fn name(state: State<'_>, field: Option<u16>) -> Option<&str> {
    state.last_said().filter(|row| !row.trashed())?.cell(field?).text()
}
