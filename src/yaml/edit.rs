//! Edits a YAML file as text: an entry of a map is added or taken away, every other byte stays.
//!
//! ```text
//! text ─► nodes: where things stand ─► cut and paste whole lines ─► parsed again: means what was meant? ─► text
//! ```
//!
//! Only maps written one entry to a line are edited. What is written otherwise is refused with its place, and so is an
//! edit that would not mean exactly what was asked for.

#[cfg(test)]
mod tests;
mod write;

pub use self::write::Value;
use super::{Data, Key, Node, Place, Problem, Problems, parse};

/// Adds an entry at the end of the map that stands under `path`; where there is no such map, one is begun.
///
/// # Errors
/// Where the text is no YAML, has an entry of this name there, or is not written one entry to a line there.
pub fn append(file: &str, text: &str, path: &[&str], key: &str, value: &Value) -> Result<String, Problems> {
    let cut = |page: &Page<'_>, root: &Node| {
        let mut map = page.root(root);
        for (depth, name) in path.iter().enumerate() {
            match map.entry(name)? {
                Some(found) => map = found,
                None => return map.append(name, &write::nested(path.get(depth + 1..).unwrap_or_default(), key, value)),
            }
        }
        match map.entry(key)? {
            Some(there) => Err(Problem::new(there.place, format!("`{key}` stands here already; choose another name"))),
            None => map.append(key, value),
        }
    };
    edit(file, text, cut, |root| add(root, path, key, value))
}

/// Takes away the entry `key` of the map that stands under `path`, with the comments inside it.
///
/// # Errors
/// Where the text is no YAML, has no such entry, or is not written one entry to a line there.
pub fn remove(file: &str, text: &str, path: &[&str], key: &str) -> Result<String, Problems> {
    let cut = |page: &Page<'_>, root: &Node| {
        let mut found = page.root(root);
        for name in path.iter().chain([&key]) {
            let place = found.place;
            let missing = || Problem::new(place, format!("there is no `{name}` here"));
            found = found.entry(name)?.ok_or_else(missing)?;
        }
        let to = page.last_line(found.first, found.end, found.indent + 1);
        Ok(Cut { from: found.first, to, paste: String::new() })
    };
    edit(file, text, cut, |root| take(root, path, key))
}

/// Whole lines that go, by index, and what comes in their place.
struct Cut {
    from: usize,
    to: usize,
    paste: String,
}

