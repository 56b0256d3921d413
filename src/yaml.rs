//! Reads YAML so that every complaint names its place: file, line, column and the mend.
//!
//! Used for policies, configuration, studio files and case files alike. Anchors, tags and duplicate keys are refused,
//! nesting is limited: a file means what a reader sees in it. `edit` changes a file and leaves the rest as it is.

pub mod edit;
mod problem;
mod read;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use problem::{Problem, Problems};
pub use read::{Fields, near, suggestion};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// The deepest nesting of lists and maps that is read.
pub const MAX_DEPTH: usize = 64;
/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1; 0 where the value came from no file.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub place: Place,
    pub data: Data,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// A scalar; `quoted` texts are never read as null, number or bool.
    Scalar {
        text: String,
        quoted: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a map and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub place: Place,
    pub text: String,
}

/// Reads one document. `file` is the name that complaints carry.
///
/// # Errors
/// Where the text is no YAML, too deep, too large, or uses anchors, tags or a key twice.
pub fn parse(file: &str, text: &str) -> Result<Node, Problems> {
    let mut problems = Problems::new(file);
    if text.len() > MAX_BYTES {
        problems.add(Place::default(), format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len()));
        return Err(problems);
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => Err(Problem::new(place(error.marker()), format!("not YAML: {}", error.info()))),
        };
        if let Err(problem) = step {
            problems.push(problem);
            return Err(problems);
        }
    }
    for problem in builder.duplicates {
        problems.push(problem);
    }
    if problems.is_empty() {
        Ok(builder.root.unwrap_or_else(|| Node::null(Place { line: 1, column: 1 })))
    } else {
        Err(problems)
    }
}

// === impl Node ===

impl Node {
    /// An empty scalar.
    pub fn null(place: Place) -> Self {
        Self { place, data: Data::Scalar { text: String::new(), quoted: false } }
    }

    /// Whether this is an absent value: nothing, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, quoted: false } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// What it is, in a word for complaints.
    pub fn what(&self) -> Cow<'static, str> {
        match &self.data {
            _ if self.is_null() => "nothing".into(),
            Data::Scalar { text, .. } => format!("`{}`", text.chars().take(60).collect::<String>()).into(),
            Data::List(_) => "a list".into(),
            Data::Map(_) => "a map".into(),
        }
    }
}

// === Builder: from parser events to nodes ===

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    documents: usize,
    duplicates: Vec<Problem>,
}

enum Open {
    List(Place, Vec<Node>),
    Map(Place, Vec<(Key, Node)>, Option<Key>),
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let at = place(&span.start);
        let refuse = |what: &str| Err(Problem::new(at, format!("{what} are not read here; write the value out")));
        match event {
            Event::Alias(_) => return refuse("aliases"),
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _)
                if anchor != 0 =>
            {
                return refuse("anchors");
            }
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                return refuse("tags");
            }
            Event::Scalar(text, style, _, _) => self.value(Node {
                place: at,
                data: Data::Scalar { text: text.into_owned(), quoted: !matches!(style, ScalarStyle::Plain) },
            })?,
            Event::SequenceStart(..) => self.open(Open::List(at, Vec::new()))?,
            Event::MappingStart(..) => self.open(Open::Map(at, Vec::new(), None))?,
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(place, nodes)) => self.value(Node { place, data: Data::List(nodes) })?,
                Some(Open::Map(place, entries, _)) => self.value(Node { place, data: Data::Map(entries) })?,
                None => return Err(Problem::new(at, "a list or map ends that never began".to_owned())),
            },
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Problem::new(at, "a second document begins; one is read per file".to_owned()));
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn open(&mut self, open: Open) -> Result<(), Problem> {
        let (Open::List(place, _) | Open::Map(place, ..)) = open;
        if self.open.len() >= MAX_DEPTH {
            return Err(Problem::new(place, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.open.push(open);
        Ok(())
    }

    fn value(&mut self, node: Node) -> Result<(), Problem> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, nodes)) => nodes.push(node),
            Some(Open::Map(_, entries, pending)) => match pending.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let place = node.place;
                    let Data::Scalar { text, .. } = node.data else {
                        return Err(Problem::new(place, "a key must be a plain word".to_owned()));
                    };
                    if let Some((first, _)) = entries.iter().find(|(key, _)| key.text == text) {
                        self.duplicates.push(Problem::new(
                            place,
                            format!("`{text}` stands twice; first in line {}", first.place.line),
                        ));
                    }
                    *pending = Some(Key { place, text });
                }
            },
        }
        Ok(())
    }
}

fn place(marker: &saphyr_parser::Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}
