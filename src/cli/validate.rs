//! `validate`: configuration, policy and studio files, everything that is wrong with them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output;
use super::role::audit;
use crate::config::{self, Environment, Limecraft, Tracker};
use crate::engine::policy::Policy;
use crate::tracker::file::studio::{self, Vocabulary};
use crate::tracker::ftrack;
use crate::tracker::limecraft::document;
use crate::yaml::{self, Data, Problems};

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
    let text = read(file)?;
    let root = yaml::parse(&name, &text).map_err(told)?;
    let has =
        |key: &str| matches!(&root.data, Data::Map(entries) if entries.iter().any(|(known, _)| known.text == key));
    match () {
        () if config::is_config(&root) => configuration(file, environment).map(|()| "configuration"),
        () if has("extends") => policy(&name, &text).map(|_| "policy"),
        () if has("productions") => limecraft(file, None).map(|()| "snapshot of Limecraft"),
        () if has("person") || has("pack") => studio(file, None).map(|()| "studio"),
        () if has("cases") => Err(vec![format!("{name}: these are cases: run them with `stagedoor test {name}`")]),
        () => Err(vec![format!(
            "{name}: neither a configuration nor a policy nor a studio: a configuration has `tracker:`, a policy \
             `extends:`, a studio `person:`"
        )]),
    }
}

/// The configuration, and the files that it names.
fn configuration(file: &Path, environment: &Environment) -> Result<(), Vec<String>> {
    let config = config::load(file, environment).map_err(|error| error.lines().to_vec())?;
    let mut complaints = Vec::new();
    for warning in &config.warnings {
        warn(warning);
    }
    if let Some(Err(error)) = config.serve.tls.as_ref().map(crate::serve::tls::Config::read) {
        complaints.push(error.to_string());
    }
    let mut overlay = None;
    if let Some(path) = &config.policy {
        match read(path).and_then(|text| policy(&path.display().to_string(), &text)) {
            Ok(policy) => overlay = Some(policy),
            Err(problems) => complaints.extend(problems),
        }
    }
    match &config.tracker {
        Tracker::File(path) => complaints.extend(studio(path, overlay).err().into_iter().flatten()),
        Tracker::Limecraft(Limecraft { snapshot, push }) => {
            let tls = push.as_ref().and_then(|push| push.tls.as_ref());
            complaints.extend(tls.and_then(|tls| tls.read().err()).map(|error| error.to_string()));
            if let Some(Err(found)) = snapshot.as_ref().map(|path| limecraft(path, overlay)) {
                complaints.extend(found);
            }
        }
        Tracker::Ftrack(tracker) if complaints.is_empty() => roles(tracker, overlay, config.policy.as_deref())?,
        Tracker::Kitsu(_) | Tracker::Ftrack(_) | Tracker::Flow(_) | Tracker::Demo => {}
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints) }
}

fn policy(name: &str, text: &str) -> Result<Policy, Vec<String>> {
    let pack = Policy::extended_pack(name, text).map_err(told)?;
    let policy = Policy::load(pack, Some((name, text))).map_err(told)?;
    if !policy.warnings.is_empty() {
        policy.warnings.to_string().lines().for_each(warn);
    }
    Ok(policy)
}

/// The roles at the tracker that grant nothing because the policy does not know them. No answer is no error.
fn roles(tracker: &ftrack::Config, overlay: Option<Policy>, file: Option<&Path>) -> Result<(), Vec<String>> {
    let policy = match overlay {
        Some(policy) => policy,
        None => Policy::load("ftrack", None).map_err(told)?,
    };
    let file = file.map_or("policy.yaml".to_owned(), |file| file.display().to_string());
    audit::unlisted(tracker, &policy, &file).iter().for_each(|line| warn(line));
    Ok(())
}

fn warn(what: &str) {
    output::complain(&format_args!("warning: {what}"));
}

/// A snapshot of Limecraft, and what is odd about the actions in it.
fn limecraft(file: &Path, policy: Option<Policy>) -> Result<(), Vec<String>> {
    let text = read(file)?;
    let name = file.display();
    let named = |line| format!("{name}: {line}");
    let whole = document::read(&text).map_err(|lines| lines.into_iter().map(named).collect::<Vec<_>>())?;
    let policy = match policy {
        Some(policy) => policy,
        None => Policy::load("limecraft", None).map_err(told)?,
    };
    policy.notes_on(whole.changes).iter().for_each(|note| warn(&format!("{name}: {note}")));
    Ok(())
}

/// A studio file, read in the words of the policy or, without one, of its own pack.
fn studio(file: &Path, policy: Option<Policy>) -> Result<(), Vec<String>> {
    let name = file.display().to_string();
    let text = read(file)?;
    let policy = match policy {
        Some(policy) => policy,
        None => Policy::load(&studio::pack(&name, &text).map_err(told)?, None).map_err(told)?,
    };
    let studio = studio::read(&name, &text, &Vocabulary::of(&policy)).map_err(told)?;
    policy.notes_on(studio.changes).iter().for_each(|note| warn(&format!("{name}: {note}")));
    Ok(())
}

fn read(file: &Path) -> Result<String, Vec<String>> {
    std::fs::read_to_string(file).map_err(|error| vec![format!("{}: cannot be read: {error}", file.display())])
}

fn told(problems: Problems) -> Vec<String> {
    vec![problems.to_string()]
}
