//! `requiredRights`: which rights a person must have, and must not have.
//!
//! Source: the Limecraft reference, "Checking rights": `!` before a right, `+` is AND, `|` is OR and binds weaker, and
//! parentheses "are simply stripped from the string and not interpreted". Where it is silent a string is refused.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::model::id::Str;

/// The longest string, in characters, and the most alternatives that are read.
const MAX_CHARS: usize = 4_096;
const MAX_ALTERNATIVES: usize = 64;

/// An OR of conjunctions: exactly what the language can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) any: Vec<Literals>,
}

/// One alternative.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Literals {
    pub(super) must: Vec<Str>,
    pub(super) must_not: Vec<Str>,
}

/// Reads a string as the reference does.
///
/// # Errors
/// Where it is malformed: what is wrong, in words for whoever wrote it.
pub(super) fn parse(text: &str) -> Result<Rights, String> {
    let length = text.chars().count();
    if length > MAX_CHARS {
        return Err(format!("{length} characters; at most {MAX_CHARS} are read"));
    }
    if text.chars().all(|c| c.is_whitespace() || is_parenthesis(c)) {
        return Err("it is empty: leave it out for the default, or name a right".to_owned());
    }
    if let Some(glued) = glued(text) {
        return Err(format!("`{glued}`: parentheses are stripped, so that two names would become one"));
    }
    let stripped: String = text.chars().filter(|c| !is_parenthesis(*c)).collect();
    let alternatives: Vec<_> = stripped.split('|').collect();
    if alternatives.len() > MAX_ALTERNATIVES {
        return Err(format!("{} alternatives; at most {MAX_ALTERNATIVES} are read", alternatives.len()));
    }
    alternatives.into_iter().map(literals).collect::<Result<_, _>>().map(|any| Rights { any })
}

impl std::fmt::Display for Literals {
    /// As the string is written.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let must = self.must.iter().map(ToString::to_string);
        let words: Vec<_> = must.chain(self.must_not.iter().map(|right| format!("!{right}"))).collect();
        f.write_str(if words.is_empty() { "no right" } else { "" })?;
        f.write_str(&words.join(" + "))
    }
}

fn literals(text: &str) -> Result<Literals, String> {
    let mut literals = Literals::default();
    for word in text.split('+').map(str::trim) {
        let (right, negated) = match word.strip_prefix('!') {
            Some(right) => (right.trim_start(), true),
            None => (word, false),
        };
        if right.is_empty() {
            return Err("a right is missing: `+` and `|` stand between two, `!` before one".to_owned());
        }
        if right.starts_with('!') {
            return Err(format!("`!{right}`: one `!` stands before a right, not several"));
        }
        if !right.chars().all(is_of_right) {
            return Err(format!("`{right}` is no right: its name has letters, digits and `_` alone"));
        }
        let list = if negated { &mut literals.must_not } else { &mut literals.must };
        if list.iter().all(|known| known != right) {
            list.push(Str::from(right));
        }
    }
    Ok(literals)
}

/// Two names that only a parenthesis keeps apart.
fn glued(text: &str) -> Option<String> {
    let mut before = None;
    let mut between = String::new();
    for c in text.chars() {
        if is_parenthesis(c) {
            between.push(c);
            continue;
        }
        match before {
            Some(before) if !between.is_empty() && is_of_right(before) && is_of_right(c) => {
                return Some(format!("{before}{between}{c}"));
            }
            _ => {}
        }
        between.clear();
        before = Some(c);
    }
    None
}

fn is_parenthesis(c: char) -> bool {
    matches!(c, '(' | ')')
}

