//! The `tracker:` part: exactly one, told how to reach it.

use std::path::PathBuf;

use reqwest::Url;

use super::files::Files;
use super::read::{self, not_yet};
use super::{Limecraft, Push, Tracker};
use crate::serve::listen::Address;
use crate::tracker::ingest::guard::Token;
use crate::tracker::secret::TokenSource;
use crate::tracker::{ftrack, kitsu};
use crate::yaml::{Fields, Node, Problems};

/// Trackers that later versions have.
const NOT_YET: [&str; 1] = ["flow"];

pub(super) fn read(node: &Node, files: &mut Files<'_>, problems: &mut Problems) -> Option<Tracker> {
    let mut fields = node.map(problems)?;
    let given = fields.entries().iter().filter(|(_, node)| !node.is_null()).count();
    let kitsu = fields.take("kitsu").map(|node| kitsu(node, files, problems).map(Tracker::Kitsu));
    let ftrack = fields.take("ftrack").map(|node| ftrack(node, files, problems).map(Tracker::Ftrack));
    let file = fields.take("file").map(|node| file(node, files, problems));
    let limecraft = fields.take("limecraft").map(|node| limecraft(node, files, problems).map(Tracker::Limecraft));
    for name in NOT_YET {
        not_yet(&mut fields, name, problems);
    }
    fields.finish(problems);
    if given != 1 {
        problems.add(
            node.place,
            format!("exactly one tracker is needed here, not {given}: `kitsu:`, `ftrack:`, `limecraft:` or `file:`"),
        );
    }
    kitsu.or(ftrack).or(file).or(limecraft).flatten()
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
