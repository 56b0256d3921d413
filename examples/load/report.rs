//! What is told: a table for each row that was measured, the goals with what was reached, and everything as JSON.

use std::io::Write as _;
use std::path::Path;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::contest::{Figure, Outcome, Run, number};
use crate::{Effort, Failure};

/// A rate counts as reached from this part of it on.
const NEARLY: f64 = 0.98;

/// The figures that have a ratio, with their names in JSON.
const FIGURES: [(&str, Figure); 5] = [
    ("decisions_per_second", |run| run.rate),
    ("p50_us", |run| run.p50),
    ("p99_us", |run| run.p99),
    ("p99_9_us", |run| run.p999),
    ("cpu_us_per_decision", |run| run.cpu.unwrap_or(f64::NAN)),
];

#[derive(Debug)]
pub(crate) struct Report {
    machine: String,
    outcomes: Vec<Value>,
    goals: Vec<Goal>,
}

/// A row of the design's table.
#[derive(Debug)]
struct Goal {
    what: String,
    bound: Option<Bound>,
    reached: f64,
}

/// What a goal asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

// === impl Report ===

impl Report {
    pub(crate) fn new(cores: Option<usize>, effort: Effort) -> Result<Self, Failure> {
        let machine = machine(cores)?;
        let mut out = std::io::stdout();
        let (rounds, seconds) = (effort.rounds, effort.time.as_secs_f64());
        writeln!(out, "{machine}\nmedians of {rounds} rounds of {seconds} s each; times in µs, cpu in µs a decision")?;
        if cfg!(debug_assertions) {
            writeln!(out, "a debug build: these figures mean nothing")?;
        }
        Ok(Self { machine, outcomes: Vec::new(), goals: Vec::new() })
    }

    /// Tells a row.
    pub(crate) fn tell(&mut self, outcome: &Outcome) -> Result<(), Failure> {
        let mut out = std::io::stdout();
        let Outcome { title, rate, names, runs } = outcome;
        writeln!(out, "\n{title}")?;
        let head = ["decisions/s", "p50", "p99", "p99.9", "cpu", "cached"].map(|name| format!("{name:>12}")).concat();
        writeln!(out, "{:<24}{head}", "")?;
        for (at, name) in names.iter().enumerate() {
            let mut row = format!("  {name:<22}");
            for (column, (_, figure)) in FIGURES.into_iter().enumerate() {
                row += &cell(outcome.median(at, figure), if column == 0 { 0 } else { 2 });
            }
            row += &cell(outcome.median(at, |run| run.cached), 2);
            if runs.get(at).is_some_and(|runs| runs.iter().any(|run| run.done.is_some_and(|done| done > 0.0))) {
                row += &format!("   {:.1} writes/s", outcome.median(at, |run| run.done.unwrap_or_default()));
            }
            let calls = outcome.median(at, |run| run.calls);
            if let Some(rate) = rate.filter(|rate| calls < rate * NEARLY) {
                row += &format!("   rate not reached: {calls:.0} calls/s of {rate:.0}");
            }
            writeln!(out, "{row}")?;
        }
        for (at, name) in names.iter().enumerate().skip(1) {
            let (mut ratio, mut range) = (format!("  ratio {name:<16}"), format!("{:<24}", "    in the rounds"));
            for (_, figure) in FIGURES {
                ratio += &cell(outcome.ratio(at, figure), 3);
                let (low, high) = outcome
                    .ratios(at, figure)
                    .fold((f64::NAN, f64::NAN), |(low, high), ratio| (low.min(ratio), high.max(ratio)));
                range += &if low.is_nan() { cell(low, 2) } else { format!("{:>12}", format!("{low:.2}-{high:.2}")) };
            }
            writeln!(out, "{ratio}\n{range}")?;
        }
        self.outcomes.push(kept(outcome));
        Ok(())
    }

    /// Notes a goal and what was reached, a ratio.
    pub(crate) fn goal(&mut self, what: impl Into<String>, bound: Option<Bound>, reached: f64) {
        self.goals.push(Goal { what: what.into(), bound, reached });
    }

