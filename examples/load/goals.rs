//! The run without flags: each goal of the design's table of speed that can be measured here, and what was reached.

use std::sync::Arc;
use std::time::Duration;

use crate::ask::{Answer, Asking, Case, Novelty};
use crate::callers::Shape;
use crate::child::{Doing, Nursery, Server};
use crate::common::Studio;
use crate::contest::{Contestant, Figure, contest};
use crate::report::Bound::{AtLeast, AtMost};
use crate::report::{Bound, Report};
use crate::{Effort, Failure, Over};

/// How many tasks the studios have: one that is reloaded, a small one and a large one.
const RELOADED: usize = 100_000;
const SMALL: usize = 10_000;
const LARGE: usize = 1_000_000;
/// So much less where everything is only shown to work.
const QUICK: usize = 100;
/// In a small studio all questions have been asked soon.
const WHILE_NEW: Duration = Duration::from_secs(1);
/// Changes a second.
const WRITES: u64 = 1_000;

const RATE: Figure = |run| run.rate;
const P50: Figure = |run| run.p50;
const P99: Figure = |run| run.p99;
const P999: Figure = |run| run.p999;

pub(crate) async fn measure(
    effort: Effort,
    quick: bool,
    cores: Option<usize>,
    report: &mut Report,
) -> Result<(), Failure> {
    let nursery = Nursery::new(cores)?;
    let less = if quick { QUICK } else { 1 };
    over_the_floor(&nursery, effort, report).await?;
    as_it_grows(&nursery, effort, [SMALL / less, LARGE / less], report).await?;
    under_writers(&nursery, effort, RELOADED / less, report).await
}

async fn over_the_floor(nursery: &Nursery, effort: Effort, report: &mut Report) -> Result<(), Failure> {
    let asking = |case| Arc::new(Asking::new(None, Novelty::Hit, Answer::Allow, case));
    let stagedoor = nursery.stagedoor(Over::Tcp, None).await?;
    let samples = [Case::Check, Case::Batch50].map(|case| Asking::new(None, Novelty::Hit, Answer::Allow, case));
    let floor = nursery.floor(Over::Tcp, &stagedoor, &samples).await?;
    type Row = (Case, [usize; 2], &'static str, &'static [(&'static str, Figure, Bound)]);
    let check: &[_] = &[("throughput", RATE, AtLeast(0.95)), ("p50", P50, AtMost(1.05)), ("p99", P99, AtMost(1.2))];
    let rows: [Row; 5] = [
        (Case::Check, [2, 8], "Check, 8 in flight on each of 2 connections", check),
        (Case::Check, [1, 1], "Check, one at a time", check),
        (Case::Batch50, [2, 8], "BatchCheck of 50", &[("throughput", RATE, AtLeast(0.9))]),
        (Case::Stream8, [2, 1], "CheckStream, 8 in flight", &[("throughput", RATE, AtLeast(0.85))]),
        (Case::Stream64, [2, 1], "CheckStream, 64 in flight", &[("throughput", RATE, AtLeast(0.85))]),
    ];
    for (case, [connections, in_flight], name, goals) in rows {
        let asked = asking(case);
        let all = [&floor, &stagedoor].map(|server| Contestant::child(server, &asked));
        let shape = Shape { case, connections, in_flight, rate: None };
        let outcome = contest(name.to_owned(), &all, shape, effort).await?;
        report.tell(&outcome)?;
        for (figure, of, bound) in goals {
            report.goal(format!("{name}: {figure}, of the floor's"), Some(*bound), outcome.ratio(1, *of));
        }
    }
    Ok(())
}

async fn as_it_grows(nursery: &Nursery, effort: Effort, tasks: [usize; 2], report: &mut Report) -> Result<(), Failure> {
    let [small, large] = tasks;
    let servers = [nursery.stagedoor(Over::Tcp, Some(small)).await?, nursery.stagedoor(Over::Tcp, Some(large)).await?];
    let shape = Shape { case: Case::Check, connections: 2, in_flight: 8, rate: None };
    for novelty in [Novelty::Hit, Novelty::Miss] {
        let asked = if novelty == Novelty::Hit { "the same question" } else { "new questions" };
        let contestant = |(server, tasks): (_, usize)| {
            let asking = Arc::new(Asking::new(Some(Studio::large(tasks)), novelty, Answer::Allow, shape.case));
            Contestant { name: format!("{tasks} tasks"), ..Contestant::child(server, &asking) }
        };
        let all = [contestant((&servers[0], small)), contestant((&servers[1], large))];
        let effort = Effort { time: effort.time.min(WHILE_NEW), ..effort };
        let outcome = contest(format!("Check as the studio grows, {asked}"), &all, shape, effort).await?;
        report.tell(&outcome)?;
        let what = format!("Check, {asked}: p50 with {large} tasks, of that with {small}");
        report.goal(what, Some(AtMost(1.2)), outcome.ratio(1, P50));
    }
    Ok(())
}

async fn under_writers(nursery: &Nursery, effort: Effort, tasks: usize, report: &mut Report) -> Result<(), Failure> {
    let server: Server = nursery.stagedoor(Over::Tcp, Some(tasks)).await?;
    let shape = Shape { case: Case::Check, connections: 2, in_flight: 8, rate: None };
    let asking = Arc::new(Asking::new(Some(Studio::large(tasks)), Novelty::Hit, Answer::Allow, shape.case));
    let circumstances = [
        ("idle", Doing::Nothing, None),
        ("1,000 changes a second", Doing::Writes(WRITES), None),
        ("reload", Doing::Reload, Some(AtMost(2.0))),
        ("reload, a tenth new", Doing::ReloadTenth, Some(AtMost(2.0))),
    ];
    let all = circumstances.map(|(name, doing, _)| Contestant::busy(&server, name, doing, &asking));
    let outcome = contest(format!("Check under writers, {tasks} tasks"), &all, shape, effort).await?;
    report.tell(&outcome)?;
    for (at, (name, _, bound)) in circumstances.into_iter().enumerate().skip(1) {
        for (figure, of, bound) in [("p50", P50, None), ("p99", P99, bound), ("p99.9", P999, None)] {
            report.goal(format!("Check, {name}: {figure}, of idle's"), bound, outcome.ratio(at, of));
        }
    }
    Ok(())
}
