//! From nodes to the rooms' configurations; every complaint is made before any is told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::Files;
use super::{Config, Guard, Tracker, duration, tracker};
use crate::authorizer::Options;
use crate::ledger::Place;
use crate::serve;
use crate::serve::listen::Address;
use crate::serve::tls;
use crate::yaml::{Fields, Node, Problems};

const LISTEN: &str = "127.0.0.1:7300";
const RECONCILE: Duration = Duration::from_secs(5 * 60);
/// Keys that later versions have.
const NOT_YET: [&str; 2] = ["admin", "otlp"];

/// Reads the whole. `None` where something is missing; `problems` then says what.
pub(super) fn config(root: &Node, base: &Path, fallback: Option<Tracker>, problems: &mut Problems) -> Option<Config> {
    let mut files = Files::new(base);
    let mut fields = root.map(problems)?;
    let tls = fields.take("tls").map(|node| tls(node, &mut files, problems));
    let listen = listen(&mut fields, tls.is_some(), problems);
    let max_staleness = length(&mut fields, "max_staleness", Options::default().max_staleness, problems);
    let reconcile = length(&mut fields, "reconcile", RECONCILE, problems);
    let snapshot_dir = fields.take("snapshot_dir").map(|node| snapshot_dir(node, &files, problems));
    let policy = fields.take("policy").map(|node| files.readable(node, problems));
    let tracker = match (fields.take("tracker"), fallback) {
        (Some(node), None) => tracker::read(node, &mut files, problems),
        (None, Some(fallback)) => Some(fallback),
        (Some(node), Some(_)) => {
            problems.add(node.place, "`--demo` has its own studio; leave out `--demo` or `tracker:`");
            None
        }
        (None, None) => {
            problems.add(fields.place, "`tracker:` is missing; name one, like `tracker: {kitsu: {url: ...}}`");
            None
        }
    };
    let guard = fields.take("guard").and_then(|node| guard(node, tracker.as_ref(), problems));
    let decision_log = fields.take("decision_log").and_then(|node| decision_log(node, &files, problems));
    for name in NOT_YET {
        not_yet(&mut fields, name, problems);
    }
    fields.finish(problems);
    Some(Config {
        serve: serve::Config { listen, tls: tls.flatten() },
        authorizer: Options { max_staleness, ..Options::default() },
        reconcile,
        snapshot_dir: snapshot_dir.flatten(),
        policy: policy.flatten(),
        tracker: tracker?,
        guard,
        decision_log,
        warnings: files.warnings,
    })
}

/// The directory need not be there yet; what is there must be one.
fn snapshot_dir(node: &Node, files: &Files<'_>, problems: &mut Problems) -> Option<PathBuf> {
    let name = node.text(problems)?;
    if name.is_empty() {
        problems.add(node.place, "`snapshot_dir` is empty; name a directory, or leave it out");
        return None;
    }
    let path = files.path(name);
    if std::fs::metadata(&path).is_ok_and(|found| !found.is_dir()) {
        let file = path.display();
        problems.add(node.place, format!("`{file}` is no directory; the snapshot is a file in a directory of its own"));
        return None;
    }
    Some(path)
}

/// The guard, where it is enabled.
fn guard(node: &Node, tracker: Option<&Tracker>, problems: &mut Problems) -> Option<Guard> {
    let mut fields = node.map(problems)?;
    let mut flag = |name, default| match fields.take(name) {
        Some(node) => node.bool(problems).unwrap_or(default),
        None => default,
    };
    let (enabled, dry_run) = (flag("enabled", false), flag("dry_run", true));
    fields.finish(problems);
    if enabled && !tracker.is_none_or(is_written_to) {
        problems.add(
            node.place,
            "the guard puts statuses back at the tracker, and this one cannot be written to: leave `guard:` out, or use \
             it with `tracker: {kitsu: ...}` or `tracker: {ftrack: ...}`",
        );
    }
    enabled.then_some(Guard { dry_run })
}

