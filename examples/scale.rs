//! What grows with a studio, and what does not: 10,000 to 5,000,000 tasks with 5,000 people and 500 projects.
//!
//! ```text
//! cargo run --release --example scale
//!
//! this process ─► for each size: child "engine"      a directory alone: memory, changes, decisions
//!              ├─►                child "authorizer"  as the server has it: checks, changes, a full reload, the snapshot
//!              └─►                child "start"       from that snapshot
//!              ─► a table on stdout, and docs/scale.svg
//! ```
//!
//! A child has one size, so that no memory of another's is left. The studio is made part by part, as a load hands it over,
//! and making it is not counted in the times.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_debug_implementations,
    reason = "a measurement that fails says so"
)]

#[path = "../benches/common.rs"]
mod common;
#[path = "scale/plot.rs"]
mod plot;

use std::collections::HashSet;
use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use common::{Studio, person, policy, task};
use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use stagedoor::authorizer::{Authorizer, Clock, Feed, Options as Settings};
use stagedoor::directory::{Directory, Listed};
use stagedoor::engine::{Resolved, decide, resolve};
use stagedoor::model::change::{Batch, Change, Snapshot};
use stagedoor::model::id::Key;
use stagedoor::model::query::{Query, Subject};
use stagedoor::snapshot::Keeper;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;

/// As many as a load hands over at once.
const PART: usize = 2_000;
const QUESTIONS: usize = 100_000;
const FLIPS: usize = 20_000;
/// None of these needs what is read on first use.
const ACTIONS: [&str; 4] = ["read", "publish", "set_priority", "delete"];

/// Measures how memory, checks and changes grow with a studio.
#[derive(Debug, Parser)]
struct Options {
    /// Tasks: one row of the table each
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000, 5_000_000])]
    tasks: Vec<usize>,
    /// Where the plot goes
    #[arg(long, default_value = "docs/scale.svg")]
    plot: PathBuf,
    /// The child's part
    #[arg(long, hide = true, value_enum)]
    child: Option<Child>,
    #[arg(long, hide = true, default_value = ".")]
    snapshots: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Child {
    Engine,
    Authorizer,
    Start,
}

/// What was found of one size. Bytes; microseconds where nothing else is said.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Figures {
    pub(crate) tasks: usize,
    /// The mirror, people and projects included.
    whole: f64,
    build_seconds: f64,
    engine: [f64; 2],
    anew: [f64; 2],
    cached: [f64; 2],
    directory_flip: f64,
    flip: [f64; 2],
    /// What a full reload takes besides the mirror, where it finds nothing, and where it finds a tenth of the tasks changed.
    reload_peak: [f64; 2],
    reload_seconds: [f64; 2],
    snapshot: f64,
    snapshot_seconds: f64,
    /// From the snapshot: how long until all is held, and what it takes at its peak.
    start_seconds: f64,
    start_peak: f64,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    if let (Some(child), Some(&tasks)) = (options.child, options.tasks.first()) {
        let figures = match child {
            Child::Engine => engine(Studio::large(tasks))?,
            Child::Authorizer => authorizer(Studio::large(tasks), &options.snapshots)?,
            Child::Start => start(&options.snapshots)?,
        };
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    let mut all = Vec::new();
    println!("{}", header());
    for tasks in &options.tasks {
        let figures = Figures { tasks: *tasks, ..both(*tasks)? };
        println!("{}", row(&figures));
        all.push(figures);
    }
    std::fs::write(&options.plot, plot::svg(&panels(&all)))?;
    println!("\nplot: {}", options.plot.display());
    Ok(())
}

