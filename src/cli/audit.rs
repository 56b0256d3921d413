//! `audit`: asks the tracker as one person what stagedoor was asked, and lists where the answers differ.

mod report;
mod run;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use self::run::Plan;
use super::{ADDRESS, client, output};
use crate::config::{self, Environment, Tracker};
use crate::engine::policy::Policy;
use crate::model::id::{Id, ObjectRef, Str};
use crate::tracker::flow::probe::FlowProbe;
use crate::tracker::kitsu::probe::KitsuProbe;
use crate::tracker::probe::Pace;
use crate::tracker::secret::TokenSource;

/// No more objects of a kind are asked about.
const MOST: u64 = 100;

/// Ask the tracker as one person, and list where stagedoor's answers differ.
///
/// Nothing is changed: the tracker is asked by reads, and by changes with a fault for which it refuses them to everybody, once
/// it has looked at who asks. What cannot be asked so is listed as not asked. What stagedoor allows and the tracker refuses
/// stands first. Exit code: 0 no difference, 1 some, 2 not asked, or not all of it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor audit --config stagedoor.yaml --as email:ada@studio.org --token-file ada.token --probe
  stagedoor audit --config stagedoor.yaml --as login:ada --token-file ada.token --probe task:1f0c6a3e-...
  stagedoor audit --config stagedoor.yaml --as login:ada --token-file ada.token --probe --sample 10 --rate 5 --json
  stagedoor audit --config flow.yaml --as login:ann --probe                  Flow: the script acts as that person")]
pub(super) struct Audit {
    /// The configuration file: it says where the tracker is
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// As whom to ask: ID, login:NAME, email:ADDRESS or bot:ID
    #[arg(long = "as", value_name = "PERSON")]
    person: String,
    /// Yes, ask the tracker
    #[arg(long)]
    probe: bool,
    /// What to ask about [default: some objects of every kind]
    #[arg(value_name = "KIND:ID")]
    objects: Vec<String>,
    /// About how many objects of each kind are asked about
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=MOST))]
    sample: u64,
    /// How many requests a second the tracker gets at most
    #[arg(long, default_value = "2", value_parser = rate)]
    rate: f64,
    /// Kitsu: the file with the person's own access token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Where the server listens: HOST:PORT or unix:/path
    #[arg(long, default_value = ADDRESS)]
    addr: String,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.01..=50.0).contains(rate));
    rate.ok_or_else(|| format!("`{text}` is no rate: write how many requests a second, from 0.01 to 50"))
}

pub(super) fn run(audit: &Audit, environment: &Environment) -> ExitCode {
    match start(audit, environment) {
        Ok(code) => code,
        Err(problem) => output::fail(&problem),
    }
}

fn start(audit: &Audit, environment: &Environment) -> Result<ExitCode, String> {
    let Audit { config, person, probe, objects, sample, rate, token_file, addr, json } = audit;
    let loaded = config::load(config, environment).map_err(|error| error.to_string())?;
    let file = config.display();
    let plan = Plan {
        person,
        objects: objects.iter().map(|text| object(text)).collect::<Result<_, _>>()?,
        each: usize::try_from(*sample).unwrap_or(usize::MAX),
        address: addr,
        json: *json,
    };
    // Fails where the process has a provider already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match loaded.tracker {
        Tracker::Kitsu(kitsu) => {
            let token = token_file.clone().ok_or_else(|| {
                format!("--token-file is missing: Kitsu is asked with the own access token of {person}")
            })?;
            consent(*probe, person, *rate, &kitsu.url)?;
            let prober = KitsuProbe::new(kitsu, TokenSource::File(token), Pace::new(*rate));
            let prober = prober.map_err(|error| error.to_string())?;
            client::runtime()?.block_on(run::audit(&prober, "kitsu", *rate, &plan))
        }
        Tracker::Flow(tracker) => {
            if token_file.is_some() {
                return Err("--token-file is for Kitsu; in Flow the script acts as the person".to_owned());
            }
            let policy = policy("flow", loaded.policy.as_deref())?;
            consent(*probe, person, *rate, &tracker.source.url)?;
            let ruled = policy.schema.kinds.iter().map(|kind| (kind.name.clone(), policy.ruled_fields(&kind.name)));
            let prober = FlowProbe::new(tracker.source, &policy.schema, ruled.collect(), Pace::new(*rate));
            let prober = prober.map_err(|error| error.to_string())?;
            client::runtime()?.block_on(run::audit(&prober, "flow", *rate, &plan))
        }
        _ => Err(format!("{file}: its tracker cannot be asked as a person; Kitsu and Flow can")),
    }
}

/// The policy in force with the configuration.
fn policy(pack: &str, file: Option<&Path>) -> Result<Policy, String> {
    let Some(path) = file else { return Policy::load(pack, None).map_err(|problems| problems.to_string()) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: cannot be read: {error}"))?;
    Policy::load(pack, Some((&name, &text))).map_err(|problems| problems.to_string())
}

/// Nothing is asked of a tracker that its user has not agreed to.
fn consent(given: bool, person: &str, rate: f64, tracker: &str) -> Result<(), String> {
    if given {
        return Ok(());
    }
    Err(format!(
        "nothing was asked: `audit` asks {tracker} as {person}, up to {rate} requests a second. It reads, and sends changes \
         with a fault, which the tracker refuses to everybody, but in other words to who may not make them. Nothing \
         is changed; the tracker's own logs show the requests under that person's name. To go on, add --probe \
         (docs/audit.md lists what is sent)"
    ))
}

fn object(text: &str) -> Result<ObjectRef, String> {
    match text.split_once(':') {
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() => {
            Ok(ObjectRef { kind: Str::from(kind), id: Id::from(id) })
        }
        _ => Err(format!("`{text}` names no object; write KIND:ID, like task:1234")),
    }
}
