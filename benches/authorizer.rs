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

use common::{ADMIN, MANAGER, TASKS, VENDOR, anew, limecraft, live, person, policy, studio, task, task_record};
use criterion::{Criterion, criterion_group, criterion_main};
use stagedoor::authorizer::Options;
use stagedoor::model::change::{Batch, Change};
use stagedoor::model::id::Id;
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::value::Value;

fn authorizer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authorizer");
    let [cached, uncached] =
        [Options::default(), anew()].map(|options| live(policy(), Batch::Delta(studio()), options));
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

    let (pack, production) = limecraft(200);
    let platform = live(pack, Batch::Delta(production), Options::default());
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
        bencher.iter(|| runtime.block_on(platform.list_actions(&about)).expect("is a kind").verdicts.len());
    });

    // More questions than have room, so that each is looked for in vain, decided and kept.
    let who = person(VENDOR);
    let tasks: Vec<_> = (0..TASKS).map(task).collect();
    let mut next = tasks.iter().cycle();
    let small = live(policy(), Batch::Delta(studio()), Options { cache_capacity: 1_024, ..Options::default() });
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
