//! The tracker as it is, what of it was told to the authorizers, and what is on its way.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use stagedoor::authorizer::{Authorizer, Clock, Feed, Options, ReadError, Reader};
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Batch, Change, Snapshot};
use stagedoor::model::id::{Id as RecordId, ObjectRef, Str};
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::record::{Member, Record};
use stagedoor::model::value::Value;

use super::Step;
use super::studio::change;
use crate::model::*;

/// The tables of which everything is mirrored.
const MIRRORED: [&str; 7] = ["person", "project", "task_type", "task_status", "entity", "task", "metadata_descriptor"];

#[derive(Debug)]
pub(super) struct World {
    pub(super) truth: Studio,
    /// What the authorizers were told.
    pub(super) applied: Studio,
    pub(super) authorizers: Vec<Arc<Authorizer>>,
    hints: Vec<Vec<ObjectRef>>,
    /// What a reconcile has read, and what events named meanwhile.
    reading: Option<(Studio, HashSet<ObjectRef>)>,
}

/// Reads for all authorizers, so that they are told the same.
#[derive(Debug)]
struct Tracker(Weak<Mutex<World>>);

impl Reader for Tracker {
    fn read(&self, objects: Vec<ObjectRef>) -> Pin<Box<dyn Future<Output = Result<(), ReadError>> + Send + '_>> {
        if let Some(world) = self.0.upgrade() {
            world.lock().reread(&objects, false);
        }
        Box::pin(async { Ok(()) })
    }
}

impl World {
    pub(super) fn start(truth: Studio) -> Arc<Mutex<Self>> {
        let authorizers = [100_000, 8, 0].map(|cache_capacity| {
            let options = Options { cache_capacity, ..Options::default() };
            let policy = Policy::load("kitsu", None).expect("compiles");
            Authorizer::new(policy, options, Clock::system())
        });
        let statuses = [("open", "Open"), ("closed", "Closed")]
            .map(|(id, name)| Change::Upsert(Record::new("project_status", id).with("name", Value::text(name))));
        for authorizer in &authorizers {
            authorizer.apply(Batch::Delta(statuses.to_vec()));
            authorizer.known_equal(Instant::now());
            authorizer.feed(Feed::Live);
        }
        let (applied, hints) = (Studio::default(), Vec::new());
        let mut world = Self { truth, applied, authorizers: authorizers.to_vec(), hints, reading: None };
        world.end_reconcile(&world.truth.clone(), &HashSet::new(), &mut StdRng::seed_from_u64(0));
        let world = Arc::new(Mutex::new(world));
        for authorizer in &world.lock().authorizers {
            authorizer.set_reader(Arc::new(Tracker(Arc::downgrade(&world))));
        }
        world
    }

    pub(super) fn take(&mut self, step: Step) {
        let mut chance = StdRng::seed_from_u64(u64::from(step.seed()));
        let chance = &mut chance;
        match step {
            Step::Change(_) => {
                let hint = change(&mut self.truth, chance);
                if let Some((_, named)) = &mut self.reading {
                    named.extend(hint.iter().cloned());
                }
                self.hints.push(hint);
            }
            Step::ChangeSilently(_) => drop(change(&mut self.truth, chance)),
            Step::Arrive(_) | Step::ArriveTwice(_) | Step::Lose(_) if self.hints.is_empty() => {}
            Step::Arrive(_) => {
                let hint = self.hints.remove(chance.random_range(0..self.hints.len()));
                self.reread(&hint, true);
            }
            Step::ArriveTwice(_) => {
                let hint = self.hints[chance.random_range(0..self.hints.len())].clone();
                self.reread(&hint, true);
            }
            Step::Lose(_) => drop(self.hints.remove(chance.random_range(0..self.hints.len()))),
            Step::ArriveTogether(_) => {
                let hints: Vec<_> = self.hints.drain(..).flatten().collect();
                self.reread(&hints, true);
            }
            Step::Quarantine(_) => {
                let table = MIRRORED[chance.random_range(0..MIRRORED.len())];
                let ids = self.ids(table, &self.applied);
                if let Some(id) = ids.get(chance.random_range(0..=ids.len())) {
                    self.quarantine(table, id);
                    let object = ObjectRef::new(table, id);
                    self.tell(&[Change::Quarantine { object, problem: "unreadable".to_owned() }]);
                }
            }
            Step::BeginReconcile(_) => self.reading = Some((self.truth.clone(), HashSet::new())),
            Step::EndReconcile(_) => {
                if let Some((read, named)) = self.reading.take() {
                    self.end_reconcile(&read, &named, chance);
                }
            }
            Step::Reconcile(_) => {
                self.hints.clear();
                self.end_reconcile(&self.truth.clone(), &HashSet::new(), chance);
                self.forget_lazy();
            }
            Step::Forget(_) => self.forget_lazy(),
            Step::Reload(_) => {
                for authorizer in &self.authorizers {
                    authorizer
                        .set_policy(Policy::load("kitsu", None).expect("compiles"))
                        .expect("needs no other mirror");
                }
            }
            Step::Rest(_) => {}
        }
    }

