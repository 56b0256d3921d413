//! The command line: what to do, told in words that teach.

mod ask;
mod audit;
pub mod cases;
mod client;
mod guard;
mod healthcheck;
mod output;
mod role;
mod serve;
mod snapshot;
#[cfg(test)]
mod tests;
mod validate;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::logs;
use crate::config::{Environment, duration};

/// The default address of a running server.
const ADDRESS: &str = "127.0.0.1:7300";

/// stagedoor answers "may this person do this to that?" from a live mirror of your production tracker.
#[derive(Debug, Parser)]
#[command(name = "stagedoor", version, max_term_width = 110, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How log lines look [default: human on a terminal, json elsewhere]
    #[arg(long, global = true, value_enum)]
    log_format: Option<logs::Format>,
    /// What is logged: error, warn, info, debug or trace, or `module=level` pairs. Also STAGEDOOR_LOG [default: info]
    #[arg(long, global = true)]
    log_level: Option<String>,
}

const EXAMPLES: &str = "\
Try it, with nothing else installed:
  stagedoor serve --demo
  stagedoor check bo comment task:sh010-animation
  stagedoor explain lin comment task:sh010-animation

Run it beside your services:
  stagedoor validate stagedoor.yaml
  stagedoor serve --config stagedoor.yaml
  stagedoor healthcheck --service fresh";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Serve),
    Check(Ask),
    Explain(Explain),
    Validate(Validate),
    Test(Test),
    Role(role::Role),
    Audit(audit::Audit),
    Snapshot(Snapshot),
    Healthcheck(Healthcheck),
    Guard(Guard),
}

/// Run the sidecar: mirror the tracker and answer checks.
///
/// Every key of the configuration can be overridden by the environment: STAGEDOOR__MAX_STALENESS=5m,
/// STAGEDOOR__TRACKER__KITSU__URL=https://kitsu.studio/api. SIGTERM ends it once every accepted call is answered.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor serve --demo
  stagedoor serve --config /etc/stagedoor.yaml
  STAGEDOOR__LISTEN='[\"127.0.0.1:7300\", \"unix:/run/stagedoor.sock\"]' stagedoor serve --config stagedoor.yaml")]
struct Serve {
    /// The configuration file
    #[arg(long, value_name = "FILE", required_unless_present = "demo", conflicts_with = "demo")]
    config: Option<PathBuf>,
    /// Serve a small built-in studio: no tracker, no configuration
    #[arg(long)]
    demo: bool,
}

/// Ask a running server for one decision.
///
/// Exit code: 0 allowed, 1 denied, 2 not answered.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor check login:ada comment task:1f0c6a3e-...
  stagedoor check email:ada@studio.org update task:1f0c6a3e-... --field task_status_id --value done
  stagedoor check bot:render-farm create task: --project big-buck-bunny
  if stagedoor check \"login:$USER\" publish shot:sh010 --json >decision.json; then publish; fi")]
struct Ask {
    /// Who: ID, login:NAME, email:ADDRESS or bot:ID
    subject: String,
    /// What they want to do, as the policy names it
    action: String,
    /// What to: KIND:ID; `KIND:` alone for what does not exist yet
    #[arg(value_name = "KIND:ID")]
    resource: String,
    /// The field that an update is about
    #[arg(long, default_value = "", hide_default_value = true)]
    field: String,
    /// The new value, where the policy looks at it: the id or name of a status, the id of a person
    #[arg(long)]
    value: Option<String>,
    /// The project's id: needed for what does not exist yet
    #[arg(long, default_value = "", hide_default_value = true)]
    project: String,
    /// Attributes that the mirror does not hold, as a JSON object
    #[arg(long, value_name = "JSON")]
    properties: Option<String>,
    /// Where the server listens: HOST:PORT or unix:/path
    #[arg(long, default_value = ADDRESS)]
    addr: String,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    /// How long to wait for the answer
    #[arg(long, default_value = "5s", value_parser = duration::parse)]
    timeout: Duration,
}

/// Ask a running server for one decision and why: every rule tried, what held, what was missing.
///
/// Exit code: 0 allowed, 1 denied, 2 not answered.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor explain login:ada comment task:1f0c6a3e-...
  stagedoor explain login:ada update task:1f0c6a3e-... --field task_status_id --value done --json")]
struct Explain {
    #[command(flatten)]
    ask: Ask,
}