/// The text after the cut, if it means what was read and then changed by `change`.
fn edit(
    file: &str,
    text: &str,
    cut: impl FnOnce(&Page<'_>, &Node) -> Result<Cut, Problem>,
    change: impl FnOnce(&mut Node),
) -> Result<String, Problems> {
    let told = |problem| {
        let mut problems = Problems::new(file);
        problems.push(problem);
        problems
    };
    let (mark, body) = text.strip_prefix('\u{feff}').map_or(("", text), |body| ("\u{feff}", body));
    let mut root = parse(file, body)?;
    let page = Page::new(body, &root);
    let Cut { from, to, paste } = cut(&page, &root).map_err(told)?;
    let kept = |part: Option<&[&str]>| part.unwrap_or_default().concat();
    let new = [mark, &kept(page.lines.get(..from)), &paste, &kept(page.lines.get(to..))].concat();
    change(&mut root);
    if parse(file, &new).is_ok_and(|got| alike(&got, &root)) {
        return Ok(new);
    }
    let message = "no edit is possible here that leaves what else the file says as it is; write the entries one to a \
                   line, indented by spaces, with nothing but comments between them";
    Err(told(Problem::new(Place { line: from + 1, column: 1 }, message.to_owned())))
}

/// Whether two nodes say the same, wherever they stand.
fn alike(one: &Node, other: &Node) -> bool {
    match (&one.data, &other.data) {
        (Data::List(one), Data::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Data::Map(one), Data::Map(other)) => {
            let same = |((key, value), (name, other)): (&(Key, Node), &(Key, Node))| {
                key.text == name.text && alike(value, other)
            };
            one.len() == other.len() && one.iter().zip(other).all(same)
        }
        (one, other) => one == other,
    }
}

/// The same addition to what was read.
fn add(node: &mut Node, path: &[&str], key: &str, value: &Value) {
    if !matches!(node.data, Data::Map(_)) {
        node.data = Data::Map(Vec::new());
    }
    let Data::Map(entries) = &mut node.data else { return };
    let (name, below) = path.split_first().map_or((key, None), |(name, below)| (*name, Some(below)));
    match (entries.iter_mut().find(|(known, _)| known.text == name), below) {
        (Some((_, node)), Some(below)) => add(node, below, key, value),
        (None, Some(below)) => {
            let mut node = Node::null(Place::default());
            add(&mut node, below, key, value);
            entries.push((Key { place: Place::default(), text: name.to_owned(), quoted: false }, node));
        }
        (_, None) => {
            entries.push((Key { place: Place::default(), text: name.to_owned(), quoted: false }, value.node()))
        }
    }
}

/// The same removal from what was read.
fn take(node: &mut Node, path: &[&str], key: &str) {
    let place = node.place;
    let Data::Map(entries) = &mut node.data else { return };
    match path.split_first() {
        Some((name, below)) => {
            entries.iter_mut().filter(|(known, _)| known.text == *name).for_each(|(_, node)| take(node, below, key));
        }
        None => {
            entries.retain(|(known, _)| known.text != key);
            if entries.is_empty() {
                *node = Node::null(place);
            }
        }
    }
}

/// A text in its lines, each with its ending.
struct Page<'t> {
    lines: Vec<&'t str>,
    /// Where the document ends, as an index of lines.
    end: usize,
    eol: &'static str,
    /// By how much a map in a map is indented.
    step: usize,
}

/// A value on a page.
struct Spot<'p, 'n> {
    page: &'p Page<'n>,
    node: &'p Node,
    /// Where its key stands; where the value itself does, at the root.
    place: Place,
    /// The index of its first line.
    first: usize,
    /// The index of the first line that certainly belongs to something else.
    end: usize,
    /// By how many spaces its key is indented.
    indent: usize,
    is_root: bool,
}

// === impl Page ===

impl<'t> Page<'t> {
    fn new(text: &'t str, root: &Node) -> Self {
        let mut lines = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = match rest.find(['\n', '\r']) {
                Some(at) if rest.get(at..).is_some_and(|tail| tail.starts_with("\r\n")) => at + 2,
                Some(at) => at + 1,
                None => rest.len(),
            };
            let (line, below) = rest.split_at_checked(end).unwrap_or((rest, ""));
            lines.push(line);
            rest = below;
        }
        let closes =
            |line: &&str| line.strip_prefix("...").is_some_and(|tail| tail.trim_start() != tail || tail.is_empty());
        let end = lines.iter().position(closes).unwrap_or(lines.len());
        let eol = if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
        let mut page = Self { lines, end, eol, step: 2 };
        page.step = page.step(root).unwrap_or(page.step);
        page
    }

    fn line(&self, at: usize) -> &'t str {
        self.lines.get(at).copied().unwrap_or_default()
    }

    fn root<'p>(&'p self, node: &'p Node) -> Spot<'p, 't> {
        Spot { page: self, node, place: node.place, first: 0, end: self.end, indent: 0, is_root: true }
    }

    /// The index behind the last line that belongs to what begins at `first`: blank lines before `end` do not, nor do
    /// comments that are indented by less than `indent`.
    fn last_line(&self, first: usize, end: usize, indent: usize) -> usize {
        let outside = |line: &str| {
            let text = line.trim_start_matches([' ', '\t']);
            text.trim_end().is_empty() || (text.starts_with('#') && line.len() - text.len() < indent)
        };
        let mut last = end;
        while last > first + 1 && outside(self.line(last - 1)) {
            last -= 1;
        }
        last
    }

    /// By how much this file indents a map in a map.
    fn step(&self, node: &Node) -> Option<usize> {
        let Data::Map(entries) = &node.data else { return None };
        let mut steps = entries.iter().filter_map(|(key, node)| match &node.data {
            Data::Map(below) if !self.in_braces(node) => {
                below.first()?.0.place.column.checked_sub(key.place.column).filter(|step| *step > 0)
            }
            _ => None,
        });
        steps.next()
    }

    fn in_braces(&self, node: &Node) -> bool {
        let mut characters = self.line(node.place.line.saturating_sub(1)).chars();
        characters.nth(node.place.column.saturating_sub(1)) == Some('{')
    }

    /// Whether a key is the first thing on its line.
    fn leads(&self, key: &Key) -> bool {
        let mut characters = self.line(key.place.line.saturating_sub(1)).chars();
        let indented = characters.by_ref().take(key.place.column.saturating_sub(1)).all(|character| character == ' ');
        indented && characters.next().is_some_and(|first| matches!(first, '"' | '\'') || key.text.starts_with(first))
    }
}