    fn tell(&self, changes: &[Change]) {
        for authorizer in &self.authorizers {
            authorizer.apply(Batch::Delta(changes.to_vec()));
        }
    }

    fn forget_lazy(&mut self) {
        let Studio { comments, playlists, mentions, .. } = &mut self.applied;
        let forget = |kind: &str, id: &Id| Change::Forget(ObjectRef::new(kind, id));
        let mut changes: Vec<_> = comments.keys().map(|id| forget("comment", id)).collect();
        changes.extend(playlists.keys().map(|id| forget("playlist", id)));
        changes.extend(mentions.keys().map(|id| forget("task_mentions", id)));
        comments.clear();
        playlists.clear();
        mentions.clear();
        self.tell(&changes);
    }

    /// Reads these objects as they are now and tells of them. What an event names and nobody asked for yet is left out.
    fn reread(&mut self, objects: &[ObjectRef], by_event: bool) {
        let mut changes = Vec::new();
        for ObjectRef { kind, id } in objects {
            let (kind, id) = (table(kind), id.to_string());
            let (Self { truth, applied, .. }, object) = (&mut *self, ObjectRef::new(kind, &id));
            match kind {
                "comment" | "playlist" | "task_mentions" => {
                    let held = match kind {
                        "comment" => applied.comments.contains_key(&id),
                        "playlist" => applied.playlists.contains_key(&id),
                        _ => applied.mentions.contains_key(&id),
                    };
                    if by_event && !held {
                        continue;
                    }
                    match kind {
                        "comment" => {
                            let record = truth.comments.get(&id).cloned().flatten();
                            changes.push(told(object, record.as_ref().map(|comment| comment_record(&id, comment))));
                            applied.comments.insert(id, record);
                        }
                        "playlist" => {
                            let record = truth.playlists.get(&id).cloned().flatten();
                            changes.push(told(object, record.as_ref().map(|playlist| playlist_record(&id, playlist))));
                            applied.playlists.insert(id, record);
                        }
                        _ => {
                            let mentions = mentions(truth, &id);
                            changes.push(Change::Upsert(mentions_record(&id, &mentions)));
                            applied.mentions.insert(id, mentions);
                        }
                    }
                }
                // The few tables that never change here.
                _ if !MIRRORED.contains(&kind) => {}
                _ => {
                    changes.push(told(object, record(truth, kind, &id)));
                    if kind == "project"
                        && let Some(team) = truth.teams.get(&id)
                    {
                        changes.push(team_change(&id, team));
                    }
                    copy(truth, applied, kind, &id);
                }
            }
        }
        self.tell(&changes);
    }

