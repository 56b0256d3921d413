//! The cache of decisions alone, with keys and inputs as a decision about a task has them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_debug_implementations,
    reason = "a benchmark that fails says so"
)]

mod common;

use std::hint::black_box;

use common::{TASKS, person, policy, studio, task};
use criterion::{Criterion, criterion_group, criterion_main};
use stagedoor::cache::Cache;
use stagedoor::directory::Directory;
use stagedoor::engine::{CaseKey, Outcome, Resolved, decide, resolve};
use stagedoor::model::change::{Dep, Touched};
use stagedoor::model::id::Key;
use stagedoor::model::query::{Query, Subject};

/// The questions that 50 people ask about 200 tasks.
fn cases(directory: &Directory) -> Vec<(CaseKey, Outcome)> {
    let (policy, view) = (policy(), directory.view());
    let mut cases = Vec::new();
    for who in (5..55).map(person) {
        for task in (0..TASKS).step_by(TASKS / 200).map(task) {
            let query = Query::new(Subject::Person(&who), "comment", "task", &task);
            let Resolved::Case(case) = resolve(&policy, view, &query) else { panic!("is known") };
            let key = case.key(view).expect("has a key");
            cases.push((key, decide(view, &case)));
        }
    }
    cases
}

fn cache(criterion: &mut Criterion) {
    let mut directory = Directory::new(policy().schema.clone());
    directory.apply(studio());
    let cases = cases(&directory);
    let full = || {
        let cache = Cache::new(65_536);
        for (key, outcome) in &cases {
            cache.put(key.clone(), outcome.decision, &outcome.reads);
        }
        cache
    };
    let mut group = criterion.benchmark_group("cache");

    let cache = full();
    let mut next = cases.iter().map(|(key, _)| key).cycle();
    group.bench_function("hit", |bencher| bencher.iter(|| cache.get(black_box(next.next().expect("has no end")))));
    let (hot, _) = &cases[0];
    group.bench_function("hit, the same each time", |bencher| bencher.iter(|| cache.get(black_box(hot))));

    let empty: Cache<CaseKey> = Cache::new(65_536);
    group.bench_function("miss", |bencher| bencher.iter(|| empty.get(black_box(hot))));

    // The cache is small, so that it stays at its bound and something gives way for each that comes.
    let small = Cache::new(1_000);
    let mut next = cases.iter().cycle();
    group.bench_function("miss and put, at the bound", |bencher| {
        bencher.iter(|| {
            let (key, outcome) = next.next().expect("has no end");
            if small.get(black_box(key)).is_none() {
                small.put(key.clone(), outcome.decision, &outcome.reads);
            }
        });
    });

    // A change takes as long however many decisions rest on what it touched.
    for count in [1_u32, 100] {
        let touched = Touched { everything: false, deps: (0..count).map(|n| Dep::Node(Key(n))).collect() };
        group.bench_function(format!("{count} inputs touched"), |bencher| {
            bencher.iter(|| cache.forget(black_box(&touched)));
        });
    }
    // Each hit is the first of its decision after a change.
    let mut next = cases.iter().map(|(key, _)| key).cycle();
    let other = Touched { everything: false, deps: vec![Dep::Node(Key(u32::MAX))] };
    group.bench_function("a change, and a hit", |bencher| {
        bencher.iter(|| {
            cache.forget(&other);
            cache.get(black_box(next.next().expect("has no end")))
        });
    });
    group.finish();
}

criterion_group!(benches, cache);
criterion_main!(benches);
