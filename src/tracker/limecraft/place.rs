//! Where in a JSON text a path stands, and which path stands at a place: complaints carry both.

use std::fmt;

/// One step into a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(&'static str),
    Index(usize),
}

/// A way into a document, such as `productions[3].roles[0]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(pub(super) Vec<Step>);

/// What is wrong somewhere in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) path: Path,
    pub(super) message: String,
}

// === impl Path ===

impl Path {
    /// The document itself.
    pub(super) fn root() -> Self {
        Self::default()
    }

    /// A member of what stands here.
    pub(super) fn key(&self, key: &'static str) -> Self {
        self.with(Step::Key(key))
    }

    /// An element of the list that stands here.
    pub(super) fn at(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The complaints with their places, in the order of the document.
pub(super) fn told(text: &str, problems: Vec<Problem>) -> Vec<String> {
    let paths: Vec<&Path> = problems.iter().map(|problem| &problem.path).collect();
    let offsets = locate(text.as_bytes(), &paths);
    let mut lines: Vec<(usize, String)> = problems
        .iter()
        .zip(offsets)
        .map(|(Problem { path, message }, offset)| (offset, sentence(text, offset, &path.to_string(), message)))
        .collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// What serde says of the text, with the path.
pub(super) fn told_by_serde(text: &str, error: &serde_json::Error) -> String {
    let said = error.to_string();
    let message = said.rfind(" at line ").and_then(|end| said.get(..end)).unwrap_or(&said);
    let offset = offset_of(text, error.line(), error.column());
    sentence(text, offset, &path_at(text.as_bytes(), offset), message)
}

fn sentence(text: &str, offset: usize, path: &str, message: &str) -> String {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    let at = if path.is_empty() { String::new() } else { format!(", at `{path}`") };
    format!("line {line}, column {column}{at}: {message}")
}

/// The offset of what serde read last.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start = match line.checked_sub(2) {
        None => 0,
        Some(breaks) => text.match_indices('\n').nth(breaks).map_or(0, |(at, _)| at + 1),
    };
    start.saturating_add(column.saturating_sub(1)).min(text.len())
}

/// Walks through a JSON text, as far as it is one.
struct Walk<'t> {
    text: &'t [u8],
    offset: usize,
    stack: Vec<Frame>,
    /// Where the last string begins and ends.
    string: (usize, usize),
}

enum Frame {
    /// An object and, after a key, where that stands.
    Object {
        key: Option<(usize, usize)>,
        colon: bool,
    },
    Array {
        index: usize,
    },
}

// === impl Walk ===

impl<'t> Walk<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self { text, offset: 0, stack: Vec::new(), string: (0, 0) }
    }

    /// The next offset at which a value begins, `stack` being the way to it. Stops behind `end`.
    fn value(&mut self, end: usize) -> Option<usize> {
        while let Some(byte) = self.text.get(self.offset).filter(|_| self.offset <= end) {
            let at = self.offset;
            self.offset += 1;
            let is_key = matches!(self.stack.last(), Some(Frame::Object { colon: false, .. }));
            match byte {
                b'"' => {
                    self.skip_string();
                    if !is_key {
                        return Some(at);
                    }
                    let string = self.string;
                    if let Some(Frame::Object { key, .. }) = self.stack.last_mut() {
                        *key = Some(string);
                    }
                }
                b'{' => {
                    self.stack.push(Frame::Object { key: None, colon: false });
                    return Some(at);
                }
                b'[' => {
                    self.stack.push(Frame::Array { index: 0 });
                    return Some(at);
                }
                b'}' | b']' => drop(self.stack.pop()),
                b':' => {
                    if let Some(Frame::Object { colon, .. }) = self.stack.last_mut() {
                        *colon = true;
                    }
                }
                b',' => match self.stack.last_mut() {
                    Some(Frame::Object { key, colon }) => (*key, *colon) = (None, false),
                    Some(Frame::Array { index }) => *index += 1,
                    None => {}
                },
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => {
                    while self.text.get(self.offset).is_some_and(|byte| !b",]}: \t\r\n".contains(byte)) {
                        self.offset += 1;
                    }
                    return Some(at);
                }
            }
        }
        None
    }

    fn skip_string(&mut self) {
        let start = self.offset;
        while let Some(byte) = self.text.get(self.offset) {
            self.offset += match byte {
                b'"' => break,
                b'\\' => 2,
                _ => 1,
            };
        }
        self.string = (start, self.offset.min(self.text.len()));
        self.offset += 1;
    }

    fn key(&self, (from, to): (usize, usize)) -> &'t [u8] {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Whether the value that begins here stands at `path`. An object or list is on the stack itself.
    fn is_at(&self, opened: bool, path: &Path) -> bool {
        let stack = self.stack.get(..self.stack.len() - usize::from(opened)).unwrap_or_default();
        stack.len() == path.0.len()
            && stack.iter().zip(&path.0).rev().all(|(frame, step)| match (frame, step) {
                (Frame::Object { key: Some(key), .. }, Step::Key(wanted)) => self.key(*key) == wanted.as_bytes(),
                (Frame::Array { index }, Step::Index(wanted)) => index == wanted,
                _ => false,
            })
    }
}

/// Where the paths stand; 0 for one that is not there.
fn locate(text: &[u8], paths: &[&Path]) -> Vec<usize> {
    let mut found = vec![None; paths.len()];
    let mut walk = Walk::new(text);
    while let Some(at) = walk.value(usize::MAX) {
        let opened = matches!(text.get(at), Some(b'{' | b'['));
        for (found, path) in found.iter_mut().zip(paths) {
            if found.is_none() && walk.is_at(opened, path) {
                *found = Some(at);
            }
        }
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    found.into_iter().map(Option::unwrap_or_default).collect()
}

/// The way to what stands at the offset.
fn path_at(text: &[u8], offset: usize) -> String {
    let mut walk = Walk::new(text);
    while walk.value(offset).is_some() {}
    let mut path = String::new();
    for frame in &walk.stack {
        match frame {
            Frame::Object { key: Some(key), .. } => {
                let dot = if path.is_empty() { "" } else { "." };
                path.push_str(dot);
                path.push_str(&String::from_utf8_lossy(walk.key(*key)));
            }
            Frame::Object { key: None, .. } => {}
            Frame::Array { index } => path.push_str(&format!("[{index}]")),
        }
    }
    path
}