/// Whether statuses can be put back at the tracker.
fn is_written_to(tracker: &Tracker) -> bool {
    match tracker {
        Tracker::Kitsu(_) | Tracker::Ftrack(_) => true,
        Tracker::Flow(_) | Tracker::File(_) | Tracker::Limecraft(_) | Tracker::Demo => false,
    }
}

fn decision_log(node: &Node, files: &Files<'_>, problems: &mut Problems) -> Option<Place> {
    let mut fields = node.map(problems)?;
    let path = fields.need("path", problems).and_then(|node| match node.text(problems)? {
        "-" => Some(Place::Stdout),
        "" => {
            problems.add(node.place, "`path` is empty; name a file, or `-` for standard output");
            None
        }
        path => Some(Place::File(files.path(path))),
    });
    for name in ["sample", "mask"] {
        not_yet(&mut fields, name, problems);
    }
    fields.finish(problems);
    path
}

/// Complains about a key that a later version has.
pub(super) fn not_yet(fields: &mut Fields<'_>, name: &'static str, problems: &mut Problems) {
    // Not among the keys that are known where another is misspelt.
    if !fields.entries().iter().any(|(key, _)| key.text == name) {
        return;
    }
    if let Some(node) = fields.take(name) {
        problems.add(node.place, format!("`{name}` is not available in this version of stagedoor; leave it out"));
    }
}

fn length(fields: &mut Fields<'_>, name: &'static str, default: Duration, problems: &mut Problems) -> Duration {
    let Some(node) = fields.take(name) else { return default };
    let read = node.text(problems).map(duration::parse);
    match read {
        Some(Ok(length)) => length,
        Some(Err(problem)) => {
            problems.add(node.place, format!("{name}: {problem}"));
            default
        }
        None => default,
    }
}

fn listen(fields: &mut Fields<'_>, tls: bool, problems: &mut Problems) -> Vec<Address> {
    let node = fields.take("listen");
    let mut addresses: Vec<Address> = Vec::new();
    for node in node.map(Node::list).unwrap_or_default() {
        let Some(text) = node.text(problems) else { continue };
        match text.parse() {
            Ok(address) if addresses.contains(&address) => {
                problems.add(node.place, format!("`{address}` is listened on already"));
            }
            Ok(address) => {
                if !tls {
                    local(node, &address, "reads and changes answers", problems);
                }
                addresses.push(address);
            }
            Err(problem) => problems.add(node.place, problem),
        }
    }
    match node {
        None => addresses.extend(LISTEN.parse::<Address>()),
        Some(node) if node.list().is_empty() => problems.add(node.place, "`listen:` names no address"),
        Some(node) if tls && addresses.iter().all(|address| matches!(address, Address::Unix(_))) => {
            problems.add(node.place, "`tls:` guards TCP addresses, and none is listened on; leave one of the two out");
        }
        Some(_) => {}
    }
    addresses
}

/// Complains about clear text over a network.
pub(super) fn local(node: &Node, address: &Address, what: &str, problems: &mut Problems) {
    if !address.is_local() {
        problems.add(
            node.place,
            format!(
                "`{address}` can be reached from other machines, and without `tls:` anybody on the way {what}; add \
                 `tls: {{cert_file: ..., key_file: ...}}` or listen on 127.0.0.1"
            ),
        );
    }
}

pub(super) fn tls(node: &Node, files: &mut Files<'_>, problems: &mut Problems) -> Option<tls::Config> {
    let mut fields = node.map(problems)?;
    let cert = fields.need("cert_file", problems).and_then(|node| files.readable(node, problems));
    let key = fields.need("key_file", problems).and_then(|node| files.secret(node, problems));
    let client_ca = fields.take("client_ca_file").map(|node| files.readable(node, problems));
    fields.finish(problems);
    Some(tls::Config { cert_file: cert?, key_file: key?, client_ca_file: client_ca.flatten() })
}