// === impl Spot ===

impl<'p, 'n> Spot<'p, 'n> {
    /// The entries of a map that is written one entry to a line; none where there is no value yet.
    fn entries(&self) -> Result<&'p [(Key, Node)], Problem> {
        let refused = |place, what: &str| {
            let mend = "write its entries one to a line, as `name: value`, indented by spaces";
            Err(Problem::new(
                place,
                format!("only maps written one entry to a line are edited, and this is {what}; {mend}"),
            ))
        };
        match &self.node.data {
            Data::Scalar { text, quoted: false } if text.is_empty() => Ok(&[]),
            Data::Map(_) if self.page.in_braces(self.node) => refused(self.node.place, "one in braces"),
            Data::Map(entries) => match entries.iter().find(|(key, _)| !self.page.leads(key)) {
                Some((key, _)) => refused(key.place, "a key behind something else"),
                None => Ok(entries),
            },
            _ if self.node.is_null() => refused(self.node.place, "a written-out `null`"),
            _ => refused(self.node.place, &self.node.what()),
        }
    }

    fn entry(&self, name: &str) -> Result<Option<Spot<'p, 'n>>, Problem> {
        let entries = self.entries()?;
        let Some(at) = entries.iter().position(|(key, _)| key.text == name) else { return Ok(None) };
        let Some((key, node)) = entries.get(at) else { return Ok(None) };
        let end = entries.get(at + 1).map_or(self.end, |(next, _)| next.place.line.saturating_sub(1));
        let (first, indent) = (key.place.line.saturating_sub(1), key.place.column.saturating_sub(1));
        Ok(Some(Spot { page: self.page, node, place: key.place, first, end, indent, is_root: false }))
    }

    /// A new entry at the end of this map.
    fn append(&self, key: &str, value: &Value) -> Result<Cut, Problem> {
        let page = self.page;
        let last = self.entries()?.last().map(|(key, _)| key.place);
        let (first, indent, inside) = match last {
            Some(last) => (last.line.saturating_sub(1), last.column.saturating_sub(1), last.column.saturating_sub(1)),
            None if self.is_root => (0, 0, 0),
            // A comment under a key with nothing else is indented as it likes, if only it is deeper than the key.
            None => (self.first, self.indent + page.step, self.indent + 1),
        };
        let at = page.last_line(first, self.end, inside);
        let mut paste = String::new();
        if at > 0 && !page.line(at - 1).ends_with(['\n', '\r']) {
            paste.push_str(page.eol);
        }
        let style = write::Style { step: page.step(self.node).unwrap_or(page.step), eol: page.eol };
        style.entry(&mut paste, indent, key, value);
        Ok(Cut { from: at, to: at, paste })
    }
}
