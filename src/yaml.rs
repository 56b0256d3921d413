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
use rustc_hash::FxHashMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// The deepest nesting of lists and maps that is read.
pub const MAX_DEPTH: usize = 64;
/// How many values aliases may repeat, all in all: a short file must not stand for an endless one.
const MAX_REPEATED: usize = 100_000;
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
    pub quoted: bool,
}

/// Reads one document. `file` is the name that complaints carry.
///
/// # Errors
/// Where the text is no YAML, too deep, too large, or uses tags or a key twice.
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
    /// What anchors stand at, by their numbers, once it is complete.
    anchored: FxHashMap<usize, Node>,
    repeated: usize,
}

struct Open {
    anchor: usize,
    place: Place,
    what: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map(Vec<(Key, Node)>, Option<Key>),
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let at = place(&span.start);
        match event {
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                return Err(Problem::new(at, "tags are not read here; write the value out".to_owned()));
            }
            Event::Scalar(text, style, anchor, _) => {
                let quoted = !matches!(style, ScalarStyle::Plain);
                self.done(anchor, Node { place: at, data: Data::Scalar { text: text.into_owned(), quoted } })?;
            }
            Event::Alias(anchor) => self.repeat(anchor, at)?,
            Event::SequenceStart(anchor, _) => self.open(anchor, at, Inside::List(Vec::new()))?,
            Event::MappingStart(anchor, _) => self.open(anchor, at, Inside::Map(Vec::new(), None))?,
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { anchor, place, what }) => {
                    let data = match what {
                        Inside::List(nodes) => Data::List(nodes),
                        Inside::Map(entries, _) => Data::Map(entries),
                    };
                    self.done(anchor, Node { place, data })?;
                }
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

    fn open(&mut self, anchor: usize, place: Place, what: Inside) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(place));
        }
        self.open.push(Open { anchor, place, what });
        Ok(())
    }

    /// A value that is complete; anchors are counted from 1.
    fn done(&mut self, anchor: usize, node: Node) -> Result<(), Problem> {
        if anchor != 0 {
            // It is held twice from now on, and so is what is inside it.
            self.repeated += measure(&node).0;
            if self.repeated > MAX_REPEATED {
                return Err(too_many(node.place));
            }
            self.anchored.insert(anchor, node.clone());
        }
        self.value(node)
    }

    /// The same value once more; complaints about it name the place where it is written.
    fn repeat(&mut self, anchor: usize, at: Place) -> Result<(), Problem> {
        let Some(node) = self.anchored.get(&anchor).cloned() else {
            return Err(Problem::new(at, "this repeats the value that it stands in".to_owned()));
        };
        let (nodes, depth) = measure(&node);
        self.repeated += nodes;
        if self.repeated > MAX_REPEATED {
            return Err(too_many(at));
        }
        if self.open.len() + depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.value(node)
    }

    fn value(&mut self, node: Node) -> Result<(), Problem> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { what: Inside::List(nodes), .. }) => nodes.push(node),
            Some(Open { what: Inside::Map(entries, pending), .. }) => match pending.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let place = node.place;
                    let Data::Scalar { text, quoted } = node.data else {
                        return Err(Problem::new(place, "a key must be a plain word".to_owned()));
                    };
                    if let Some((first, _)) = entries.iter().find(|(key, _)| key.text == text) {
                        self.duplicates.push(Problem::new(
                            place,
                            format!("`{text}` stands twice; first in line {}", first.place.line),
                        ));
                    }
                    *pending = Some(Key { place, text, quoted });
                }
            },
        }
        Ok(())
    }
}

fn place(marker: &saphyr_parser::Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

fn too_many(place: Place) -> Problem {
    Problem::new(place, format!("anchors and aliases repeat more than {MAX_REPEATED} values; write fewer"))
}

fn too_deep(place: Place) -> Problem {
    Problem::new(place, format!("nested deeper than {MAX_DEPTH} levels"))
}

/// How many values there are in it, itself counted, and how many lists and maps deep it is.
fn measure(node: &Node) -> (usize, usize) {
    let inside: &mut dyn Iterator<Item = &Node> = match &node.data {
        Data::Scalar { .. } => return (1, 0),
        Data::List(nodes) => &mut nodes.iter(),
        Data::Map(entries) => &mut entries.iter().map(|(_, node)| node),
    };
    let add = |(nodes, deepest): (usize, usize), (more, depth): (usize, usize)| (nodes + more, deepest.max(depth));
    let (nodes, depth) = inside.map(measure).fold((0, 0), add);
    (nodes + 1, depth + 1)
}
