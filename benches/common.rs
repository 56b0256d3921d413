//! The studios that benchmarks and measuring programs ask about: Kitsu's kinds, UUIDs as in a real tracker, of any size and
//! the same in every run.
//!
//! ```text
//! shots in order of their projects, tasks in order of their shots, TASKS_OF_A_SHOT each
//! people: 5 of each 100 are of one role each but artist (admin, manager, supervisor, client, vendor), the others artists
//! team of a project: such a five, then artists; an artist is in about three teams of a large studio
//! ```
#![allow(dead_code, reason = "each user has use for a part of it")]

use std::sync::Arc;
use std::time::Instant;

use stagedoor::authorizer::{Authorizer, Clock, Feed, Options};
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Batch, Change, Snapshot};
use stagedoor::model::id::{Id, Str};
use stagedoor::model::record::{Member, Record};
use stagedoor::model::value::Value;
use stagedoor::tracker::file::studio::{self as files, Vocabulary};

pub(crate) const TASKS_OF_A_SHOT: usize = 5;
const ROLES: [&str; 5] = ["admin", "manager", "supervisor", "client", "vendor"];

/// The first five people, who are in the team of the first project; the one after them is assigned to its first task.
pub(crate) const ADMIN: usize = 0;
pub(crate) const MANAGER: usize = 1;
pub(crate) const SUPERVISOR: usize = 2;
pub(crate) const CLIENT: usize = 3;
pub(crate) const VENDOR: usize = 4;

/// What `cargo bench` asks about.
pub(crate) const STUDIO: Studio =
    Studio { tasks: 20_000, people: 200, projects: 1, task_types: 5, smallest_team: 200, largest_team: 200 };
pub(crate) const TASKS: usize = STUDIO.tasks;

/// How large a studio is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Studio {
    pub(crate) tasks: usize,
    pub(crate) people: usize,
    pub(crate) projects: usize,
    pub(crate) task_types: usize,
    /// How many people a team has, from project to project.
    pub(crate) smallest_team: usize,
    pub(crate) largest_team: usize,
}

pub(crate) fn policy() -> Policy {
    Policy::load("kitsu", None).expect("the pack compiles")
}

/// A UUID that is the same in every run.
pub(crate) fn id(table: usize, n: usize) -> String {
    format!("{:08x}-0000-4000-8000-{n:012x}", 0xa000_0000_usize + table)
}

pub(crate) fn person(n: usize) -> String {
    id(1, n)
}

pub(crate) fn task(n: usize) -> String {
    id(2, n)
}

pub(crate) fn shot(n: usize) -> String {
    id(3, n)
}

pub(crate) fn project(n: usize) -> String {
    id(4, n)
}

fn task_type(n: usize) -> String {
    id(5, n)
}

fn status() -> String {
    id(6, 0)
}

fn department(n: usize) -> String {
    id(8, n)
}

impl Studio {
    /// A large studio: 5,000 people, 500 projects, so many tasks.
    pub(crate) const fn large(tasks: usize) -> Self {
        Self { tasks, people: 5_000, projects: 500, task_types: 20, smallest_team: 10, largest_team: 50 }
    }

    pub(crate) const fn shots(&self) -> usize {
        self.tasks.div_ceil(TASKS_OF_A_SHOT)
    }

    pub(crate) const fn shot_of(&self, task: usize) -> usize {
        task / TASKS_OF_A_SHOT
    }

    pub(crate) const fn project_of(&self, task: usize) -> usize {
        self.shot_of(task) * self.projects / self.shots()
    }

    /// How many fives there are that are no artists.
    const fn fives(&self) -> usize {
        if self.people < 200 || self.projects == 1 { 1 } else { self.people / 100 }
    }

    const fn team_size(&self, project: usize) -> usize {
        self.smallest_team + project * 7 % (self.largest_team - self.smallest_team + 1)
    }

    /// A project's artist by number; beyond the last it begins anew.
    const fn artist(&self, project: usize, n: usize) -> usize {
        let (before, own) = (self.fives() * ROLES.len(), self.team_size(project) - ROLES.len());
        before + (project * 37 + n % own) % (self.people - before)
    }

