//! A whole check below the wire: read guard, resolve, cache or decide, the answer with its texts and freshness.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_debug_implementations,
    reason = "a benchmark that fails says so"
)]

mod common;

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use common::{ADMIN, MANAGER, TASKS, VENDOR, person, policy, studio, task, task_record};
use criterion::{Criterion, criterion_group, criterion_main};
use stagedoor::authorizer::{Authorizer, Clock, Feed, Options};
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Batch, Change};
use stagedoor::model::id::{Id, Str};
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::record::{Member, Record};
use stagedoor::model::value::Value;

fn live(cache_capacity: u64) -> Arc<Authorizer> {
    let options = Options { cache_capacity, ..Options::default() };
    let authorizer = Authorizer::new(policy(), options, Clock::system());
    authorizer.apply(Batch::Delta(studio()));
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);
    authorizer
}

/// A production with so many actions for editorial objects, of rights and two filters each.
fn buttons(count: u32) -> Arc<Authorizer> {
    let policy = Policy::load("limecraft", None).expect("compiles");
    let authorizer = Authorizer::new(policy, Options::default(), Clock::system());
    let member = Member { rights: vec![Str::from("LIBRARY_SHARE")], ..Member::new(Id::from("ann"), None) };
    let mut changes = vec![
        Change::Upsert(Record::new("person", "ann").with("active", true)),
        Change::Upsert(Record::new("production", "1").with("status", Value::text("Active"))),
        Change::Team { project: Id::from("1"), members: vec![member] },
    ];
    let filter = |key: &str, value: &str| {
        Value::Map(vec![("key".into(), Value::text(key)), ("values".into(), Value::texts([value]))])
    };
    for at in 0..count {
        let rights = if at % 2 == 0 { "LIBRARY_SHARE+!LIBRARY_DELETE" } else { "!LIBRARY_SHARE|LIBRARY_UPLOAD" };
        let filters = vec![filter("objectType", "Draft"), filter("title", if at % 4 == 0 { "t1" } else { "t2" })];
        let record = Record::new("action", &format!("b{at}")).in_project("1").with("of", Value::text("eo"));
        let record = record.with("action", Value::text(&format!("b{at}"))).with("order", Value::Number(at.into()));
        let record = record.with("required_rights", Value::text(rights)).with("filters", Value::List(filters));
        changes.push(Change::Upsert(record.with("required_roles", Value::Null)));
    }
    authorizer.apply(Batch::Delta(changes));
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);
    authorizer
}

fn authorizer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authorizer");
    let (cached, uncached) = (live(65_536), live(0));
    for (name, who, action) in [
        ("manager, comment", MANAGER, "comment"),
        ("assigned artist, comment", 5, "comment"),
        ("other artist, comment: denied", 50, "comment"),
        ("vendor, read: a walk over the shot's tasks", VENDOR, "read"),
        ("admin, delete", ADMIN, "delete"),
    ] {
        let (who, task) = (person(who), task(0));
        let query = Query::new(Subject::Person(&who), action, "task", &task);
        for (how, authorizer) in [("hit", &cached), ("decided anew, nothing kept", &uncached)] {
            authorizer.check_now(&query);
            group.bench_function(format!("{name}: {how}"), |bencher| {
                bencher.iter(|| authorizer.check_now(black_box(&query)).expect("nothing is pending"));
            });
        }
    }

    let asked: Vec<_> =
        (5..55).flat_map(|who| (0..TASKS).step_by(TASKS / 200).map(move |n| (person(who), task(n)))).collect();
    for (how, authorizer) in [("hit", &cached), ("decided anew, nothing kept", &uncached)] {
        let mut next = asked.iter().cycle();
        let mut ask = || {
            let (who, task) = next.next().expect("has no end");
            let query = Query::new(Subject::Person(who), "comment", "task", task);
            authorizer.check_now(black_box(&query)).expect("nothing is pending")
        };
        (0..asked.len()).for_each(|_| drop(ask()));
        group.bench_function(format!("10,000 questions in turn: {how}"), |bencher| bencher.iter(&mut ask));
    }

    let platform = buttons(200);
    let object = Value::Map(vec![("objectType".into(), Value::text("Draft")), ("title".into(), Value::text("t1"))]);
    let about = Query {
        project: Some(Id::from("1")),
        properties: Some(Cow::Borrowed(&object)),
        complete: true,
        ..Query::new(Subject::Person("ann"), "", "eo", "o")
    };
    let names: Vec<_> = (0..200).map(|at| format!("b{at}")).collect();
    group.bench_function("200 actions of an object: 200 checks", |bencher| {
        bencher.iter(|| {
            let allowed = names.iter().filter(|name| {
                let answer = platform.check_now(&about.about(name, "")).expect("nothing is pending");
                answer.decision.allowed()
            });
            allowed.count()
        });
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("builds");
    group.bench_function("200 actions of an object: one list", |bencher| {
        bencher.iter(|| runtime.block_on(platform.list_actions(&about)).expect("is a kind").answers.len());
    });

    // More questions than have room, so that each is looked for in vain, decided and kept.
    let who = person(VENDOR);
    let tasks: Vec<_> = (0..TASKS).map(task).collect();
    let mut next = tasks.iter().cycle();
    let small = live(1_024);
    group.bench_function("vendor, read: miss and put", |bencher| {
        bencher.iter(|| {
            let query = Query::new(Subject::Person(&who), "read", "task", next.next().expect("has no end"));
            small.check_now(black_box(&query)).expect("nothing is pending")
        });
    });

    let mut round = 0;
    group.bench_function("apply an assignment", |bencher| {
        bencher.iter(|| {
            round += 1;
            let record = task_record(0, if round % 2 == 0 { &[] } else { &[7] });
            cached.apply(Batch::Delta(vec![Change::Upsert(record)]))
        });
    });
    group.finish();
}

criterion_group!(benches, authorizer);
criterion_main!(benches);
