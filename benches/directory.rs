//! What changes of the mirror cost.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_debug_implementations,
    reason = "a benchmark that fails says so"
)]

mod common;

use std::hint::black_box;

use common::{TASKS, policy, studio, task_record};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use stagedoor::directory::Directory;
use stagedoor::model::change::{Change, Snapshot};

const RECONCILED: usize = 100_000;

fn directory(criterion: &mut Criterion) {
    let mut directory = Directory::new(policy().schema.clone());
    directory.apply(studio());
    let mut group = criterion.benchmark_group("directory");

    let same = task_record(0, &[]);
    group.bench_function("apply: a task as it is", |bencher| {
        bencher.iter_batched(
            || [Change::Upsert(same.clone())],
            |changes| assert!(directory.apply(changes).touched.is_empty()),
            BatchSize::SmallInput,
        );
    });
    let mut round = 0;
    group.bench_function("apply: an assignment", |bencher| {
        bencher.iter_batched(
            || {
                round += 1;
                [Change::Upsert(task_record(0, if round % 2 == 0 { &[] } else { &[7] }))]
            },
            |changes| assert_eq!(directory.apply(changes).touched.deps.len(), 1),
            BatchSize::PerIteration,
        );
    });

    let mut large = Directory::new(policy().schema.clone());
    let tasks = |range: std::ops::Range<usize>| range.map(|n| Change::Upsert(task_record(n, &[]))).collect::<Vec<_>>();
    large.apply(tasks(0..RECONCILED));
    group.sample_size(10);
    group.bench_function("difference: 100,000 tasks as they are", |bencher| {
        let snapshot = Snapshot { complete: vec!["task".into()], changes: tasks(0..RECONCILED), ..Snapshot::default() };
        bencher.iter_batched(
            || snapshot.clone(),
            |snapshot| assert!(large.difference(black_box(snapshot)).is_empty()),
            BatchSize::PerIteration,
        );
    });
    group.bench_function(format!("apply: a studio of {TASKS} tasks at once"), |bencher| {
        bencher.iter_batched(
            || (Directory::new(policy().schema), studio()),
            |(mut directory, studio)| {
                directory.apply(studio);
                directory
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, directory);
criterion_main!(benches);
