//! Values as policies, studio files and case files write them.

use crate::model::id::Str;
use crate::model::value::Value;
use crate::yaml::{Data, Node, Problems};

/// Words that other readers of YAML take for true or false. Guessing what is meant could open a door.
const DOUBTFUL: [&str; 6] = ["yes", "no", "on", "off", "y", "n"];

/// The value of a node; complains about words that could be meant as true or false.
pub fn read(node: &Node, problems: &mut Problems) -> Option<Value> {
    match &node.data {
        _ if node.is_null() => Some(Value::Null),
        Data::Scalar { text, quoted: true } => Some(Value::text(text)),
        Data::Scalar { text, quoted: false } => scalar(text).or_else(|| {
            problems.add(node.place, format!("`{text}`: write `true` or `false`, or put it in quotes"));
            None
        }),
        Data::List(nodes) => {
            let values: Vec<_> = nodes.iter().filter_map(|node| read(node, problems)).collect();
            (values.len() == nodes.len()).then_some(Value::List(values))
        }
        Data::Map(entries) => {
            let values: Vec<_> =
                entries.iter().filter_map(|(key, node)| Some((Str::from(&*key.text), read(node, problems)?))).collect();
            (values.len() == entries.len()).then_some(Value::Map(values))
        }
    }
}

fn scalar(text: &str) -> Option<Value> {
    match text {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ if ["true", "false"].iter().chain(&DOUBTFUL).any(|word| text.eq_ignore_ascii_case(word)) => None,
        _ => Some(number(text).map_or_else(|| Value::text(text), Value::Number)),
    }
}

/// A number as JSON writes it. `007`, `1e3` (a shot's name, perhaps) and `.5` are texts.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && (!digits.starts_with('0') || digits.len() == 1 || digits.starts_with("0."))
        && !digits.ends_with('.');
    if plain { text.parse().ok() } else { None }
}
