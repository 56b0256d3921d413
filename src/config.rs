//! Configuration: one YAML file, overridden by the environment, told wrong all at once.
//!
//! ```text
//! file ─► nodes ─┐
//!                ├─► read ─► Config: the rooms' own Configs
//! environment ───┘
//! ```
//!
//! Relative paths are relative to the directory of the file. Nothing here reads the process environment.

pub mod duration;
mod environment;
mod files;
mod read;
#[cfg(test)]
mod tests;
mod tracker;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::authorizer;
use crate::ledger;
use crate::serve::listen::Address;
use crate::serve::{self, tls};
use crate::tracker::ingest::guard::Token;
use crate::tracker::{flow, ftrack, kitsu};
use crate::yaml::{self, Data, Node, Place, Problems};

/// The environment variables that may override the file: those that begin with `STAGEDOOR__`.
pub type Environment = BTreeMap<String, String>;

/// All that `serve` needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    pub serve: serve::Config,
    pub authorizer: authorizer::Options,
    /// How often what no event announces is looked for.
    pub reconcile: Duration,
    /// Where the last good mirror is kept.
    pub snapshot_dir: Option<PathBuf>,
    /// The studio's overlay of the tracker's pack.
    pub policy: Option<PathBuf>,
    pub tracker: Tracker,
    /// The guard, where it is enabled.
    pub guard: Option<Guard>,
    /// Where decisions are written down.
    pub decision_log: Option<ledger::Place>,
    /// What is allowed but should be mended; logged at the start.
    pub warnings: Vec<String>,
}

/// Whether forbidden statuses are put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Only say what would be done.
    pub dry_run: bool,
}

/// Where the mirror comes from.
#[derive(Clone, Debug)]
pub enum Tracker {
    Kitsu(kitsu::Config),
    Ftrack(ftrack::Config),
    Flow(Flow),
    File(PathBuf),
    Limecraft(Limecraft),
    /// The studio that is built in.
    Demo,
}

/// A site of Flow, and where it may call.
#[derive(Clone, Debug)]
pub struct Flow {
    pub source: flow::Config,
    pub webhook: Option<Webhook>,
}

/// Where a tracker's webhooks are taken, and what signs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub listen: Address,
    pub token: Token,
}

/// A studio that is pushed, or written to a file; at least one of the two.
#[derive(Clone, Debug)]
pub struct Limecraft {
    pub snapshot: Option<PathBuf>,
    pub push: Option<Push>,
}

/// Where pushes are taken, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    pub listen: Address,
    /// `None`: whoever has a certificate that `tls` asks for.
    pub token: Option<Token>,
    pub tls: Option<tls::Config>,
}

/// All that is wrong with a configuration, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

/// Reads the configuration at `path`.
///
/// # Errors
/// Where the file cannot be read, or anything in it or in the environment is not as it must be.
pub fn load(path: &Path, environment: &Environment) -> Result<Config, ConfigError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(vec![format!("{name}: the configuration cannot be read: {error}")]))?;
    let root = yaml::parse(&name, &text).map_err(|problems| ConfigError::told(&problems, &[]))?;
    configure(&name, root, path.parent().unwrap_or(Path::new("")), environment, None)
}

/// The configuration of `serve --demo`: the built-in studio at the usual address, unless the environment says otherwise.
///
/// # Errors
/// Where the environment does not fit.
pub fn demo(environment: &Environment) -> Result<Config, ConfigError> {
    let root = Node::null(Place::default());
    configure("--demo", root, Path::new(""), environment, Some(Tracker::Demo))
}

/// Whether a YAML file is a configuration, by its keys.
pub fn is_config(root: &Node) -> bool {
    let Data::Map(entries) = &root.data else { return false };
    entries
        .iter()
        .any(|(key, _)| matches!(key.text.as_str(), "tracker" | "listen" | "max_staleness" | "reconcile" | "tls"))
}

fn configure(
    name: &str,
    mut root: Node,
    base: &Path,
    environment: &Environment,
    fallback: Option<Tracker>,
) -> Result<Config, ConfigError> {
    let mut problems = Problems::new(name);
    let variables = environment::overlay(&mut root, environment, &mut problems);
    let config = read::config(&root, base, fallback, &mut problems);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(ConfigError::told(&problems, &variables)),
    }
}

// === impl ConfigError ===

impl ConfigError {
    /// Problems whose place is a variable are told by its name.
    fn told(problems: &Problems, variables: &[&str]) -> Self {
        let line = |problem: &yaml::Problem| {
            let Place { line, column } = problem.place;
            let message = &problem.message;
            match column.checked_sub(1).and_then(|at| variables.get(at)) {
                Some(name) if line == 0 => format!("environment variable {name}: {message}"),
                _ if line == 0 => format!("{}: {message}", problems.file()),
                _ => format!("{}:{line}:{column}: {message}", problems.file()),
            }
        };
        Self(problems.sorted().into_iter().map(line).collect())
    }

    /// What is wrong, a line each.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}