fn is_of_right(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

// === what a reader would take it for ===

/// Where parentheses would matter if they were read: what the string means, and what it looks like. `None` where
/// reader and reference agree.
pub(super) fn misread(text: &str) -> Option<String> {
    if !text.contains(is_parenthesis) {
        return None;
    }
    let means = Tree::of(&parse(text).ok()?);
    let Some(looks) = Reader::read(text) else {
        return Some(format!("its parentheses do not pair, and are not read anyway; it means: {means}"));
    };
    let looks = looks.flat();
    (looks != means).then(|| format!("parentheses are not read: it means `{means}`, though it looks like `{looks}`"))
}

/// A formula as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tree {
    Right(String),
    Not(Box<Tree>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

impl Tree {
    fn of(rights: &Rights) -> Self {
        let literal = |negated: bool| {
            move |right: &Str| {
                let right = Self::Right(right.to_string());
                if negated { Self::Not(Box::new(right)) } else { right }
            }
        };
        let all = |one: &Literals| {
            Self::All(one.must.iter().map(literal(false)).chain(one.must_not.iter().map(literal(true))).collect())
        };
        Self::Any(rights.any.iter().map(all).collect()).flat()
    }

    /// The same without groups that change nothing; in an order of its own, so that equal ones are equal.
    fn flat(self) -> Self {
        let (list, any) = match self {
            Self::Right(_) => return self,
            Self::Not(inner) => {
                return match inner.flat() {
                    Self::Not(twice) => *twice,
                    inner => Self::Not(Box::new(inner)),
                };
            }
            Self::All(list) => (list, false),
            Self::Any(list) => (list, true),
        };
        let mut flat = Vec::new();
        for one in list.into_iter().map(Self::flat) {
            match one {
                Self::All(inner) if !any => flat.extend(inner),
                Self::Any(inner) if any => flat.extend(inner),
                one => flat.push(one),
            }
        }
        flat.sort_by_cached_key(ToString::to_string);
        flat.dedup();
        match (flat.len(), any) {
            (1, _) => flat.remove(0),
            (_, true) => Self::Any(flat),
            (_, false) => Self::All(flat),
        }
    }
}

impl std::fmt::Display for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (list, word) = match self {
            Self::Right(right) => return f.write_str(right),
            Self::Not(inner) => return write!(f, "not {inner}"),
            Self::All(list) => (list, " and "),
            Self::Any(list) => (list, " or "),
        };
        let words: Vec<_> = list.iter().map(ToString::to_string).collect();
        f.write_char('(')?;
        f.write_str(&words.join(word))?;
        f.write_char(')')
    }
}

/// Reads parentheses as groups. Only ever given what the reference's rule accepts.
struct Reader<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
}

impl Reader<'_> {
    fn read(text: &str) -> Option<Tree> {
        let mut reader = Reader { rest: text.chars().peekable() };
        let tree = reader.any(0)?;
        reader.rest.next().is_none().then_some(tree)
    }

    fn next_is(&mut self, wanted: char) -> bool {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        self.rest.next_if_eq(&wanted).is_some()
    }

    fn any(&mut self, depth: usize) -> Option<Tree> {
        let mut list = vec![self.all(depth)?];
        while self.next_is('|') {
            list.push(self.all(depth)?);
        }
        Some(Tree::Any(list))
    }

    fn all(&mut self, depth: usize) -> Option<Tree> {
        let mut list = vec![self.one(depth)?];
        while self.next_is('+') {
            list.push(self.one(depth)?);
        }
        Some(Tree::All(list))
    }

    fn one(&mut self, depth: usize) -> Option<Tree> {
        // Deeper than anybody reads: said to be unpaired rather than followed.
        if depth > 64 {
            return None;
        }
        if self.next_is('!') {
            return self.one(depth + 1).map(|inner| Tree::Not(Box::new(inner)));
        }
        if self.next_is('(') {
            let inner = self.any(depth + 1)?;
            let closed = self.next_is(')');
            while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
            return closed.then_some(inner);
        }
        let mut right = String::new();
        while let Some(c) = self.rest.next_if(|c| is_of_right(*c)) {
            right.push(c);
        }
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        (!right.is_empty()).then_some(Tree::Right(right))
    }
}
