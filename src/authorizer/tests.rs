//! Where reading and writing meet: freshness, waiting, forgetting.

mod cost;
mod fresh;
mod lazy;
mod wait;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Answer, Authorizer, Clock, Feed, Options};
use crate::engine::policy::Policy;
use crate::model::change::{Batch, Change};
use crate::model::decision::Reason;
use crate::model::id::{Id, ObjectRef, Str};
use crate::model::query::{Query, Subject};
use crate::model::record::{Member, Record};
use crate::model::value::Value;

fn policy() -> Policy {
    Policy::load("kitsu", None).expect("compiles")
}

fn ask<'q>(person: &'q str, action: &'q str, kind: &'q str, id: &str) -> Query<'q> {
    Query::new(Subject::Person(person), action, kind, id)
}

fn person(id: &str, role: &str) -> Record {
    let record = Record::new("person", id).with("active", true).with("is_bot", false).with("role", Value::text(role));
    record.with("departments", Value::texts([])).with("studio_id", Value::Null)
}

fn task(id: &str, assignees: &[&str]) -> Record {
    let record = Record::new("task", id).in_project("P").with("entity_id", Value::text("S"));
    let record = record.with("task_type_id", Value::text("tt")).with("task_status_id", Value::text("wip"));
    record.with("assignees", Value::texts(assignees.iter().copied()))
}

fn team(project: &str, members: &[(&str, Option<&str>)]) -> Change {
    let member = |(person, role): &(&str, Option<&str>)| Member::new(Id::from(*person), role.map(Str::from));
    Change::Team { project: Id::from(project), members: members.iter().map(member).collect() }
}

/// One project, one shot, one task that `art` is assigned to; `man` manages, `ven` is a vendor.
fn studio() -> Vec<Change> {
    let records = [
        person("adm", "admin"),
        person("man", "manager"),
        person("art", "user"),
        person("ven", "vendor"),
        Record::new("project_status", "open").with("name", Value::text("Open")),
        Record::new("project", "P").with("project_status_id", Value::text("open")),
        Record::new("department", "D"),
        Record::new("task_type", "tt").with("department_id", Value::Null),
        Record::new("task_status", "wip").with("is_artist_allowed", true).with("is_client_allowed", false),
        Record::new("shot", "S").in_project("P").with("created_by", Value::Null),
        task("T", &["art"]),
    ];
    let team = team("P", &[("man", None), ("art", None), ("ven", None)]);
    records.into_iter().map(Change::Upsert).chain([team]).collect()
}

/// A live authorizer over that studio, and its clock.
fn live_with(options: Options) -> (Arc<Authorizer>, Clock) {
    let clock = Clock::system();
    let authorizer = Authorizer::new(policy(), options, clock.clone());
    authorizer.apply(Batch::Delta(studio()));
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);
    (authorizer, clock)
}

fn live() -> Arc<Authorizer> {
    live_with(Options::default()).0
}

impl Authorizer {
    fn delta(&self, changes: impl IntoIterator<Item = Change>) -> super::Applied {
        self.apply(Batch::Delta(changes.into_iter().collect()))
    }

    fn upsert(&self, record: Record) -> super::Applied {
        self.delta([Change::Upsert(record)])
    }

    /// The answer that needs no waiting.
    fn now(&self, query: &Query<'_>) -> Answer {
        self.check_now(query).expect("can be answered at once")
    }

    fn code(&self, query: &Query<'_>) -> Reason {
        self.now(query).decision.code
    }
}
