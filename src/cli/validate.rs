//! `validate`: configuration and policy files, everything that is wrong with them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output;
use crate::config::{self, Environment};
use crate::engine::policy::Policy;
use crate::yaml::{self, Data, Node};

pub(super) fn run(files: &[PathBuf], environment: &Environment) -> ExitCode {
    let mut good = true;
    for file in files {
        match examine(file, environment) {
            Ok(what) => output::say(format_args!("{}: a good {what}", file.display())),
            Err(complaints) => {
                good = false;
                complaints.iter().for_each(|complaint| output::complain(complaint));
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::from(output::FAILED) }
}

/// What the file is, or all that is wrong with it.
pub(super) fn examine(file: &Path, environment: &Environment) -> Result<&'static str, Vec<String>> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| vec![format!("{name}: cannot be read: {error}")])?;
    let root = yaml::parse(&name, &text).map_err(|problems| vec![problems.to_string()])?;
    if config::is_config(&root) {
        return configuration(file, environment).map(|()| "configuration");
    }
    match pack(&root) {
        Some(_) => policy(&name, &text).map(|()| "policy"),
        None => Err(vec![format!(
            "{name}: neither a configuration nor a policy: a configuration has `tracker:`, a policy `extends:`"
        )]),
    }
}

/// The configuration, and the files that it names.
fn configuration(file: &Path, environment: &Environment) -> Result<(), Vec<String>> {
    let config = config::load(file, environment).map_err(|error| error.lines().to_vec())?;
    let mut complaints = Vec::new();
    for warning in &config.warnings {
        output::complain(&format_args!("warning: {warning}"));
    }
    if let Some(Err(error)) = config.serve.tls.as_ref().map(crate::serve::tls::Config::read) {
        complaints.push(error.to_string());
    }
    if let Some(path) = &config.policy {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => complaints.extend(policy(&name, &text).err().into_iter().flatten()),
            Err(error) => complaints.push(format!("{name}: cannot be read: {error}")),
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints) }
}

fn policy(name: &str, text: &str) -> Result<(), Vec<String>> {
    let root = yaml::parse(name, text).map_err(|problems| vec![problems.to_string()])?;
    let pack = pack(&root).unwrap_or_default();
    Policy::load(pack, Some((name, text))).map(drop).map_err(|problems| vec![problems.to_string()])
}

/// The pack that a policy extends.
fn pack(root: &Node) -> Option<&str> {
    let Data::Map(entries) = &root.data else { return None };
    let (_, node) = entries.iter().find(|(key, _)| key.text == "extends")?;
    match &node.data {
        Data::Scalar { text, .. } => Some(text),
        _ => Some(""),
    }
}