    /// The person of a role (`ADMIN` to `VENDOR`) in a project's team.
    pub(crate) const fn in_charge(&self, project: usize, role: usize) -> usize {
        project % self.fives() * ROLES.len() + role
    }

    /// Who is in a project.
    pub(crate) fn team(self, project: usize) -> impl Iterator<Item = usize> {
        let artists = self.team_size(project) - ROLES.len();
        let in_charge = (0..ROLES.len()).map(move |role| self.in_charge(project, role));
        in_charge.chain((0..artists).map(move |n| self.artist(project, n)))
    }

    /// Who is assigned to a task: an artist of its project, and to the last task of each shot the vendor too.
    pub(crate) fn assignees(self, task: usize) -> impl Iterator<Item = usize> {
        let project = self.project_of(task);
        let vendor = (task % TASKS_OF_A_SHOT == TASKS_OF_A_SHOT - 1).then(|| self.in_charge(project, VENDOR));
        std::iter::once(self.artist(project, task)).chain(vendor)
    }

    /// Who is assigned to it after a change: another artist of its project, and nobody besides.
    pub(crate) fn others(self, task: usize) -> impl Iterator<Item = usize> {
        std::iter::once(self.artist(self.project_of(task), task + 1))
    }

    /// A task as it is when these are assigned to it.
    pub(crate) fn task_record(&self, n: usize, assignees: impl Iterator<Item = usize>) -> Record {
        let assignees: Vec<_> = assignees.map(person).collect();
        let project_no = self.project_of(n);
        Record::new("task", &task(n))
            .in_project(&project(project_no))
            .with("entity_id", Value::text(&shot(self.shot_of(n))))
            .with("task_type_id", Value::text(&task_type((n % TASKS_OF_A_SHOT + project_no) % self.task_types)))
            .with("task_status_id", Value::text(&status()))
            .with("assignees", Value::texts(assignees.iter().map(String::as_str)))
    }

    /// Everything that is mirrored, made as it is asked for: what belongs to the site, the teams, the shots, the tasks.
    pub(crate) fn changes(self) -> impl Iterator<Item = Change> {
        self.records().map(Change::Upsert).chain(self.teams()).chain(self.shot_records()).chain(self.task_records())
    }

    /// The same, so many at once.
    pub(crate) fn parts(self, most: usize) -> impl Iterator<Item = Vec<Change>> {
        let mut changes = self.changes();
        std::iter::from_fn(move || {
            let part: Vec<_> = changes.by_ref().take(most).collect();
            (!part.is_empty()).then_some(part)
        })
    }

    /// What is read on first use: nobody is mentioned in any task's comments.
    pub(crate) fn mentions(self) -> impl Iterator<Item = Change> {
        (0..self.tasks).map(|n| {
            let nobody = Record::new("task_mentions", &task(n)).with("mentions", Value::texts([]));
            Change::Upsert(nobody.with("department_mentions", Value::texts([])))
        })
    }

    fn records(self) -> impl Iterator<Item = Record> {
        let status = Record::new("task_status", &status()).with("is_artist_allowed", true);
        let site = [
            Record::new("project_status", &id(7, 0)).with("name", Value::text("Open")),
            status.with("is_client_allowed", false),
        ];
        let types = (0..self.task_types).flat_map(|n| {
            let task_type = Record::new("task_type", &task_type(n));
            [Record::new("department", &department(n)), task_type.with("department_id", Value::text(&department(n)))]
        });
        let projects = (0..self.projects).map(|n| {
            Record::new("project", &project(n))
                .named("Atlas")
                .with("project_status_id", Value::text(&id(7, 0)))
                .with("is_clients_isolated", false)
                .with("client_allowed_statuses", Value::texts([]))
                .with("client_denied_statuses", Value::texts([]))
        });
        let people = (0..self.people).map(move |n| {
            let role = if n < self.fives() * ROLES.len() { ROLES[n % ROLES.len()] } else { "user" };
            Record::new("person", &person(n))
                .named("Ada")
                .with("active", true)
                .with("is_bot", false)
                .with("role", Value::text(role))
                .with("departments", Value::texts([department(n % self.task_types).as_str()]))
                .with("desktop_login", Value::text(&format!("login{n}")))
        });
        site.into_iter().chain(types).chain(projects).chain(people)
    }