/// One size, in processes of its own.
fn both(tasks: usize) -> Result<Figures, Failure> {
    let snapshots = tempfile::tempdir()?;
    let run = |child: &str| -> Result<Figures, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--child", child, "--tasks", &tasks.to_string(), "--snapshots"]).arg(snapshots.path());
        let output = command.output()?;
        if !output.status.success() {
            return Err(format!("{child}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let Figures { engine, directory_flip, .. } = run("engine")?;
    let whole = run("authorizer")?;
    let Figures { start_seconds, start_peak, .. } = run("start")?;
    Ok(Figures { engine, directory_flip, start_seconds, start_peak, ..whole })
}

// === the children ===

/// Who asks what: half of the askers are in the team.
struct Asked {
    who: String,
    action: &'static str,
    task: String,
}

impl Asked {
    fn query(&self) -> Query<'_> {
        Query::new(Subject::Person(&self.who), self.action, "task", &self.task)
    }
}

fn questions(studio: Studio, random: &mut StdRng) -> Vec<Asked> {
    let mut question = |at: usize| {
        let n = random.random_range(0..studio.tasks);
        let team: Vec<_> = studio.team(studio.project_of(n)).collect();
        let inside = team[random.random_range(0..team.len())];
        let who = if at.is_multiple_of(2) { inside } else { random.random_range(0..studio.people) };
        Asked { who: person(who), action: ACTIONS[at / 2 % ACTIONS.len()], task: task(n) }
    };
    (0..QUESTIONS).map(&mut question).collect()
}

/// Tasks anywhere, each assigned to somebody else of its team for once.
fn flips(studio: Studio, random: &mut StdRng) -> impl Iterator<Item = Change> {
    let tasks: Vec<_> = (0..FLIPS).map(|_| random.random_range(0..studio.tasks)).collect();
    tasks.into_iter().map(move |n| Change::Upsert(studio.task_record(n, studio.others(n))))
}

fn engine(studio: Studio) -> Result<Figures, Failure> {
    let policy = policy();
    let mut random = StdRng::seed_from_u64(7);
    let mut directory = Directory::new(policy.schema.clone());
    for part in studio.parts(PART) {
        directory.apply(part);
    }
    let asked = questions(studio, &mut random);
    let view = directory.view();
    let engine = times(&asked, |asked| match resolve(&policy, view, &asked.query()) {
        Resolved::Case(case) => drop(black_box(decide(view, &case))),
        other => panic!("{other:?}"),
    })?;
    let flipped: Vec<_> = flips(studio, &mut random).collect();
    let flip = times(flipped, |change| drop(black_box(directory.apply([change]))))?;
    Ok(Figures { engine, directory_flip: flip[0], ..Figures::default() })
}

fn authorizer(studio: Studio, snapshots: &Path) -> Result<Figures, Failure> {
    let mut random = StdRng::seed_from_u64(7);
    let authorizer = Authorizer::new(policy(), Settings::default(), Clock::system());
    // What the allocator keeps of parts that were handed over is no part of the mirror.
    studio.parts(PART).take(5).for_each(drop);
    let empty = settled()?;
    let (mut listed, mut building) = (Listed::default(), Duration::ZERO);
    for part in studio.parts(PART) {
        let began = Instant::now();
        authorizer.apply_part(part, &HashSet::new(), &mut listed);
        building += began.elapsed();
    }
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);
    let mut figures =
        Figures { whole: settled()? - empty, build_seconds: building.as_secs_f64(), ..Figures::default() };

    for (at, a_tenth) in [false, true].into_iter().enumerate() {
        let (peak, seconds) = reload(&authorizer, studio, a_tenth)?;
        figures.reload_peak[at] = peak;
        figures.reload_seconds[at] = seconds;
    }

    let asked = questions(studio, &mut random);
    let ask = || times(&asked, |asked| drop(black_box(authorizer.check_now(&asked.query()).expect("is decided"))));
    (figures.anew, figures.cached) = (ask()?, ask()?);
    let flipped: Vec<_> = flips(studio, &mut random).collect();
    figures.flip = times(flipped, |change| drop(black_box(authorizer.apply(Batch::Delta(vec![change])))))?;
    let written = keeper(snapshots).write(&authorizer)?;
    figures.snapshot = f64::from(u32::try_from(written.bytes)?);
    figures.snapshot_seconds = written.took.as_secs_f64();
    Ok(figures)
}

/// As a server starts when its tracker is down.
fn start(snapshots: &Path) -> Result<Figures, Failure> {
    let authorizer = Authorizer::new(policy(), Settings::default(), Clock::system());
    let empty = settled()?;
    let began = Instant::now();
    keeper(snapshots).restore(&authorizer);
    let start_seconds = began.elapsed().as_secs_f64();
    assert!(authorizer.is_restored(), "the snapshot is used");
    Ok(Figures { start_seconds, start_peak: resident("VmHWM")? - empty, ..Figures::default() })
}

fn keeper(snapshots: &Path) -> Keeper {
    Keeper::new(snapshots.to_owned(), "scale".to_owned())
}

/// Everything once more, as a load hands it over; what it took at its peak besides the mirror, and how long.
fn reload(authorizer: &Authorizer, studio: Studio, a_tenth: bool) -> Result<(f64, f64), Failure> {
    let before = settled()?;
    // The peak counts from here.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let (mut listed, mut applying) = (Listed::default(), Duration::ZERO);
    let mut task_no = 0;
    for mut part in studio.parts(PART) {
        for change in &mut part {
            if let Change::Upsert(record) = change
                && record.kind == "task"
            {
                if a_tenth && task_no % 10 == 0 {
                    *record = studio.task_record(task_no, studio.others(task_no));
                }
                task_no += 1;
            }
        }
        let began = Instant::now();
        authorizer.apply_part(part, &HashSet::new(), &mut listed);
        applying += began.elapsed();
    }
    let began = Instant::now();
    let complete = ["entity", "task"].map(Into::into).to_vec();
    authorizer.apply_rest(Snapshot { complete, ..Snapshot::default() }, &mut listed);
    let mut from = Some(Key(0));
    while let Some(at) = from {
        let (unlisted, next) = authorizer.unlisted(&listed, at, PART);
        assert!(unlisted.is_empty(), "everything was listed");
        from = next;
    }
    applying += began.elapsed();
    Ok(((resident("VmHWM")? - before).max(0.0), applying.as_secs_f64()))
}

/// Microseconds at 50 and 99 percent.
fn times<T>(all: impl IntoIterator<Item = T>, mut work: impl FnMut(T)) -> Result<[f64; 2], Failure> {
    let mut times = Histogram::<u64>::new(3)?;
    for one in all {
        let began = Instant::now();
        work(one);
        times.record(u64::try_from(began.elapsed().as_nanos())?)?;
    }
    Ok([0.5, 0.99].map(|quantile| Duration::from_nanos(times.value_at_quantile(quantile)).as_secs_f64() * 1e6))
}

/// What this process has in memory, after the allocator has given back what it keeps for a moment.
fn settled() -> Result<f64, Failure> {
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(10));
        drop(black_box(vec![0_u8; 1 << 16]));
    }
    resident("VmRSS")
}

