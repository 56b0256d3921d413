//! Finds, without changing anything, what of a snapshot differs from the mirror.
//!
//! A reconcile reads everything and usually finds next to nothing: comparing needs a read guard only, so that checks go
//! on while a million records are compared, and the write guard is taken for the differences alone.

use std::collections::{BTreeSet, HashSet};

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::Directory;
use super::apply::link_target;
use super::row::{Cell, Membership, State};
use super::view::View;
use crate::model::change::{Change, Snapshot};
use crate::model::id::{Id, Key, ObjectRef, Str};
use crate::model::record::{Member, Record};
use crate::model::schema::{FieldDef, KindDef, KindNo};
use crate::model::value::Value;

/// What is gone through one by one, on a thread that lets checks go first: a million are looked at, and where checks have no
/// other core they would wait for a whole slice of the scheduler's.
pub(crate) fn giving_way<T>(many: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    /// Between so many the processor is offered to whoever waits for it.
    const STRIDE: usize = 128;
    many.into_iter().enumerate().map(|(at, one)| {
        if at % STRIDE == 0 {
            std::thread::yield_now();
        }
        one
    })
}

impl Directory {
    /// The changes that make the mirror equal to the snapshot, objects of `except` left alone.
    pub fn difference(&self, snapshot: Snapshot) -> Vec<Change> {
        let Snapshot { complete, teams, changes, age: _, except } = snapshot;
        let except = self.tabled(&except);
        let mut removals = self.removals(&complete, teams, &changes, &except);
        let differs = |change: &Change| !self.excepted(change, &except) && self.differs(change);
        let mut differences: Vec<_> = giving_way(changes).filter(differs).collect();
        differences.append(&mut removals);
        differences
    }

    /// Those of the changes that differ from the mirror, objects of `except` left alone. These are named by their tables.
    pub fn differing(&self, changes: Vec<Change>, except: &HashSet<ObjectRef>) -> Vec<Change> {
        let excepted = |change: &Change| {
            self.named_by(change).is_some_and(|(table, id)| {
                except.contains(&ObjectRef { kind: Str::from(self.schema.kind_name(table)), id: id.clone() })
            })
        };
        giving_way(changes).filter(|change| (except.is_empty() || !excepted(change)) && self.differs(change)).collect()
    }

