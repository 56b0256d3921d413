//! A decision, anew each time: resolve and decide, without cache and locks.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_debug_implementations,
    reason = "a benchmark that fails says so"
)]

mod common;

use std::hint::black_box;

use common::{ADMIN, CLIENT, MANAGER, SUPERVISOR, TASKS, VENDOR, person, policy, studio, task};
use criterion::{Criterion, criterion_group, criterion_main};
use stagedoor::directory::Directory;
use stagedoor::engine::{Resolved, decide, resolve};
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::value::Value;

/// An artist who is assigned to task 0, and one who is not.
const ASSIGNED: usize = 5;
const OTHER: usize = 50;

fn engine(criterion: &mut Criterion) {
    let policy = policy();
    let mut directory = Directory::new(policy.schema.clone());
    directory.apply(studio());
    let view = directory.view();
    let mut group = criterion.benchmark_group("engine");
    for (name, who, action, expected) in [
        ("allow, first alternative: admin", ADMIN, "comment", true),
        ("allow, second alternative: manager", MANAGER, "comment", true),
        ("allow, fourth: assigned artist", ASSIGNED, "comment", true),
        ("deny after all alternatives, mentions looked at", OTHER, "comment", false),
        ("restricted: client and a status", CLIENT, "comment", false),
        ("deny, short rule", OTHER, "delete", false),
        ("allow, vendor by the shot's tasks", VENDOR, "read", true),
        ("deny, supervisor of another department", SUPERVISOR, "set_priority", false),
    ] {
        let (who, task) = (person(who), task(0));
        let query = Query::new(Subject::Person(&who), action, "task", &task);
        let ask = || match resolve(&policy, view, black_box(&query)) {
            Resolved::Case(case) => decide(view, &case).decision.allowed(),
            other => panic!("{other:?}"),
        };
        assert_eq!(ask(), expected, "{name}");
        group.bench_function(name, |bencher| bencher.iter(ask));
    }
    // As many questions as the cache's own benchmark asks in turn, so that neither lives in the processor's caches.
    let people: Vec<_> = (5..55).map(person).collect();
    let tasks: Vec<_> = (0..TASKS).step_by(TASKS / 200).map(task).collect();
    let queries: Vec<_> = people
        .iter()
        .flat_map(|who| tasks.iter().map(move |task| Query::new(Subject::Person(who), "comment", "task", task)))
        .collect();
    let mut next = queries.iter().cycle();
    group.bench_function("10,000 questions in turn, most denied after all", |bencher| {
        bencher.iter(|| match resolve(&policy, view, next.next().expect("has no end")) {
            Resolved::Case(case) => decide(view, &case).decision.allowed(),
            other => panic!("{other:?}"),
        });
    });
    let (who, task) = (person(ASSIGNED), task(0));
    let query = Query::new(Subject::Person(&who), "comment", "task", &task);
    group.bench_function("resolve alone", |bencher| bencher.iter(|| resolve(&policy, view, black_box(&query))));
    let query = Query::new(Subject::Login("login5"), "comment", "task", &task);
    group.bench_function("resolve alone, by login", |bencher| {
        bencher.iter(|| resolve(&policy, view, black_box(&query)));
    });
    group.finish();
}

fn ftrack(criterion: &mut Criterion) {
    let (policy, workspace) = common::ftrack();
    let mut directory = Directory::new(policy.schema.clone());
    let changes = directory.difference(workspace);
    directory.apply(changes);
    let view = directory.view();
    let mut group = criterion.benchmark_group("ftrack");
    for (name, who, action, id, value, expected) in [
        ("allow, a role on all open projects", "user", "set_status", "comp", None, true),
        ("allow, a role granted on the project", "user-harbour", "set_status", "comp", None, true),
        ("allow, a role for assigned tasks", "restricted", "set_status", "comp", None, true),
        ("allow, assigned through a group", "lighter", "set_status", "light", None, true),
        ("allow, restricted status, in a group below", "pm", "set_status", "comp", Some("Approved"), true),
        ("deny, restricted status", "admin", "set_status", "comp", Some("Approved"), false),
        ("deny, no permission", "user", "update", "comp", None, false),
        ("deny, no role reaches the project", "idle", "read", "comp", None, false),
    ] {
        let mut query = Query::new(Subject::Person(who), action, "task", id);
        query.value = value.map(|value| std::borrow::Cow::Owned(Value::text(value)));
        let ask = || match resolve(&policy, view, black_box(&query)) {
            Resolved::Case(case) => decide(view, &case).decision.allowed(),
            other => panic!("{other:?}"),
        };
        assert_eq!(ask(), expected, "{name}");
        group.bench_function(name, |bencher| bencher.iter(ask));
    }
    group.finish();
}

fn flow(criterion: &mut Criterion) {
    let (mut policy, site) = common::flow();
    let mut directory = Directory::new(policy.schema.clone());
    let changes = directory.difference(site);
    directory.apply(changes);
    let view = directory.view();
    policy.follow_all(view);
    let mut group = criterion.benchmark_group("flow");
    for (name, who, action, field, id, value, expected) in [
        ("allow, yes for every type", "102", "read", "", "1001", None, true),
        ("allow, in a project of their own", "103", "read", "", "1001", None, true),
        ("allow, a field by a condition: assigned", "103", "update", "sg_status_list", "1001", None, true),
        ("allow, seen by a condition: assigned", "104", "read", "", "1001", None, true),
        ("deny, a value with a rule of its own", "105", "update", "sg_status_list", "1001", Some("omt"), false),
        ("deny, a field that nobody edits", "101", "update", "created_by", "1001", None, false),
        ("deny, no project", "107", "read", "", "1001", None, false),
    ] {
        let mut query = Query::new(Subject::Person(who), action, "task", id);
        query.field = field;
        query.value = value.map(|value| std::borrow::Cow::Owned(Value::text(value)));
        let ask = || match resolve(&policy, view, black_box(&query)) {
            Resolved::Case(case) => decide(view, &case).decision.allowed(),
            other => panic!("{other:?}"),
        };
        assert_eq!(ask(), expected, "{name}");
        group.bench_function(name, |bencher| bencher.iter(ask));
    }
    group.finish();
}

criterion_group!(benches, engine, ftrack, flow);
criterion_main!(benches);
