//! The whole state of a pushed source, as records, so that it can be loaded again and changes can be checked against it.
//!
//! Invariant: what a refused request has changed is put back, row by row.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::change::{Change, Snapshot};
use crate::model::id::{Id, ObjectRef, Str};
use crate::model::record::{Member, Record};
use crate::model::schema::{KindNo, Schema};

/// How many records and memberships a source can have: far more than any studio, and a bound for what a sender that
/// never stops can take.
pub const MOST: usize = 4_000_000;

/// How many complaints are told at once.
const TOLD: usize = 20;

/// The members of a project, by person.
pub type Team = FxHashMap<Id, Member>;

/// Records and memberships.
#[derive(Clone, Debug)]
pub struct Store {
    schema: Arc<Schema>,
    records: FxHashMap<Place, Record>,
    /// What lies in each project.
    placed: FxHashMap<Id, FxHashSet<Place>>,
    teams: FxHashMap<Id, Team>,
    members: usize,
}

/// The table and the id.
type Place = (KindNo, Id);

/// What was there before a change.
#[derive(Debug)]
pub(super) enum Former {
    Record(Place, Option<Record>),
    Member(Id, Id, Option<Member>),
    Team(Id, Option<Team>),
}

// === impl Store ===

impl Store {
    /// Nothing yet.
    pub fn new(schema: Arc<Schema>) -> Self {
        Self {
            schema,
            records: FxHashMap::default(),
            placed: FxHashMap::default(),
            teams: FxHashMap::default(),
            members: 0,
        }
    }

    /// The kinds that records can be of.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The record of an object, which may be named by its kind or by its table.
    pub fn record(&self, kind: &str, id: &Id) -> Option<&Record> {
        self.records.get(&(self.table(kind)?, id.clone()))
    }