fn resident(what: &str) -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)).ok_or("the kernel does not tell")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("the kernel does not tell")?.parse()?;
    Ok(kilobytes * 1024.0)
}

// === the report ===

fn header() -> String {
    let columns = [
        "tasks",
        "MB",
        "bytes a task",
        "built in, s",
        "engine p50 / p99, µs",
        "check anew p50 / p99, µs",
        "check again p50 / p99, µs",
        "change p50 / p99, µs (directory alone)",
        "reload, nothing new: s, + MB",
        "reload, a tenth new: s, + MB",
        "snapshot: MB, written in s",
        "start from it: s, peak MB",
    ];
    format!("| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()))
}

fn row(figures: &Figures) -> String {
    let Figures {
        tasks,
        whole,
        build_seconds,
        engine,
        anew,
        cached,
        directory_flip,
        flip,
        reload_peak,
        reload_seconds,
        snapshot,
        snapshot_seconds,
        start_seconds,
        start_peak,
    } = figures;
    let two = |[p50, p99]: &[f64; 2]| format!("{p50:.2} / {p99:.2}");
    let reload = |at: usize| format!("{:.2}, {:.0}", reload_seconds[at], reload_peak[at] / 1e6);
    let cells = [
        tasks.to_string(),
        format!("{:.0}", whole / 1e6),
        format!("{:.0}", per_task(figures)),
        format!("{build_seconds:.2}"),
        two(engine),
        two(anew),
        two(cached),
        format!("{} ({directory_flip:.2})", two(flip)),
        reload(0),
        reload(1),
        format!("{:.1}, {snapshot_seconds:.2}", snapshot / 1e6),
        format!("{start_seconds:.2}, {:.0}", start_peak / 1e6),
    ];
    format!("| {} |", cells.join(" | "))
}

fn per_task(figures: &Figures) -> f64 {
    figures.whole / f64::from(u32::try_from(figures.tasks).unwrap_or(u32::MAX))
}

fn panels(all: &[Figures]) -> Vec<plot::Panel> {
    let line = |name: &'static str, value: fn(&Figures) -> f64| plot::Line {
        name,
        points: all.iter().map(|figures| (figures.tasks, value(figures))).collect(),
    };
    vec![
        plot::Panel {
            title: "memory, bytes a task, people and projects included",
            scale: plot::Scale::FromZero,
            lines: vec![line("mirror", per_task)],
        },
        plot::Panel {
            title: "a check at p50, µs",
            scale: plot::Scale::FromZero,
            lines: vec![
                line("engine alone", |f| f.engine[0]),
                line("decided anew", |f| f.anew[0]),
                line("asked again", |f| f.cached[0]),
            ],
        },
        plot::Panel {
            title: "a change applied at p50, µs",
            scale: plot::Scale::FromZero,
            lines: vec![line("with cache", |f| f.flip[0]), line("directory alone", |f| f.directory_flip)],
        },
        plot::Panel {
            title: "until all is held, s",
            scale: plot::Scale::ByTens,
            lines: vec![line("from changes", |f| f.build_seconds), line("from the snapshot", |f| f.start_seconds)],
        },
    ]
}
