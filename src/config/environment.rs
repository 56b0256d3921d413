//! Overrides from the environment: `STAGEDOOR__TRACKER__KITSU__URL` stands for `tracker: {kitsu: {url: ...}}`.

use super::Environment;
use crate::yaml::{self, Data, Key, Node, Place, Problems};

const PREFIX: &str = "STAGEDOOR__";

/// Puts the variables into the tree. Their place is line 0 and, as column, their number in the list that is returned.
///
/// A value is a text as it stands, or a list or map where it begins and ends like one; an empty one counts as left out.
pub(super) fn overlay<'e>(root: &mut Node, environment: &'e Environment, problems: &mut Problems) -> Vec<&'e str> {
    let mut names = Vec::new();
    for (name, value) in environment {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        names.push(name.as_str());
        let place = Place { line: 0, column: names.len() };
        let keys: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
        if path.chars().any(|c| c.is_ascii_lowercase()) || keys.iter().any(String::is_empty) {
            problems
                .add(place, "is no name of a key; write STAGEDOOR__ and the keys in capitals, two underscores between");
            continue;
        }
        match node(&keys, value, place) {
            Some(node) => put(root, &keys, node, place, problems),
            None => problems
                .add(place, "looks like a list or map but is none that can be read; look at its brackets and quotes"),
        }
    }
    names
}

fn node(keys: &[String], value: &str, place: Place) -> Option<Node> {
    // A token is never anything but a text, whatever it begins with.
    let secret = keys.last().is_some_and(|key| matches!(key.as_str(), "token" | "api_key" | "script_key"));
    // `[::1]:7300` begins like a list and is none.
    let (starts, ends) = (value.trim_start().starts_with(['[', '{']), value.trim_end().ends_with([']', '}']));
    if !secret && starts && ends {
        let mut node = yaml::parse("", value).ok()?;
        move_to(&mut node, place);
        return Some(node);
    }
    Some(Node { place, data: Data::Scalar { text: value.to_owned(), quoted: secret } })
}

/// What a variable holds has the variable as its place.
fn move_to(node: &mut Node, place: Place) {
    node.place = place;
    match &mut node.data {
        Data::Scalar { .. } => {}
        Data::List(nodes) => nodes.iter_mut().for_each(|node| move_to(node, place)),
        Data::Map(entries) => {
            for (key, node) in entries {
                key.place = place;
                move_to(node, place);
            }
        }
    }
}

fn put(root: &mut Node, keys: &[String], value: Node, place: Place, problems: &mut Problems) {
    let Some((key, below)) = keys.split_first() else {
        *root = value;
        return;
    };
    if root.is_null() {
        root.data = Data::Map(Vec::new());
    }
    let Data::Map(entries) = &mut root.data else {
        problems.add(place, format!("there is no `{key}` to set: what is above it is {}", root.what()));
        return;
    };
    match entries.iter_mut().find(|(known, _)| known.text == *key) {
        Some((_, node)) => put(node, below, value, place, problems),
        None => {
            let mut node = Node::null(place);
            put(&mut node, below, value, place, problems);
            entries.push((Key { place, text: key.clone(), quoted: false }, node));
        }
    }
}