    fn teams(self) -> impl Iterator<Item = Change> {
        (0..self.projects).map(move |n| {
            let members = self.team(n).map(|n| Member::new(Id::from(person(n).as_str()), None::<Str>));
            Change::Team { project: Id::from(project(n).as_str()), members: members.collect() }
        })
    }

    fn shot_records(self) -> impl Iterator<Item = Change> {
        (0..self.shots()).map(move |n| {
            let project_no = self.project_of(n * TASKS_OF_A_SHOT);
            let record = Record::new("shot", &shot(n)).in_project(&project(project_no));
            Change::Upsert(record.with("created_by", Value::text(&person(self.in_charge(project_no, MANAGER)))))
        })
    }

    fn task_records(self) -> impl Iterator<Item = Change> {
        (0..self.tasks).map(move |n| Change::Upsert(self.task_record(n, self.assignees(n))))
    }
}

/// A task of `STUDIO` with its artist; `more` are assigned besides.
pub(crate) fn task_record(n: usize, more: &[usize]) -> Record {
    STUDIO.task_record(n, STUDIO.assignees(n).take(1).chain(more.iter().copied()))
}

/// Everything there is in `STUDIO`, mentions included.
pub(crate) fn studio() -> Vec<Change> {
    STUDIO.changes().chain(STUDIO.mentions()).collect()
}

/// Without a cache: every question is decided anew.
pub(crate) fn anew() -> Options {
    Options { cache_capacity: 0, ..Options::default() }
}

/// An authorizer that answers, from all that there is.
pub(crate) fn live(policy: Policy, all: Batch, options: Options) -> Arc<Authorizer> {
    let authorizer = Authorizer::new(policy, options, Clock::system());
    authorizer.apply(all);
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);
    authorizer
}

/// The ftrack workspace of the decision tables: roles, their reach, permissions, restrictions of statuses.
pub(crate) fn ftrack() -> (Policy, Snapshot) {
    let overlay = include_str!("../tests/cases/policies/ftrack.yaml");
    of_tables("ftrack", overlay, include_str!("../tests/cases/studios/ftrack.yaml"))
}

/// The Flow site of the decision tables: a role's rules by type and field, conditions over links.
pub(crate) fn flow() -> (Policy, Snapshot) {
    let roles = include_str!("../tests/cases/policies/flow-studio.yaml");
    of_tables("flow", roles, include_str!("../tests/cases/studios/flow.yaml"))
}

fn of_tables(pack: &str, overlay: &str, studio: &str) -> (Policy, Snapshot) {
    let policy = Policy::load(pack, Some(("overlay", overlay))).expect("compiles");
    let studio = files::read("studio.yaml", studio, &Vocabulary::of(&policy)).expect("is right");
    (policy, studio)
}

/// A Limecraft production with so many actions for editorial objects (`b0` and on), of rights and two filters each.
pub(crate) fn limecraft(actions: u32) -> (Policy, Vec<Change>) {
    let member = Member { rights: vec![Str::from("LIBRARY_SHARE")], ..Member::new(Id::from("ann"), None) };
    let mut changes = vec![
        Change::Upsert(Record::new("person", "ann").with("active", true)),
        Change::Upsert(Record::new("production", "1").with("status", Value::text("Active"))),
        Change::Team { project: Id::from("1"), members: vec![member] },
    ];
    let filter = |key: &str, value: &str| {
        Value::Map(vec![("key".into(), Value::text(key)), ("values".into(), Value::texts([value]))])
    };
    for at in 0..actions {
        let rights = if at % 2 == 0 { "LIBRARY_SHARE+!LIBRARY_DELETE" } else { "!LIBRARY_SHARE|LIBRARY_UPLOAD" };
        let filters = vec![filter("objectType", "Draft"), filter("title", if at % 4 == 0 { "t1" } else { "t2" })];
        let record = Record::new("action", &format!("b{at}")).in_project("1").with("of", Value::text("eo"));
        let record = record.with("action", Value::text(&format!("b{at}"))).with("order", Value::Number(at.into()));
        let record = record.with("required_rights", Value::text(rights)).with("filters", Value::List(filters));
        changes.push(Change::Upsert(record.with("required_roles", Value::Null)));
    }
    (Policy::load("limecraft", None).expect("compiles"), changes)
}