    fn end_reconcile(&mut self, read: &Studio, named: &HashSet<ObjectRef>, chance: &mut StdRng) {
        let excepted: HashSet<_> = named.iter().map(|object| (table(&object.kind), object.id.to_string())).collect();
        let mut changes = Vec::new();
        for kind in MIRRORED {
            for id in self.ids(kind, read) {
                let record = record(read, kind, &id).expect("was read");
                if chance.random_bool(0.01) {
                    let object = ObjectRef::new(kind, &id);
                    changes.push(Change::Quarantine { object, problem: "unreadable".to_owned() });
                    if !excepted.contains(&(kind, id.clone())) {
                        self.quarantine(kind, &id);
                    }
                } else {
                    changes.push(Change::Upsert(record));
                    if !excepted.contains(&(kind, id.clone())) {
                        copy(read, &mut self.applied, kind, &id);
                    }
                }
            }
            for id in self.ids(kind, &self.applied) {
                if !excepted.contains(&(kind, id.clone())) && record(read, kind, &id).is_none() {
                    copy(read, &mut self.applied, kind, &id);
                }
            }
        }
        self.applied
            .quarantined
            .retain(|(kind, id)| excepted.contains(&(*kind, id.clone())) || record(read, kind, id).is_some());
        for (project, team) in &read.teams {
            changes.push(team_change(project, team));
            if !excepted.contains(&("project", project.clone())) {
                self.applied.teams.insert(project.clone(), team.clone());
            }
        }
        self.applied
            .teams
            .retain(|project, _| excepted.contains(&("project", project.clone())) || read.teams.contains_key(project));
        let complete = MIRRORED.iter().map(|kind| Str::from(*kind)).collect();
        let snapshot = Snapshot { complete, teams: true, changes, except: named.clone(), ..Snapshot::default() };
        for authorizer in &self.authorizers {
            authorizer.apply(Batch::Snapshot(snapshot.clone()));
        }
    }

    fn quarantine(&mut self, kind: &'static str, id: &Id) {
        // Its place in the team is known apart from the project's record.
        let team = self.applied.teams.get(id).cloned();
        let once =
            self.applied.people.get(id).or_else(|| self.applied.once.get(id)).filter(|_| kind == "person").cloned();
        copy(&Studio::default(), &mut self.applied, kind, id);
        if let Some(team) = team {
            self.applied.teams.insert(id.clone(), team);
        }
        once.into_iter().for_each(|once| drop(self.applied.once.insert(id.clone(), once)));
        self.applied.quarantined.insert((kind, id.clone()));
    }

    fn ids(&self, kind: &str, studio: &Studio) -> Vec<Id> {
        fn keys<T>(records: &BTreeMap<Id, T>) -> Vec<Id> {
            records.keys().cloned().collect()
        }
        match kind {
            "person" => keys(&studio.people),
            "project" => keys(&studio.projects),
            "task_type" => keys(&studio.task_types),
            "task_status" => keys(&studio.statuses),
            "entity" => keys(&studio.entities),
            "task" => keys(&studio.tasks),
            "metadata_descriptor" => keys(&studio.descriptors),
            other => panic!("{other}"),
        }
    }
}

/// What `from` has of an object, or has not, is put in place in `to`; a project with its team.
fn copy(from: &Studio, to: &mut Studio, kind: &str, id: &Id) {
    fn one<T: Clone>(from: &BTreeMap<Id, T>, to: &mut BTreeMap<Id, T>, id: &Id) {
        match from.get(id) {
            Some(record) => drop(to.insert(id.clone(), record.clone())),
            None => drop(to.remove(id)),
        }
    }
    to.quarantined.retain(|(table, known)| *table != kind || known != id);
    if kind == "person" {
        to.once.remove(id);
    }
    match kind {
        "person" => one(&from.people, &mut to.people, id),
        "project" => {
            one(&from.projects, &mut to.projects, id);
            one(&from.teams, &mut to.teams, id);
        }
        "task_type" => one(&from.task_types, &mut to.task_types, id),
        "task_status" => one(&from.statuses, &mut to.statuses, id),
        "entity" => one(&from.entities, &mut to.entities, id),
        "task" => one(&from.tasks, &mut to.tasks, id),
        "metadata_descriptor" => one(&from.descriptors, &mut to.descriptors, id),
        other => panic!("{other}"),
    }
}

// === as a connector would hand it over ===

fn told(object: ObjectRef, record: Option<Record>) -> Change {
    record.map_or(Change::Remove(object), Change::Upsert)
}

fn texts(ids: &BTreeSet<Id>) -> Value {
    Value::texts(ids.iter().map(String::as_str))
}

fn text(id: Option<&Id>) -> Value {
    Value::from(id.map(String::as_str))
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Manager => "manager",
        Role::Supervisor => "supervisor",
        Role::Artist => "user",
        Role::Client => "client",
        Role::Vendor => "vendor",
    }
}