    /// All records of a kind.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Record> {
        self.records.values().filter(move |record| record.kind == kind)
    }

    /// What lies in a project.
    pub fn in_project(&self, project: &Id) -> impl Iterator<Item = &Record> {
        let places = self.placed.get(project).into_iter().flatten();
        places.filter_map(|place| self.records.get(place))
    }

    /// The members of a project; `None` where nothing was said of them.
    pub fn team(&self, project: &Id) -> Option<&Team> {
        self.teams.get(project)
    }

    /// How many records and memberships there are.
    pub fn len(&self) -> usize {
        self.records.len().saturating_add(self.members)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything there is.
    pub fn snapshot(&self) -> Snapshot {
        let mut changes: Vec<Change> = self.records.values().cloned().map(Change::Upsert).collect();
        let projects = self.records.iter().filter(|((kind, _), _)| *kind == self.schema.subject.project);
        changes.extend(projects.map(|((_, id), _)| self.team_of(id)));
        let tables = (0..).zip(&self.schema.kinds).filter(|(no, kind)| kind.table == *no && !kind.lazy);
        let complete: Vec<Str> = tables.map(|(_, kind)| kind.name.clone()).collect();
        Snapshot { complete, teams: true, changes, ..Snapshot::default() }
    }

    /// What is said of an object.
    pub fn object(&self, object: &ObjectRef) -> Vec<Change> {
        let Some(record) = self.record(&object.kind, &object.id) else { return vec![Change::Remove(object.clone())] };
        let mut changes = vec![Change::Upsert(record.clone())];
        if self.table(&object.kind) == Some(self.schema.subject.project) {
            changes.push(self.team_of(&object.id));
        }
        changes
    }

    /// What the changes say of members, projects and roles that there are not, the changes having been applied.
    pub fn dangling(&self, changes: &[Change]) -> Vec<String> {
        let subject = &self.schema.subject;
        let lacks = |kind: KindNo, id: &Id| {
            let missing = !self.records.contains_key(&(self.schema.table_of(kind), id.clone()));
            missing.then(|| format!("there is no {} `{id}`", self.schema.kind_name(kind)))
        };
        let mut problems = Vec::new();
        for change in changes {
            let (project, members) = match change {
                Change::Team { project, members } => (project, members.as_slice()),
                Change::Join { project, member } => (project, std::slice::from_ref(member)),
                _ => continue,
            };
            problems.extend(lacks(subject.project, project));
            for member in members {
                problems.extend(lacks(subject.kind, &member.person));
                let roles =
                    subject.member_role.into_iter().flat_map(|kind| member.roles.iter().map(move |id| (kind, id)));
                problems.extend(roles.filter_map(|(kind, id)| lacks(kind, id)));
            }
            if problems.len() >= TOLD {
                problems.truncate(TOLD);
                break;
            }
        }
        problems
    }

    fn team_of(&self, project: &Id) -> Change {
        let members = self.teams.get(project).into_iter().flat_map(Team::values).cloned().collect();
        Change::Team { project: project.clone(), members }
    }

    fn table(&self, kind: &str) -> Option<KindNo> {
        self.schema.kind_no(kind).map(|no| self.schema.table_of(no))
    }

    /// Applies a change, and notes what was there before.
    pub(super) fn apply(&mut self, change: &Change, formers: &mut Vec<Former>) {
        match change {
            Change::Upsert(record) => {
                let Some(table) = self.table(&record.kind) else { return };
                let place = (table, record.id.clone());
                let former = self.put(&place, Some(record.clone()));
                formers.push(Former::Record(place, former));
            }
            Change::Remove(object) => {
                let Some(table) = self.table(&object.kind) else { return };
                let place = (table, object.id.clone());
                let former = self.put(&place, None);
                if table == self.schema.subject.project {
                    formers.push(Former::Team(object.id.clone(), self.put_team(&object.id, None)));
                }
                formers.push(Former::Record(place, former));
            }
            Change::Team { project, members } => {
                let team = members.iter().map(|member| (member.person.clone(), member.clone())).collect();
                formers.push(Former::Team(project.clone(), self.put_team(project, Some(team))));
            }
            Change::Join { project, member } => {
                let former = self.put_member(project, &member.person, Some(member.clone()));
                formers.push(Former::Member(project.clone(), member.person.clone(), former));
            }
            Change::Leave { project, person } => {
                let former = self.put_member(project, person, None);
                formers.push(Former::Member(project.clone(), person.clone(), former));
            }
            Change::Quarantine { .. } | Change::Forget(_) => {}
        }
    }

    /// Puts everything back as it was.
    pub(super) fn undo(&mut self, formers: Vec<Former>) {
        for former in formers.into_iter().rev() {
            match former {
                Former::Record(place, record) => drop(self.put(&place, record)),
                Former::Member(project, person, member) => drop(self.put_member(&project, &person, member)),
                Former::Team(project, team) => drop(self.put_team(&project, team)),
            }
        }
    }

    fn put(&mut self, place: &Place, record: Option<Record>) -> Option<Record> {
        let project = record.as_ref().and_then(|record| record.project.clone());
        let former = match record {
            Some(record) => self.records.insert(place.clone(), record),
            None => self.records.remove(place),
        };
        let former_project = former.as_ref().and_then(|record| record.project.clone());
        if former_project != project {
            if let Some(project) = former_project
                && let Some(places) = self.placed.get_mut(&project)
            {
                places.remove(place);
                if places.is_empty() {
                    self.placed.remove(&project);
                }
            }
            if let Some(project) = project {
                self.placed.entry(project).or_default().insert(place.clone());
            }
        }
        former
    }

    fn put_team(&mut self, project: &Id, team: Option<Team>) -> Option<Team> {
        self.members = self.members.saturating_add(team.as_ref().map_or(0, Team::len));
        let former = match team {
            Some(team) => self.teams.insert(project.clone(), team),
            None => self.teams.remove(project),
        };
        self.members = self.members.saturating_sub(former.as_ref().map_or(0, Team::len));
        former
    }

    fn put_member(&mut self, project: &Id, person: &Id, member: Option<Member>) -> Option<Member> {
        self.members = self.members.saturating_add(usize::from(member.is_some()));
        let former = match member {
            Some(member) => self.teams.entry(project.clone()).or_default().insert(person.clone(), member),
            None => self.teams.get_mut(project).and_then(|team| team.remove(person)),
        };
        self.members = self.members.saturating_sub(usize::from(former.is_some()));
        former
    }
}
