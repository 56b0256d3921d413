//! The `tracker:` part: exactly one, told how to reach it.

use reqwest::Url;

use super::Tracker;
use super::files::Files;
use super::read::not_yet;
use crate::tracker::kitsu::{self, TokenSource};
use crate::yaml::{Fields, Node, Problems};

/// Trackers that later versions have.
const NOT_YET: [&str; 3] = ["ftrack", "flow", "limecraft"];

pub(super) fn read(node: &Node, files: &mut Files<'_>, problems: &mut Problems) -> Option<Tracker> {
    let mut fields = node.map(problems)?;
    let given = fields.entries().iter().filter(|(_, node)| !node.is_null()).count();
    let kitsu = fields.take("kitsu").map(|node| kitsu(node, files, problems).map(Tracker::Kitsu));
    let file = fields.take("file").map(|node| file(node, files, problems));
    for name in NOT_YET {
        not_yet(&mut fields, name, problems);
    }
    fields.finish(problems);
    if given != 1 {
        problems.add(node.place, format!("exactly one tracker is needed here, not {given}: `kitsu:` or `file:`"));
    }
    kitsu.or(file).flatten()
}

fn kitsu(node: &Node, files: &mut Files<'_>, problems: &mut Problems) -> Option<kitsu::Config> {
    let mut fields = node.map(problems)?;
    let url = fields.need("url", problems).and_then(|node| address(node, "https://kitsu.studio/api", problems));
    let events = fields.need("events_url", problems).and_then(|node| address(node, "https://kitsu.studio", problems));
    let token = token(&mut fields, files, problems);
    fields.finish(problems);
    Some(kitsu::Config { url: url?, events_url: events?, token: token? })
}

fn file(node: &Node, files: &Files<'_>, problems: &mut Problems) -> Option<Tracker> {
    let mut fields = node.map(problems)?;
    let path = fields.need("path", problems).and_then(|node| files.readable(node, problems));
    fields.finish(problems);
    path.map(Tracker::File)
}

/// `token` or `token_file`, not both.
fn token(fields: &mut Fields<'_>, files: &mut Files<'_>, problems: &mut Problems) -> Option<TokenSource> {
    match (fields.take("token"), fields.take("token_file")) {
        (Some(_), Some(node)) => {
            problems.add(node.place, "`token` and `token_file` are both given; keep one of them");
            None
        }
        (Some(node), None) => match node.text(problems)?.trim() {
            "" => {
                problems.add(
                    node.place,
                    "`token` is empty; write the bot's token, or the file that holds it in `token_file`",
                );
                None
            }
            token => Some(TokenSource::Value(token.to_owned())),
        },
        (None, Some(node)) => files.secret(node, problems).map(TokenSource::File),
        (None, None) => {
            problems.add(fields.place, "`token_file:` is missing: a file that holds the token of a Kitsu bot");
            None
        }
    }
}

/// An address of the tracker, to which the token is sent: never in clear text over a network.
fn address(node: &Node, example: &str, problems: &mut Problems) -> Option<String> {
    let text = node.text(problems)?;
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => url,
        _ => {
            problems.add(node.place, format!("`{}` is no web address; write one like {example}", shown(text)));
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        problems.add(node.place, "an address must not hold a name or password; give the token in `token_file`");
        return None;
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        problems.add(node.place, format!("`{text}` sends the token in clear text over the network; write https://"));
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