fn record(studio: &Studio, kind: &str, id: &Id) -> Option<Record> {
    Some(match kind {
        "person" => {
            let Person { active, bot, role: site, login, departments, company } = studio.people.get(id)?;
            Record::new("person", id)
                .with("active", *active)
                .with("is_bot", *bot)
                .with("role", Value::text(role(*site)))
                .with("desktop_login", Value::text(login))
                .with("email", Value::Null)
                .with("departments", texts(departments))
                .with("studio_id", text(company.as_ref()))
        }
        "project" => {
            let Project { open, isolated, bots, client_allowed, client_denied } = studio.projects.get(id)?;
            Record::new("project", id)
                .with("project_status_id", Value::text(if *open { "open" } else { "closed" }))
                .with("is_clients_isolated", *isolated)
                .with("is_bot_collaboration_enabled", *bots)
                .with("client_allowed_statuses", texts(client_allowed))
                .with("client_denied_statuses", texts(client_denied))
        }
        "task_type" => Record::new("task_type", id).with("department_id", text(studio.task_types.get(id)?.as_ref())),
        "task_status" => {
            let Status { artists, clients } = studio.statuses.get(id)?;
            let record = Record::new("task_status", id).with("short_name", Value::text(id));
            record.with("is_artist_allowed", *artists).with("is_client_allowed", *clients)
        }
        "entity" => {
            let Entity { kind, project, creator } = studio.entities.get(id)?;
            Record::new(kind, id).in_project(project).with("created_by", text(creator.as_ref()))
        }
        "task" => {
            let Task { project, entity, task_type, status, assignees } = studio.tasks.get(id)?;
            Record::new("task", id)
                .in_project(project)
                .with("entity_id", Value::text(entity))
                .with("task_type_id", Value::text(task_type))
                .with("task_status_id", Value::text(status))
                .with("assignees", texts(assignees))
        }
        "metadata_descriptor" => {
            let Descriptor { project, entity_type, field, departments } = studio.descriptors.get(id)?;
            Record::new("metadata_descriptor", id)
                .in_project(project)
                .with("entity_type", Value::text(entity_type))
                .with("field_name", Value::text(field))
                .with("departments", texts(departments))
        }
        other => panic!("{other}"),
    })
}

fn team_change(project: &Id, team: &Team) -> Change {
    let member = |(person, own): (&Id, &Option<Role>)| {
        Member::new(RecordId::from(person.as_str()), own.map(|own| Str::from(role(own))))
    };
    Change::Team { project: RecordId::from(project.as_str()), members: team.iter().map(member).collect() }
}

fn comment_record(id: &Id, comment: &Comment) -> Record {
    let Comment { task, author, for_client, status, .. } = comment;
    Record::new("comment", id)
        .with("object_id", Value::text(task))
        .with("person_id", Value::text(author))
        .with("for_client", *for_client)
        .with("task_status_id", Value::text(status))
}

fn playlist_record(id: &Id, playlist: &Playlist) -> Record {
    let Playlist { project, for_client, creator } = playlist;
    let record = Record::new("playlist", id).in_project(project);
    record.with("for_client", *for_client).with("created_by", text(creator.as_ref()))
}

fn mentions(studio: &Studio, task: &Id) -> Mentions {
    let mut all = Mentions::default();
    for comment in studio.comments.values().flatten().filter(|comment| comment.task == *task) {
        all.people.extend(comment.people.iter().cloned());
        all.departments.extend(comment.departments.iter().cloned());
    }
    all
}

fn mentions_record(task: &Id, mentions: &Mentions) -> Record {
    let record = Record::new("task_mentions", task).with("mentions", texts(&mentions.people));
    record.with("department_mentions", texts(&mentions.departments))
}

/// The question as a caller would put it.
pub(super) fn query(question: &Question) -> Query<'_> {
    let who = match &question.who {
        Who::Id(id) => Subject::Person(id),
        Who::Login(login) => Subject::Login(login),
        Who::Bot(id) => Subject::Bot(id),
    };
    let mut query = Query::new(who, question.action, question.kind, &question.id);
    query.field = question.field;
    query.value = question.value.as_ref().map(|id| Cow::Owned(Value::text(id)));
    query.project = question.project.as_ref().map(|id| RecordId::from(id.as_str()));
    if let Some(departments) = &question.departments {
        let entries = vec![(Str::from("departments"), texts(departments))];
        query.properties = Some(Cow::Owned(Value::Map(entries)));
        query.complete = true;
    }
    query
}
