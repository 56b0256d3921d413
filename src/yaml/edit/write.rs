//! Writes values as YAML: maps one entry to a line, texts quoted only where they must be.

use crate::yaml::{Data, Key, Node, Place};

/// The longest line of a list that is written in one line.
const WIDTH: usize = 100;

/// A value as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    List(Vec<String>),
    /// Without entries: nothing behind the colon.
    Map(Vec<(String, Value)>),
}

/// How a file is written.
pub(super) struct Style {
    /// By how many spaces what is nested is indented.
    pub(super) step: usize,
    pub(super) eol: &'static str,
}

/// `value` as the entry `key` of the map under `path`, the maps around it included.
pub(super) fn nested(path: &[&str], key: &str, value: &Value) -> Value {
    match path.split_first() {
        Some((name, below)) => Value::Map(vec![((*name).to_owned(), nested(below, key, value))]),
        None => Value::Map(vec![(key.to_owned(), value.clone())]),
    }
}

impl Value {
    /// The value as it will be read.
    pub(super) fn node(&self) -> Node {
        let data = match self {
            Self::Text(text) => return scalar_node(text),
            Self::List(texts) => Data::List(texts.iter().map(|text| scalar_node(text)).collect()),
            Self::Map(entries) if entries.is_empty() => return Node::null(Place::default()),
            Self::Map(entries) => {
                let entry = |(key, value): &(String, Self)| {
                    (Key { place: Place::default(), text: key.clone(), quoted: false }, value.node())
                };
                Data::Map(entries.iter().map(entry).collect())
            }
        };
        Node { place: Place::default(), data }
    }
}

impl Style {
    /// Writes an entry of a block map, on lines of its own.
    pub(super) fn entry(&self, out: &mut String, indent: usize, key: &str, value: &Value) {
        let Self { step, eol } = self;
        out.push_str(&" ".repeat(indent));
        out.push_str(&scalar(key));
        out.push(':');
        match value {
            Value::Text(text) => out.push_str(&format!(" {}{eol}", scalar(text))),
            Value::List(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| scalar(text)).collect();
                let line = format!(" [{}]", texts.join(", "));
                if indent + key.len() + line.len() < WIDTH {
                    out.push_str(&line);
                    out.push_str(eol);
                    return;
                }
                out.push_str(eol);
                for text in texts {
                    out.push_str(&format!("{}- {text}{eol}", " ".repeat(indent + step)));
                }
            }
            Value::Map(entries) => {
                out.push_str(eol);
                entries.iter().for_each(|(key, value)| self.entry(out, indent + step, key, value));
            }
        }
    }
}

fn scalar_node(text: &str) -> Node {
    Node { place: Place::default(), data: Data::Scalar { text: text.to_owned(), quoted: !is_plain(text) } }
}

/// A text, quoted where any reader of YAML could take it for something else.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            _ if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

fn is_plain(text: &str) -> bool {
    let harmless =
        |character: char| character.is_alphanumeric() || matches!(character, ' ' | '_' | '-' | '.' | '/' | '(' | ')');
    text.starts_with(char::is_alphabetic)
        && !text.ends_with(' ')
        && text.chars().all(harmless)
        && !["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
            .iter()
            .any(|known| text.eq_ignore_ascii_case(known))
}
