//! Reads typed values out of nodes, complaining about what does not fit and going on.

use super::{Data, Key, Node, Place, Problems};

impl Node {
    /// The text of a scalar; complains otherwise.
    pub fn text(&self, problems: &mut Problems) -> Option<&str> {
        match &self.data {
            Data::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => {
                problems.add(self.place, format!("a text is needed here, not {}", self.what()));
                None
            }
        }
    }

    /// `true` or `false`; complains otherwise.
    pub fn bool(&self, problems: &mut Problems) -> Option<bool> {
        match &self.data {
            Data::Scalar { text, quoted: false } if text == "true" => Some(true),
            Data::Scalar { text, quoted: false } if text == "false" => Some(false),
            _ => {
                problems.add(self.place, format!("`true` or `false` is needed here, not {}", self.what()));
                None
            }
        }
    }

    /// A list's nodes; a single value counts as a list of one, nothing as an empty one.
    pub fn list(&self) -> &[Node] {
        match &self.data {
            _ if self.is_null() => &[],
            Data::List(nodes) => nodes,
            _ => std::slice::from_ref(self),
        }
    }

    /// A map's entries, to be taken one by one; complains where this is no map.
    pub fn map<'a>(&'a self, problems: &mut Problems) -> Option<Fields<'a>> {
        match &self.data {
            Data::Map(entries) => Some(Fields::new(self.place, entries)),
            _ if self.is_null() => Some(Fields::new(self.place, &[])),
            _ => {
                problems.add(self.place, format!("`name: value` lines are needed here, not {}", self.what()));
                None
            }
        }
    }
}

/// The entries of a map. What is never taken is unknown, and `finish` complains about it.
#[derive(Debug)]
pub struct Fields<'a> {
    pub place: Place,
    entries: &'a [(Key, Node)],
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    fn new(place: Place, entries: &'a [(Key, Node)]) -> Self {
        Self { place, entries, known: Vec::new() }
    }

    /// An entry that may be left out; an empty one counts as left out.
    pub fn take(&mut self, name: &'static str) -> Option<&'a Node> {
        self.known.push(name);
        let (_, node) = self.entries.iter().find(|(key, _)| key.text == name)?;
        (!node.is_null()).then_some(node)
    }

    /// An entry that may be left out, but not half written: an empty one would be as open as if it were not there.
    pub fn take_whole(&mut self, name: &'static str, problems: &mut Problems) -> Option<&'a Node> {
        if let Some((key, _)) = self.entries.iter().find(|(key, node)| key.text == name && node.is_null()) {
            problems.add(key.place, format!("`{name}:` has nothing behind its colon; write it out or leave it out"));
        }
        self.take(name)
    }

    /// An entry that must be there.
    pub fn need(&mut self, name: &'static str, problems: &mut Problems) -> Option<&'a Node> {
        let node = self.take(name);
        if node.is_none() {
            problems.add(self.place, format!("`{name}:` is missing"));
        }
        node
    }

    /// All entries, for maps whose keys are names of their own.
    pub fn entries(&self) -> &'a [(Key, Node)] {
        self.entries
    }

    /// Complains about every entry that was not taken.
    pub fn finish(self, problems: &mut Problems) {
        for (key, _) in self.entries {
            if !self.known.contains(&key.text.as_str()) {
                let hint = suggestion(&key.text, self.known.iter().copied());
                problems.add(key.place, format!("unknown key `{}`{hint}", key.text));
            }
        }
    }
}

/// `; did you mean ...?` for a misspelt name, or the names there are where none is near.
pub fn suggestion<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    match near(wrong, names.iter().copied()) {
        Some(name) => format!("; did you mean `{name}`?"),
        None if names.is_empty() => String::new(),
        None if names.len() <= 16 => format!("; known here: {}", names.join(", ")),
        None => String::new(),
    }
}

/// The name that a misspelt one was probably meant to be.
pub fn near<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let distances = names.into_iter().map(|name| (strsim::damerau_levenshtein(wrong, name), name));
    let close = |distance: usize, name: &str| distance <= 1 + wrong.chars().count().max(name.chars().count()) / 4;
    distances.filter(|(distance, name)| close(*distance, name)).min().map(|(_, name)| name)
}