/// Check configuration, policy and studio files: all errors at once, each with its line and column.
///
/// Which of them a file is shows by its keys; the files that a configuration names are checked with it. Exit code: 0 all good, 2 something is wrong.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor validate stagedoor.yaml policy.yaml")]
struct Validate {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Run policy cases: a studio, questions, and the decisions that are expected.
///
/// Exit code: 0 all as expected, 1 something differs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor test cases/*.yaml")]
struct Test {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

/// Load the mirror from the tracker once and write its snapshot, from which `serve` then starts at once.
///
/// For init containers and timers; while `serve` runs it writes the snapshot itself. Exit code: 0 written, 1 not loaded or not
/// written, 2 the configuration cannot be used.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor snapshot --config /etc/stagedoor.yaml")]
struct Snapshot {
    /// The configuration file; `snapshot_dir` in it says where the snapshot is kept
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Ask a running server how it stands, for probes.
///
/// Exit code: 0 serving, 1 not serving or not answering.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor healthcheck                                  the process is up
  stagedoor healthcheck --service loaded                 the mirror was loaded once: use it for readiness
  stagedoor healthcheck --service fresh                  the mirror is younger than `max_staleness`
  stagedoor healthcheck --config stagedoor.yaml          at the address that the configuration listens on")]
struct Healthcheck {
    /// What to ask for [default: whether the process is up]
    #[arg(long, value_enum)]
    service: Option<HealthService>,
    /// Where the server listens: HOST:PORT or unix:/path
    #[arg(long, default_value = ADDRESS, conflicts_with = "config")]
    addr: String,
    /// Take the address from this configuration: its Unix socket where it has one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What the guard of a running server did.
#[derive(Debug, Args)]
struct Guard {
    #[command(subcommand)]
    command: GuardCommand,
}

#[derive(Debug, Subcommand)]
enum GuardCommand {
    Log(GuardLog),
}

/// List what the guard put back, and what it could not: the last thousand entries since the server began.
///
/// All of them are in the `decision_log`, where the configuration names one. Exit code: 0 listed, 2 not answered.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor guard log
  stagedoor guard log --last 20
  stagedoor guard log --json | jq 'select(.result == \"parked\")'")]
struct GuardLog {
    /// How many entries at most [default: all]
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "COUNT")]
    last: u32,
    /// Where the server listens: HOST:PORT or unix:/path
    #[arg(long, default_value = ADDRESS)]
    addr: String,
    /// Print each entry as a line of JSON
    #[arg(long)]
    json: bool,
    /// How long to wait for the answer
    #[arg(long, default_value = "5s", value_parser = duration::parse)]
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HealthService {
    Loaded,
    Fresh,
}

/// What the process was given besides its arguments.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Overrides of the configuration.
    pub environment: Environment,
    /// The log filter of `STAGEDOOR_LOG`.
    pub log: Option<String>,
}

/// Does what the arguments say.
pub fn run(arguments: impl IntoIterator<Item = OsString>, surroundings: &Surroundings) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Where not even this can be written, the exit code still tells.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(output::FAILED));
        }
    };
    let filter = cli.log_level.as_deref().or(surroundings.log.as_deref());
    if let Err(error) = logs::init(cli.log_format, filter) {
        return output::fail(&error);
    }
    match cli.command {
        Command::Serve(serve) => serve::run(&serve, &surroundings.environment),
        Command::Check(ask) => ask::check(&ask),
        Command::Explain(explain) => ask::explain(&explain.ask),
        Command::Validate(validate) => validate::run(&validate.files, &surroundings.environment),
        Command::Test(test) => cases(&test),
        Command::Audit(audit) => audit::run(&audit, &surroundings.environment),
        Command::Role(role) => role::run(&role, &surroundings.environment),
        Command::Snapshot(snapshot) => snapshot::run(&snapshot, &surroundings.environment),
        Command::Healthcheck(check) => healthcheck::run(&check, &surroundings.environment),
        Command::Guard(Guard { command: GuardCommand::Log(log) }) => guard::log(&log),
    }
}

/// Runs policy cases.
fn cases(test: &Test) -> ExitCode {
    match cases::run(&test.files, test.json, &mut std::io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => output::fail(&error),
    }
}

/// What of the process's environment concerns stagedoor.
///
/// # Errors
/// Where a variable that does is no UTF-8.
pub fn surroundings(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Surroundings, String> {
    let mut surroundings = Surroundings::default();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with("STAGEDOOR_")) else { continue };
        let value = value.into_string().map_err(|_| format!("environment variable {name}: is no UTF-8 text"))?;
        match name {
            "STAGEDOOR_LOG" => surroundings.log = Some(value),
            name if name.starts_with("STAGEDOOR__") => drop(surroundings.environment.insert(name.to_owned(), value)),
            _ => {}
        }
    }
    Ok(surroundings)
}

/// Says why nothing can be done, and fails.
pub fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    output::fail(error)
}