    /// Tells the goals, and keeps everything in a file where one is named.
    pub(crate) fn keep(&self, file: Option<&Path>) -> Result<(), Failure> {
        let mut out = std::io::stdout();
        if !self.goals.is_empty() {
            writeln!(out, "\n| what | goal | reached | |\n|---|---|---|---|")?;
        }
        for Goal { what, bound, reached } in &self.goals {
            let (bound, met) = match bound {
                None => (String::new(), ""),
                Some(bound) if bound.holds(*reached) => (bound.to_string(), "met"),
                Some(bound) => (bound.to_string(), "not met"),
            };
            writeln!(out, "| {what} | {bound} | {reached:.3} | {met} |")?;
        }
        if let Some(file) = file {
            let goals = self.goals.iter().map(|Goal { what, bound, reached }| {
                json!({"what": what, "goal": bound.map(|bound| bound.to_string()), "reached": reached})
            });
            let goals: Vec<_> = goals.collect();
            let debug = cfg!(debug_assertions);
            let all = json!({"machine": self.machine, "debug": debug, "rows": self.outcomes, "goals": goals});
            std::fs::write(file, serde_json::to_vec_pretty(&all)?)?;
        }
        Ok(())
    }
}

// === impl Bound ===

impl Bound {
    fn holds(self, reached: f64) -> bool {
        match self {
            Self::AtLeast(least) => reached >= least,
            Self::AtMost(most) => reached <= most,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

fn cell(value: f64, digits: usize) -> String {
    if value.is_nan() { format!("{:>12}", "-") } else { format!("{value:>12.digits$}") }
}

/// Everything about a row.
fn kept(outcome: &Outcome) -> Value {
    let Outcome { title, rate, names, runs } = outcome;
    let all = names.iter().zip(runs).enumerate().map(|(at, (name, runs))| {
        let ratios: Vec<(String, Value)> = FIGURES
            .into_iter()
            .map(|(name, figure)| (name.to_owned(), outcome.ratios(at, figure).collect::<Vec<_>>().into()))
            .collect();
        json!({
            "name": name,
            "rounds": runs.iter().map(round).collect::<Vec<_>>(),
            "ratios_to_the_first": serde_json::Map::from_iter(ratios),
            "distribution_us": distribution(runs),
        })
    });
    json!({"title": title, "rate": rate, "measured": all.collect::<Vec<_>>()})
}

fn round(run: &Run) -> Value {
    let mut round = serde_json::Map::new();
    for (name, figure) in FIGURES {
        round.insert(name.to_owned(), figure(run).into());
    }
    round.insert("calls_per_second".to_owned(), run.calls.into());
    round.insert("cached".to_owned(), run.cached.into());
    round.insert("writes_per_second".to_owned(), run.done.into());
    round.into()
}

/// The calls of all rounds together: what part of them took at most how long.
fn distribution(runs: &[Run]) -> Value {
    let mut all: Option<Histogram<u64>> = None;
    for run in runs {
        match &mut all {
            // Of the same precision, and they grow: adding cannot fail.
            Some(all) => drop(all.add(&run.times)),
            None => all = Some(run.times.clone()),
        }
    }
    let steps = all.iter().flat_map(|all| {
        all.iter_quantiles(2).map(|step| json!([step.quantile_iterated_to(), number(step.value_iterated_to()) / 1e3]))
    });
    steps.collect()
}

/// The machine's shape, without which numbers say nothing.
fn machine(cores: Option<usize>) -> Result<String, Failure> {
    let info = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let shares = match cores {
        Some(2) => "core 0 serves, core 1 calls".to_owned(),
        Some(cores) => format!("cores 0 to {} serve, core {} calls", cores - 2, cores - 1),
        None => "not pinned: servers and callers share the cores".to_owned(),
    };
    Ok(format!("{model}, Linux {}; {shares}", kernel.trim()))
}
