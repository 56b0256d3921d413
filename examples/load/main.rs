//! Measures stagedoor against the floor: a tonic server of the same messages that decides nothing.
//!
//! ```text
//! cargo run --release --example load                      the goals of the design, each with what was reached
//! cargo run --release --example load -- --case check,batch50 --over tcp,unix --connections 1,8     a table of one's own
//!
//! this process: the callers (one thread, the last core)
//!   ├─ child: the floor      (the other cores; idle while another is measured)
//!   ├─ child: stagedoor      (the same cores)
//!   └─ peers                 (started by whoever measures, on the same cores)
//! ```
//!
//! All are measured in turn, round by round, and who is first changes from round to round: what else the machine does hits
//! all alike. A ratio is taken in each round; the median of the rounds is shown.

mod ask;
mod callers;
mod child;
#[path = "../../benches/common.rs"]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what it makes is fixed: whatever is wrong shows at once"
)]
mod common;
mod contest;
mod floor;
mod goals;
mod matrix;
mod mirror;
mod openfga;
mod peer;
mod report;

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::{Parser, ValueEnum};

use self::ask::{Answer, Case, Novelty};
use self::child::Role;
use self::report::Report;

/// The allocator that the program `stagedoor` has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;

/// Measures stagedoor against a server that decides nothing. Without flags: each goal of the design, and what was reached.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// How long each server is measured in each round [default: 3]
    #[arg(long)]
    seconds: Option<f64>,
    /// How often all are measured [default: 5]
    #[arg(long)]
    rounds: Option<usize>,
    /// Keeps every round, with its distribution, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only shows that everything works: a few seconds in all, figures that mean nothing
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    table: Table,
    /// The child's part: which server to be, where, and what to answer or to hold
    #[arg(long, hide = true)]
    serve: Option<Role>,
    #[arg(long, hide = true, default_value = "")]
    at: String,
    #[arg(long, hide = true)]
    answers: Option<PathBuf>,
}

/// What is measured; each combination of what is listed is a row.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
struct Table {
    /// Check, BatchCheck of so many, CheckStream with so many in flight [default: check]
    #[arg(long, value_enum, value_delimiter = ',')]
    case: Vec<Case>,
    /// TCP or a Unix socket [default: tcp]
    #[arg(long, value_enum, value_delimiter = ',')]
    over: Vec<Over>,
    /// Connections [default: 2]
    #[arg(long, value_delimiter = ',')]
    connections: Vec<usize>,
    /// Calls under way on each connection, for Check and BatchCheck [default: 8]
    #[arg(long, value_delimiter = ',')]
    in_flight: Vec<usize>,
    /// The same question again and again, or a new one each time over a large studio [default: hit]
    #[arg(long, value_enum, value_delimiter = ',')]
    asks: Vec<Novelty>,
    /// Questions that are answered so [default: allow]
    #[arg(long, value_enum, value_delimiter = ',')]
    answer: Vec<Answer>,
    /// Open loop: so many calls a second in all, whatever the answers do; a call's time counts from when it was due
    #[arg(long)]
    rate: Option<f64>,
    /// A studio of so many tasks, 5,000 people and 500 projects, instead of the demo's
    #[arg(long)]
    tasks: Option<usize>,
    /// stagedoor alone: idle, and while so many changes a second are applied
    #[arg(long, value_name = "N")]
    writes: Option<u64>,
    /// stagedoor alone: idle, and while the whole studio is compared and applied again and again, as it is or a tenth changed
    #[arg(long)]
    reload: bool,
    /// Another server beside them, running already and holding nothing: openfga=127.0.0.1:8081
    #[arg(long, value_name = "NAME=ADDRESS")]
    peer: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Over {
    Tcp,
    Unix,
}

/// How often and how long.
#[derive(Clone, Copy, Debug)]
struct Effort {
    rounds: usize,
    time: Duration,
    warm: Duration,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    match options.serve {
        Some(Role::Floor) => floor::serve(&options.at, options.answers.as_deref().ok_or("nothing to repeat")?),
        Some(Role::Demo) => mirror::demo(&options.at),
        Some(Role::Studio) => mirror::studio(&options.at, options.table.tasks.ok_or("how many tasks?")?),
        None => measure(&options),
    }
}

fn measure(options: &Options) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism()?.get();
    let pinned = cores > 1 && Command::new("taskset").arg("-V").stdout(Stdio::null()).status().is_ok();
    if pinned {
        let (me, last) = (std::process::id().to_string(), (cores - 1).to_string());
        Command::new("taskset").args(["-p", "-c", &last, &me]).stdout(Stdio::null()).status()?;
    }
    let cores = pinned.then_some(cores);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let effort = options.effort()?;
    let mut report = Report::new(cores, effort)?;
    runtime.block_on(async {
        if options.table == Table::default() {
            goals::measure(effort, options.quick, cores, &mut report).await
        } else {
            matrix::measure(&options.table, effort, cores, &mut report).await
        }
    })?;
    report.keep(options.json.as_deref())
}

// === impl Options ===

impl Options {
    fn effort(&self) -> Result<Effort, Failure> {
        let (rounds, seconds, warm) = if self.quick { (1, 0.1, 10) } else { (5, 3.0, 500) };
        Ok(Effort {
            rounds: self.rounds.unwrap_or(rounds).max(1),
            time: Duration::try_from_secs_f64(self.seconds.unwrap_or(seconds))?,
            warm: Duration::from_millis(warm),
        })
    }
}
