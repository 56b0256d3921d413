//! The `tracker:` part: exactly one, told how to reach it.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use super::files::Files;
use super::{Flow, Limecraft, Push, Tracker, Webhook, duration, read};
use crate::serve::listen::Address;
use crate::tracker::ingest::guard::Token;
use crate::tracker::secret::TokenSource;
use crate::tracker::{flow, ftrack, kitsu};
use crate::yaml::{Fields, Node, Problems};

/// How often Flow's log of events is read, and how often that can be asked for.
const POLL: Duration = Duration::from_secs(1);
const POLLS: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(60)];

pub(super) fn read(node: &Node, files: &mut Files<'_>, problems: &mut Problems) -> Option<Tracker> {
    let mut fields = node.map(problems)?;
    let given = fields.entries().iter().filter(|(_, node)| !node.is_null()).count();
    let kitsu = fields.take("kitsu").map(|node| kitsu(node, files, problems).map(Tracker::Kitsu));
    let ftrack = fields.take("ftrack").map(|node| ftrack(node, files, problems).map(Tracker::Ftrack));
    let flow = fields.take("flow").map(|node| flow(node, files, problems).map(Tracker::Flow));
    let file = fields.take("file").map(|node| file(node, files, problems));
    let limecraft = fields.take("limecraft").map(|node| limecraft(node, files, problems).map(Tracker::Limecraft));
    fields.finish(problems);
    if given != 1 {
        problems.add(
            node.place,
            format!(
                "exactly one tracker is needed here, not {given}: `kitsu:`, `ftrack:`, `flow:`, `limecraft:` or `file:`"
            ),
        );
    }
    kitsu.or(ftrack).or(flow).or(file).or(limecraft).flatten()
}

fn kitsu(node: &Node, files: &mut Files<'_>, problems: &mut Problems) -> Option<kitsu::Config> {
    let mut fields = node.map(problems)?;
    let url = fields.need("url", problems).and_then(|node| address(node, "https://kitsu.studio/api", &BOT, problems));
    let events =
        fields.need("events_url", problems).and_then(|node| address(node, "https://kitsu.studio", &BOT, problems));
    let token = needed(&mut fields, &BOT, "a file that holds the token of a Kitsu bot", files, problems);
    fields.finish(problems);
    Some(kitsu::Config { url: url?, events_url: events?, token: token? })
}

fn ftrack(node: &Node, files: &mut Files<'_>, problems: &mut Problems) -> Option<ftrack::Config> {
    const KEY: Named = Named { value: "api_key", file: "api_key_file", short: "API key", what: "the API key" };
    let mut fields = node.map(problems)?;
    let url =
        fields.need("url", problems).and_then(|node| address(node, "https://studio.ftrackapp.com", &KEY, problems));
    let user = fields.need("user", problems).and_then(|node| match node.text(problems)?.trim() {
        "" => {
            problems.add(node.place, "`user` is empty; write the name of the user in whose name the API key acts");
            None
        }
        user => Some(user.to_owned()),
    });
    let api_key = needed(&mut fields, &KEY, "a file that holds an API key of ftrack", files, problems);
    fields.finish(problems);
    Some(ftrack::Config { url: url?, user: user?, api_key: api_key? })
}

fn flow(node: &Node, files: &mut Files<'_>, problems: &mut Problems) -> Option<Flow> {
    const KEY: Named =
        Named { value: "script_key", file: "script_key_file", short: "script key", what: "the script's key" };
    let mut fields = node.map(problems)?;
    let url = fields
        .need("url", problems)
        .and_then(|node| address(node, "https://studio.shotgrid.autodesk.com", &KEY, problems));
    let script_name = fields.need("script_name", problems).and_then(|node| match node.text(problems)?.trim() {
        "" => {
            problems.add(node.place, "`script_name` is empty; write the name of the script user in Flow");
            None
        }
        name => Some(name.to_owned()),
    });
    let script_key = needed(&mut fields, &KEY, "a file that holds the key of a script user", files, problems);
    let poll_interval = fields.take("poll_interval").map_or(Some(POLL), |node| poll_interval(node, problems));
    let webhook = fields.take("webhook").map(|node| webhook(node, files, problems));
    fields.finish(problems);
    let source =
        flow::Config { url: url?, script_name: script_name?, script_key: script_key?, poll_interval: poll_interval? };
    Some(Flow { source, webhook: webhook.flatten() })
}

fn poll_interval(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let [least, most] = POLLS;
    let wrong = match duration::parse(node.text(problems)?) {
        Ok(length) if length < least => {
            "is less than 200ms: an answer of Flow takes longer than that, so its site would only be loaded"
        }
        Ok(length) if length > most => {
            "is more than 60s: a change would be unknown for so long; for a site that must be spared write 10s"
        }
        Ok(length) => return Some(length),
        Err(problem) => {
            problems.add(node.place, format!("poll_interval: {problem}"));
            return None;
        }
    };
    problems.add(node.place, format!("`poll_interval` {wrong}"));
    None
}

