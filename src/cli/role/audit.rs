//! `role audit`: what the tracker tells of its roles against what the policy says of them.

mod compare;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use self::compare::Findings;
use super::output;
use super::show::table;
use crate::config::{self, Config, Environment, Tracker};
use crate::engine::policy::Policy;
use crate::tracker::ftrack::Ftrack;
use crate::tracker::roles::{Told, ToldRole};

/// A tracker that needs longer for all that it is asked does not answer.
const TIMEOUT: Duration = Duration::from_secs(120);
/// What `validate` waits for, at most.
const SHORT: Duration = Duration::from_secs(5);

pub(super) fn run(file: &Path, environment: &Environment, json: bool) -> Result<ExitCode, String> {
    let config = config::load(file, environment).map_err(|error| error.to_string())?;
    let Tracker::Ftrack(tracker) = &config.tracker else {
        let name = file.display();
        return Err(format!("{name}: its tracker tells nothing of roles that a policy could differ from; ftrack does"));
    };
    let (policy, policy_file) = policy(&config)?;
    let told = ask(TIMEOUT, async || connector(tracker)?.tell_permissions().await.map_err(|error| error.to_string()))?;
    let findings = compare::all(&policy, &policy_file, &told);
    if json {
        say_json(&told, &findings);
    } else {
        say(&policy, &told, &findings);
    }
    Ok(if findings.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What `validate` says of the roles of a tracker: those that the policy does not know, or why it cannot tell.
pub(in crate::cli) fn unlisted(tracker: &crate::tracker::ftrack::Config, policy: &Policy, file: &str) -> Vec<String> {
    let told = ask(SHORT, async || connector(tracker)?.tell_roles().await.map_err(|error| error.to_string()));
    match told {
        Ok(roles) => compare::unlisted(policy, file, &roles),
        Err(why) => vec![format!("the roles at the tracker are not compared with the policy: {why}")],
    }
}

fn connector(config: &crate::tracker::ftrack::Config) -> Result<Ftrack, String> {
    // Fails where the process has a provider already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ftrack::new(config.clone()).map_err(|error| error.to_string())
}

/// The policy in force with this configuration, and the file to edit it in.
fn policy(config: &Config) -> Result<(Policy, String), String> {
    let Some(path) = &config.policy else {
        let policy = Policy::load("ftrack", None).map_err(|problems| problems.to_string())?;
        return Ok((policy, "policy.yaml".to_owned()));
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: cannot be read: {error}"))?;
    let policy = Policy::load("ftrack", Some((&name, &text))).map_err(|problems| problems.to_string())?;
    Ok((policy, name))
}

/// Runs one conversation with the tracker.
fn ask<T>(timeout: Duration, conversation: impl AsyncFnOnce() -> Result<T, String>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the system gives no threads or sockets: {error}"))?;
    let late = |_| format!("the tracker did not answer within {timeout:?}");
    runtime.block_on(async { tokio::time::timeout(timeout, conversation()).await.map_err(late)? })
}

fn say(policy: &Policy, told: &Told, findings: &Findings) {
    let mut rows = vec![["ROLE AT THE TRACKER", "TYPE", "PERMISSIONS HERE"].map(str::to_owned)];
    rows.extend(told.roles.iter().map(|ToldRole { name, kind, .. }| {
        let set = policy.role_sets().iter().find(|set| set.name == *name);
        let here = set.map_or("none listed".to_owned(), |set| set.grants.len().to_string());
        [name.to_string(), kind.to_string(), here]
    }));
    table(&rows).iter().for_each(output::say);
    for (heading, lines) in
        [("Differences:", &findings.differences), ("Not told or not understood:", &findings.unknown)]
    {
        if !lines.is_empty() {
            output::say(format_args!("\n{heading}"));
            lines.iter().for_each(|line| output::say(format_args!("  - {line}")));
        }
    }
    if findings.differences.is_empty() {
        output::say("\nNothing that the tracker tells differs from the policy");
    }
}

fn say_json(told: &Told, findings: &Findings) {
    let role = |ToldRole { id, name, kind }: &ToldRole| json!({"id": id.as_str(), "name": name.as_str(), "type": kind.as_str()});
    let roles: Vec<_> = told.roles.iter().map(role).collect();
    let Findings { differences, unknown } = findings;
    output::say(format_args!("{:#}", json!({"roles": roles, "differences": differences, "unknown": unknown})));
}
