//! Records as they are looked at: small copies that borrow from the mirror.

use std::fmt;
use std::ops::Deref;

use super::members::Grants;
use super::tables::{Draft, DraftCell};
use super::texts::Texts as Held;
use super::values::{Values, Word};
use crate::model::id::Key;
use crate::model::schema::{FieldNo, KindNo};
use crate::model::value::Value;

/// What the mirror knows of one object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State<'v> {
    /// Something refers to it, its record has not come.
    Unknown,
    /// It does not exist at the tracker.
    Gone,
    /// The tracker's record could not be understood. What it last said keeps it in the lists of those that it referred to,
    /// so that these are known to be incomplete.
    Quarantined(Option<Row<'v>>),
    Record(Row<'v>),
}

/// A record.
#[derive(Clone, Copy)]
pub struct Row<'v> {
    values: &'v Values,
    kind: KindNo,
    trashed: bool,
    /// Project, name, then the fields.
    words: &'v [Word],
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'v> {
    /// The record says nothing about it: not known.
    Unset,
    Null,
    Bool(bool),
    Number(f64),
    Text(&'v str),
    Texts(Texts<'v>),
    Ref(Key),
    /// Sorted, each once.
    Refs(Refs<'v>),
    /// As it came.
    Any(&'v Value),
}

/// The objects that a field refers to; a slice of them.
#[derive(Clone, Copy, Debug)]
pub struct Refs<'v>(Few<'v>);

#[derive(Clone, Copy, Debug)]
enum Few<'v> {
    One(Key),
    Many(&'v [Key]),
}

/// A list of texts.
#[derive(Clone, Copy)]
pub struct Texts<'v> {
    held: &'v Held,
    list: &'v [u32],
}

/// A person's place in a project.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Membership<'v> {
    /// `None` where the site-wide role applies.
    pub role: Option<&'v str>,
    /// Where the tracker gives roles and rights that are no words of the pack.
    pub grants: Option<&'v Grants>,
}

// === impl Row ===

impl<'v> Row<'v> {
    pub(super) fn new(values: &'v Values, kind: KindNo, trashed: bool, words: &'v [Word]) -> Self {
        Self { values, kind, trashed, words }
    }

    /// The kind itself, where several share a table.
    pub fn kind(self) -> KindNo {
        self.kind
    }

    /// In the trash: links to it lead nowhere.
    pub fn trashed(self) -> bool {
        self.trashed
    }

    /// The project that it belongs to.
    pub fn project(self) -> Option<Key> {
        self.words.first()?.key()
    }

    /// The display name.
    pub fn name(self) -> &'v str {
        self.words.get(1).map_or("", |word| self.values.text(*word))
    }

    /// The value of a field.
    pub fn cell(self, field: FieldNo) -> Cell<'v> {
        self.words.get(usize::from(field) + 2).map_or(Cell::Unset, |word| self.values.cell(*word))
    }

    /// The values of all fields of the table's kind, in order.
    pub fn cells(self) -> impl ExactSizeIterator<Item = Cell<'v>> + Clone {
        let fields = self.words.get(2..).unwrap_or_default();
        fields.iter().map(move |word| self.values.cell(*word))
    }

    /// Whether the draft says the same.
    pub(super) fn is(self, draft: &Draft<'_>) -> bool {
        let Draft { kind, trashed, project, name, cells } = draft;
        let heads = (self.kind, self.trashed, self.project(), self.name()) == (*kind, *trashed, *project, *name);
        heads && self.cells().len() == cells.len() && self.cells().zip(cells).all(|(cell, draft)| cell.is(draft))
    }
}

impl PartialEq for Row<'_> {
    fn eq(&self, other: &Self) -> bool {
        let heads = |row: &Self| (row.kind, row.trashed, row.project());
        heads(self) == heads(other) && self.name() == other.name() && self.cells().eq(other.cells())
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells: Vec<_> = self.cells().collect();
        let Self { kind, trashed, .. } = self;
        write!(f, "Row {{ kind: {kind}, trashed: {trashed}, project: {:?}, ", self.project())?;
        write!(f, "name: {:?}, cells: {cells:?} }}", self.name())
    }
}

impl<'v> State<'v> {
    /// The record, or the last one that was understood.
    pub(super) fn last_said(self) -> Option<Row<'v>> {
        match self {
            Self::Record(row) => Some(row),
            Self::Quarantined(row) => row,
            Self::Unknown | Self::Gone => None,
        }
    }
}

// === impl Cell ===

impl<'v> Cell<'v> {
    fn is(self, draft: &DraftCell<'_>) -> bool {
        match (self, draft) {
            (Self::Unset, DraftCell::Unset) | (Self::Null, DraftCell::Null) => true,
            (Self::Bool(a), DraftCell::Bool(b)) => a == *b,
            (Self::Number(a), DraftCell::Number(b)) => a == *b,
            (Self::Text(a), DraftCell::Text(b)) => a == *b,
            (Self::Texts(a), DraftCell::Texts(b)) => a.iter().eq(b.iter().copied()),
            (Self::Ref(a), DraftCell::Ref(b)) => a == *b,
            (Self::Refs(a), DraftCell::Refs(b)) => *a == **b,
            (Self::Any(a), DraftCell::Any(b)) => a == *b,
            _ => false,
        }
    }

    /// The objects that this field refers to.
    pub fn refs(self) -> Refs<'v> {
        match self {
            Self::Ref(key) => Refs(Few::One(key)),
            Self::Refs(keys) => keys,
            _ => Refs(Few::Many(&[])),
        }
    }

    /// The text, where it is one.
    pub fn text(self) -> Option<&'v str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Deref for Refs<'_> {
    type Target = [Key];

    fn deref(&self) -> &[Key] {
        match &self.0 {
            Few::One(key) => std::slice::from_ref(key),
            Few::Many(keys) => keys,
        }
    }
}

impl PartialEq for Refs<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl From<Key> for Refs<'_> {
    fn from(key: Key) -> Self {
        Self(Few::One(key))
    }
}

impl<'v> From<&'v [Key]> for Refs<'v> {
    fn from(keys: &'v [Key]) -> Self {
        Self(Few::Many(keys))
    }
}

// === impl Texts ===

impl<'v> Texts<'v> {
    pub(super) fn new(held: &'v Held, list: &'v [u32]) -> Self {
        Self { held, list }
    }

    /// The texts, in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'v str> + Clone {
        self.list.iter().map(move |no| self.held.get(*no))
    }
}

impl PartialEq for Texts<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Texts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