/// What Flow calls. It signs what it sends with the token and never sends the token itself, and what comes is a hint only:
/// so the address may be one that other machines reach, as Flow's must.
fn webhook(node: &Node, files: &mut Files<'_>, problems: &mut Problems) -> Option<Webhook> {
    const TOKEN: Named =
        Named { value: "token", file: "token_file", short: "token", what: "the webhook's secret token" };
    let mut fields = node.map(problems)?;
    let listen = fields.need("listen", problems).and_then(|node| {
        let address = node.text(problems)?.parse::<Address>();
        address.map_err(|problem| problems.add(node.place, problem)).ok()
    });
    let missing = "`token_file:` is missing: a file that holds the secret token of the webhook in Flow, with which it \
                   signs what it sends";
    let token = match secret(&mut fields, &TOKEN, files, problems) {
        Some(Given::Value(token)) => Some(Token::Value(token)),
        Some(Given::File(path)) => Some(Token::File(path)),
        Some(Given::Missing) => {
            problems.add(fields.place, missing);
            None
        }
        None => None,
    };
    fields.finish(problems);
    Some(Webhook { listen: listen?, token: token? })
}

fn file(node: &Node, files: &Files<'_>, problems: &mut Problems) -> Option<Tracker> {
    let mut fields = node.map(problems)?;
    let path = fields.need("path", problems).and_then(|node| files.readable(node, problems));
    fields.finish(problems);
    path.map(Tracker::File)
}

fn limecraft(node: &Node, files: &mut Files<'_>, problems: &mut Problems) -> Option<Limecraft> {
    let mut fields = node.map(problems)?;
    let snapshot = fields.take("snapshot").map(|node| files.readable(node, problems));
    let push = fields.take("push").map(|node| push(node, files, problems));
    if snapshot.is_none() && push.is_none() {
        problems.add(
            fields.place,
            "nothing tells of the studio; give `snapshot:` (a file), `push:` (an address to push to) or both",
        );
    }
    fields.finish(problems);
    Some(Limecraft { snapshot: snapshot.flatten(), push: push.flatten() })
}

fn push(node: &Node, files: &mut Files<'_>, problems: &mut Problems) -> Option<Push> {
    let mut fields = node.map(problems)?;
    let tls = fields.take("tls").map(|node| read::tls(node, files, problems));
    let listen = fields.need("listen", problems).and_then(|node| {
        let address = node.text(problems)?.parse::<Address>().map_err(|problem| problems.add(node.place, problem));
        let address = address.ok()?;
        if tls.is_none() {
            read::local(node, &address, "reads the token and pushes in its name", problems);
        } else if matches!(address, Address::Unix(_)) {
            problems.add(node.place, "`tls:` guards TCP addresses, and this is none; leave one of the two out");
        }
        Some(address)
    });
    let certificates = tls.iter().flatten().any(|tls| tls.client_ca_file.is_some());
    let missing = "a file that holds the token that pushes must show; or `tls:` with a `client_ca_file`";
    let token = match secret(&mut fields, &PUSH, files, problems) {
        Some(Given::Missing) if !certificates => {
            problems.add(fields.place, format!("`token_file:` is missing: {missing}"));
            None
        }
        Some(Given::Value(token)) => Some(Token::Value(token)),
        Some(Given::File(path)) => Some(Token::File(path)),
        Some(Given::Missing) | None => None,
    };
    fields.finish(problems);
    Some(Push { listen: listen?, token, tls: tls.flatten() })
}

/// How a secret is called.
struct Named {
    value: &'static str,
    file: &'static str,
    /// "token"
    short: &'static str,
    /// "the bot's token"
    what: &'static str,
}

const BOT: Named = Named { value: "token", file: "token_file", short: "token", what: "the bot's token" };
const PUSH: Named = Named { value: "token", file: "token_file", short: "token", what: "the push token" };

/// A secret as it is given.
enum Given {
    Missing,
    Value(String),
    File(PathBuf),
}

/// A secret that must be given; `example` says what its file holds.
fn needed(
    fields: &mut Fields<'_>,
    named: &Named,
    example: &str,
    files: &mut Files<'_>,
    problems: &mut Problems,
) -> Option<TokenSource> {
    match secret(fields, named, files, problems)? {
        Given::Value(secret) => Some(TokenSource::Value(secret)),
        Given::File(path) => Some(TokenSource::File(path)),
        Given::Missing => {
            problems.add(fields.place, format!("`{}:` is missing: {example}", named.file));
            None
        }
    }
}

/// The secret or the file that holds it, not both.
fn secret(fields: &mut Fields<'_>, named: &Named, files: &mut Files<'_>, problems: &mut Problems) -> Option<Given> {
    let Named { value, file, short: _, what } = named;
    match (fields.take(value), fields.take(file)) {
        (Some(_), Some(node)) => {
            problems.add(node.place, format!("`{value}` and `{file}` are both given; keep one of them"));
            None
        }
        (Some(node), None) => match node.text(problems)?.trim() {
            "" => {
                let message = format!("`{value}` is empty; write {what}, or the file that holds it in `{file}`");
                problems.add(node.place, message);
                None
            }
            secret => Some(Given::Value(secret.to_owned())),
        },
        (None, Some(node)) => files.secret(node, problems).map(Given::File),
        (None, None) => Some(Given::Missing),
    }
}

/// An address of the tracker, to which the secret is sent: never in clear text over a network.
fn address(node: &Node, example: &str, named: &Named, problems: &mut Problems) -> Option<String> {
    let Named { file, short, .. } = named;
    let text = node.text(problems)?;
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => url,
        _ => {
            problems.add(node.place, format!("`{}` is no web address; write one like {example}", shown(text)));
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        problems.add(node.place, format!("an address must not hold a name or password; give the {short} in `{file}`"));
        return None;
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        problems.add(node.place, format!("`{text}` sends the {short} in clear text over the network; write https://"));
        return None;
    }
    Some(text.to_owned())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// What may be an address with a password in it is not shown whole.
fn shown(text: &str) -> &str {
    text.rsplit('@').next().unwrap_or(text)
}
