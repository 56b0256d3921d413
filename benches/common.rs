//! The studio that all benchmarks ask about: UUIDs as in a real tracker, 20,000 tasks on 4,000 shots, 200 people.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use stagedoor::engine::policy::Policy;
use stagedoor::model::change::Change;
use stagedoor::model::id::{Id, Str};
use stagedoor::model::record::{Member, Record};
use stagedoor::model::value::Value;

pub(crate) const SHOTS: usize = 4_000;
pub(crate) const TASKS: usize = SHOTS * TYPES;
const TYPES: usize = 5;
const PEOPLE: usize = 200;

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

/// People 0 to 4 are one of each role but artists; all others are artists.
pub(crate) const ADMIN: usize = 0;
pub(crate) const MANAGER: usize = 1;
pub(crate) const SUPERVISOR: usize = 2;
pub(crate) const CLIENT: usize = 3;
pub(crate) const VENDOR: usize = 4;

/// A task's assignees; `more` are assigned besides.
pub(crate) fn task_record(n: usize, more: &[usize]) -> Record {
    let artist = person(5 + n % (PEOPLE - 5));
    let more: Vec<_> = more.iter().map(|n| person(*n)).collect();
    let assignees = Value::texts(std::iter::once(artist.as_str()).chain(more.iter().map(String::as_str)));
    Record::new("task", &task(n))
        .in_project(&id(4, 0))
        .with("entity_id", Value::text(&shot(n / TYPES)))
        .with("task_type_id", Value::text(&id(5, n % TYPES)))
        .with("task_status_id", Value::text(&id(6, 0)))
        .with("assignees", assignees)
}

/// Everything there is, the vendor being assigned to the last task of each shot.
pub(crate) fn studio() -> Vec<Change> {
    let roles = ["admin", "manager", "supervisor", "client", "vendor"];
    let mut records = vec![
        Record::new("project_status", &id(7, 0)).with("name", Value::text("Open")),
        Record::new("project", &id(4, 0))
            .named("Atlas")
            .with("project_status_id", Value::text(&id(7, 0)))
            .with("is_clients_isolated", false)
            .with("client_allowed_statuses", Value::texts([]))
            .with("client_denied_statuses", Value::texts([])),
        Record::new("task_status", &id(6, 0)).with("is_artist_allowed", true).with("is_client_allowed", false),
    ];
    for n in 0..TYPES {
        let department = Record::new("department", &id(8, n));
        let task_type = Record::new("task_type", &id(5, n)).with("department_id", Value::text(&id(8, n)));
        records.extend([department, task_type]);
    }
    for n in 0..PEOPLE {
        let departments = [id(8, n % TYPES)];
        let record = Record::new("person", &person(n)).named("Ada").with("active", true).with("is_bot", false);
        let record = record.with("role", Value::text(roles.get(n).copied().unwrap_or("user")));
        let record = record.with("departments", Value::texts(departments.iter().map(String::as_str)));
        records.push(record.with("desktop_login", Value::text(&format!("login{n}"))));
    }
    for n in 0..SHOTS {
        records.push(Record::new("shot", &shot(n)).in_project(&id(4, 0)).with("created_by", Value::text(&person(1))));
    }
    for n in 0..TASKS {
        let vendor = [VENDOR];
        records.push(task_record(n, if n % TYPES == TYPES - 1 { &vendor } else { &[] }));
        let nobody = Record::new("task_mentions", &task(n)).with("mentions", Value::texts([]));
        records.push(nobody.with("department_mentions", Value::texts([])));
    }
    let mut changes: Vec<_> = records.into_iter().map(Change::Upsert).collect();
    let members = (0..PEOPLE).map(|n| Member::new(Id::from(person(n).as_str()), None::<Str>));
    changes.push(Change::Team { project: Id::from(id(4, 0).as_str()), members: members.collect() });
    changes
}
