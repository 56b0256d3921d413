//! Applies changes to the mirror. The only code that mutates it.
//!
//! change -> minimal row -> did it change? -> tables -> `Touched`
//!
//! Invariant: an empty `Touched` means that no decision anywhere can differ.

use std::hash::Hash;

use rustc_hash::{FxHashMap, FxHashSet};

use super::tables::{Cell, Grants, Membership, Row, State, Tables};
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
    pub touched: Touched,
}

impl Directory {
    /// Applies changes in order and says whose decisions may now differ.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Applied {
        let mut writer = Writer {
            schema: &self.schema,
            tables: &mut self.tables,
            touched: Touched::default(),
            changed: 0,
            quarantined: 0,
        };
        for change in changes {
            writer.change(change);
        }
        writer.make_room();
        let Writer { mut touched, changed, quarantined, .. } = writer;
        touched.deps.sort_unstable();
        touched.deps.dedup();
        if !touched.is_empty() {
            self.revision += 1;
        }
        Applied { revision: self.revision, changed, quarantined, touched }
    }
}

struct Writer<'a> {
    schema: &'a Schema,
    tables: &'a mut Tables,
    touched: Touched,
    changed: usize,
    quarantined: usize,
}

impl Writer<'_> {
    fn change(&mut self, change: Change) {
        match change {
            Change::Upsert(record) => self.upsert(&record),
            Change::Remove(object) => self.set(&object, State::Gone),
            Change::Forget(object) => self.forget(&object),
            Change::Quarantine { object, problem: _ } => {
                self.quarantined += 1;
                self.set(&object, State::Quarantined(None));
            }
            Change::Team { project, members } => self.team(&project, &members),
            Change::Join { project, member } => self.join(&project, &member),
            Change::Leave { project, person } => self.leave(&project, &person),
        }
    }

    fn upsert(&mut self, record: &Record) {
        let Some(kind) = self.schema.kind_no(&record.kind) else { return };
        let table = self.schema.table_of(kind);
        let Some(def) = self.schema.kind(table) else { return };
        let key = self.tables.intern(table, &record.id);
        let project = record.project.as_ref().map(|id| self.tables.intern(self.schema.subject.project, id));
        let cells = def.fields.iter().map(|field| match record.field(&field.name) {
            None => Cell::Unset,
            Some(value) => cell(self.tables, self.schema, field, value),
        });
        let row =
            Row { kind, trashed: record.trashed, project, name: record.name.as_str().into(), cells: cells.collect() };
        self.replace(key, table, def, State::Record(row));
    }

    fn set(&mut self, object: &ObjectRef, state: State) {
        let Some(kind) = self.schema.kind_no(&object.kind) else { return };
        let table = self.schema.table_of(kind);
        let Some(def) = self.schema.kind(table) else { return };
        // What was never heard of and does not exist needs no node, unless it was asked for by its id.
        if state == State::Gone && !def.lazy && self.tables.find(table, &object.id).is_none() {
            return;
        }
        let key = self.tables.intern(table, &object.id);
        if state == State::Gone && table == self.schema.subject.project {
            self.set_members(key, Vec::new());
        }
        let state = match (state, self.tables.state(key)) {
            (State::Quarantined(_), State::Record(row)) => State::Quarantined(Some(Box::new(row.clone()))),
            (State::Quarantined(_), State::Quarantined(row)) => State::Quarantined(row.clone()),
            (state, _) => state,
        };
        self.replace(key, table, def, state);
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
    fn replace(&mut self, key: Key, table: KindNo, def: &KindDef, state: State) {
        if *self.tables.state(key) == state {
            return;
        }
        self.changed += 1;
        self.touched.deps.push(Dep::Node(key));
        let odd = |tables: &Tables| matches!(tables.state(key), State::Quarantined(None));
        let was_odd = odd(self.tables);
        let old = self.tables.set_state(key, state);
        if was_odd != odd(self.tables) {
            self.touched.deps.push(Dep::Names(table));
        }
        self.reindex(key, table, def, &old);
        if def.lazy && old == State::Unknown {
            self.tables.lazy.push(key);
        }
    }

    /// Brings the back lists and the names in line with the new state.
    fn reindex(&mut self, key: Key, table: KindNo, def: &KindDef, old: &State) {
        let targets = (0_u16..).zip(&def.fields).filter_map(|(no, field)| Some((Some(no), field.target?)));
        for (field, target) in targets.chain([(None, self.schema.subject.project)]) {
            let backs = self.schema.kind(self.schema.table_of(target)).map_or(&[][..], |kind| &kind.backs);
            let found = (0_u16..).zip(backs).find(|(_, back)| back.from == table && back.field == field);
            let Some((list, back)) = found else { continue };
            let new = self.tables.state(key);
            let (before, after) = (refs(old, field).to_vec(), refs(new, field).to_vec());
            if back.by_project {
                let (then, now) = (project(old), project(new));
                self.relist_in(key, list, (&before, then), (&after, now));
                continue;
            }
            self.relist(key, &before, &after, |_, _| Some(list));
        }
        for (no, _) in (0_u16..).zip(&def.fields).filter(|(_, field)| field.listed) {
            let (before, after) = (refs(old, Some(no)).to_vec(), refs(self.tables.state(key), Some(no)).to_vec());
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
        let only = |these: &[Key], those: &[Key]| -> Vec<Key> {
            these.iter().filter(|key| those.binary_search(key).is_err()).copied().collect()
        };
        for target in &only(before, after) {
            let Some(list) = list(self, *target) else { continue };
            unlist(&mut self.tables.backs, &(*target, list), key);
            self.touched.deps.push(Dep::Back(*target, list));
        }
        for target in &only(after, before) {
            let Some(list) = list(self, *target) else { continue };
            self.tables.backs.entry((*target, list)).or_default().push(key);
            self.touched.deps.push(Dep::Back(*target, list));
        }
    }

    /// The same for a list that is kept by project: an object that moves to another one leaves it for another list.
    fn relist_in(&mut self, key: Key, list: u16, before: (&[Key], Option<Key>), after: (&[Key], Option<Key>)) {
        let places = |(targets, project): (&[Key], Option<Key>)| -> Vec<(Key, Key)> {
            targets.iter().filter_map(|target| Some((*target, project?))).collect()
        };
        let (before, after) = (places(before), places(after));
        for (of, project) in before.iter().filter(|place| !after.contains(place)) {
            unlist(&mut self.tables.backs_in, &(*of, list, *project), key);
            self.touched.deps.push(Dep::BackIn { of: *of, list, project: *project });
        }
        for (of, project) in after.iter().filter(|place| !before.contains(place)) {
            self.tables.backs_in.entry((*of, list, *project)).or_default().push(key);
            self.touched.deps.push(Dep::BackIn { of: *of, list, project: *project });
        }
    }

    fn renamed(&mut self, key: Key, table: KindNo, old: &State) {
        // What is not understood keeps its name: it would make another one's unambiguous.
        let title = |state: &State| last_said(state).map(|row| Str::from(&*row.name));
        let (before, after) = (title(old), title(self.tables.state(key)));
        if before == after {
            return;
        }
        if let Some(name) = before {
            unlist(&mut self.tables.by_name, &(table, name), key);
        }
        if let Some(name) = after {
            self.tables.by_name.entry((table, name)).or_default().push(key);
        }
        self.touched.deps.push(Dep::Names(table));
    }

    fn rename(&mut self, key: Key, old: &State) {
        let subject = &self.schema.subject;
        let new = self.tables.state(key).clone();
        for (field, index) in [(subject.login, &mut self.tables.by_login), (subject.email, &mut self.tables.by_email)] {
            let (before, after) = (name(old, field), name(&new, field));
            if before == after {
                continue;
            }
            if let Some(list) = before.and_then(|name| index.get_mut(name)) {
                list.retain(|person| *person != key);
            }
            if let Some(name) = after {
                index.entry(Str::from(name)).or_default().push(key);
            }
            self.touched.deps.push(Dep::Names(subject.kind));
        }
    }

    fn team(&mut self, project: &Id, members: &[Member]) {
        let table = self.schema.table_of(self.schema.subject.project);
        if members.is_empty() && self.tables.find(table, project).is_none() {
            return;
        }
        let project = self.project(project);
        let members: Vec<_> = members.iter().map(|member| self.member(member)).collect();
        self.set_members(project, members);
    }

    fn join(&mut self, project: &Id, member: &Member) {
        let project = self.project(project);
        let (person, membership) = self.member(member);
        if self.set_member(person, project, membership) {
            self.tables.rosters.entry(project).or_default().push(person);
        }
    }

    fn leave(&mut self, project: &Id, person: &Id) {
        let subject = &self.schema.subject;
        let project = self.tables.find(self.schema.table_of(subject.project), project);
        let person = self.tables.find(self.schema.table_of(subject.kind), person);
        // What was never heard of leaves nothing, and nothing is kept of it.
        let (Some(project), Some(person)) = (project, person) else { return };
        if self.tables.members.contains_key(&(person, project)) {
            self.unset_member(person, project);
            self.unlist(project, person);
        }
    }

    fn set_members(&mut self, project: Key, members: Vec<(Key, Membership)>) {
        let before = self.tables.rosters.remove(&project).unwrap_or_default();
        let staying: FxHashSet<Key> = members.iter().map(|(person, _)| *person).collect();
        for person in before.into_iter().filter(|person| !staying.contains(person)) {
            self.unset_member(person, project);
        }
        for (person, membership) in members {
            self.set_member(person, project, membership);
        }
        if !staying.is_empty() {
            self.tables.rosters.insert(project, staying.into_iter().collect());
        }
    }

    /// Whether the person is new to the project; the project's own list is the caller's to mend.
    fn set_member(&mut self, person: Key, project: Key, membership: Membership) -> bool {
        let old = self.tables.members.get(&(person, project));
        if old == Some(&membership) {
            return false;
        }
        let new = old.is_none();
        self.tables.members.insert((person, project), membership);
        self.member_changed(person, project);
        if new {
            self.tables.rosters.entry(person).or_default().push(project);
            self.roster_changed(person, project);
        }
        new
    }

    fn unset_member(&mut self, person: Key, project: Key) {
        self.tables.members.remove(&(person, project));
        self.unlist(person, project);
        self.member_changed(person, project);
        self.roster_changed(person, project);
    }

    fn unlist(&mut self, of: Key, listed: Key) {
        unlist(&mut self.tables.rosters, &of, listed);
    }

    fn member(&mut self, member: &Member) -> (Key, Membership) {
        let Member { person, role, roles, rights } = member;
        let mut roles: Vec<_> = match self.schema.subject.member_role.map(|kind| self.schema.table_of(kind)) {
            Some(table) => roles.iter().map(|id| self.tables.intern(table, id)).collect(),
            None => Vec::new(),
        };
        roles.sort_unstable();
        roles.dedup();
        let grants = Grants { roles: roles.into(), rights: rights.as_slice().into() };
        let grants = (grants != Grants::default()).then(|| Box::new(grants));
        (self.person(person), Membership { role: role.clone(), grants })
    }

    fn person(&mut self, id: &Id) -> Key {
        self.tables.intern(self.schema.table_of(self.schema.subject.kind), id)
    }

    fn project(&mut self, id: &Id) -> Key {
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
        let Some(table) = self.tables.node(key).map(|node| node.table) else { return };
        let Some(def) = self.schema.kind(table) else { return };
        self.touched.deps.push(Dep::Node(key));
        let old = self.tables.set_state(key, State::Unknown);
        self.reindex(key, table, def, &old);
        self.tables.release(key);
    }
}

/// The cell for a value: ids of fields that refer to objects become their handles.
fn cell(tables: &mut Tables, schema: &Schema, field: &FieldDef, value: &Value) -> Cell {
    let Some(target) = field.target.map(|kind| schema.table_of(kind)) else {
        return match field {
            FieldDef { any: true, .. } => Cell::Any(Box::new(value.clone())),
            FieldDef { link: true, .. } => linked(tables, schema, value),
            _ => plain(value),
        };
    };
    match value {
        Value::Null => Cell::Null,
        Value::Text(id) => Cell::Ref(tables.intern(target, &Id::from(id.as_str()))),
        Value::List(values) => {
            let ids = values.iter().filter_map(Value::as_text);
            let mut keys: Vec<_> = ids.map(|id| tables.intern(target, &Id::from(id))).collect();
            keys.sort_unstable();
            keys.dedup();
            // A member that is no id makes the whole list unknown rather than shorter.
            if values.iter().all(|value| value.as_text().is_some()) { Cell::Refs(keys.into()) } else { Cell::Unset }
        }
        Value::Bool(_) | Value::Number(_) | Value::Map(_) => Cell::Unset,
    }
}

/// Links to objects of any kind, or plain values.
fn linked(tables: &mut Tables, schema: &Schema, value: &Value) -> Cell {
    let mut key = |value: &Value| {
        let (type_name, id) = value.as_link()?;
        let (table, id) = link_target(schema, type_name, id)?;
        Some(tables.intern(table, &id))
    };
    match value {
        Value::Map(_) => key(value).map_or(Cell::Unset, Cell::Ref),
        Value::List(values) if !values.iter().all(|value| value.as_text().is_some()) => {
            let keys: Option<Vec<_>> = values.iter().map(key).collect();
            // A member that is no link makes the whole list unknown rather than shorter.
            let Some(mut keys) = keys else { return Cell::Unset };
            keys.sort_unstable();
            keys.dedup();
            Cell::Refs(keys.into())
        }
        _ => plain(value),
    }
}

/// Under which ids a link's object is filed. One of a kind that is not mirrored is told apart by its type.
pub(super) fn link_target(schema: &Schema, type_name: &str, id: &str) -> Option<(KindNo, Id)> {
    let kind = schema.linked_kind(type_name)?;
    let other = schema.kind(kind).is_some_and(|def| def.type_name == "*");
    let id = if other { Id::from(format!("{type_name} {id}").as_str()) } else { Id::from(id) };
    Some((schema.table_of(kind), id))
}

fn plain(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Bool(*value),
        Value::Number(value) => Cell::Number(*value),
        Value::Text(text) => Cell::Text(text.as_str().into()),
        Value::List(values) if values.iter().all(|value| value.as_text().is_some()) => {
            Cell::Texts(values.iter().filter_map(Value::as_text).map(Into::into).collect())
        }
        Value::List(_) | Value::Map(_) => Cell::Unset,
    }
}

/// What a field refers to; without a field, the project.
pub(super) fn refs(state: &State, field: Option<u16>) -> &[Key] {
    match (last_said(state), field) {
        (Some(row), Some(field)) => row.cell(field).refs(),
        (Some(row), None) => row.project.as_slice(),
        (None, _) => &[],
    }
}

fn project(state: &State) -> Option<Key> {
    last_said(state)?.project
}

pub(super) fn last_said(state: &State) -> Option<&Row> {
    match state {
        State::Record(row) => Some(row),
        State::Quarantined(row) => row.as_deref(),
        State::Unknown | State::Gone => None,
    }
}

fn unlist<K: Eq + Hash>(lists: &mut FxHashMap<K, Vec<Key>>, at: &K, key: Key) {
    if let Some(list) = lists.get_mut(at) {
        list.retain(|listed| *listed != key);
        if list.is_empty() {
            lists.remove(at);
        }
    }
}

/// What somebody is called, while they are not in the trash: another one may be called so now.
pub(super) fn name(state: &State, field: Option<u16>) -> Option<&str> {
    last_said(state).filter(|row| !row.trashed)?.cell(field?).text()
}
