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
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use stagedoor::cache::Cache;
use stagedoor::directory::Directory;
use stagedoor::engine::{CaseKey, Outcome, Resolved, decide, resolve};
use stagedoor::model::change::{Dep, Touched};
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
        let cache = Cache::new(1_000_000);
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
    drop(next);

    let empty: Cache<CaseKey> = Cache::new(1_000_000);
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

    for count in [1, 100] {
        group.bench_function(format!("forget {count} of 10,000"), |bencher| {
            let cache: Cache<usize> = Cache::new(1_000_000);
            let all: Vec<Dep> = cases.iter().flat_map(|(_, outcome)| outcome.reads.iter().copied()).take(8).collect();
            let own =
                |n: usize| Dep::Node(stagedoor::model::id::Key(u32::try_from(1_000_000 + n / count).unwrap_or(0)));
            for (n, (_, outcome)) in cases.iter().enumerate() {
                cache.put(n, outcome.decision, &[&all[..], &[own(n)]].concat());
            }
            let mut group = 0;
            bencher.iter_batched(
                || {
                    // What was forgotten before is put back.
                    for (n, (_, outcome)) in cases.iter().enumerate().skip(group * count).take(count) {
                        cache.put(n, outcome.decision, &[&all[..], &[own(n)]].concat());
                    }
                    group = (group + 1) % (cases.len() / count);
                    Touched { everything: false, deps: vec![own(group * count)] }
                },
                |touched| assert_eq!(cache.forget(&touched), count),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, cache);
criterion_main!(benches);