    /// Objects under the tables that their ids are filed in: a shot may be named as an entity, and the other way round.
    fn tabled<'s>(&self, objects: &'s HashSet<ObjectRef>) -> FxHashSet<(KindNo, &'s Id)> {
        let known =
            |object: &'s ObjectRef| Some((self.schema.table_of(self.schema.kind_no(&object.kind)?), &object.id));
        objects.iter().filter_map(known).collect()
    }

    fn excepted(&self, change: &Change, except: &FxHashSet<(KindNo, &Id)>) -> bool {
        !except.is_empty() && self.named_by(change).is_some_and(|named| except.contains(&named))
    }

    /// The object that a change is about, under its table.
    fn named_by<'c>(&self, change: &'c Change) -> Option<(KindNo, &'c Id)> {
        let (kind, id) = match change {
            Change::Upsert(record) => (self.schema.kind_no(&record.kind), &record.id),
            Change::Remove(object) | Change::Forget(object) | Change::Quarantine { object, .. } => {
                (self.schema.kind_no(&object.kind), &object.id)
            }
            Change::Team { project, .. } | Change::Join { project, .. } | Change::Leave { project, .. } => {
                (Some(self.schema.subject.project), project)
            }
        };
        kind.map(|kind| (self.schema.table_of(kind), id))
    }

    fn differs(&self, change: &Change) -> bool {
        match change {
            Change::Upsert(record) => !self.holds(record),
            Change::Remove(object) => {
                self.state_of(object).is_some_and(|state| !matches!(state, State::Gone | State::Unknown))
            }
            Change::Forget(object) => self.state_of(object).is_some_and(|state| !matches!(state, State::Unknown)),
            // A quarantined record is told again: what was wrong with it may have changed.
            Change::Quarantine { .. } => true,
            Change::Team { project, members } => !self.has_team(project, members),
            Change::Join { project, member } => !self.has_member(project, member),
            Change::Leave { .. } => true,
        }
    }

    fn state_of(&self, object: &ObjectRef) -> Option<State<'_>> {
        let table = self.schema.table_of(self.schema.kind_no(&object.kind)?);
        Some(self.tables.state(self.tables.find(table, &object.id)?))
    }

    fn holds(&self, record: &Record) -> bool {
        let Some(kind) = self.schema.kind_no(&record.kind) else { return true };
        let Some(def) = self.schema.kind(self.schema.table_of(kind)) else { return true };
        self.tables.find(def.table, &record.id).is_some_and(|key| self.view().holds(key, kind, def, record))
    }

    fn has_team(&self, project: &Id, members: &[Member]) -> bool {
        let projects = self.schema.table_of(self.schema.subject.project);
        let Some(project) = self.tables.find(projects, project) else { return members.is_empty() };
        self.tables.members.roster(project).len() == members.len()
            && members.iter().all(|member| self.is_member(project, member))
    }

    fn has_member(&self, project: &Id, member: &Member) -> bool {
        let projects = self.schema.table_of(self.schema.subject.project);
        self.tables.find(projects, project).is_some_and(|project| self.is_member(project, member))
    }

    fn is_member(&self, project: Key, member: &Member) -> bool {
        let Member { person, role, roles, rights } = member;
        let people = self.schema.table_of(self.schema.subject.kind);
        let held = self.tables.find(people, person).and_then(|person| self.view().member(person, project));
        let Some(Membership { role: held_role, grants }) = held else { return false };
        let (held_roles, held_rights) = grants.map_or((&[][..], &[][..]), |grants| (&grants.roles, &grants.rights));
        let mut keys: Vec<_> = match self.schema.subject.member_role.map(|kind| self.schema.table_of(kind)) {
            Some(table) => roles.iter().map(|id| self.tables.find(table, id)).collect(),
            None => Vec::new(),
        };
        keys.sort_unstable();
        keys.dedup();
        held_role == role.as_deref()
            && keys.iter().flatten().eq(held_roles)
            && !keys.contains(&None)
            && held_rights == &rights[..]
    }

    /// Objects of complete kinds that the snapshot does not list, and teams that it leaves out.
    fn removals(
        &self,
        complete: &[Str],
        teams: bool,
        changes: &[Change],
        except: &FxHashSet<(KindNo, &Id)>,
    ) -> Vec<Change> {
        let tables: BTreeSet<_> =
            complete.iter().filter_map(|name| self.schema.kind_no(name)).map(|no| self.schema.table_of(no)).collect();
        let mut listed: FxHashMap<KindNo, HashSet<&Id>> = FxHashMap::default();
        let mut with_team: HashSet<&Id> = HashSet::new();
        for change in giving_way(changes) {
            let (kind, id) = match change {
                Change::Upsert(record) => (&record.kind, &record.id),
                Change::Quarantine { object, .. } => (&object.kind, &object.id),
                Change::Team { project, .. } => {
                    with_team.insert(project);
                    continue;
                }
                Change::Remove(_) | Change::Forget(_) | Change::Join { .. } | Change::Leave { .. } => continue,
            };
            if let Some(no) = self.schema.kind_no(kind) {
                listed.entry(self.schema.table_of(no)).or_default().insert(id);
            }
        }
        let mut removals = Vec::new();
        let mut known: Vec<_> =
            tables.iter().flat_map(|table| self.tables.with_row(*table).chain(self.tables.odd(*table))).collect();
        known.sort_unstable();
        for node in giving_way(known).filter_map(|key| self.tables.node(key)) {
            if listed.get(&node.table).is_some_and(|ids| ids.contains(&node.id))
                || except.contains(&(node.table, &node.id))
            {
                continue;
            }
            let kind = Str::from(self.schema.kind_name(node.table));
            removals.push(Change::Remove(ObjectRef { kind, id: node.id.clone() }));
        }
        if teams {
            for project in self.tables.members.with_roster().filter_map(|key| self.tables.node(key)) {
                if project.table == self.schema.table_of(self.schema.subject.project)
                    && !with_team.contains(&project.id)
                    && !except.contains(&(project.table, &project.id))
                {
                    removals.push(Change::Team { project: project.id.clone(), members: Vec::new() });
                }
            }
        }
        removals
    }
}

impl View<'_> {
    /// Whether the mirror has the record as it is. Builds nothing: most of what a snapshot says is nothing new.
    fn holds(self, key: Key, kind: KindNo, def: &KindDef, record: &Record) -> bool {
        let Some(row) = self.row(key) else { return false };
        row.kind() == kind
            && row.trashed() == record.trashed
            && row.name() == record.name
            && row.project().and_then(|key| self.id(key)) == record.project.as_ref()
            && row.cells().len() == def.fields.len()
            && def.fields.iter().zip(row.cells()).all(|(field, cell)| match record.field(&field.name) {
                None => cell == Cell::Unset,
                Some(value) => self.same(field, cell, value),
            })
    }

    fn same(self, field: &FieldDef, cell: Cell<'_>, value: &Value) -> bool {
        let link = |value: &Value| {
            let (type_name, id) = value.as_link()?;
            let (table, id) = link_target(self.schema, type_name, id)?;
            self.tables.find(table, &id)
        };
        match (cell, value) {
            (Cell::Any(a), b) => a == b,
            (Cell::Null, Value::Null) => true,
            (Cell::Bool(a), Value::Bool(b)) => a == *b,
            (Cell::Number(a), Value::Number(b)) => a == *b,
            (Cell::Text(a), Value::Text(b)) => field.target.is_none() && a == b.as_str(),
            (Cell::Texts(a), Value::List(b)) => {
                a.iter().len() == b.len() && a.iter().zip(b).all(|(a, b)| b.as_text() == Some(a))
            }
            (Cell::Ref(key), Value::Map(_)) => link(value) == Some(key),
            (Cell::Ref(key), Value::Text(id)) => field.target.is_some() && self.id(key).is_some_and(|held| held.is(id)),
            (Cell::Refs(keys), Value::List(values)) => {
                let key = |value: &Value| match field.target {
                    Some(target) => self.find(target, &Id::from(value.as_text()?)),
                    None => link(value),
                };
                let read: Option<SmallVec<[Key; 8]>> = values.iter().map(key).collect();
                read.is_some_and(|mut read| {
                    read.sort_unstable();
                    read.dedup();
                    *read == *keys
                })
            }
            _ => false,
        }
    }
}
